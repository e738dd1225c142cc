"""Staleness: how many steps ago the function that is visited now was visited last.

Ours, not the paper's. Steps of an epoch count from 0, q = 0 … T - 1. A function that comes at step
p of one epoch and at step q of the next has staleness K = T + q - p.

===========  ================================  =====================  =======================
order        p, given q                        K                      mean of K
===========  ================================  =====================  =======================
reshuffle    uniform on 0 … T - 1              uniform on q+1 … q+T   q + (T + 1) / 2
fixed        q                                 T                      T
reverse      T - 1 - q                         2 q + 1                2 q + 1
replacement  each step anew, chance 1 / T      geometric              T
===========  ================================  =====================  =======================
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.sampling.orders import ORDERS, check_batch_size

Array = NDArray[np.float64]


def staleness_pmf(order: str, step: int, steps_per_epoch: int, longest: int) -> Array:
    """Distribution of the staleness K of a function visited at step q of an epoch.

    q is counted from 0, T is `steps_per_epoch`, `longest` the largest K asked for.

    Returns:
        (longest,) float64, P(K = 1), …, P(K = longest).

    Raises:
        ValueError: unknown order, or a step outside the epoch.
    """
    _checks.choice("order", order, ORDERS)
    T = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
    q = _checks.integer("step", step, low=0, high=T - 1)
    K = np.arange(1, _checks.integer("longest", longest, low=1) + 1)
    if order == "reshuffle":
        return ((q + 1 <= K) & (q + T >= K)) / T
    if order == "replacement":
        return (1 - 1 / T) ** (K - 1) / T
    only = T if order == "fixed" else 2 * q + 1
    return np.where(only == K, 1.0, 0.0)


def mean_staleness(order: str, steps_per_epoch: int) -> Array:
    """Mean of K at each step of an epoch.

    T is `steps_per_epoch`.

    Returns:
        (T,) float64, steps.

    Raises:
        ValueError: unknown order.
    """
    _checks.choice("order", order, ORDERS)
    T = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
    q = np.arange(T, dtype=np.float64)
    if order == "reshuffle":
        return q + (T + 1) / 2
    return 2 * q + 1 if order == "reverse" else np.full(T, float(T))


def gap_pmf(steps_per_epoch: int) -> Array:
    """Distribution of the gap between two visits under reshuffling, over all steps of an epoch.

    P(K) = (T - |K - T|) / T^2 for K = 1 … 2T - 1: the difference of two uniform places, plus T.

    Returns:
        (2T - 1,) float64.
    """
    T = _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
    return (T - np.abs(np.arange(1, 2 * T) - T)) / T**2


def observed_staleness(order: ArrayLike, batch_size: int) -> NDArray[np.int64]:
    """Staleness in an actual order, counted visit by visit.

    The order is integers (epochs, num_functions), as from `make_order`.

    Returns:
        (epochs, num_functions) int64: steps since the function's last visit; 0 at its first.

    Raises:
        ValueError: not a table, an empty one, an entry outside 0 … num_functions - 1, or a batch
            size that does not divide the width.
    """
    allowed = "a table of integers (epochs, num_functions) with at least one entry"
    table = _checks.integers("order", order, allowed)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"order must be {allowed}, got {table.dtype} {table.shape}")
    outside = table[(table < 0) | (table >= table.shape[1])]
    if outside.size:
        raise ValueError(
            f"order must hold integers from 0 to {table.shape[1] - 1}, got {outside[0]}"
        )
    batch_size = check_batch_size(batch_size, table.shape[1])
    batches = table.reshape(-1, batch_size)  # (steps, batch_size)
    last = np.full(table.shape[1], -1)
    found = np.empty(batches.shape, np.int64)
    for t, batch in enumerate(batches):
        found[t] = np.where(last[batch] < 0, 0, t - last[batch])
        last[batch] = t
    return found.reshape(table.shape)
