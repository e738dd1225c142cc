"""How many steps has an epoch? Estimated from the curve alone, where nothing else says it.

Epochs begin at multiples of their length T, so the length fixes every boundary. For every candidate
T a straight line is fitted to each epoch, by running sums, and the mean drop from the end of one
line to the start of the next is divided by its error. Of each octave of lengths the best few are
measured as a known length is, and the surest drop wins: half and double a length lose, as they
have the same drop at more or fewer boundaries. The best of many looks good by chance, so its
p-value is multiplied by the number of lengths that could have been told apart: each octave counts
alike, and within it lengths that move the last boundary by an eighth of an epoch.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.signs.features import noise_repeats
from esp_lib.diagnosis.signs.grid import (
    MAX_BINS,
    Grid,
    arrange,
    cell_width,
    coarsen,
    in_cells,
    median,
    tooth_of,
)
from esp_lib.sawtooth.measurement import Sawtooth

Array = NDArray[np.float64]

REFINE_BINS = 40  # parts of an epoch are enough to compare neighbouring lengths
MIN_POINTS = 8  # points of it in an epoch
MIN_EPOCHS = 2.5  # so that there are two boundaries
FINE = 16  # candidates move the last boundary by this part of an epoch
APART = 8  # lengths that move it by this part are told apart
KEPT = 3  # candidates of an octave that are measured
LEVEL = 5e-4  # of the corrected p-value: an order of the data may look like teeth at some length
GUESS = 0.5  # of it, from which no length is named at all
NEARLY = 0.97  # share of the surest drop at which lengths are not told apart
MANY = 1_000_000  # degrees of freedom: the normal distribution
CLEAR = 3.0  # variance between phases over that of noise from which the loss repeats
ASIDE = 0.03  # twice how far from a length, as a share of it, another may repeat better
APART_BY = 3.0  # standard errors of it by which another length must repeat better
BETTER = 1.3  # how much more it must vary between phases at another length
MANY_POINTS = 10  # in a part of an epoch, beside which the steps that are tried are few
HALF = 0.5  # of an epoch's parts that must hold points
ALTERNATING = 3.0  # how much more noise differs from its neighbours in turns than in other orders
MOST = 12  # multiples of a period that are told from it


class Period(NamedTuple):
    """An estimated epoch length."""

    steps: float  # NaN where nothing is convincing
    p_value: float  # corrected for the search
    error: float  # steps
    tries: int  # lengths that could have been told apart


def find_period(steps: Array, loss: Array, interval: float) -> Period:
    """Estimate the steps in an epoch.

    Args:
        steps: (points,) increasing, counted from 1 at the start of the run.
        loss: (points,).
        interval: steps from one point to the next.

    Returns:
        The most convincing length, NaN if its corrected p-value is not below `GUESS`; a guess if
        it is not below `LEVEL`.
    """
    nothing = Period(float("nan"), 1.0, float("nan"), 0)
    total = float(steps[-1])
    width = cell_width(steps, interval)
    y = in_cells(steps, loss, interval, width)
    if y is None or y.size <= MIN_POINTS * MIN_EPOCHS:
        return nothing
    shortlist, usual = _shortlist(y)
    sure = np.array([_sure(length, y) for length in shortlist])
    if not sure.max(initial=0.0) > 0:
        return nothing
    best, error = _refine(shortlist[int(np.argmax(sure))], y)
    best = _folded(best, y)
    scale = usual[int(np.argmax(sure))]
    length = first = _whole(best * width, error * width)
    grid = arrange(steps, loss, length, interval)
    most = int(total / length / MIN_EPOCHS)
    drops = tooth_of(grid, folded=False).drops
    again = max(
        _cycle(drops[np.isfinite(drops), None], most),
        _shape_cycle(grid, most),
        _level_cycle(grid, most),
    )
    if again > 1:
        length *= again
    length = _same_order(steps, loss, length, error * width, interval)
    if length != first:
        grid = arrange(steps, loss, length, interval)
    p = _p_value(tooth_of(grid, folded=False), scale) if grid.epochs >= 2 else 1.0
    tries = _tries(length / width, y.size)
    corrected = min(1.0, p * tries) if np.isfinite(p) else 1.0
    if corrected >= GUESS:
        return Period(float("nan"), corrected, float("nan"), tries)
    return Period(length, corrected, error * width, tries)


def _tries(length: float, cells: int) -> int:
    """Lengths that could have been told apart: those of the octave of one, times the octaves."""
    octaves = math.log2(cells / MIN_EPOCHS / MIN_POINTS)
    return math.ceil(max(1.0, APART * cells / length * math.log(2)) * max(1.0, octaves))


def _p_value(tooth: Sawtooth, scale: float) -> float:
    """The p-value of a drop, also if all lengths of its octave drop surer than noise does."""
    from scipy.special import stdtr

    sure = float(tooth.drop / tooth.drop_error / scale) if tooth.drop_error > 0 else np.inf
    p = float(tooth.p_value)
    return max(p, float(stdtr(MANY, -sure))) if scale > 1 else p


def _shortlist(y: Array) -> tuple[list[float], list[float]]:
    """Of each octave of lengths, in cells, those with the surest drop.

    Returns:
        They, and how far from its middle the sureness of lengths usually is in the octave, up to
        theirs, where that is least: 1 for noise, and more for what is smoothed.
    """
    cells = y.size
    lengths = [float(MIN_POINTS)]
    while lengths[-1] < cells / MIN_EPOCHS:
        lengths.append(lengths[-1] * (1 + lengths[-1] / cells / FINE))
    at = np.array(lengths[:-1])
    sure = _sureness(y, at)
    peaks = np.ones(at.size, dtype=bool)
    peaks[1:] &= sure[1:] >= sure[:-1]
    peaks[:-1] &= sure[:-1] >= sure[1:]
    octave = np.floor(np.log2(at / MIN_POINTS)).astype(np.int64)
    found: list[float] = []
    usual: list[float] = []
    least = np.inf
    for o in range(int(octave.max()) + 1):
        all_of = sure[octave == o]
        middle = median(np.abs(all_of - median(all_of)))
        here = np.flatnonzero(peaks & (octave == o) & (sure > 0))
        order = np.argsort(-sure[here], kind="stable")[:KEPT]
        found += at[here[order]].tolist()
        least = min(least, max(1.0, 1.4826 * middle))
        usual += [least] * order.size
    return found, usual


def _sureness(y: Array, lengths: Array) -> Array:
    """(lengths,) mean drop over its error, if epochs are so long."""
    at = np.arange(y.size, dtype=np.float64)
    s0, s1, s2 = (np.concatenate([[0.0], np.cumsum(x)]) for x in (y, at * y, y * y))
    epochs = np.floor(y.size / lengths + 1e-9).astype(np.int64)
    skip = (epochs >= 5).astype(np.int64)
    drops, squares, freedom, points, last = (np.zeros(lengths.size) for _ in range(5))
    for k in range(int(epochs.max())):
        here = np.flatnonzero((k >= skip) & (k < epochs))
        a, b = (np.round(i * lengths[here]).astype(np.int64) for i in (k, k + 1))
        n = (b - a).astype(np.float64)
        level = (s0[b] - s0[a]) / n
        xy = s1[b] - s1[a] - (a + (n - 1) / 2) * level * n
        slope = xy / (n * (n * n - 1) / 12)
        half = slope * n / 2
        first = k == skip[here]
        drops[here] += np.where(first, 0.0, last[here] - (level - half))
        last[here] = level + half
        squares[here] += s2[b] - s2[a] - level * level * n - slope * xy
        freedom[here] += n - 2
        points[here] += n
    boundaries = np.maximum(epochs - skip - 1, 1)
    variance = np.maximum(squares / freedom, 1e-300) * 12 * boundaries / points
    return drops / boundaries / np.sqrt(variance / boundaries)


def _same_order(steps: Array, loss: Array, length: float, error: float, interval: float) -> float:
    """The length, or one within the error at which the noise of epochs comes again.

    As it is where a part of an epoch holds many points: a few steps more or less do not show.
    """
    if length / interval > MANY_POINTS * MAX_BINS:
        return length
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
    """A whole number of steps, the roundest one within the error; else the length as it is."""
    for unit in (1000.0, 100.0, 1.0):
        nearest = round(length / unit) * unit
        if nearest > 0 and abs(nearest - length) <= min(error, 0.02 * length):
            return nearest
    return length


def _cycle(rows: Array, most: int, times: float = 1.0) -> int:
    """After how many rows they come again: 1 if they do not differ but by chance.

    Analysis of variance: rows (rows, features) are sorted into as many classes, and those classes
    are taken that leave the least variance within, if they differ: if the ratio of variances is one
    that chance makes about once in a thousand times (a bound above the quantile of F), or so many
    `times` as large.
    """
    if len(rows) < 4:
        return 1
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
        if ratio > times * far and within < 0.7 * least:
            best, least = j, within
    return best


def _shape_cycle(grid: Grid, most: int) -> int:
    """After how many epochs the course of the loss within them comes again."""
    if grid.bins < MIN_POINTS or grid.epochs < 6:
        return 1
    y = coarsen(grid, max(2, grid.bins // MIN_POINTS)).y[1:]
    y = y[np.isfinite(y).all(axis=1)]
    if len(y) < 5:
        return 1
    return _cycle(y - y.mean(axis=1, keepdims=True), most)


def _level_cycle(grid: Grid, most: int) -> int:
    """After how many epochs their levels come again, above and below their neighbours'."""
    here = np.isfinite(grid.y)
    level = np.where(here, grid.y, 0.0).sum(axis=1) / np.maximum(here.sum(axis=1), 1)
    level = level[1:][here[1:].mean(axis=1) > HALF]
    return _cycle((level[1:-1] - (level[:-2] + level[2:]) / 2)[:, None], most, ALTERNATING)


