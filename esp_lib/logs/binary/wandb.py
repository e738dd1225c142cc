"""History of a Weights & Biases run file (`run-….wandb`), without the package wandb.

The file begins with ":W&B", two bytes and a version. Then it is a LevelDB log: blocks of 32 KiB,
in which each piece of a record has a checksum (4 bytes), a length (2) and a kind (1: whole, 2:
first, 3: middle, 4: last piece); what is left of a block with less than 7 bytes is empty. A record
is a protocol buffer message `Record`; its field 2 is a row of the history, in which field 1 is
repeated: an item with the key in field 1 (or its parts in field 2) and the value as JSON in field
16; field 2 of the row holds the step in its field 1.
Source: `wandb_internal.proto` and `datastore.py` of github.com/wandb/wandb. Checksums are not
compared.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from esp_lib.logs.binary.tensorboard import fields
from esp_lib.logs.formats import LogError, listed
from esp_lib.logs.json_logs import MAX_VALUES, read_rows
from esp_lib.logs.table import Table

BLOCK = 32_768
HEADER = 7


def is_run_file(data: bytes | bytearray) -> bool:
    """Whether these bytes are a run file of Weights & Biases."""
    return data[:4] == b":W&B"


def records(data: bytes | bytearray) -> Iterator[bytes]:
    """The records of a LevelDB log; ends where the file is cut off."""
    at, parts = HEADER, []
    while at + HEADER <= len(data):
        left = BLOCK - at % BLOCK
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if left < HEADER or kind == 0:
            at += left  # to the next block
            continue
        at += HEADER
        parts.append(bytes(data[at : at + size]))
        at += size
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []


def history(record: bytes) -> dict[str, Any] | None:
    """The row that a record holds; None for one of another kind."""
    row: dict[str, Any] = {}
    for number, content in fields(memoryview(record)):
        if number != 2 or isinstance(content, int):
            continue
        for part, value in fields(content):
            if isinstance(value, int):
                continue
            if part == 2:
                row["_step"] = float(next((v for n, v in fields(value) if n == 1), 0))
            elif part == 1:
                keys, text = [], ""
                for n, piece in fields(value):
                    if n in (1, 2) and not isinstance(piece, int):
                        keys.append(bytes(piece).decode("utf8", "replace"))
                    elif n == 16 and not isinstance(piece, int):
                        text = bytes(piece).decode("utf8", "replace")
                if len(text) < 100:  # a number, and no picture
                    row["/".join(keys)] = json.loads(text or "null", parse_int=float)
    return row or None


def read_run_file(data: bytes | bytearray, wanted: Iterable[str]) -> Table:
    """Every scalar of the history, a column a key. A record that is broken is left out."""
    rows, bad, count = [], 0, 0
    for record in records(data):
        try:
            row = history(record)
        except (IndexError, ValueError, RecursionError, TypeError):
            bad += 1
        else:
            if row:
                rows.append(row)
                count += 1 + len(row)
            if count > MAX_VALUES:
                raise LogError("many scalars", most=MAX_VALUES)
    table = read_rows(rows, "Weights & Biases run file", wanted)
    if not table.columns:
        raise LogError("no scalar", names=listed(table.names))
    if bad:
        table.notes.append(("broken records", {"count": bad}))
    return table
