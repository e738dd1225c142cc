"""Steps and epochs of a log: runs that were resumed, steps that begin anew, steps in an epoch."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROUNDED = 6  # decimals: an epoch column with more is exact


def keep_last(step: Array, *kinds: Mask) -> Mask:
    """(rows,) which rows are not replaced later.

    A row is replaced by a later one of an earlier step, and by a later one of the same step that
    has what it has: `kinds` are masks (rows,) of what rows may have, such as a loss.
    """
    if step.size == 0:
        return np.empty(0, dtype=bool)
    keep = step <= np.minimum.accumulate(step[::-1])[::-1]
    for kind in kinds:
        at = step[kind]
        later = np.minimum.accumulate(at[::-1])[::-1]  # smallest step from this row on
        keep[kind] &= np.append(at[:-1] < later[1:], True)[: at.size]
    return keep


def count_from_one(step: Array, rows: NDArray[np.int64]) -> tuple[Array, bool]:
    """Steps as they count from 1, and whether they counted from 0.

    They do if one of them is 0, or if all are one short of a multiple of the interval, as
    Lightning's 49, 99, 149.
    """
    at = step[rows]
    if at.size == 0:
        return step, False
    gaps = np.sort(np.diff(at))
    gap = gaps[gaps.size // 2] if gaps.size else 1.0
    short = gap >= 2 and np.mean((at + 1) % gap == 0) > 0.9
    if at.min() == 0 or short:
        return step + 1, True
    return step, False


def join_epochs(step: Array, epoch: Array, of: Array | None) -> tuple[Array, float | None]:
    """Steps that begin anew in every epoch, counted on.

    Args:
        step: (rows,) NaN where a row has none.
        epoch: (rows,) likewise.
        of: (rows,) the total that stands behind a step, as in 45/100; or None.

    Returns:
        The steps, and how many an epoch has; None and the steps as they were if they do not begin
        anew. Where the log does not say how many there are, the last step is taken to be as far
        from the next epoch as the first from its own.
    """
    rows = np.flatnonzero(np.isfinite(step))
    at, label = step[rows], epoch[rows]
    falls = np.flatnonzero(np.diff(at) < 0) + 1
    if falls.size == 0:
        return step, None
    starts = np.concatenate([[0], falls])
    first, last = at[starts], at[np.append(falls, rows.size) - 1]
    gaps = np.sort(np.diff(at))
    gap = max(gaps[gaps.size // 2], 0.0)
    labelled = bool(np.isfinite(label[starts]).all())
    totals = np.empty(0) if of is None else of[rows][np.isfinite(of[rows])]
    alike = (
        (np.abs(first - first[0]) <= gap).all()
        and (np.abs(last[:-1] - last[0]) <= gap).all()
        and last[-1] <= last[0] + gap
    )
    if labelled:
        alike &= (np.diff(label[starts]) > 0).all()  # the same epoch again: resumed
    elif falls.size < 2 and totals.size == 0:
        alike = False  # one return to the start, and nothing that speaks of epochs
    if not alike:
        return step, None
    length = float(last.max() + max(gap - first.min(), 0))
    if totals.size and (totals == totals[0]).all() and totals[0] >= last.max():
        length = float(totals[0])
    part = np.cumsum(np.isin(np.arange(rows.size), falls))
    done = (label[starts] - label[starts[0]])[part] if labelled else part
    joined = step.copy()
    joined[rows] = at + done * length
    return joined, length


def epoch_length(
    step: Array, epoch: Array, evaluated: Mask, known: float | None
) -> tuple[float | None, float, float]:
    """Steps in an epoch, from the epochs that stand beside steps.

    Args:
        step: (rows,) increasing.
        epoch: (rows,) whole numbers, or fractions as the Hugging Face Trainer logs them.
        evaluated: (rows,) which rows have a validation loss, often logged as an epoch ends.
        known: what the log says elsewhere; used if the epochs do not contradict it.

    Returns:
        The length (None where nothing tells), the largest error that it may have, and what must be
        added to the steps so that epochs begin at its multiples.
    """
    here = np.isfinite(epoch) & np.isfinite(step)
    s, e = step[here], epoch[here]
    low, high, shift = 1.0, np.inf, 0.0
    if s.size >= 2 and (np.diff(e) >= 0).all() and e[-1] > e[0] and s[-1] > s[0]:
        whole = bool((e == np.round(e)).all())
        low, high, shift = _from_whole(s, e, evaluated[here]) if whole else _from_fractions(s, e)
    if known is not None and low - 1 <= known <= high + 1 and known >= 1:
        return float(known), 0.0, shift
    if not 1 <= high < np.inf:
        return None, 0.0, 0.0
    low = max(low, 1.0)
    middle = (low + high) / 2
    nearest = float(np.round(middle))
    if low - 1e-6 <= nearest <= high + 1e-6:
        return nearest, (high - low) / 2, shift
    return float(middle), (high - low) / 2, shift


def _from_whole(s: Array, e: Array, evaluated: Mask) -> tuple[float, float, float]:
    """Bounds from where a column of whole epochs changes."""
    at = np.flatnonzero(np.diff(e) > 0)
    base = e[0] if e[0] in (0, 1) or at.size < 2 else np.nan
    if np.isnan(base):  # the log begins in the middle of the run
        if s[at[-1]] == s[at[0]]:
            return 1.0, np.inf, 0.0
        length = (s[at[-1]] - s[at[0]]) / (e[at[-1] + 1] - e[at[0] + 1])
        base = np.round(e[at[0] + 1] - s[at[0]] / length)
    done = e[at + 1] - base  # epochs completed at each change
    good = done > 0
    if not good.any():
        return 1.0, np.inf, 0.0
    ends = s[at][good] / done[good]
    low = float(ends.max())
    at_ends = (ends == low).all() and low == np.round(low)
    if at_ends and (ends.size > 1 or evaluated[at][good].all()):
        return low, low, 0.0  # the last row of every epoch is at its end
    high = float(((s[at + 1][good] - 1) / done[good]).min())
    if low > high:  # a row on the boundary may carry either number
        low, high = high, low
    return low, high, 0.0


def _from_fractions(s: Array, e: Array) -> tuple[float, float, float]:
    """Bounds from fractions of epochs that are rounded to so many decimals."""
    decimals = next(
        (d for d in range(1, ROUNDED + 1) if np.abs(e - np.round(e, d)).max() < 1e-9), None
    )
    quantum = 0.0 if decimals is None else 10.0**-decimals
    span = e[-1] - e[0]
    if span <= quantum:
        return 1.0, np.inf, 0.0
    length = (s[-1] - s[0]) / span
    error = length * quantum / (span - quantum)
    low, high = length - error, length + error
    nearest = np.round(length)
    if low - 1e-6 <= nearest <= high + 1e-6:
        length = nearest
    offset = e[-1] - s[-1] / length
    offset -= np.round(offset)
    shift = float(np.round(offset * length)) if abs(offset) > 2 * quantum + 0.5 / length else 0.0
    return float(low), float(high), shift
