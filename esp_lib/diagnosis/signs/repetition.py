"""Does the noise of a log come again after some number of steps? Then its data come in one order.

Asked where the length of an epoch was estimated from the drops of the curve: data in a fixed order
repeat their noise with every epoch, so that it drops at lengths of its own, and a p-value that
takes noise to be independent is too small. Second differences of the curve are correlated with
themselves, at all lags.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.signs.grid import cell_width, in_cells

Array = NDArray[np.float64]

BESIDE = 2.0  # points at either side of a boundary that are left out: drops repeat in any order
CLIPPED = 4.0  # standard deviations of a difference
LEAST = 15  # pairs of points


class Again(NamedTuple):
    """Where the noise comes again most clearly."""

    correlation: float  # of second differences so many steps apart; NaN if it cannot be asked
    error: float  # its standard error if there is none
    steps: float


def comes_again(steps: Array, loss: Array, length: float, interval: float) -> Again:
    """Correlate the noise of a curve with itself, from one estimated epoch on to half the run.

    Args:
        steps: (points,) increasing, from 1.
        loss: (points,) finite.
        length: the estimated steps in an epoch.
        interval: steps from one point to the next.
    """
    nan = float("nan")
    width = cell_width(steps, interval)
    y = in_cells(steps, loss, interval, width)
    if y is None:
        return Again(nan, nan, nan)
    bend = y[2:] - 2 * y[1:-1] + y[:-2]
    cells = length / width
    epochs = (np.arange(bend.size) + 1.5) / cells
    far = np.abs(epochs - np.round(epochs)) * cells > BESIDE
    row = np.floor(epochs).astype(np.int64)  # the loss and its noise fall together
    number = np.bincount(row, weights=far)
    square = np.bincount(row, weights=np.where(far, bend**2, 0.0))
    scale = np.sqrt(square / np.maximum(number, 1))[row]
    far &= scale > 0
    bend = np.where(far, np.clip(bend / np.where(far, scale, 1.0), -CLIPPED, CLIPPED), 0.0)
    best = Again(nan, nan, nan)
    first, last = max(1, round(cells)), bend.size // 2
    if first > last:
        return best
    products = np.correlate(bend, bend, "full")[bend.size - 1 :]
    pairs = np.correlate(far.astype(np.float64), far.astype(np.float64), "full")[bend.size - 1 :]
    lags = np.arange(first, last + 1)
    lags = lags[np.round(pairs[lags]) >= LEAST]
    if lags.size == 0:
        return best
    # second differences of white noise correlate with their neighbours: 35/18 fewer count
    sure = products[lags] / np.sqrt(35 / 18 * np.round(pairs[lags]))
    lag = int(lags[np.argmax(sure)])
    n = round(float(pairs[lag]))
    return Again(float(products[lag]) / n, float(np.sqrt(35 / 18 / n)), lag * width)
