"""How many steps has an epoch? Estimated from the curve alone, where nothing else says it.

Epochs begin at multiples of their length T, so the length fixes every boundary. At each place the
*edge* is the mean of m points before minus the mean of m points after, less what the slope of the
m points before those and after those makes of it; a smooth curve has next to none. For every
candidate T the edges at its multiples are averaged, in units of the edges' usual size. The best T
is then measured like a known one, and its p-value multiplied by the number of candidates that
were tried, because the best of many looks good by chance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.features import noise_repeats
from esp_lib.diagnosis.grid import Grid, arrange, coarsen, median, tooth_of

Array = NDArray[np.float64]

MAX_POINTS = 4_096  # of the curve in which is searched
REFINE_BINS = 40  # parts of an epoch are enough to compare neighbouring lengths
MIN_POINTS = 8  # points of it in an epoch
MIN_EPOCHS = 2.5  # so that there are two boundaries
LEVEL = 0.01  # of the corrected p-value
PARTS = (2, 3, 4, 5)  # of a period that are told from it
MOST = 12  # multiples of a period that are told from it


class Period(NamedTuple):
    """An estimated epoch length."""

    steps: float  # NaN where nothing is convincing
    p_value: float  # corrected for the search
    error: float  # steps
    tries: int  # lengths that were tried


def find_period(steps: Array, loss: Array, interval: float) -> Period:
    """Estimate the steps in an epoch.

    Args:
        steps: (points,) increasing, counted from 1 at the start of the run.
        loss: (points,).
        interval: steps from one point to the next.

    Returns:
        The most convincing length, NaN if its corrected p-value is not below `LEVEL`.
    """
    nothing = Period(float("nan"), 1.0, float("nan"), 0)
    total = float(steps[-1])
    width = max(interval, total / MAX_POINTS)
    cells = int(total / width + 1e-9)
    if cells < MIN_POINTS * MIN_EPOCHS:
        return nothing
    cell: NDArray[np.int64] = np.floor((steps - interval / 2) / width).astype(np.int64)
    cell = np.clip(cell, 0, cells - 1)
    count = np.bincount(cell, minlength=cells)
    total_loss = np.bincount(cell, weights=loss - loss.mean(), minlength=cells)
    filled = np.flatnonzero(count)
    if filled.size < 0.7 * cells:
        return nothing
    y: Array = np.interp(np.arange(cells), filled, total_loss[filled] / count[filled])

    candidates = [float(MIN_POINTS)]  # in cells; neighbours differ by half a cell at the end
    while candidates[-1] < cells / MIN_EPOCHS:
        candidates.append(candidates[-1] * (1 + 0.5 / cells) if candidates[-1] * 0.5 / cells > 1e-3
                          else candidates[-1] + 1e-3)  # fmt: skip
    lengths = np.array(candidates)
    score = np.full(lengths.size, -np.inf)
    scales = {}
    m = 2
    while m <= lengths[-1] / 4:
        scales[m] = _edges(y, m)
        here = (lengths >= 4 * m) & (lengths < 8 * m)
        score[here] = _comb(scales[m], lengths[here], cells)
        m *= 2
    best = float(lengths[np.argmax(score)])
    best = _fundamental(best, scales, cells)
    best, error = _refine(best, y)

    length = _whole(best * width, error * width)
    grid = arrange(steps, loss, length, interval)
    again = _shape_cycle(grid, int(total / length / MIN_EPOCHS))
    if again > 1:
        length *= again
        grid = arrange(steps, loss, length, interval)
    length = _same_order(steps, loss, length, error * width, interval)
    grid = arrange(steps, loss, length, interval)
    p = float(tooth_of(grid).p_value) if grid.epochs >= 2 else 1.0
    corrected = min(1.0, p * lengths.size) if np.isfinite(p) else 1.0
    if corrected >= LEVEL:
        return Period(float("nan"), corrected, float("nan"), lengths.size)
    return Period(length, corrected, error * width, lengths.size)


def _same_order(steps: Array, loss: Array, length: float, error: float, interval: float) -> float:
    """The length, or one within the error at which the noise of epochs comes again."""
    best, most = length, 4.5
    epochs = max(1.0, steps[-1] / length)  # else the drops would drift from epoch to epoch
    reach = min(3, int(np.ceil(error)), int(0.05 * length / epochs))
    for other in range(round(length) - reach, round(length) + reach + 1):
        if other < MIN_POINTS * interval:
            continue
        repeat = noise_repeats(arrange(steps, loss, float(other), interval))
        if repeat.correlation > 0.25 and repeat.correlation / repeat.error > most:
            best, most = float(other), repeat.correlation / repeat.error
    return best


def _whole(length: float, error: float) -> float:
    """A whole number of steps: the roundest one within the error."""
    for unit in (1000.0, 100.0, 1.0):
        nearest = round(length / unit) * unit
        if nearest > 0 and abs(nearest - length) <= min(error, 0.02 * length):
            return nearest
    return max(1.0, float(round(length)))


def _edges(y: Array, m: int) -> Array:
    """(cells + 1,) the edge before each cell, in units of its usual size; 0 near the ends."""
    sums = np.concatenate([[0.0], np.cumsum(y)])
    size = y.size
    at = np.arange(2 * m, size - 2 * m + 1)
    block = [(sums[at + (i + 1) * m] - sums[at + i * m]) / m for i in (-2, -1, 0, 1)]
    edge = -0.5 * block[0] + 1.5 * block[1] - 1.5 * block[2] + 0.5 * block[3]
    usual = 1.4826 * median(np.abs(edge - median(edge)))
    out = np.zeros(size + 1)
    out[at] = edge / usual if usual > 0 else 0.0
    return np.clip(out, -30.0, 30.0)


def _comb(edges: Array, lengths: Array, cells: int) -> Array:
    """(lengths,) sum of the edges at the multiples of each length over the root of their number."""
    total, number = np.zeros(lengths.size), np.zeros(lengths.size)
    for k in range(1, int(cells / lengths[0]) + 1 if lengths.size else 0):
        at = k * lengths
        inside = at < cells
        total[inside] += edges[np.round(at[inside]).astype(np.int64)]
        number[inside] += 1
    return total / np.sqrt(np.maximum(number, 1))


def _fundamental(length: float, scales: dict[int, Array], cells: int) -> float:
    """The length, or a part or a multiple of it if the boundaries in between say so."""

    def drops(part: float) -> Array:
        m = max((m for m in scales if m <= part / 4), default=2)
        at = np.round(np.arange(1, int(cells / part) + 1) * part).astype(np.int64)
        return scales[m][at[(at >= 2 * m) & (at <= cells - 2 * m)]] / np.sqrt(m)

    for j in PARTS[::-1]:  # a j-th of it?
        part = length / j
        if part < MIN_POINTS:
            continue
        all_drops = drops(part)
        between = all_drops[(np.arange(all_drops.size) + 1) % j != 0]
        if between.size < 2:
            continue
        spread = np.sqrt(_variance(between) / between.size)
        if between.mean() > max(3 * spread, 0.5 * all_drops.mean()):
            return part
    return length * _cycle(drops(length)[:, None], int(cells / MIN_EPOCHS / length))


def _cycle(rows: Array, most: int) -> int:
    """After how many rows they come again: 1 if they do not differ but by chance.

    Analysis of variance: rows (rows, features) are sorted into as many classes, and those classes
    are taken that leave the least variance within, if they differ: if the ratio of variances is one
    that chance makes about once in a thousand times (a bound above the quantile of F).
    """
    total = float(((rows - rows.mean(axis=0)) ** 2).sum())
    best, least = 1, total / max(len(rows) - 1, 1)
    for j in range(2, min(MOST, most) + 1):
        freedom = len(rows) - j
        if freedom < j:
            break
        within = 0.0
        for c in (rows[i::j] for i in range(j)):
            within += float(((c - c.mean(axis=0)) ** 2).sum())
        features = rows.shape[1]
        ratio = (total - within) / (j - 1) / max(within / freedom, 1e-300)
        far = 1 + 12 / np.sqrt(features * (j - 1)) * (1 + 10 / (features * freedom))
        within /= freedom
        if ratio > far and within < 0.7 * least:
            best, least = j, within
    return best


def _shape_cycle(grid: Grid, most: int) -> int:
    """After how many epochs the course of the loss within them comes again."""
    if grid.bins < MIN_POINTS or grid.epochs < 6:
        return 1
    y = coarsen(grid, grid.bins // MIN_POINTS).y[1:]
    y = y[np.isfinite(y).all(axis=1)]
    if len(y) < 5:
        return 1
    return _cycle(y - y.mean(axis=1, keepdims=True), most)


def _variance(values: Array) -> float:
    return float(((values - values.mean()) ** 2).sum() / (values.size - 1))


def _refine(length: float, y: Array) -> tuple[float, float]:
    """The length within three cells at the end whose boundaries have the surest drop.

    Returns:
        It, and how far it may be off, in cells.
    """
    step = 0.25 * length / y.size
    at = np.arange(1.0, y.size + 1)
    best, most, error = length, -np.inf, 4 * step
    for i in range(-12, 13):
        near = length + i * step
        tooth = tooth_of(arrange(at, y, near, 1.0, REFINE_BINS))
        sure = float(tooth.drop / tooth.drop_error) if tooth.drop_error > 0 else -np.inf
        if sure > most:
            best, most = near, sure
    return best, error
