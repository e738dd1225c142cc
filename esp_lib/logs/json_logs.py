"""Logs in JSON: documents, JSON lines, the Hugging Face Trainer's state, and notebooks.

`trainer_state.json` keeps a list of dictionaries under `log_history` and, as Python does, writes
NaN as a bare word; OpenMMLab's logs name a row's kind under `mode`; TensorBoard's download is a
list of [wall time, step, value]; a notebook (`.ipynb`) holds what its cells printed.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from esp_lib.logs.columns import relevant, role
from esp_lib.logs.formats import LogError
from esp_lib.logs.table import MAX_COLUMNS, Array, Table, column_of, to_number, to_numbers

MAX_VALUES = 5_000_000  # of a JSON document: bounds the memory that it takes
MAX_DEPTH = 500  # of nesting: Python's own limit differs from one version to the next
DEPTH = 3  # of dictionaries in which values are looked for
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
CELL, ROW, TAG = re.compile("</t[dh]>"), re.compile("</tr>"), re.compile("<[^<>]*>")


def load_json(text: str) -> Any:
    """A JSON document, numbers as floats; LogError if it is none, too deep or too large."""
    if text.count(",") + text.count("{") + text.count("[") > MAX_VALUES:
        raise LogError("many values", most=MAX_VALUES)
    check_depth(text)
    try:
        return json.loads(text, parse_int=float)
    except ValueError as error:
        raise LogError("cut off", why=error) from None


def check_depth(text: str) -> None:
    """LogError if brackets of a JSON text are nested too deeply."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    bare = STRING.sub("", text).encode("utf-8", "replace")
    brackets = np.frombuffer(bare.translate(None, NO_BRACKETS), np.uint8)
    depth = np.cumsum(np.where(np.isin(brackets, list(b"[{")), 1, -1))
    if (depth - np.minimum.accumulate(np.minimum(depth, 0))).max(initial=0) > MAX_DEPTH:
        raise LogError("deep")


def is_notebook(data: Any) -> bool:
    """Whether a document is a Jupyter notebook."""
    return isinstance(data, dict) and isinstance(data.get("cells"), list) and "nbformat" in data


def printed(notebook: dict[str, Any]) -> str:
    """What the cells of a notebook printed; tables that were shown become lines with tabs."""
    parts = []
    for cell in notebook["cells"]:
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else ():
            if not isinstance(output, dict):
                continue
            data = output.get("data")
            data = data if isinstance(data, dict) else {}
            shown = _joined(data.get("text/html"))
            if "<td" in shown:
                parts.append(TAG.sub("", ROW.sub("\n", CELL.sub("\t", shown.replace("\n", "")))))
            else:
                parts.append(_joined(output.get("text")) or _joined(data.get("text/plain")))
    return "\n".join(parts)


def _joined(text: Any) -> str:
    lines = text if isinstance(text, list) else [text]
    return "".join(line for line in lines if isinstance(line, str))


def read_document(data: Any, wanted: Iterable[str]) -> Table:
    """A document: a Trainer's state, a list of dictionaries, or a dictionary of lists."""
    if isinstance(data, dict) and isinstance(data.get("log_history"), list):
        return read_trainer_state(data, wanted)
    if isinstance(data, dict):
        lists = {name: value for name, value in _flat(data).items() if isinstance(value, list)}
        rows = [value for value in lists.values() if value and isinstance(value[0], dict)]
        if rows:
            data = max(rows, key=len)
        elif lists:
            losses = [len(value) for name, value in lists.items() if role(name) == "loss"]
            size = max(losses or map(len, lists.values()))
            keep = relevant([name for name, value in lists.items() if len(value) == size], wanted)
            columns = {name: column_of(name, lists[name]) for name in keep}
            return Table(columns, "JSON, a list for each column", list(lists))
        else:
            data = [data]
    if not isinstance(data, list):
        raise LogError("no list")
    if data and not any(isinstance(row, dict | list) for row in data):
        return Table({"loss": to_numbers_with_gaps(data)}, "JSON, a list of losses", ["loss"])
    if data and all(isinstance(row, list) and len(row) in (2, 3) for row in data):
        width = min(map(len, data))  # TensorBoard's: [wall time, step, value]
        step, loss = (
            to_numbers_with_gaps([row[i] for row in data]) for i in (width - 2, width - 1)
        )
        return Table({"step": step, "loss": loss}, "JSON, a list of points", ["step", "loss"])
    return read_rows([row for row in data if isinstance(row, dict)], "JSON", wanted)


def read_json_lines(lines: list[str], wanted: Iterable[str]) -> Table:
    """One JSON object a line. Other lines, such as one cut off, are left out and counted."""
    rows, bad, count = [], 0, 0
    decode = json.JSONDecoder(parse_int=float).decode
    for line in lines:
        try:
            check_depth(line)
            row = decode(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
            count += 1 + len(row)
        else:
            bad += 1
        if count > MAX_VALUES:
            raise LogError("many scalars", most=MAX_VALUES)
    table = read_rows(rows, "JSON lines", wanted)
    if bad:
        table.notes.append(("no objects", {"count": bad}))
    return table


def read_trainer_state(state: dict[str, Any], wanted: Iterable[str]) -> Table:
    """A Hugging Face `trainer_state.json`: `loss` is the mean since the entry before."""
    rows = [
        row for row in state["log_history"] if isinstance(row, dict) and "train_runtime" not in row
    ]
    table = read_rows(rows, "Hugging Face trainer_state.json", wanted)
    table.averaged = True
    for over, under in (("global_step", "epoch"), ("max_steps", "num_train_epochs")):
        steps, epochs = to_number(state.get(over)), to_number(state.get(under))
        if 0 < epochs < np.inf and 0 < steps < np.inf:
            table.epoch_steps = steps / epochs
            break
    return table


def _flat(row: dict[str, Any], before: str = "", depth: int = DEPTH) -> dict[str, Any]:
    """A dictionary with those in it spread out, their names joined by /."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and depth > 1:
            out |= _flat(value, f"{before}{name}/", depth - 1)
        else:
            out[before + name] = value
    return out


def read_rows(rows: list[dict[str, Any]], source: str, wanted: Iterable[str]) -> Table:
    """Dictionaries, which may have different keys."""
    if any(isinstance(value, dict) for row in rows[:100] for value in row.values()):
        rows = [_flat(row) for row in rows]
    names: dict[str, None] = {}  # in the order in which they appear
    for row in rows:
        if not row.keys() <= names.keys():
            names.update(dict.fromkeys(row))
            if len(names) > MAX_COLUMNS:
                raise LogError("many keys", most=MAX_COLUMNS)
    columns = {}
    for name in relevant(list(names), wanted):
        cells = [row.get(name) for row in rows]
        known = role(name) == "kind"
        columns[name] = column_of(name, cells) if known else to_numbers_with_gaps(cells)
    return Table(columns, source, list(names))


def to_numbers_with_gaps(cells: list[Any]) -> Array:
    """As `to_numbers`, fast where some are missing."""
    if None not in cells:
        return to_numbers(cells)
    values = np.full(len(cells), np.nan)
    here = [i for i, cell in enumerate(cells) if cell is not None]
    values[here] = to_numbers([cells[i] for i in here])
    return values
