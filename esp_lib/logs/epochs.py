"""How many steps an epoch has, from the epochs that stand beside the steps of a log."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROUNDED = 6  # decimals: an epoch column with more is exact


def epoch_length(
    step: Array, epoch: Array, evaluated: Mask, known: float | None
) -> tuple[float | None, float, float]:
    """Steps in an epoch, from the epochs that stand beside steps.

    Args:
        step: (rows,) increasing.
        epoch: (rows,) whole numbers, or fractions as the Hugging Face Trainer logs them.
        evaluated: (rows,) which rows have a validation loss, often logged as an epoch ends.
        known: what the log says elsewhere; used if the epochs, which win, do not contradict it.

    Returns:
        The length (None where nothing tells), the largest error that it may have, and what must be
        added to the steps so that epochs begin at its multiples.
    """
    here = np.isfinite(epoch) & np.isfinite(step)
    s, e = step[here], epoch[here]
    low, high, shift, slack = 1.0, np.inf, 0.0, 1.0
    if s.size >= 2 and (np.diff(e) >= 0).all() and e[-1] > e[0] and s[-1] > s[0]:
        if (e == np.round(e)).all():
            low, high, shift = _from_whole(s, e, evaluated[here])
        else:
            low, high, shift = _from_fractions(s, e)
            slack = 1e-6 * low
    if known is not None and low - slack <= known <= high + slack and known >= 1:
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
    if low <= high:
        return low, high, 0.0
    # a row on the boundary may carry either number: a line through the middles of the changes
    x, middle = done[good], (s[at][good] + s[at + 1][good] - 1) / 2
    if x.size < 10:
        return high, low, 0.0
    x = x - x.mean()
    length = float((x * middle).sum() / (x * x).sum())
    off = middle - middle.mean() - length * x
    error = float(3 * np.sqrt((off * off).sum() / (x.size - 2) / (x * x).sum()))
    return length - error, length + error, 0.0


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
