"""A mean over runs with its standard error, and what follows from one or two of these.

The error is the standard deviation of the runs (with n - 1) over the root of their number n:
https://en.wikipedia.org/wiki/Standard_error.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Estimate(NamedTuple):
    """A mean and its standard error: numbers, or arrays of one shape."""

    mean: Any
    error: Any


def mean_error(values: ArrayLike) -> Estimate:
    """Mean over independent runs, and its standard error (NaN for a single run).

    `values` are (runs, ...).
    """
    runs = np.asarray(values, dtype=np.float64)
    if len(runs) < 2:
        return Estimate(runs.mean(axis=0), np.full(runs.shape[1:], np.nan)[()])
    return Estimate(runs.mean(axis=0), runs.std(axis=0, ddof=1) / np.sqrt(len(runs)))


def ratio(a: Estimate, b: Estimate) -> Estimate:
    """One estimate over another, independent one."""
    of = a.mean / b.mean
    return Estimate(of, abs(of) * float(np.hypot(a.error / a.mean, b.error / b.mean)))


def agree(said: Sequence[float], found: Sequence[float]) -> bool:
    """Whether two values, each with its standard error, are within 20 % or three errors.

    The 20 % are of `found`.
    """
    gap = abs(said[0] - found[0])
    return bool(gap < 0.2 * found[0] or gap < 3 * np.hypot(said[1], found[1]))
