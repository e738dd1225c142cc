"""Why the sawtooth happens: what gradient, moments and update of one batch do to the others.

Source: the analysis section of Liu and Ma (2025), Figs. 10 to 18, and its published code.
`quadratic.probes` records a run; `fits` fits what it recorded. Here are one batch among the others,
and a step in three dimensions seen from a batch's gradient (Fig. 16). Shown in chapter 4.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.quadratic.problem import QuadraticProblem

Array = NDArray[np.float64]


# ------------------------------------------------------------------------- one batch among others


def around_own_visit(loss: ArrayLike) -> tuple[NDArray[np.int64], Array]:
    """The mean loss of a batch against the steps since the step that visits it.

    `loss` (..., steps, batches) is that of each batch of an epoch before each of its steps;
    step t visits batch t, so both axes have the same length.

    Returns:
        lag (2 steps - 1,), from 1 - steps to steps - 1 (0: just before its own update), and the
        loss (..., 2 steps - 1), each a mean over the batches that have that lag in the epoch.

    Raises:
        ValueError: the last two axes differ in length.
    """
    values = _checks.numbers("loss", loss)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        raise ValueError(f"loss must be (..., steps, batches), as many of each, got {values.shape}")
    steps = values.shape[-1]
    lag = np.arange(1 - steps, steps)
    means: list[Array] = [
        np.diagonal(values, offset=-k, axis1=-2, axis2=-1).mean(axis=-1) for k in lag
    ]
    return lag, np.stack(means, axis=-1)


def batch_gradient(problem: QuadraticProblem, functions: ArrayLike, x: ArrayLike) -> Array:
    """Gradient at x, (dim,), of the mean loss of some functions, integers (n,): (dim,)."""
    _checks.instance("problem", problem, QuadraticProblem)
    allowed = f"integers (n,) from 0 to {problem.num_functions - 1}"
    i = _checks.integers("functions", functions, allowed)
    if i.ndim != 1 or i.size == 0 or i.min() < 0 or i.max() >= problem.num_functions:
        raise ValueError(f"functions must be {allowed}, got {_checks.shown(functions)}")
    point = _checks.real("x", x)
    if point.shape != (problem.dim,):
        raise ValueError(f"x must have shape ({problem.dim},), got {point.shape}")
    d = problem.coordinate[i]
    slopes = 2 * problem.a[i] * (point[d] - problem.c[i])
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

    `gradient` (dim,) is that of the batch's loss; `m` (dim,) the first moment, on any scale;
    `v_before` (dim,) the second moment before the step, `g_squared` (dim,) the square of the
    step's gradient. `beta2` (n,) goes from 0 to 1; `eps` is positive where both may vanish.

    Returns:
        directions (n, dim) and cosines (n,).
    """
    b = _checks.real("beta2", beta2, low=0.0, high=1.0)[:, None]
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
