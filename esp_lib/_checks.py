"""Argument checks: every refusal names the argument, what is allowed and what was given."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEED_LIMIT = 2**32


def real(
    name: str,
    value: ArrayLike,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> NDArray[np.float64]:
    """`value` as a float64 array whose finite entries lie in the interval; else ValueError."""
    bounds = f"{'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
    try:
        if np.iscomplexobj(value):
            raise TypeError
        array = np.array(value, dtype=np.float64)  # a copy: the caller may change theirs
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number or an array of numbers, got {value!r}") from None
    inside = np.isfinite(array)
    inside &= array > low if low_open else array >= low
    inside &= array < high if high_open else array <= high
    if not inside.all():
        given = array[~inside].flat[0]
        raise ValueError(f"{name} must be finite and in {bounds}, got {given}")
    return array


def integer(name: str, value: object, *, low: int, high: int | None = None) -> int:
    """`value` as an int in [low, high]; else ValueError."""
    allowed = f"an integer of at least {low}" + (f" and at most {high}" if high is not None else "")
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be {allowed}, got {value}")
    return int(value)


def seeds(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """`value` as an array of seeds in [0, 2**32); else ValueError."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or (
        array.size and (array.min() < 0 or array.max() >= SEED_LIMIT)
    ):
        raise ValueError(f"{name} must be integers from 0 to 2**32 - 1, got {value!r}")
    return array.astype(np.int64)


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """`value` if it is one of `allowed`; else ValueError."""
    if not isinstance(value, str) or value not in allowed:
        options = ", ".join(repr(option) for option in allowed)
        raise ValueError(f"{name} must be one of {options}, got {value!r}")
    return value


def scalar(name: str, value: Any, **bounds: Any) -> float:
    """`value` as a float in the interval, see `real`; else, arrays included, ValueError."""
    array = real(name, value, **bounds)
    if array.ndim:
        raise ValueError(f"{name} must be a single number, got {value!r}")
    return float(array)
