"""Sampling orders: which functions (training samples) each step of each epoch visits.

Source: section "Incremental quadratic optimization" of Liu and Ma (2025) and its published code.
An order is a table (epochs, num_functions) of function indices; row e, cut into consecutive
batches, is epoch e. Shuffles are Fisher and Yates's in Durstenfeld's form (CACM 7(7), 1964):
position j swaps with position j + floor(word_j (n - j) / 2**32), words from `threefry` stream 2.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.sampling.threefry import STREAM_ORDER

ORDERS = ("reshuffle", "fixed", "reverse", "replacement")

Order = NDArray[np.int32]


def make_order(
    kind: str, *, num_functions: int, epochs: int, batch_size: int, seed: int = 0
) -> Order:
    """The visiting order of a run.

    Args:
        kind: "reshuffle" (a new permutation each epoch), "fixed" (no shuffling: 0, 1, 2, ...),
            "reverse" (each epoch runs through the previous epoch's order backwards) or
            "replacement" (each batch drawn afresh from all functions, distinct within itself).
        num_functions: number of functions.
        epochs: number of epochs.
        batch_size: functions a step; divides `num_functions`.
        seed: seed of the shuffles, 0 to 2**32 - 1; "fixed" and "reverse" do not use it.

    Returns:
        int32 array (epochs, num_functions) of function indices.

    Raises:
        ValueError: unknown kind, a number out of range, or a batch size that does not divide.
    """
    _checks.choice("order", kind, ORDERS)
    num_functions = _checks.integer("num_functions", num_functions, low=1)
    epochs = _checks.integer("epochs", epochs, low=1)
    batch_size = check_batch_size(batch_size, num_functions)
    if _checks.seeds("seed", seed).ndim:
        raise ValueError(f"seed must be a single integer, got {_checks.shown(seed)}")
    forward = np.arange(num_functions, dtype=np.int32)
    if kind == "fixed":
        return np.tile(forward, (epochs, 1))
    if kind == "reverse":
        return np.stack([forward if epoch % 2 == 0 else forward[::-1] for epoch in range(epochs)])
    if kind == "reshuffle":
        return shuffles(int(seed), epochs, num_functions, num_functions)
    steps = epochs * (num_functions // batch_size)
    batches = shuffles(int(seed), steps, batch_size, num_functions)
    return batches.reshape(epochs, num_functions)


def shuffles(seed: int, rows: int, k: int, n: int) -> Order:
    """The first k <= n entries of `rows` shuffles of 0 … n - 1, int32 (rows, k)."""
    from esp_lib.sampling._numba import shuffle_rows, word_rows

    return shuffle_rows(word_rows(seed, STREAM_ORDER, rows, k), n)


def check_batch_size(batch_size: int, num_functions: int) -> int:
    """`batch_size` as an int that divides `num_functions`; else ValueError."""
    batch_size = _checks.integer("batch_size", batch_size, low=1, high=num_functions)
    if num_functions % batch_size:
        raise ValueError(
            f"batch_size must divide the number of functions, {num_functions}, got {batch_size}"
        )
    return batch_size


def check_order(order: ArrayLike, *, num_functions: int, epochs: int) -> Order:
    """An order as int32 (epochs, num_functions) whose rows are permutations; else ValueError."""
    epochs = _checks.integer("epochs", epochs, low=1)
    num_functions = _checks.integer("num_functions", num_functions, low=1)
    allowed = (
        f"one of {', '.join(map(repr, ORDERS))} or an integer array of shape "
        f"(epochs, num_functions) = ({epochs}, {num_functions})"
    )
    table = _checks.integers("order", order, allowed)
    if table.shape != (epochs, num_functions):
        raise ValueError(f"order must be {allowed}, got {table.dtype} of shape {table.shape}")
    for epoch, row in enumerate(np.sort(table, axis=1)):
        if not np.array_equal(row, np.arange(num_functions)):
            missed = np.setdiff1d(np.arange(num_functions), row)
            found = (
                f"epoch {epoch} misses function {missed[0]}" if missed.size else f"epoch {epoch}"
            )
            raise ValueError(
                f"order must visit each of the functions 0 to {num_functions - 1} exactly once in "
                f"every epoch, got an order where {found} (and repeats or exceeds another)"
            )
    return table.astype(np.int32)