def _sure(length: float, y: Array, alike: bool = True) -> float:
    """The mean drop over its error, as a known length is measured.

    Where drops are to be alike, their spread counts as error: of half a length only every second
    boundary has a drop.
    """
    at = np.arange(1.0, y.size + 1)
    tooth = tooth_of(arrange(at, y, length, 1.0, REFINE_BINS), folded=False)
    if not tooth.drop_error > 0:
        return -np.inf
    drops = tooth.drops[np.isfinite(tooth.drops)] / tooth.drop_error
    if drops.size < 2:
        return -np.inf
    spread = ((drops - drops.mean()) ** 2).sum() / (drops.size - 1) / drops.size
    return float(tooth.drop / tooth.drop_error / np.sqrt(1 + (spread if alike else 0.0)))


def _folded(length: float, y: Array) -> float:
    """The length, or one near it at which the loss within epochs repeats much better.

    Where an order of the data comes round with the epoch, a length somewhat beside the true one may
    have drops that its own does not have.
    """
    parts = REFINE_BINS // 2
    total = np.concatenate([[0.0], np.cumsum(y)])
    half = max(1, round(length / 2))
    at = np.arange(half, y.size - half)
    flat = y[at] - (total[at + half] - total[at - half]) / (2 * half)
    near = length * (1 + np.arange(-30, 31) / 60 * min(length / y.size, ASIDE))
    spread = []
    for one in near.tolist():
        part = np.floor(((at + 0.5) / one % 1) * parts).astype(np.int64)
        number = np.bincount(part, minlength=parts)
        sums = np.bincount(part, weights=flat, minlength=parts)
        spread.append(float((sums**2 / np.maximum(number, 1)).sum()))
    best = int(np.argmax(spread))
    noise = max(0.0, float((flat**2).sum()) - spread[best]) / max(flat.size - parts, 1)
    own = spread[30]  # at the length itself
    error = np.sqrt(noise * (2 * parts * noise + 4 * max(own - parts * noise, 0.0)))
    clear = spread[best] > max(CLEAR * parts * noise, BETTER * own, own + APART_BY * error)
    return float(near[best]) if clear else length


def _refine(length: float, y: Array) -> tuple[float, float]:
    """The length near one of the shortlist whose boundaries have the surest drop.

    Returns:
        It, and how far from it, and at least a cell at the end, lengths are nearly as sure.
    """
    reach = math.ceil(min(2 * length / FINE, 100.0))  # cells at the end, to the next candidates
    near = length * (1 + 0.5 * np.arange(-2 * reach, 2 * reach + 1) / y.size)
    length = float(near[np.argmax(_sureness(y, near))])
    near = length * (1 + 0.25 * np.arange(-8, 9) / y.size)
    sure = np.array([_sure(one, y, alike=False) for one in near.tolist()])
    best = float(near[np.argmax(sure)])
    alike = near[sure >= NEARLY * sure.max()]
    return best, max(length / y.size, float(np.abs(alike - best).max(initial=0.0)))
