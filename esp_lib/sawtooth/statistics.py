"""A mean over runs with its standard error."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """A mean and its standard error."""

    mean: float
    error: float


def mean_error(values: Array) -> Estimate:
    """Mean of some independent values, and its standard error (NaN for a single one)."""
    error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else np.nan
    return Estimate(float(values.mean()), float(error))
