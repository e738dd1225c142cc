"""What is known of the formats of training logs, as data: names, shapes of lines, messages.

The table is `formats.json`, which the page's JavaScript reads as well: a name or a shape of line
that is added there is understood in both. Its regular expressions are written in what Python and
JavaScript have in common; in a shape of a line, # stands for a number.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

FORMATS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
COLUMNS, TEXT, MESSAGES = FORMATS["columns"], FORMATS["text"], FORMATS["messages"]
VOICES = FORMATS["voices"]  # what a message calls arguments, options, or fields of the page

Note = tuple[str, dict[str, Any]]  # a key of the messages, and what fills it


class LogError(ValueError):
    """A log that cannot be read; the message says why, and what would help.

    Args:
        key: of a message in `formats.json`.
        values: what fills it.
    """

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.key, self.values, self.voice = key, values, "library"

    def __str__(self) -> str:
        return say(self.key, self.values, self.voice)


def number_text(value: float, digits: int = 3) -> str:
    """A number as people write it, to some digits: 0.00012, 1,163.08, 100,000."""
    text = format(value, f".{digits}g")
    if not math.isfinite(value):
        return text
    if "e" in text:
        exponent, rounded = int(text.partition("e")[2]), float(text)
        if 0 <= exponent < 15:
            return f"{rounded:,.0f}"
        return f"{rounded:.{digits - 1 - exponent}f}".rstrip("0") if -7 < exponent < 0 else text
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}" if abs(value) >= 1000 else text


def p_text(p: float) -> str:
    """A p-value as people write it: p = 0.012, p < 0.001."""
    return "p < 0.001" if p < 0.001 else f"p = {number_text(p, 2)}"


class _Fill(Formatter):
    """Templates with two more kinds of field: {x:.3n} for numbers, {x:p} for p-values."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "p":
            return p_text(value)
        if format_spec.endswith("n"):
            sign = "+" if format_spec[0] == "+" and value > 0 else ""
            return sign + number_text(value, int(format_spec.rpartition(".")[2][:-1]))
        return str(super().format_field(value, format_spec))


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template of `formats.json` or `wording.json` with its fields filled."""
    return _Fill().vformat(template, (), values)


def say(key: str, values: dict[str, Any], voice: str) -> str:
    """A message, in the words of the library, the command or the page."""
    return fill(MESSAGES[key], VOICES[voice] | values)


def listed(names: list[str]) -> str:
    """Some names, for a message."""
    return ", ".join(repr(name[:60]) for name in names[:20]) or "none"
