"""Scalars of a TensorBoard event file, without TensorBoard.

The file is a sequence of records: length (uint64, little endian), checksum of the length, the
record, checksum of the record. A record is a protocol buffer message `Event`: field 2 is the step,
field 5 the `Summary`; its field 1 is repeated: a `Value` with the tag in field 1 and the number
either in field 2 (float) or, in newer files, in the `TensorProto` of field 8 (field 1: its type;
field 4: raw bytes; field 5: floats; field 6: doubles).
Source: `event.proto`, `summary.proto` and `tensor.proto` of github.com/tensorflow/tensorflow.
Checksums are not compared.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from esp_lib.logs.columns import relevant
from esp_lib.logs.formats import LogError, listed
from esp_lib.logs.table import Table

FLOAT, DOUBLE = 1, 2  # of TensorProto
Fields = Iterator[tuple[int, int | memoryview]]


def is_events(data: bytes | bytearray) -> bool:
    """Whether these bytes are an event file: its first record names the format's version."""
    return b"brain.Event:" in data[:64]


def read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError


def fields(data: memoryview) -> Fields:
    """(number, value) of a message; IndexError where it is broken."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = read_varint(data, at)
        if size is None or at + size > len(data):
            raise IndexError
        yield key >> 3, data[at : at + size]
        at += size


def number_of(value: memoryview) -> tuple[str, float]:
    """Tag and number of a `Value`; NaN if it is no scalar."""
    tag, number = "", np.nan
    for field, content in fields(value):
        if isinstance(content, int):
            continue
        if field == 1:
            tag = bytes(content[:300]).decode("utf8", "replace")
        elif field == 2 and len(content) == 4:
            (number,) = struct.unpack("<f", content)
        elif field == 8:
            parts: dict[int, int | memoryview] = dict(fields(content))
            kind = parts.get(1)
            data = next((parts[i] for i in (4, 5, 6) if i in parts), b"")
            form = {FLOAT: "<f", DOUBLE: "<d"}.get(kind) if isinstance(kind, int) else None
            if form and not isinstance(data, int) and len(data) == struct.calcsize(form):
                (number,) = struct.unpack(form, data)
    return tag, number


def read_events(data: bytes | bytearray, wanted: Iterable[str]) -> Table:
    """Every scalar of an event file, a column a tag. A record that is cut off ends the reading."""
    view = memoryview(data)
    found: dict[str, tuple[array[float], array[float]]] = {}
    at = bad = 0
    while at + 12 <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        if at + 16 + size > len(data):
            break
        record = view[at + 12 : at + 12 + size]
        at += 16 + size
        step, summary = 0, None
        try:
            for field, content in fields(record):
                if field == 2 and isinstance(content, int):
                    step = content
                elif field == 5 and not isinstance(content, int):
                    summary = content
            for field, content in fields(summary) if summary is not None else ():
                if field == 1 and not isinstance(content, int):
                    tag, number = number_of(content)
                    if not np.isnan(number) or tag in found:
                        steps, numbers = found.setdefault(tag, (array("d"), array("d")))
                        steps.append(float(step))
                        numbers.append(number if np.isfinite(number) else np.inf)
        except IndexError:
            bad += 1
    keep = relevant(list(found), wanted)
    if not keep:
        raise LogError("no scalar", names=listed(list(found)))
    # One row a step; of a step that repeats, because the run was resumed, the last value.
    step_of = np.unique(np.concatenate([found[tag][0] for tag in keep]))
    columns = {tag: np.full(step_of.size, np.nan) for tag in keep}
    for tag in keep:
        steps, numbers = found[tag]
        columns[tag][np.searchsorted(step_of, steps)] = numbers
    table = Table({"step": step_of, **columns}, "TensorBoard events", list(found))
    if bad:
        table.notes.append(("broken records", {"count": bad}))
    if at < len(data):
        table.notes.append(("cut record", {}))
    return table
