"""A log in JSON or JSON lines: rows of numbers, or the state of Hugging Face's Trainer."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from esp_lib.logs.columns import relevant
from esp_lib.logs.table import (
    MAX_COLUMNS,
    MAX_VALUES,
    Array,
    LogError,
    Table,
    to_number,
    to_numbers,
)


def load_json(text: str) -> Any:
    """A JSON document, numbers as floats; LogError if it is none, too deep or too large."""
    if text.count(",") + text.count("{") + text.count("[") > MAX_VALUES:
        raise LogError(f"the JSON holds more than {MAX_VALUES:,} values; write JSON lines instead")
    try:
        return json.loads(text, parse_int=float)
    except RecursionError:
        raise LogError("the JSON is nested too deeply to be a training log") from None
    except ValueError as error:
        raise LogError(f"not valid JSON, perhaps cut off: {error}") from None


def read_json(text: str, wanted: Iterable[str]) -> Table:
    """A document: `trainer_state.json`, a list of dictionaries, or a dictionary of lists."""
    data = load_json(text)
    if isinstance(data, dict) and isinstance(data.get("log_history"), list):
        return read_trainer_state(data, wanted)
    if isinstance(data, dict):
        lists = {name: value for name, value in data.items() if isinstance(value, list)}
        rows = [value for value in lists.values() if value and isinstance(value[0], dict)]
        if rows:
            data = max(rows, key=len)
        elif lists:
            size = max(map(len, lists.values()))
            keep = relevant([name for name, value in lists.items() if len(value) == size], wanted)
            columns = {name: to_numbers(lists[name]) for name in keep}
            return Table(columns, "JSON, a list for each column", list(lists))
        else:
            data = [data]
    if not isinstance(data, list):
        raise LogError("the JSON is neither a list nor a dictionary of lists")
    if data and not any(isinstance(row, dict | list) for row in data):
        return Table({"loss": to_numbers_with_gaps(data)}, "JSON, a list of losses", ["loss"])
    return read_rows([row for row in data if isinstance(row, dict)], "JSON", wanted)


def read_json_lines(lines: list[str], wanted: Iterable[str]) -> Table:
    """One JSON object a line. Other lines, such as one cut off, are left out and counted."""
    rows, bad = [], 0
    decode = json.JSONDecoder(parse_int=float).decode
    for line in lines:
        try:
            row = decode(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad += 1
    table = read_rows(rows, "JSON lines", wanted)
    if bad:
        table.notes.append(f"lines that are not JSON objects and were left out: {bad:,}")
    return table


def read_trainer_state(state: dict[str, Any], wanted: Iterable[str]) -> Table:
    """A Hugging Face `trainer_state.json`: `loss` is the mean since the entry before."""
    rows = [
        row for row in state["log_history"] if isinstance(row, dict) and "train_runtime" not in row
    ]
    table = read_rows(rows, "Hugging Face trainer_state.json", wanted)
    table.averaged = True
    steps, epochs = (to_number(state.get(name)) for name in ("max_steps", "num_train_epochs"))
    if 0 < epochs < np.inf and 0 < steps < np.inf:
        table.epoch_steps = steps / epochs
    return table


def read_rows(rows: list[dict[str, Any]], source: str, wanted: Iterable[str]) -> Table:
    """Dictionaries, which may have different keys."""
    names: dict[str, None] = {}  # in the order in which they appear
    for row in rows:
        if not row.keys() <= names.keys():
            names.update(dict.fromkeys(row))
            if len(names) > MAX_COLUMNS:
                raise LogError(f"the log has more than {MAX_COLUMNS:,} different keys")
    columns = {
        name: to_numbers_with_gaps([row.get(name) for row in rows])
        for name in relevant(list(names), wanted)
    }
    return Table(columns, source, list(names))


def to_numbers_with_gaps(cells: list[Any]) -> Array:
    """As `to_numbers`, fast where some are missing."""
    values = np.full(len(cells), np.nan)
    here = [i for i, cell in enumerate(cells) if cell is not None]
    values[here] = to_numbers([cells[i] for i in here])
    return values
