"""Curves fitted by least squares, with the errors of their coefficients: Figs. 13 to 15 and 18."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks

Array = NDArray[np.float64]

Model = Callable[..., Array]


@dataclass(frozen=True, eq=False)
class Fit:
    """A model fitted to the mean of some runs."""

    value: Array  # (parameters,) least-squares estimates
    error: Array  # (parameters,) their standard errors; see `fit`
    predicted: Array  # (points,) the model at the estimates
    r_squared: float  # share of the mean curve's variance that the model explains


def fit(model: Model, t: ArrayLike, runs: ArrayLike, start: ArrayLike) -> Fit:
    """Fit `model(t, *parameters)` to the mean of the runs by least squares (SciPy's `curve_fit`).

    With three runs or more, standard errors come from the spread between runs: the jackknife, which
    fits again with each run left out, error^2 = (n - 1) / n sum_i (p_i - mean p)^2. Neighbouring
    steps of one run are correlated, so the usual standard error, which a single run has to make do
    with, is too small.

    `t` is (points,), `runs` (runs, points), or (points,) for one run; the search starts at
    `start` (parameters,).

    Returns:
        The fit; NaN where the search does not settle.

    Raises:
        ValueError: shapes don't match, fewer points than parameters, or a value is not finite.
    """
    from scipy.optimize import curve_fit

    if not callable(model):
        raise ValueError(f"model must be a function, got {_checks.shown(model)}")
    at = _checks.real("t", t)
    y = np.atleast_2d(_checks.real("runs", runs))
    first = _checks.real("start", start)
    if at.ndim != 1 or y.ndim != 2 or y.shape[1] != at.size or at.size <= first.size:
        raise ValueError(
            f"runs must be (runs, points) or (points,) with as many points as t, more than the "
            f"{first.size} parameters, got {y.shape} and t {at.shape}"
        )
    try:
        model(at, *np.atleast_1d(first))
    except TypeError as wrong:
        raise ValueError(f"start must have the parameters of model: {wrong}") from None
    mean = y.mean(axis=0)
    n = y.shape[0]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            value, covariance = curve_fit(model, at, mean, p0=first)
            if n >= 3:
                rest = (n * mean - y) / (n - 1)  # (runs, points)
                without = [curve_fit(model, at, row, p0=value)[0] for row in rest]
                error = np.sqrt((n - 1) * np.var(without, axis=0))
            else:
                error = np.sqrt(np.diag(covariance))
    except RuntimeError:  # the search does not settle
        value = error = np.full(first.size, np.nan)
    predicted = model(at, *value)
    r_squared = 1 - np.sum((mean - predicted) ** 2) / np.sum((mean - mean.mean()) ** 2)
    return Fit(value, error, predicted, float(r_squared))


def line(t: Array, level: float, slope: float) -> Array:
    """A straight line, level + slope t."""
    return level + slope * t


def moment(beta1: float, beta2: float) -> Model:
    """The paper's curve for the first moment, a beta1^t + b sqrt(1 - beta2) t + c."""

    def model(t: Array, a: float, b: float, c: float) -> Array:
        return a * beta1**t + b * np.sqrt(1 - beta2) * t + c

    return model


def tooth(t: Array, l0: float, memorizing: float, regularizing: float, rate: float) -> Array:
    """One tooth: l0 - memorizing (1 - rate^t) + regularizing t.

    The first part is the sum of steps that still lower the loss, fading as rate^t (the paper's rate
    is beta1); the second a constant push up at each step.
    """
    return l0 - memorizing * (1 - rate**t) + regularizing * t


def tooth_with(rate: float) -> Model:
    """The paper's tooth, `tooth` with its rate given: a model of l0, memorizing, regularizing."""

    def model(t: Array, l0: float, memorizing: float, regularizing: float) -> Array:
        return tooth(t, l0, memorizing, regularizing, rate)

    return model
