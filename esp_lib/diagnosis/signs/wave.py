"""Does the loss fall at once between two epochs, or on both sides of the boundary, as a wave does?

A tooth falls at the boundary. A wave that comes round with the order of the data, and happens to
be steepest there, falls before it as well as after it. That bends what epochs have in common as a
cubic, the coefficient of Legendre's third polynomial; a curved tooth bends it as a parabola.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.signs.grid import Grid

Array = NDArray[np.float64]

MIN_CUBIC = 6  # parts of an epoch, from which a cubic is told from a line and a parabola


class Wave(NamedTuple):
    """How far the loss falls towards both ends of an epoch."""

    size: float  # negative if it rises there; NaN if it cannot be asked
    error: float  # its standard error


def wave_of(grid: Grid, noise: float) -> Wave:
    """Fit a cubic to what epochs have in common, each less its mean.

    Args:
        grid: of which the first epoch, that falls fastest, is left out where there are three.
        noise: of a cell about the line of its epoch.
    """
    y = grid.y[1:] if grid.epochs >= 3 else grid.y
    y = y[np.isfinite(y).sum(axis=1) >= 0.5 * grid.bins]
    here = np.isfinite(y)
    number = here.sum(axis=0)
    if np.count_nonzero(number) < MIN_CUBIC or y.shape[0] < 2:
        return Wave(float("nan"), float("nan"))
    y = y - (np.where(here, y, 0.0).sum(axis=1) / here.sum(axis=1))[:, None]
    mean_of = np.where(here, y, 0.0).sum(axis=0)[number > 0] / number[number > 0]
    x = ((np.arange(grid.bins) + 0.5) / grid.bins * 2 - 1)[number > 0]
    basis: list[Array] = []
    for power in range(4):
        term = x**power
        for other in basis:
            term = term - (term * other).sum() / (other**2).sum() * other
        basis.append(term)
    square = float((basis[3] ** 2).sum())
    leading = 2 / 5  # Legendre's third polynomial is 5/2 x³ - 3/2 x
    size = -leading * float((mean_of * basis[3]).sum()) / max(square, 1e-300)
    return Wave(size, leading * noise / float(np.sqrt(max(y.shape[0] * square, 1e-300))))
