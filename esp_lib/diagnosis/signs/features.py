"""What else makes a loss curve drop at epoch boundaries, and the signs by which it is told.

Each function asks one question of a log, by sums over points or over the `Grid`, and answers with
numbers. What follows from them is decided in `esp_lib/diagnosis/diagnosis.py`.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.signs.grid import Grid, mean, median

Array = NDArray[np.float64]

ROUNDED = 6  # decimals: losses with more count as exact


# --------------------------------------------------------- a mean that begins anew in every epoch


class Undone(NamedTuple):
    """A running mean taken apart."""

    loss: Array  # (points,) mean of the steps since the point before
    noise_ratio: float  # scatter early in the epoch over late, as it was logged
    undone_ratio: float  # the same after taking apart; about 1 if it was a running mean
    undone_middle: float  # and in the middle over late


def undo_running_mean(steps: Array, loss: Array, steps_per_epoch: float) -> Undone:
    """Take the log for a mean over the epoch so far, n mean_n = (n - 1) mean_(n-1) + loss_n."""
    T = steps_per_epoch
    epoch = np.ceil(steps / T - 1e-9) - 1
    count = np.maximum(steps - epoch * T, 1e-9)  # steps of this epoch that are in the mean
    same = np.append(False, np.diff(epoch) == 0)
    before = np.where(same, np.append(0.0, count[:-1]), 0.0)
    value = np.where(same, np.append(0.0, loss[:-1]), 0.0)
    raw = (count * loss - before * value) / np.maximum(count - before, 1e-9)
    quantum = _quantum(loss)
    rounding = quantum**2 / 12 * (count**2 + before**2) / np.maximum(count - before, 1e-9) ** 2
    early, _, late = _scatter(epoch, count / T, loss)
    raw_early, raw_middle, raw_late = _scatter(epoch, count / T, raw)
    noise = rounding[count > T / 2]
    share = 6 * mean(noise) / raw_late if noise.size and raw_late > 0 else 0.0
    left = max(raw_late * (1 - min(share, 0.99)), 1e-300)
    ratio = early / late if late > 0 else float("nan")
    return Undone(raw, ratio, raw_early / left, raw_middle / left)


def _scatter(epoch: Array, phase: Array, y: Array) -> list[float]:
    """Mean square of second differences in the first fifth, up to the middle, and in the rest.

    The median over epochs.
    """
    bend = y[2:] - 2 * y[1:-1] + y[:-2]
    inside = epoch[2:] == epoch[:-2]
    square = np.where(inside, bend**2, 0.0)
    row = (epoch[1:-1] - epoch[0]).astype(np.int64)
    rows = int(row.max()) + 1 if row.size else 0
    out = []
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 2.0)):
        here = inside & (phase[1:-1] > low) & (phase[1:-1] <= high)
        number = np.bincount(row[here], minlength=rows)
        total = np.bincount(row[here], weights=square[here], minlength=rows)
        out.append(median(total[number > 0] / number[number > 0]))
    return out


def _quantum(loss: Array) -> float:
    """The last decimal of the logged losses; 0 if they have many."""
    some = loss[:: max(1, loss.size // 2_000)]
    for decimals in range(1, ROUNDED + 1):
        scaled = some * 10.0**decimals
        if (np.abs(scaled - np.round(scaled)) < 1e-6 * np.maximum(1.0, np.abs(scaled))).all():
            return 10.0**-decimals
    return 0.0


# --------------------------------------------------------------------------------------- smoothing


def correlation(grid: Grid) -> float:
    """Correlation of neighbouring points, apart from parabolas and from what epochs have in common.

    What epochs have in common is taken out in the size that it has in each.
    """
    raw = grid.y[1:] if grid.epochs >= 4 else grid.y
    y = _without_parabola(raw)
    here = np.isfinite(y)
    if y.shape[0] > 3:
        shape = _row_mean(y.T)
        fit = np.where(here, y * shape, 0.0).sum(axis=1)
        size = fit / np.maximum(np.where(here, shape**2, 0.0).sum(axis=1), 1e-300)
        y = y - size[:, None] * shape
    pairs = y[:, 1:] * y[:, :-1]
    square = mean((y**2).ravel())
    if np.isfinite(pairs).sum() < 8 or not square > 1e-24 * mean((raw**2).ravel()):
        return 0.0  # too few, or nothing but rounding
    return min(0.999, mean(pairs.ravel()) / square + 4 / grid.bins)


def _without_parabola(y: Array) -> Array:
    """Each row less its own parabola; NaN stays."""
    here = np.isfinite(y)
    x = np.arange(y.shape[1]) - (y.shape[1] - 1) / 2
    number = np.maximum(here.sum(axis=1), 1)[:, None]
    y = np.where(here, y, 0.0)
    linear = np.where(here, x, 0.0)
    linear = np.where(here, linear - linear.sum(axis=1, keepdims=True) / number, 0.0)
    square = np.where(here, linear**2, 0.0)
    square = np.where(here, square - square.sum(axis=1, keepdims=True) / number, 0.0)
    for basis in (here.astype(np.float64), linear, square):
        if basis is square:  # orthogonal to the line
            size = (linear**2).sum(axis=1, keepdims=True)
            basis = (
                square
                - (square * linear).sum(axis=1, keepdims=True) / np.maximum(size, 1e-300) * linear
            )
        size = np.maximum((basis**2).sum(axis=1, keepdims=True), 1e-300)
        y = y - (y * basis).sum(axis=1, keepdims=True) / size * basis
    return np.where(here, y, np.nan)


def roughness(grid: Grid) -> float:
    """Correlation of neighbours as their differences have it, for logs with few points an epoch.

    Second differences of noise with correlation r of neighbours are 3 - r times first differences.
    """
    y = grid.y[1:] if grid.epochs >= 4 else grid.y  # the first epoch falls fastest
    first = np.diff(y, axis=1)
    first = first - _row_mean(first)[:, None]
    second = np.diff(y, n=2, axis=1)
    a, b = mean((first**2).ravel()), mean((second**2).ravel())
    lost = 1 - 1 / max(grid.bins - 1, 2)  # by taking the mean out
    return min(0.999, 3 - b / (a / lost)) if a > 0 and np.isfinite(b) else 0.0


def _row_mean(y: Array) -> Array:
    here = np.isfinite(y)
    return np.where(here, y, 0.0).sum(axis=1) / np.maximum(here.sum(axis=1), 1)


# ----------------------------------------------------------------------- the order of the data


class Repeat(NamedTuple):
    """Whether the noise of one epoch comes again in a later one."""

    correlation: float  # of second differences at the same steps; NaN if it cannot be asked
    error: float  # its standard error if there is none
    every: int  # 1: in the next epoch; 2: in the one after that


def noise_repeats(grid: Grid) -> Repeat:
    """Correlate the noise of epochs at the same steps: a fixed order of the data repeats it.

    In the next epoch or in the one after it: a reversed order is the same every second epoch, and
    so may be what a fixed order does to the loss. Second differences take smooth shapes out; the
    ends of the epoch are left out.
    """
    nothing = Repeat(float("nan"), float("nan"), 1)
    edge = max(2, round(0.05 * grid.bins)) if grid.bins >= 12 else 1
    if grid.repeats == 0 or grid.bins < 5:
        return nothing
    bend = grid.y[:, 2:] - 2 * grid.y[:, 1:-1] + grid.y[:, :-2]
    bend = bend[:, edge:-edge]
    if not mean((bend**2).ravel()) > 1e-20 * mean((grid.y**2).ravel()):
        return nothing  # there is no noise
    scale = np.sqrt(_row_mean(bend**2))  # loss and noise fall together
    bend = bend / np.where(scale > 0, scale, np.nan)[:, None]
    bend = np.clip(bend, -4.0, 4.0)
    best = nothing
    for every in (1, 2):
        lag = every * grid.repeats
        if lag > grid.epochs / 2:
            break
        product = (bend[lag:] * bend[:-lag]).ravel()
        number = int(np.isfinite(product).sum())
        if number < 15:
            break
        # second differences of white noise correlate with their neighbours: 35/18 fewer count
        found = Repeat(mean(product), float(np.sqrt(35 / 18 / number)), every)
        if every == 1 or found.correlation / found.error > best.correlation / best.error + 1:
            best = found
    return best


class Pattern(NamedTuple):
    """What the later epochs have in common, in tenths of an epoch."""

    fall: float  # largest fall within the epoch
    climb: float  # largest rise within the epoch
    error: float  # standard error of one part
    agreement: float  # correlation of odd and even epochs


def common_pattern(grid: Grid, drop_edges: int = 0) -> Pattern:
    """What the second half of the epochs has in common."""
    y = grid.y[grid.epochs // 2 :] if grid.epochs >= 4 else grid.y[1:]
    if drop_edges:
        y = y[:, drop_edges:-drop_edges]
    bins = y.shape[1]
    parts = min(10, bins)
    edges = np.round(np.arange(parts + 1) * bins / parts).astype(np.int64)
    blocks = np.stack([_row_mean(y[:, a:b]) for a, b in pairwise(edges.tolist())], axis=1)
    filled = np.stack(
        [np.isfinite(y[:, a:b]).any(axis=1) for a, b in pairwise(edges.tolist())],
        axis=1,
    ).all(axis=1)
    blocks = blocks[filled]
    if blocks.shape[0] < 2 or bins < 8:
        nan = float("nan")
        return Pattern(nan, nan, nan, nan)
    trend = (blocks[-1].mean() - blocks[0].mean()) / (blocks.shape[0] - 1)  # of one epoch
    ramp = (np.arange(parts) + 0.5) / parts - 0.5
    blocks = blocks - blocks.mean(axis=1)[:, None] - trend * ramp
    profile = blocks.mean(axis=0)
    rest = blocks - profile
    error = float(np.sqrt((rest**2).sum() / (blocks.shape[0] - 1) / parts / blocks.shape[0]))
    highest, lowest = np.maximum.accumulate(profile), np.minimum.accumulate(profile)
    odd, even = blocks[::2].mean(axis=0), blocks[1::2].mean(axis=0)
    size = float(np.sqrt((odd**2).sum() * (even**2).sum()))
    return Pattern(
        float((highest - profile).max()),
        float((profile - lowest).max()),
        error,
        float((odd * even).sum()) / size if size > 0 else 0.0,
    )


# ------------------------------------------------------------------- single points at the boundary


class Edges(NamedTuple):
    """Points at the ends of an epoch against the parabola through the rest of it."""

    width: int  # parts at either end that were looked at; 0 if there are too few
    first: float  # mean distance of the first part
    last: float
    error: float  # their standard error
    neighbours: float  # largest mean distance of the parts next to them
    noise: float  # scatter of a part about the parabola


def boundary_points(grid: Grid) -> Edges:
    """Do the first or last points of epochs stand apart from the rest?"""
    bins = grid.bins
    nan = float("nan")
    if bins < 6:
        return Edges(0, nan, nan, nan, nan, nan)
    width = max(2, int(np.ceil(0.03 * bins))) if bins >= 10 else 1
    p = (np.arange(bins) + 0.5) / bins - 0.5
    inner = slice(width, bins - width)
    basis = np.stack([np.ones(bins), p, p**2 - (p[inner] ** 2).mean()])  # orthogonal on the inside
    basis = basis[: 3 if bins >= 10 else 2]
    y = grid.y[1:] if grid.epochs >= 3 else grid.y
    y = y[np.isfinite(y[:, inner]).all(axis=1)]
    if y.shape[0] < 2:
        return Edges(0, nan, nan, nan, nan, nan)
    inside = basis[:, inner]
    rest = y
    for i, size in enumerate((inside**2).sum(axis=1)):
        weight = (y[:, inner] * inside[i]).sum(axis=1) / size
        rest = rest - weight[:, None] * basis[i]
    noise = float(
        np.sqrt((rest[:, inner] ** 2).sum() / (y.shape[0] * (bins - 2 * width - len(basis))))
    )
    far = rest[:, [*range(width), *range(bins - width, bins)]]
    distance = np.array([mean(far[:, i]) for i in range(2 * width)])
    firsts, lasts = distance[:width], distance[width:]
    one = 1 + (basis[:, 0] ** 2 / (inside**2).sum(axis=1)).sum()
    near = rest[:, [*range(width, 2 * width), *range(bins - 2 * width, bins - width)]]
    neighbours = np.abs(np.array([mean(near[:, i]) for i in range(2 * width)])).max()
    return Edges(
        width,
        float(firsts[np.argmax(np.abs(firsts))]),
        float(lasts[np.argmax(np.abs(lasts))]),
        float(noise * np.sqrt(one / y.shape[0])),
        float(neighbours),
        noise,
    )


# ----------------------------------------------------------------------------------- learning rate


def rate_steps(rate: Array | None) -> NDArray[np.int64]:
    """Points at which the learning rate has jumped, rather than followed a smooth schedule."""
    if rate is None or rate.size < 5:
        return np.empty(0, dtype=np.int64)
    filled = np.flatnonzero(np.isfinite(rate) & (rate > 0))
    if filled.size < 5:
        return np.empty(0, dtype=np.int64)
    change = np.abs(np.diff(np.log(rate[filled])))
    around = np.maximum(np.append(0.0, change[:-1]), np.append(change[1:], 0.0))
    jumped = (change > 0.1) & (change > 5 * around)
    return filled[1:][jumped]


def outlying(drops: Array) -> NDArray[np.int64]:
    """Boundaries whose drop stands out from the others, less than half of them."""
    known = np.isfinite(drops)
    if known.sum() < 5:
        return np.empty(0, dtype=np.int64)
    middle = median(drops)
    usual = 1.4826 * median(np.abs(drops - middle))
    far = np.flatnonzero(known & (drops - middle > 6 * usual) & (drops > 3 * abs(middle)))
    return far if far.size <= 0.45 * known.sum() else np.empty(0, dtype=np.int64)
