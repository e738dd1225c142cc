"""Drift: a coordinate that is visited once and left alone keeps moving.

Ours, not the paper's. A visit with gradient g leaves m = (1 - beta1) g and v = (1 - beta2) g^2.
j steps later m has shrunk by beta1^j and sqrt(v) by beta2^(j/2), so the step is

    lr (1 - beta1) |g| beta1^j / (sqrt(1 - beta2) |g| beta2^(j/2) + eps).

Without eps its length changes by the factor r = beta1 / sqrt(beta2) a step, whatever g is: above
beta2 = beta1^2 the steps die away, below they grow, until sqrt(v) has fallen to eps.

Summed over the K steps up to the next visit this is the displacement G(K, |g|). The visited
coordinate u = x - c jumps towards its minimum and past it, u -> u - sign(u) G: the *one-visit map*.
In |u| it is the chain |u| -> | |u| - G |, whose stationary density, for G independent of each other
and of u, is P(G > u) / E G (for such chains of absolute differences see Diaconis and Freedman,
"Iterated random functions", SIAM Review 41, 1999). Hence E u^2 = E G^3 / (3 E G).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib._checks import scalar
from esp_lib.theory.staleness import gap_pmf

Array = NDArray[np.float64]

MEAN_CURVATURE = 0.75  # E a for a ~ U(0.5, 1)
SETTLED = 1e-30  # a mean square below this is zero: eps has stopped the drift


def threshold(beta1: ArrayLike) -> Array:
    """The beta2 below which a coordinate left alone speeds up: beta1^2."""
    return _checks.real("beta1", beta1, low=0.0, high=1.0, high_open=True) ** 2


def displacement(
    longest: int, gradient: ArrayLike, *, lr: float, beta1: float, beta2: float, eps: float
) -> Array:
    """G(K, |g|), how far one visit moves its coordinate within K steps, for K = 1 … longest.

    G(K, |g|) = sum over j < K of
    lr (1 - beta1) |g| beta1^j / (sqrt(1 - beta2) |g| beta2^(j/2) + eps).

    The gradient |g| may have any shape (...).

    Returns:
        (..., longest) float64; inf where it exceeds the largest float.

    Raises:
        ValueError: a hyper-parameter out of its range.
    """
    size = np.abs(_checks.real("gradient", gradient))[..., None]
    j = np.arange(_checks.integer("longest", longest, low=1))
    eps = scalar("eps", eps, low=0.0, low_open=True)
    lr = scalar("lr", lr, low=0.0)
    beta1 = scalar("beta1", beta1, low=0.0, high=1.0, high_open=True)
    beta2 = scalar("beta2", beta2, low=0.0, high=1.0, high_open=True)
    with np.errstate(over="ignore"):
        root = np.sqrt(1 - beta2) * size * beta2 ** (j / 2) + eps
        return np.asarray(np.cumsum(lr * (1 - beta1) * size * beta1**j / root, axis=-1))


def displacement_without_eps(longest: int, *, lr: float, beta1: float, beta2: float) -> Array:
    """The limit eps -> 0 of `displacement`, which no longer depends on g.

    G(K) = lr (1 - beta1) / sqrt(1 - beta2) (r^K - 1) / (r - 1), r = beta1 / sqrt(beta2); K in place
    of the fraction where r = 1.

    Returns:
        (longest,) float64, K = 1 … longest; inf where it exceeds the largest float.

    Raises:
        ValueError: a hyper-parameter out of its range, or `beta2` is zero, which leaves no root to
            divide by.
    """
    K = np.arange(1, _checks.integer("longest", longest, low=1) + 1)
    lr = scalar("lr", lr, low=0.0)
    beta1 = scalar("beta1", beta1, low=0.0, high=1.0, high_open=True)
    beta2 = scalar("beta2", beta2, low=0.0, high=1.0, low_open=True, high_open=True)
    if lr == 0:
        return np.zeros(K.shape)
    growth = np.log(beta1) - np.log(beta2) / 2 if beta1 > 0 else -np.inf
    with np.errstate(over="ignore"):
        sums = K if growth == 0 else np.expm1(K * growth) / np.expm1(growth)
        return np.asarray(lr * (1 - beta1) / np.sqrt(1 - beta2) * sums)


def steps_to_eps(gradient: ArrayLike, *, beta2: ArrayLike, eps: ArrayLike) -> Array:
    """Steps after a visit until sqrt(v) has fallen to eps, where the growth of the steps ends.

    K* = 2 ln( sqrt(1 - beta2) |g| / eps ) / ln(1 / beta2)

    The gradient |g| broadcasts with the others.

    Returns:
        Steps, float64; negative where eps is the larger from the start.

    Raises:
        ValueError: an argument out of its range.
    """
    beta2 = _checks.real("beta2", beta2, low=0.0, high=1.0, low_open=True, high_open=True)
    eps = _checks.real("eps", eps, low=0.0, low_open=True)
    size = _checks.real("gradient", gradient, low=0.0, low_open=True)
    try:
        np.broadcast_shapes(size.shape, beta2.shape, eps.shape)
    except ValueError:
        raise ValueError(
            "gradient, beta2 and eps must have shapes that broadcast, "
            f"got {size.shape}, {beta2.shape} and {eps.shape}"
        ) from None
    return np.asarray(2 * np.log(np.sqrt(1 - beta2) * size / eps) / -np.log(beta2))


def drift_profile(
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    batch_size: int = 100,
    steps_per_epoch: int = 100,
) -> Array:
    """Settled excess loss of lone functions at each step of an epoch, reshuffled, in closed form.

    The stationary law of |u| -> | |u| - G | with gaps as under reshuffling, taken as independent,
    and g at the root mean square of u, found with it. One more map with K uniform on
    q + 1 … q + T gives step q:

        E a u_q^2 = E a ( E u^2 - 2 E|u| E_q G + E_q G^2 ),
        E u^2 = E G^3 / (3 E G),  E|u| = E G^2 / (2 E G).

    The learning rate is above zero: what never moves never settles. The gradient of one
    function is divided by `batch_size`; T is `steps_per_epoch`.

    Returns:
        (T,) float64.

    Raises:
        ValueError: an argument out of its range.
    """
    T = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
    batch_size = _checks.integer("batch_size", batch_size, low=1)
    lr = scalar("lr", lr, low=0.0, low_open=True)
    chance = gap_pmf(T)
    square, last = 1.0, 0.0
    while abs(square - last) > 1e-10 * square and square > SETTLED:
        last = square
        g = 2 * MEAN_CURVATURE * np.sqrt(square) / batch_size
        G = displacement(2 * T - 1, g, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
        square = float((chance * G**3).sum() / (3 * (chance * G).sum()))
    mean = (chance * G**2).sum() / (2 * (chance * G).sum())

    def over_uniform_gap(values: Array) -> Array:  # K = q + 1 … q + T, for each q
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return (sums[T:] - sums[:-T]) / T

    profile = square - 2 * mean * over_uniform_gap(G) + over_uniform_gap(G**2)
    return np.asarray(MEAN_CURVATURE * profile)
