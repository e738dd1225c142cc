"""A loss curve arranged by epoch, which every later question is put to.

Rows are epochs, columns equal parts of an epoch; a cell holds the mean of the points in it. Points
that average steps of two epochs are left out. Only sums and loops: the page does the same.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from esp_lib.sawtooth.measurement import Sawtooth, measure

Array = NDArray[np.float64]

MAX_BINS = 400  # parts of an epoch
MAX_CELLS = 40_000
MAX_SEARCHED = 4_096  # parts of a run in which lengths are searched
FILLED = 0.7  # of the parts of a run that must hold points


@dataclass(frozen=True, eq=False)
class Grid:
    """The loss by epoch and part of the epoch; NaN where there is no point."""

    y: Array  # (epochs, bins)
    phase: Array  # (epochs, bins) where in the epoch the points of a cell lie on average, 0 to 1
    first_epoch: int  # epochs completed before the first row
    repeats: int  # after so many epochs points fall on the same steps again; 0: never
    inside: Array = field(default_factory=lambda: np.zeros(1))  # (epochs,) variance within cells

    @property
    def bins(self) -> int:
        """Parts of an epoch."""
        return self.y.shape[1]

    @property
    def epochs(self) -> int:
        """Rows."""
        return self.y.shape[0]


def arrange(
    steps: Array, loss: Array, steps_per_epoch: float, window: float, most: int = MAX_BINS
) -> Grid:
    """Arrange points by epoch.

    Args:
        steps: (points,) increasing.
        loss: (points,).
        steps_per_epoch: need not be whole.
        window: steps from one point to the next, which a point is taken to average.
        most: parts of an epoch.
    """
    T = steps_per_epoch
    low, high = (steps - window) / T, (steps - 1e-9 * T) / T
    epoch = np.floor(high)
    # a thousandth of an epoch is forgiven: T may be known no better
    inside = low >= epoch - 1e-3 if window < T / 2 else np.ones(steps.size, dtype=bool)
    epoch, loss = epoch[inside].astype(np.int64), loss[inside]
    phase = np.clip((low[inside] + high[inside]) / 2 - epoch, 0.0, 1 - 1e-12)
    if epoch.size == 0:
        return Grid(np.full((1, 1), np.nan), np.full((1, 1), 0.5), 0, 0)
    first = int(epoch[0])
    epochs = int(epoch[-1]) - first + 1
    points = max(1, round(T / window))
    bins = max(1, min(points, most, max(8, MAX_CELLS // epochs)))
    cell = (epoch - first) * bins + np.floor(phase * bins).astype(np.int64)
    count = np.bincount(cell, minlength=epochs * bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.bincount(cell, weights=loss, minlength=epochs * bins) / count
        at = np.bincount(cell, weights=phase, minlength=epochs * bins) / count
        square = np.bincount(cell, weights=(loss - y[cell]) ** 2, minlength=epochs * bins)
        inside = square.reshape(epochs, bins).sum(axis=1) / count.reshape(epochs, bins).sum(axis=1)
    center = np.tile((np.arange(bins) + 0.5) / bins, epochs)
    at = np.where(count > 0, at, center)
    shape = epochs, bins
    repeats = _repeats(steps, T, window)
    return Grid(y.reshape(shape), at.reshape(shape), first, repeats, inside)


def cell_width(steps: Array, interval: float) -> float:
    """Steps in a part of a run where lengths are searched: those of a point, or more."""
    return max(interval, float(steps[-1]) / MAX_SEARCHED)


def in_cells(steps: Array, loss: Array, interval: float, width: float) -> Array | None:
    """The loss less its mean in equal parts of the run, and not of epochs; gaps are bridged.

    Args:
        steps: (points,) increasing, counted from 1 at the start of the run.
        loss: (points,).
        interval: steps from one point to the next.
        width: steps in a part.

    Returns:
        (parts,), or None if more than three of ten hold no point.
    """
    cells = int(float(steps[-1]) / width + 1e-9)
    if cells < 1:
        return None
    cell: NDArray[np.int64] = np.floor((steps - interval / 2) / width).astype(np.int64)
    cell = np.clip(cell, 0, cells - 1)
    count = np.bincount(cell, minlength=cells)
    sums = np.bincount(cell, weights=loss - loss.mean(), minlength=cells)
    filled = np.flatnonzero(count)
    if filled.size < FILLED * cells:
        return None
    return np.interp(np.arange(cells), filled, sums[filled] / count[filled])


def _repeats(steps: Array, T: float, window: float) -> int:
    """After how many epochs points fall on the same steps again; 0 if they never do."""
    if not float(T).is_integer() or not float(window).is_integer() or window < 1:
        return 0
    if np.count_nonzero(np.diff(steps) % window) > 0.01 * (steps.size - 1):
        return 0
    return round(window) // int(np.gcd(round(T), round(window)))


def tooth_of(grid: Grid, skip: int | None = None, folded: bool = True) -> Sawtooth:
    """`measure` of a grid.

    Args:
        grid: at least one epoch.
        skip: epochs to leave out at the start; by default as `measure` does, where an epoch counts
            if half of it holds points.
        folded: whether the folded tooth is asked for, or drops and rises alone.
    """
    y = grid.y.ravel()
    if skip is None:
        skip = int(np.count_nonzero(np.isfinite(grid.y).mean(axis=1) >= 0.5) >= 5)
    center = (np.arange(grid.bins) + 0.5) / grid.bins
    if np.abs(grid.phase - center).max(initial=0) * grid.bins < 1e-3:
        return measure(y, steps_per_epoch=grid.bins, skip_epochs=skip)
    # Points beside the middles of their parts: fit lines where they are, fold as above.
    fine = 2 * grid.bins
    phase = np.clip(grid.phase, 0.5 / fine, 1 - 0.5 / fine)  # so that windows stay in their epoch
    steps = (np.arange(grid.epochs)[:, None] + phase) * fine + 0.5
    lines = measure(y, steps_per_epoch=fine, steps=steps.ravel(), skip_epochs=skip)
    if not folded:
        return lines
    tooth = measure(y, steps_per_epoch=grid.bins, skip_epochs=skip)
    fold = {
        name: getattr(tooth, name)
        for name in ("amplitude", "amplitude_in_noise", "concavity", "shape", "profile", "phase")
    }
    return replace(lines, **fold)


def noise_of(grid: Grid) -> float:
    """Standard deviation of a point about the line of its epoch, and not of the mean of a cell."""
    skip = 1 if grid.epochs >= 5 else 0
    noise = float(tooth_of(grid).noise)
    return float(np.sqrt(noise**2 + mean(grid.inside[skip:])))


def without(grid: Grid, epochs: NDArray[np.int64]) -> Grid:
    """The grid with some epochs (rows) left blank."""
    y = grid.y.copy()
    y[epochs] = np.nan
    return replace(grid, y=y)


def coarsen(grid: Grid, width: int) -> Grid:
    """The grid with parts joined, `width` of them to one."""
    bins = grid.bins // width
    edges = np.round(np.arange(bins + 1) * grid.bins / bins).astype(np.int64)
    columns = []
    for low, high in pairwise(edges.tolist()):
        part = grid.y[:, low:high]
        here = np.isfinite(part)
        count = here.sum(axis=1)
        total = np.where(here, part, 0.0).sum(axis=1)
        columns.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    center = np.tile((np.arange(bins) + 0.5) / bins, (grid.epochs, 1))
    return replace(grid, y=np.stack(columns, axis=1), phase=center)


def mean(values: Array) -> float:
    """Mean of the finite values; NaN if there is none."""
    values = values[np.isfinite(values)]
    return float(values.sum() / values.size) if values.size else float("nan")


def median(values: Array) -> float:
    """Median of the finite values; NaN if there is none."""
    values = np.sort(values[np.isfinite(values)])
    if values.size == 0:
        return float("nan")
    return float((values[(values.size - 1) // 2] + values[values.size // 2]) / 2)
