"""The evidence: one log, arranged by epoch, with what can be undone undone, and measured.

In this order: a mean that begins anew in every epoch is taken apart; epochs in which the learning
rate jumps are left out; single points at the boundary are left out if they stand apart; points are
joined until neighbours are no longer alike. What is left is measured.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.signs import features as signs
from esp_lib.diagnosis.signs.grid import arrange, coarsen, noise_of, tooth_of, without
from esp_lib.diagnosis.signs.wave import Wave, wave_of
from esp_lib.sawtooth.measurement import LEVEL, Sawtooth

Array = NDArray[np.float64]

MEAN_POINTS = 10  # an epoch, from which a running mean is looked for
RUNNING = 8.0  # early over late scatter from which a log may show a running mean
ALIKE = 0.5  # correlation of neighbours from which points are joined
FEW = 12  # parts of an epoch below which smoothing shows in differences alone
JOINED = 6  # parts of an epoch that must be left
APART = 5.0  # standard errors from which a boundary point stands apart


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the log shows, given its epoch length."""

    tooth: Sawtooth  # of what is left after all that could be undone
    settled: Sawtooth  # the same, of the second half of the epochs
    plain: Sawtooth  # with nothing undone
    points_per_epoch: float
    boundaries: int  # at which a drop could be measured
    undone: signs.Undone | None  # a running mean that was taken apart
    uneven: float  # scatter early in epochs over late; 1 if taken apart or not to be told
    correlation: float  # of neighbouring points
    joined: int  # how many points were joined to one; 0: they are alike, but too few to be joined
    repeat: signs.Repeat
    pattern: signs.Pattern
    wave: Wave
    edges: signs.Edges
    apart: bool  # single points at the boundary stand apart and were left out
    jumps: int  # of the learning rate
    jumps_everywhere: bool  # at so many boundaries that they could not be left out
    jump_drop: float  # of the loss at the jumps, in standard errors; NaN: none, or everywhere
    large_drops: int  # boundaries whose drop stands out; the rate at them is not logged
    rest_p_value: float  # without those boundaries
    repeated: bool  # the drop is not the work of one or a few boundaries
    regular: float  # mean of the drops over the standard error that they have from their spread
    noise: float  # standard deviation of a logged point about the line of its epoch


def collect(
    steps: Array, loss: Array, rate: Array | None, steps_per_epoch: float, interval: float
) -> Evidence:
    """Collect the evidence.

    Args:
        steps: (points,) increasing, from 1.
        loss: (points,) finite.
        rate: (points,) learning rate, or None.
        steps_per_epoch: need not be whole.
        interval: steps from one point to the next.
    """
    T = steps_per_epoch
    plain_grid = arrange(steps, loss, T, interval)
    plain = tooth_of(plain_grid, folded=False)
    undone, uneven = None, 1.0
    grid = plain_grid
    if T / interval >= MEAN_POINTS:
        tried = signs.undo_running_mean(steps, loss, T)
        if (
            tried.noise_ratio > RUNNING
            and 0.2 < tried.undone_ratio < 5
            and 0.4 < tried.undone_middle < 2.5
        ):
            undone = tried
            grid = arrange(steps, undone.loss, T, interval)
        if undone is None and math.isfinite(tried.noise_ratio):
            uneven = tried.noise_ratio

    jumps = signs.rate_steps(rate)
    epoch = np.ceil(steps / T - 1e-9).astype(np.int64) - 1
    rows = np.unique(epoch[jumps] - grid.first_epoch)
    rows = rows[(rows >= 0) & (rows < grid.epochs)]
    everywhere = rows.size > 0.4 * grid.epochs
    if rows.size and not everywhere:
        grid = without(grid, rows)
    jump_drop = math.nan if everywhere else _drop_at(steps, loss, jumps, T)

    repeat = signs.noise_repeats(grid)
    correlation = (signs.correlation if grid.bins >= FEW else signs.roughness)(grid)
    edges = signs.boundary_points(grid)
    far = max(abs(edges.first), abs(edges.last)) if edges.width else 0.0
    apart = bool(
        edges.width
        and far > APART * edges.error
        and far > 2 * edges.noise
        and far > 3 * edges.neighbours
    )
    pattern = signs.common_pattern(grid, edges.width if apart else 0)
    width = edges.width if apart else 0
    if width:
        blank = grid.y.copy()
        blank[:, :width] = blank[:, -width:] = np.nan
        grid = replace(grid, y=blank)
    noise = noise_of(grid)
    joined = 1
    if correlation > ALIKE:
        joined = math.ceil(-4 / math.log(correlation))
        if grid.bins // joined >= JOINED:
            grid = coarsen(grid, joined)
        else:
            joined = 0
    tooth = tooth_of(grid)
    late = max(1, grid.epochs // 2) if grid.epochs > 2 else 0
    settled = tooth_of(grid, late, folded=False)
    boundaries = int(np.isfinite(tooth.drops).sum())

    large = np.empty(0, dtype=np.int64)
    rest_p = math.nan
    if not jumps.size and tooth.p_value < LEVEL:
        large = signs.outlying(tooth.drops)
        if large.size:
            rest = tooth_of(without(grid, tooth.boundaries[large]), folded=False)
            rest_p = float(rest.p_value)
    return Evidence(
        tooth=tooth,
        settled=settled,
        plain=plain,
        points_per_epoch=T / interval,
        boundaries=boundaries,
        undone=undone,
        uneven=uneven,
        correlation=correlation,
        joined=joined,
        repeat=repeat,
        pattern=pattern,
        wave=wave_of(grid, float(tooth.noise)),
        edges=edges,
        apart=apart,
        jumps=int(jumps.size),
        jumps_everywhere=everywhere,
        jump_drop=jump_drop,
        large_drops=int(large.size),
        rest_p_value=rest_p,
        repeated=_repeated(tooth.drops),
        regular=_regular(tooth.drops),
        noise=noise,
    )


def _drop_at(steps: Array, loss: Array, jumps: NDArray[np.int64], T: float) -> float:
    """Mean drop of the loss within a quarter of an epoch of the jumps, in standard errors."""
    starts = np.searchsorted(steps, steps[jumps] - T / 4)
    ends = np.searchsorted(steps, steps[jumps] + T / 4)
    number, drop, variance = 0, 0.0, 0.0
    for start, i, end in zip(starts.tolist(), jumps.tolist(), ends.tolist(), strict=True):
        before, after = loss[start:i], loss[i:end]
        if min(before.size, after.size) < 2:
            continue
        number += 1
        drop += float(before.mean() - after.mean())
        for part in (before, after):
            variance += float(((part - part.mean()) ** 2).sum()) / (part.size - 1) / part.size
    return drop / math.sqrt(variance) if variance > 0 else math.nan


def _repeated(drops: Array) -> bool:
    """Whether a drop is there at most boundaries; at all of them, if they are three or fewer."""
    drops = np.sort(drops[np.isfinite(drops)])
    if drops.size == 0:
        return False
    typical = float(drops[0]) if drops.size <= 3 else float(drops[(drops.size - 1) // 2])
    return typical > 0.25 * float(drops.sum()) / drops.size


def _regular(drops: Array) -> float:
    """Mean over standard error of the drops, as they differ from one another."""
    drops = drops[np.isfinite(drops)]
    if drops.size < 2:
        return math.nan
    mean = float(drops.sum()) / drops.size
    error = math.sqrt(float(((drops - mean) ** 2).sum()) / (drops.size - 1) / drops.size)
    return mean / error if error > 0 else math.inf
