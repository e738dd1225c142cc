"""Interference: functions that share a coordinate undo each other's work.

Ours, not the paper's. For beta2 -> 1 the second moment v forgets nothing and stands still, and Adam
is gradient descent with one step size per coordinate: a visit by function i moves x the same
fraction of the way to its minimum each time,

    x - c_i  ->  kappa (x - c_i),    1 - kappa = lr (2 a / B) / sqrt(v),
    v = (1/T) sum_j (2 a / B)^2 E u_j^2.

With equal curvatures a and batch size B cancel: with k functions, whose minima have the population
variance sigma^2, and E u_j^2 = sigma^2 q_j(kappa), u_j = x - c_j before the visit,

    (1 - kappa) sqrt( q_1 + … + q_k ) = lr sqrt(T) / sigma.

The q_j follow from the order alone. j counts the visits in an epoch, from 1. For two functions
(q in units of the squared distance between the minima, that is 4 sigma^2):

===========  ==============================================  ===========================
order        first visit of the epoch                        second visit
===========  ==============================================  ===========================
reshuffle    (kappa^2 + (1-kappa)/2)/((1+kappa)(1+kappa^2))  1 - kappa + kappa^2 (first)
fixed        1 / (1 + kappa)^2                               the same
reverse      kappa^2 / (1 + kappa^2)^2                       1 / (1 + kappa^2)^2
replacement  1 / (2 (1 + kappa))                             the same
===========  ==============================================  ===========================

A function visited at phase f of the epoch is the j-th on its coordinate with the binomial chance
C(k-1, j-1) f^(j-1) (1-f)^(k-j): this makes the tooth.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.stats import qmc

from esp_lib import _checks
from esp_lib._checks import scalar
from esp_lib.sampling.orders import ORDERS

Array = NDArray[np.float64]

MEAN_CURVATURE = 0.75  # E a for a ~ U(0.5, 1)
POINTS = 4096  # Sobol points for the minima


def spread(kappa: ArrayLike, size: int, order: str) -> Array:
    """q_j(kappa), the settled E (x - c_j)^2 / sigma^2 before the j-th visit of an epoch.

    kappa, of shape (...) and between -1 and 1, is what a visit leaves of the distance to the
    minimum; k is `size`, at least 2.

    Returns:
        (..., k) float64.

    Raises:
        ValueError: an argument out of its range.
    """
    x = _checks.real("kappa", kappa, low=-1.0, high=1.0, low_open=True, high_open=True)
    k = _checks.integer("size", size, low=2)
    _checks.choice("order", order, ORDERS)
    if order == "replacement":  # sigma^2 + variance of x
        return np.repeat((2 / (1 + x))[..., None], k, axis=-1)
    if order == "reshuffle":
        return _spread_reshuffle(x, k)
    cycle = list(range(k)) + (list(range(k))[::-1] if order == "reverse" else [])
    P = len(cycle)
    q = np.empty((*x.shape, k))
    for j in range(k):  # x - c_j as a sum over the k minima, whose coefficients add up to 0
        weight = np.zeros((*x.shape, k))
        for back in range(1, P + 1):
            weight[..., cycle[(j - back) % P]] += (1 - x) * x ** (back - 1) / (1 - x**P)
        weight[..., j] -= 1
        q[..., j] = k / (k - 1) * (weight**2).sum(axis=-1)
    return q


def _spread_reshuffle(x: Array, k: int) -> Array:
    """As `spread`, from the variance of x at the start of an epoch."""
    first = np.cumsum([x**i for i in range(k)], axis=0)  # sum of x^i, i < j; (k, ...)
    second = np.cumsum([x ** (2 * i) for i in range(k)], axis=0)
    first = np.concatenate([np.zeros((1, *x.shape)), first])
    second = np.concatenate([np.zeros((1, *x.shape)), second])
    drawn = (1 - x) ** 2 * (second - (first**2 - second) / (k - 1))  # after j visits, (k + 1, ...)
    start = drawn[k] / (1 - x ** (2 * k))
    q = [x ** (2 * j) * start + 1 + drawn[j] + 2 * (1 - x) * first[j] / (k - 1) for j in range(k)]
    return np.stack(q, axis=-1)


def settle(pull: ArrayLike, size: int, order: str) -> Array:
    """The kappa at which v and the steps agree: (1 - kappa) sqrt(q_1 + … + q_k) = pull.

    The left side falls with kappa. Where even kappa -> -1 leaves it below pull, kappa stays there:
    no smaller one is stable.

    The pull, lr sqrt(T) / sigma, is positive, of shape (...); k is `size`.

    Returns:
        (...) float64 in (-1, 1).

    Raises:
        ValueError: an argument out of its range.
    """
    target = _checks.real("pull", pull, low=0.0, low_open=True)
    low, high = np.full(target.shape, -1 + 1e-9), np.full(target.shape, 1 - 1e-9)
    for _ in range(60):
        middle = (low + high) / 2
        above = (1 - middle) * np.sqrt(spread(middle, size, order).sum(axis=-1)) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return low


def interference_levels(size: int, order: str, *, lr: float, steps_per_epoch: int) -> Array:
    """Settled excess loss a (x - c)^2 before the j-th visit of an epoch, for beta2 -> 1.

    The mean over minima c ~ U(-1, 1) of E a sigma^2 q_j(kappa(sigma)).

    k is `size`, functions on the coordinate; T is `steps_per_epoch`.

    Returns:
        (k,) float64; zeros for a function that is alone.

    Raises:
        ValueError: an argument out of its range.
    """
    k = _checks.integer("size", size, low=1)
    T = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
    _checks.choice("order", order, ORDERS)
    lr = scalar("lr", lr, low=0.0, low_open=True)
    if k == 1:
        return np.zeros(1)
    sobol = qmc.Sobol(k, scramble=True, rng=np.random.default_rng(k))
    sigma = (2 * sobol.random(POINTS) - 1).std(axis=1)
    kappa = settle(lr * np.sqrt(T) / sigma, k, order)
    u2 = sigma[:, None] ** 2 * spread(kappa, k, order)  # (points, k)
    # at kappa = -1 an oscillation of any size persists; v grows until the steps fit
    missing = lr**2 * T / (1 - kappa) ** 2 - u2.sum(axis=1)
    u2 += np.maximum(missing, 0.0)[:, None] / k
    return np.asarray(MEAN_CURVATURE * u2.mean(axis=0))


def interference_profile(size: int, order: str, *, lr: float, steps_per_epoch: int) -> Array:
    """Settled excess loss of functions on a coordinate of k at each step of an epoch, beta2 -> 1.

    sum over j of C(k-1, j-1) f^(j-1) (1-f)^(k-j) level_j at phase f; the mean of the levels where
    the order has no phase (fixed, replacement).

    Returns:
        (T,) float64.

    Raises:
        ValueError: an argument out of its range.
    """
    level = interference_levels(size, order, lr=lr, steps_per_epoch=steps_per_epoch)
    if order in ("fixed", "replacement"):
        return np.full(steps_per_epoch, level.mean())
    phase = (np.arange(steps_per_epoch) + 0.5) / steps_per_epoch
    earlier = np.arange(size)
    return np.asarray(stats.binom.pmf(earlier, size - 1, phase[:, None]) @ level)
