"""Why the sawtooth happens: what gradient, moments and update of one batch do to the others.

Source: the analysis section of Liu and Ma (2025), Figs. 10 to 18, and its published code. `probe`
(module `probes`) records; this module fits and holds the small examples: two samples of one
parameter (Fig. 12), and a step in three dimensions seen from a batch's gradient (Fig. 16).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import checks
from esp_lib.probes import ProbeRecord, Probes, probe
from esp_lib.quadratic import QuadraticProblem

__all__ = [
    "EXAMPLE", "Fit", "ProbeRecord", "Probes", "alternate", "around_own_visit", "batch_gradient",
    "fit", "line", "moment", "probe", "steady_swing", "tooth", "update_similarity",
]  # fmt: skip

Array = NDArray[np.float64]
Model = Callable[..., Array]


# ------------------------------------------------------------------------------------------- fits


@dataclass(frozen=True, eq=False)
class Fit:
    """A model fitted to the mean of some runs.

    Attributes:
        value: (parameters,) least-squares estimates.
        error: (parameters,) their standard errors; see `fit`.
        predicted: (points,) the model at the estimates.
        r_squared: share of the mean curve's variance that the model explains.
    """

    value: Array
    error: Array
    predicted: Array
    r_squared: float


def fit(model: Model, t: ArrayLike, runs: ArrayLike, start: ArrayLike) -> Fit:
    """Fit `model(t, *parameters)` to the mean of the runs by least squares (SciPy's `curve_fit`).

    With three runs or more, standard errors come from the spread between runs: the jackknife, which
    fits again with each run left out, error^2 = (n - 1) / n sum_i (p_i - mean p)^2. Neighbouring
    steps of one run are correlated, so the usual standard error, which a single run has to make do
    with, is too small.

    Args:
        model: the curve.
        t: (points,) where it is known.
        runs: (runs, points), or (points,) for one run.
        start: (parameters,) where the search starts.

    Returns:
        The fit; NaN where the search does not settle.

    Raises:
        ValueError: shapes don't match, fewer points than parameters, or a value is not finite.
    """
    from scipy.optimize import curve_fit

    at = checks.real("t", t)
    y = np.atleast_2d(checks.real("runs", runs))
    first = checks.real("start", start)
    if at.ndim != 1 or y.ndim != 2 or y.shape[1] != at.size or at.size <= first.size:
        raise ValueError(
            f"runs must be (runs, points) or (points,) with as many points as t, more than the "
            f"{first.size} parameters, got {y.shape} and t {at.shape}"
        )
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


# ------------------------------------------------------------------------- one batch among others


def around_own_visit(loss: ArrayLike) -> tuple[NDArray[np.int64], Array]:
    """The mean loss of a batch against the steps since the step that visits it.

    Args:
        loss: (..., steps, batches) loss of each batch of an epoch before each of its steps;
            step t visits batch t, so both axes have the same length.

    Returns:
        lag (2 steps - 1,), from 1 - steps to steps - 1 (0: just before its own update), and the
        loss (..., 2 steps - 1), each a mean over the batches that have that lag in the epoch.

    Raises:
        ValueError: the last two axes differ in length.
    """
    values = np.asarray(loss, dtype=np.float64)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        raise ValueError(f"loss must be (..., steps, batches), as many of each, got {values.shape}")
    steps = values.shape[-1]
    lag = np.arange(1 - steps, steps)
    means: list[Array] = [
        np.diagonal(values, offset=-k, axis1=-2, axis2=-1).mean(axis=-1) for k in lag
    ]
    return lag, np.stack(means, axis=-1)


def batch_gradient(problem: QuadraticProblem, functions: ArrayLike, x: ArrayLike) -> Array:
    """Gradient at x of the mean loss of some functions: (dim,)."""
    i = np.asarray(functions)
    d = problem.coordinate[i]
    slopes = 2 * problem.a[i] * (np.asarray(x)[d] - problem.c[i])
    summed = np.bincount(d, weights=slopes / i.size, minlength=problem.dim)
    return summed.astype(np.float64)


def update_similarity(
    gradient: ArrayLike,
    m: ArrayLike,
    v_before: ArrayLike,
    g_squared: ArrayLike,
    beta2: ArrayLike,
    eps: float = 0.0,
) -> tuple[Array, Array]:
    """How a step of Adam lies to a batch's gradient, as beta2 is turned and all else kept.

    direction(beta2) = -m / (sqrt(beta2 v_before + (1 - beta2) g^2) + eps); its cosine similarity
    with the gradient is positive where the step raises the batch's loss.

    Args:
        gradient: (dim,) gradient of the batch's loss.
        m: (dim,) first moment, on any scale.
        v_before: (dim,) second moment before the step.
        g_squared: (dim,) square of the step's gradient.
        beta2: (n,) values of beta2, 0 to 1.
        eps: positive where both v_before and g^2 may vanish.

    Returns:
        directions (n, dim) and cosines (n,).
    """
    b = checks.real("beta2", beta2, low=0.0, high=1.0)[:, None]
    v = b * np.asarray(v_before) + (1 - b) * np.asarray(g_squared)  # (n, dim)
    direction = -np.asarray(m) / (np.sqrt(v) + eps)
    along = direction @ np.asarray(gradient)
    lengths = np.linalg.norm(np.asarray(gradient)) * np.linalg.norm(direction, axis=1)
    return direction, np.asarray(along / lengths, dtype=np.float64)


# Fig. 16's example. The paper's code gives (8, -1, -2) as m_hat and leaves out the minus sign of
# the update; read as a step, its m_hat is the negative of that.
EXAMPLE = (
    np.array([2.0, 1.0, 2.0]),  # gradient of the batch
    -np.array([8.0, -1.0, -2.0]),  # m
    np.array([1.0, 1e-4, 1.0]),  # v_before
    np.array([1.0, 4.0, 1e-4]),  # g^2
)


# ------------------------------------------------------------------------------------ two samples


def alternate(
    sequence: str, *, momentum: float = 0.0, lr: float = 1.0, x0: float = 0.5
) -> tuple[Array, Array]:
    """Heavy-ball steps on two samples of one parameter: A has the loss x, B has -x (Fig. 12).

    m <- momentum m + g, x <- x - lr m, with g = 1 for A and -1 for B.

    Args:
        sequence: the samples in the order of their visits, such as "ABBA".
        momentum: 0 for plain steps.
        lr: the constant step.
        x0: where x starts.

    Returns:
        x and the visited sample's loss, before each update: (visits,) each.

    Raises:
        ValueError: a letter that is neither A nor B, or a momentum outside [0, 1).
    """
    if not sequence or set(sequence) - set("AB"):
        raise ValueError(f"sequence must be made of the letters A and B, got {sequence!r}")
    checks.real("momentum", momentum, low=0.0, high=1.0, high_open=True)
    x, m = float(x0), 0.0
    xs, losses = [], []
    for sample in sequence:
        g = 1.0 if sample == "A" else -1.0
        xs.append(x)
        losses.append(g * x)
        m = momentum * m + g
        x -= lr * m
    return np.array(xs), np.array(losses)


def steady_swing(run_length: int, momentum: float, lr: float = 1.0) -> float:
    """How far x swings once it repeats itself, when A and B come in runs of `run_length` visits.

    After each visit of a run, m = ±(1 - 2 momentum^k / (1 + momentum^run_length)) / (1 - momentum),
    k = 1 … run_length; x turns around where m changes its sign.
    """
    n = checks.integer("run_length", run_length, low=1)
    k = np.arange(1, n + 1)
    m = (1 - 2 * momentum**k / (1 + momentum**n)) / (1 - momentum)
    path = np.cumsum(np.concatenate([m, -m]))
    return float(lr * np.ptp(path))
