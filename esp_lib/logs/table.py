"""A log as a table of numbers: CSV, TSV, JSON and JSON lines.

What they look like in practice: `csv.DictWriter` and Lightning's `metrics.csv` leave cells empty
where a row does not have a value; `numpy.savetxt` writes columns apart by spaces, with a header
that begins with `#`; the Hugging Face Trainer's `trainer_state.json` keeps a list of dictionaries
under `log_history`, and, as Python does, writes NaN as a bare word.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.logs.columns import relevant

Array = NDArray[np.float64]

MAX_LINES = 5_000_000  # of a text file
MAX_VALUES = 20_000_000  # of a JSON document: bounds the memory that it takes
MAX_COLUMNS = 10_000
MAX_ROW = 10_000_000  # characters of the first two rows of a table
CHUNK = 8_192  # rows converted at a time


class LogError(ValueError):
    """A log that cannot be read; the message says why, and what would help."""


@dataclass
class Table:
    """Columns of a log in the order of its rows.

    NaN: the row has no such value. Infinity: it has one that is not finite.
    """

    columns: dict[str, Array]
    source: str  # the format, in words
    names: list[str] = field(default_factory=list)  # of all columns, read or not
    notes: list[str] = field(default_factory=list)
    averaged: bool = False  # the format says that a point is the mean since the point before
    epoch_steps: float | None = None  # steps in an epoch, where the format says so


def as_lines(text: str) -> list[str]:
    """The lines of a text without blank ones; LogError if there are too many."""
    text = text.replace("\r", "\n")
    if text.count("\n") > 2 * MAX_LINES:
        raise LogError(f"the log has more than {MAX_LINES:,} lines; keep every tenth")
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    if len(lines) > MAX_LINES:
        raise LogError(f"the log has more than {MAX_LINES:,} lines; keep every tenth")
    return lines


# ----------------------------------------------------------------------- separated by a character


def find_delimiter(lines: Sequence[str]) -> tuple[str, list[str]] | None:
    """How the columns of a table are set apart, and their names; None if it is no table.

    Returns:
        The delimiter (" " for any white space) and the names, `[]` for a table without a header.
    """
    skip = 0
    while skip + 2 < len(lines) and lines[skip].startswith("#") and lines[skip + 1].startswith("#"):
        skip += 1
    first = lines[skip].lstrip("#").strip(" ")
    second = lines[skip + 1] if skip + 1 < len(lines) else ""
    for delimiter in (",", "\t", ";", " "):
        names, cells = (split_line(line, delimiter) for line in (first, second or lines[skip]))
        if any(is_number(name) for name in names):
            numbers = [is_number(name) for name in names]
            if all(numbers) and all(map(is_number, cells)) and len(cells) == len(names) <= 4:
                return delimiter, []
        elif (
            second
            and any(map(is_number, cells))
            and abs(len(cells) - len(names)) <= (delimiter != " ")
            and (len(names) > 1 or delimiter == ",")
        ):
            return delimiter, names
    return None


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of one line; none of a line that is too long to be a row."""
    if len(line) > MAX_ROW:
        return []
    if delimiter == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def is_number(cell: str) -> bool:
    """Whether a cell is a number, NaN included."""
    return not np.isnan(to_number(cell))


def to_number(cell: Any) -> float:
    """A cell as a number: NaN for none, infinity for one that is not finite."""
    if isinstance(cell, str):
        if "_" in cell or not cell.isascii():
            return np.nan
        try:
            cell = float(cell)
        except ValueError:
            return np.nan
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        return np.nan
    return float(cell) if np.isfinite(cell) else np.inf


def to_numbers(cells: list[Any]) -> Array:
    """(cells,) as `to_number`, fast where all are numbers."""
    kinds = set(map(type, cells))
    joined = "".join(cells) if kinds == {str} else ""
    if "_" in joined or not joined.isascii() or not (kinds == {str} or kinds <= {float}):
        return np.array([to_number(cell) for cell in cells], dtype=np.float64)
    try:
        values = np.array(list(map(float, cells)))
    except ValueError:
        return np.array([to_number(cell) for cell in cells], dtype=np.float64)
    values[~np.isfinite(values)] = np.inf
    return values


def read_delimited(
    lines: list[str], delimiter: str, names: list[str], wanted: Iterable[str]
) -> Table:
    """A table with a header, or of one to four columns without: loss; step, loss; and no more."""
    if len(names) > MAX_COLUMNS:
        raise LogError(f"the table has {len(names):,} columns; up to {MAX_COLUMNS:,} are read")
    head = 1
    if names:
        while lines[head - 1].startswith("#") and lines[head].startswith("#"):
            head += 1
    else:
        head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
        width = len(split_line(lines[head], delimiter))
        names = ["loss"] if width == 1 else ["step", "loss", "column 3", "column 4"][:width]
    keep = relevant(names, wanted)
    places = [names.index(name) for name in keep]
    parts: list[list[Array]] = [[] for _ in places]
    words = 0
    for start in range(head, len(lines), CHUNK):
        columns_of = _take_columns(lines[start : start + CHUNK], delimiter, len(names), places)
        for i, cells in enumerate(columns_of):
            parts[i].append(to_numbers(cells))
            if keep[i].lower().endswith("loss") and np.isnan(parts[i][-1]).any():
                words += sum(
                    bool(cell.strip()) and np.isnan(value)
                    for cell, value in zip(cells, parts[i][-1].tolist(), strict=True)
                )
    columns = {
        name: np.concatenate(part) if part else np.empty(0)
        for name, part in zip(keep, parts, strict=True)
    }
    kind = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons", " ": "table with spaces"}[
        delimiter
    ]
    notes = [f"losses that are no numbers and were left out: {words:,}"] if words else []
    return Table(columns, kind, names, notes)


def _take_columns(
    lines: list[str], delimiter: str, width: int, places: list[int]
) -> list[list[str]]:
    """The cells of some columns; "" where a line is too short."""
    if delimiter == " ":
        rows = [line.split() for line in lines]
    else:
        joined = delimiter.join(lines)
        if '"' not in joined and all(line.count(delimiter) == width - 1 for line in lines):
            flat = joined.split(delimiter)
            return [flat[place::width] for place in places]
        try:
            rows = list(csv.reader(lines, delimiter=delimiter))
        except csv.Error as error:
            raise LogError(f"not readable as a table: {error}") from None
    return [[row[place] if place < len(row) else "" for row in rows] for place in places]


# ------------------------------------------------------------------------------------------- JSON
