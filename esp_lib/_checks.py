"""Argument checks: every refusal names the argument, what is allowed and what was given."""

from collections.abc import Collection
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEED_LIMIT = 2**32
LARGEST = 2**53  # integer where no other limit is named; float64 tells integers apart up to here
SHOWN = 200  # characters of a value that a refusal shows


def shown(value: object) -> str:
    """`value` as a refusal shows it: its representation, cut where it is long."""
    try:
        text = repr(value)
    except Exception:  # it is not ours, and may raise anything
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def numbers(name: str, value: ArrayLike, *, gaps: bool = False) -> NDArray[np.float64]:
    """A float64 copy of `value`: real numbers, finite or not, None as NaN; else ValueError.

    With `gaps`, masked entries become NaN; else they are refused.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and all(map(_is_real, array.flat)):
            array = array.astype(np.float64)
        allowed = array.dtype.kind in "iuf"  # no bool, text, date or complex number
    except Exception:  # rows of different lengths, or whatever an object raises
        allowed = False
    if not allowed:
        raise ValueError(f"{name} must be a number or an array of numbers, got {shown(value)}")
    with np.errstate(over="ignore"):
        array = np.array(array, np.float64)  # a copy: the caller may change theirs
    if np.ma.is_masked(value):
        if not gaps:
            raise ValueError(f"{name} must not be masked, got {shown(value)}")
        array[np.ma.getmaskarray(value)] = np.nan  # type: ignore[arg-type]  # any array
    return array


def _is_real(entry: object) -> bool:
    """Whether an entry of an array of objects is a number, e.g. a fraction, or missing."""
    return entry is None or (isinstance(entry, Real) and not isinstance(entry, bool))


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
    array = numbers(name, value)
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
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be {allowed}, got {shown(value)}")
    if value < low or value > (LARGEST if high is None else high):
        raise ValueError(f"{name} must be {allowed}, got {shown(value)}")
    return int(value)


def integers(name: str, value: ArrayLike, what: str) -> NDArray[Any]:
    """`value` as an array of integers, `what` says which; else ValueError."""
    try:
        array = np.asarray(value)
        kind = array.dtype.name
    except Exception:  # rows of different lengths, or whatever an object raises
        array, kind = np.empty(0), "no array"
    if array.dtype.kind not in "iu" or np.ma.is_masked(value):
        raise ValueError(f"{name} must be {what}, got {kind}: {shown(value)}")
    return array


def seeds(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """`value` as an array of seeds in [0, 2**32); else ValueError."""
    what = "integers from 0 to 2**32 - 1"
    array = integers(name, value, what)
    if array.size and (array.min() < 0 or array.max() >= SEED_LIMIT):
        raise ValueError(f"{name} must be {what}, got {shown(value)}")
    return array.astype(np.int64)


def several(name: str, value: object, what: str) -> tuple[Any, ...]:
    """The entries of a tuple, a list or the like, but of no text; else ValueError."""
    try:
        if isinstance(value, str | bytes | bytearray):
            raise TypeError
        return tuple(value)  # type: ignore[arg-type]  # what is not iterable raises
    except Exception:  # whatever an object raises
        raise ValueError(f"{name} must be a tuple of {what}, got {shown(value)}") from None


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """`value` if it is one of `allowed`; else ValueError."""
    if not isinstance(value, str) or value not in allowed:
        options = ", ".join(repr(option) for option in allowed)
        raise ValueError(f"{name} must be one of {options}, got {shown(value)}")
    return value


def scalar(name: str, value: Any, **bounds: Any) -> float:
    """`value` as a float in the interval, see `real`; else, arrays included, ValueError."""
    array = real(name, value, **bounds)
    if array.ndim:
        raise ValueError(f"{name} must be a single number, got {shown(value)}")
    return float(array)


def instance(name: str, value: object, kind: type) -> None:
    """Refuse what is not of a class, or of a subclass, by ValueError."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be of class {kind.__name__}, got {shown(value)}")
