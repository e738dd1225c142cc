"""Several runs in one log, runs that were resumed, and steps that begin anew in every epoch."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

FEW = 3  # points at the end of a run of which the mean is taken
BACK = 0.5  # share of what a loss has fallen that it must regain to begin anew
FAR = 3.0  # usual differences of neighbouring points that it must have fallen


def gap_of(values: Array, otherwise: float) -> float:
    """The middle of the differences from each value to the next; of an even number, the upper."""
    gaps = np.sort(np.diff(values))
    return float(gaps[gaps.size // 2]) if gaps.size else otherwise


def run_starts(step: Array, epoch: Array, loss: Array) -> list[int]:
    """Where runs begin, one after another in the same log.

    A run begins where steps, and epochs if the log has them, go back to where they began. Without
    epochs that may be a new epoch of the same run; then the loss must go back up as well.

    Args:
        step: (points,) NaN where the log has none.
        epoch: (points,) likewise.
        loss: (points,).
    """
    with_step = bool(np.isfinite(step).all()) and step.size > 0
    with_epoch = bool(np.isfinite(epoch).all()) and epoch.size > 0
    if not with_step and not with_epoch:
        return [0]
    falls = np.zeros(loss.size, dtype=bool)
    for known, values in ((with_step, step), (with_epoch, epoch)):
        if known:
            falls[1:] |= np.diff(values) < 0
    gap = max(gap_of(step, 0.0), 0.0) if with_step else 0.0
    starts = [0]
    for at in np.flatnonzero(falls).tolist():
        begin = starts[-1]
        if with_step and step[at] > step[begin] + gap:
            continue
        if with_epoch and epoch[at] > epoch[begin]:
            continue
        if not with_epoch:
            before = float(np.mean(loss[max(begin, at - FEW) : at]))
            fallen, up = float(loss[begin]) - before, float(loss[at]) - before
            scatter = float(np.median(np.abs(np.diff(loss[begin:at])))) if at > begin + 1 else 0.0
            if not (fallen > FAR * scatter and up > BACK * fallen):
                continue
        starts.append(at)
    return starts


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


def count_from_one(step: Array, rows: Places) -> tuple[Array, bool]:
    """Steps as they count from 1, and whether they counted from 0.

    They do if one of them is 0, or if all are one short of a multiple of the interval, as
    Lightning's 49, 99, 149.
    """
    at = step[rows]
    if at.size == 0:
        return step, False
    gap = gap_of(at, 1.0)
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
    labelled = bool(np.isfinite(label).all() and (label == np.round(label)).all())
    turned = np.diff(label) > 0 if labelled else np.zeros(max(at.size - 1, 0), dtype=bool)
    falls = np.flatnonzero((np.diff(at) < 0) | ((np.diff(at) == 0) & turned)) + 1
    if falls.size == 0:
        return step, None
    totals = np.empty(0) if of is None else of[rows][np.isfinite(of[rows])]
    if totals.size and (totals == at.max()).all():
        at = np.maximum(at, 1.0)  # a bar that begins at 0 and ends at the total shows it twice
    starts = np.concatenate([[0], falls])
    first, last = at[starts], at[np.append(falls, rows.size) - 1]
    gap = max(gap_of(at, 0.0), 0.0)
    if labelled:
        # an epoch that is there again was resumed
        anew = bool(np.count_nonzero(turned[falls - 1]) >= falls.size / 2)
    else:
        anew = bool(
            (np.abs(first - first[0]) <= gap).all()
            and (np.abs(last[:-1] - last[0]) <= gap).all()
            and last[-1] <= last[0] + gap
            and (falls.size > 1 or totals.size > 0)  # else nothing speaks of epochs
        )
    if not anew:
        return step, None
    length = float(last.max() + max(gap - first.min(), 0))
    if totals.size and (totals == totals[0]).all() and totals[0] >= last.max():
        length = float(totals[0])
    part = np.cumsum(np.isin(np.arange(rows.size), falls))
    done = label - label.min() if labelled else part
    joined = step.copy()
    joined[rows] = at + done * length
    return joined, length
