"""Settings of the explorers as data: what each may be, and how it is shown.

The front end (`js/settings.js`) reads the same fields, sent to it as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

DIGITS = 6  # significant digits of a setting; sliders return 0.9990000000000001 for 0.999

Value = float | int | bool | str | list[float]
Settings = dict[str, Value]


@dataclass(frozen=True)
class Number:
    """A number in [low, high], or [low, high) if `highOpen`; a slider if `step` is not 0."""

    name: str
    label: str
    low: float
    high: float
    step: float = 0.0  # of the slider; in decades if `log`
    log: bool = False
    marks: tuple[float, ...] = ()  # values of the paper, marked at the slider
    integer: bool = False
    highOpen: bool = False  # noqa: N815  (the front end's name)
    multiple: int = 1  # of what a whole number has to be a multiple
    kind: str = "number"

    def check(self, value: object) -> float | int:
        """`value` rounded to six digits; ValueError if it is not in the range."""
        what = "a whole number" if self.integer else "a number"
        what = f"a multiple of {self.multiple}" if self.multiple > 1 else what
        bound = "below" if self.highOpen else "at most"
        allowed = f"{what} of at least {self.low:g} and {bound} {self.high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{self.name} must be {allowed}, got {value!r}")
        number = value if self.integer else rounded(value)  # what is checked is what is used
        above = number >= self.high if self.highOpen else number > self.high
        if not number >= self.low or above or (self.integer and number % self.multiple):
            raise ValueError(f"{self.name} must be {allowed}, got {value}")
        return int(number) if self.integer else number


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    name: str
    label: str
    options: tuple[str | int, ...]
    kind: str = "choice"

    def check(self, value: object) -> str | int:
        """The option equal to `value`; ValueError if there is none."""
        for option in self.options:
            if value == option:
                return option
        allowed = ", ".join(map(repr, self.options))
        raise ValueError(f"{self.name} must be one of {allowed}, got {value!r}")


@dataclass(frozen=True)
class Switch:
    """On or off, as a check box."""

    name: str
    label: str
    kind: str = "switch"

    def check(self, value: object) -> bool:
        """`value` if it is a bool; else ValueError."""
        if not isinstance(value, bool):
            raise ValueError(f"{self.name} must be True or False, got {value!r}")
        return value


@dataclass(frozen=True)
class Vector:
    """`length` numbers in [low, high], typed into one box."""

    name: str
    label: str
    low: float
    high: float
    length: int = 3
    kind: str = "vector"

    def check(self, value: object) -> list[float]:
        """`value` as a list of rounded floats; ValueError if it is not that."""
        allowed = f"{self.length} numbers from {self.low:g} to {self.high:g}"
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != self.length:
            raise ValueError(f"{self.name} must be {allowed}, got {value!r}")
        numbers = [rounded(float(item)) for item in value]
        if not all(self.low <= number <= self.high for number in numbers):
            raise ValueError(f"{self.name} must be {allowed}, got {value!r}")
        return numbers


Field = Number | Choice | Switch | Vector


def rounded(value: float) -> float:
    """`value` with the digits that a control can hold; a zero has no sign."""
    return float(f"{Decimal(value):.{DIGITS}g}") + 0.0


def check_settings(
    fields: Sequence[Field], given: Mapping[str, Any], base: Mapping[str, Value]
) -> Settings:
    """`base` with `given` on top, all checked.

    Raises:
        ValueError: an unknown name, or a value that its field does not allow.
    """
    by_name = {field.name: field for field in fields}
    for name in given:
        if name not in by_name:
            raise ValueError(f"settings must be among {', '.join(by_name)}, got {name!r}")
    return {name: by_name[name].check(value) for name, value in {**base, **given}.items()}
