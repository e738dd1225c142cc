"""A log as a table of numbers, and how it is read from a table in text: CSV, TSV, and the like.

What they look like in practice: `csv.DictWriter` and Lightning's `metrics.csv` leave cells empty
where a row does not have a value; `numpy.savetxt` writes columns apart by spaces, with a header
that begins with `#`; in much of Europe a table has decimal commas and semicolons.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.logs.columns import VALIDATION, relevant, role, words
from esp_lib.logs.formats import LogError, Note

Array = NDArray[np.float64]

MAX_LINES = 5_000_000  # of a text file
MAX_COLUMNS = 10_000
MAX_LINE = 1_000_000  # characters
MAX_CELL = csv.field_size_limit()  # characters
NOT_PLAIN = re.compile(r'["\x1c-\x1f]')  # quotation marks, and what NumPy alone takes for space
CHUNK = 8_192  # rows converted at a time
THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
KINDS = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons", " ": "table with spaces"}


@dataclass
class Table:
    """Columns of a log in the order of its rows.

    NaN: the row has no such value. Infinity: it has one that is not finite.
    """

    columns: dict[str, Array]
    source: str  # the format, in words
    names: list[str] = field(default_factory=list)  # of all columns, read or not
    notes: list[Note] = field(default_factory=list)
    averaged: bool = False  # the format says that a point is the mean since the point before
    epoch_steps: float | None = None  # steps in an epoch, where the format says so
    lost: int = 0  # losses that were left out


def as_lines(text: str) -> list[str]:
    """The lines of a text without blank ones; LogError if there are too many."""
    lines = list(filter(str.strip, text.split("\n")))
    if len(lines) > MAX_LINES:
        raise LogError("too many lines", most=MAX_LINES)
    return lines


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
    for delimiter in (";" if ";" in first else ",", ",", "\t", " "):
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
    if len(line) > MAX_LINE:
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
        if "," in cell:
            cell = without_commas([cell])[0]
        try:
            cell = float(cell)
        except ValueError:
            return np.nan
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        return np.nan
    return float(cell) if np.isfinite(cell) else np.inf


def without_commas(cells: list[str]) -> list[str]:
    """Numbers with commas as Python writes them: 19,900 is 19900, unless others are like 0,25."""
    with_comma = [cell.strip() for cell in cells if isinstance(cell, str) and "," in cell]
    thousands = all(THOUSANDS.fullmatch(cell) for cell in with_comma)
    other = "" if thousands else "."
    return [cell.replace(",", other) if isinstance(cell, str) else cell for cell in cells]


def to_numbers(cells: list[Any]) -> Array:
    """(cells,) as `to_number`, fast where all are numbers; a column has one kind of commas."""
    kinds = set(map(type, cells))
    joined = "".join(cells) if kinds == {str} else ""
    if "," in joined or (str in kinds and kinds != {str}):
        cells = without_commas(cells)
    if "_" in joined or not joined.isascii() or not (kinds == {str} or kinds <= {float}):
        return np.array([to_number(cell) for cell in cells], dtype=np.float64)
    try:
        values = np.array(list(map(float, cells)))
    except ValueError:
        return np.array([to_number(cell) for cell in cells], dtype=np.float64)
    values[~np.isfinite(values)] = np.inf
    return values


def to_kinds(cells: list[Any]) -> Array:
    """(cells,) 1 where a cell names evaluation, 0 where it names something else."""
    known = {
        cell: float(bool(VALIDATION & set(words(str(cell)[:100])))) if cell else np.nan
        for cell in {c for c in cells if isinstance(c, str)}
    }
    return np.array([known.get(c, np.nan) if isinstance(c, str) else np.nan for c in cells])


def column_of(name: str, cells: list[Any]) -> Array:
    """The cells of a column as numbers."""
    return to_kinds(cells) if role(name) == "kind" else to_numbers(cells)


def read_delimited(
    lines: list[str], delimiter: str, names: list[str], wanted: Iterable[str]
) -> Table:
    """A table with a header, or of one to four columns without: loss; step, loss; and no more."""
    if len(names) > MAX_COLUMNS:
        raise LogError("many columns", count=len(names), most=MAX_COLUMNS)
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
    if (plain := _plain_columns(lines[head:], delimiter, keep, places)) is not None:
        return Table(plain, KINDS[delimiter], names)
    cells: list[list[str]] = [[] for _ in places]
    for start in range(head, len(lines), CHUNK):
        taken = _take_columns(lines[start : start + CHUNK], delimiter, len(names), places)
        for column, some in zip(cells, taken, strict=True):
            column += some
    columns, lost = {}, 0
    for name, column in zip(keep, cells, strict=True):
        columns[name] = column_of(name, column)
        if name.lower().endswith("loss") and np.isnan(columns[name]).any():
            none = np.flatnonzero(np.isnan(columns[name])).tolist()
            lost += sum(bool(column[i].strip()) and column[i].strip() != name for i in none)
        column.clear()
    notes: list[Note] = [("no numbers", {"count": lost})] if lost else []
    return Table(columns, KINDS[delimiter], names, notes, lost=lost)


def _plain_columns(
    lines: list[str], delimiter: str, keep: list[str], places: list[int]
) -> dict[str, Array] | None:
    """The columns of a table in which every cell is a plain number; None of any other.

    NumPy's own reader refuses what is not: gaps, quotation marks, words, decimal commas.
    """
    if not lines or not keep or any(role(name) == "kind" for name in keep):
        return None
    text = "".join(lines)
    if not text.isascii() or NOT_PLAIN.search(text) or max(map(len, lines)) > MAX_CELL:
        return None
    try:
        values = np.loadtxt(
            lines,
            delimiter=None if delimiter == " " else delimiter,
            usecols=places,
            comments=None,
            ndmin=2,
        )
    except ValueError:
        return None
    values[~np.isfinite(values)] = np.inf
    return dict(zip(keep, np.ascontiguousarray(values.T), strict=True))


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
            raise LogError("no table", why=error) from None
    return [[row[place] if place < len(row) else "" for row in rows] for place in places]
