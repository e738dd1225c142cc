"""The file of a run record: what it can hold, and its bytes.

A zip archive, as `numpy.savez` writes it
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): one `.npy` member for each
array, and a member `record.json` with the format's version, all other fields of the record, and
each array's dtype, shape and the SHA-256 of its bytes (C order, little-endian). Nothing is pickled,
in either direction, and the same record always gives the same bytes. `archive.py` packs and checks
the whole file.
"""

import dataclasses
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.records import archive

FORMAT = "esp_lib run record"
VERSION = 1
HEADER = "record.json"
DTYPES = (
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8",
    "<c16",
)  # fmt: skip
SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")  # no separator, no leading dot


def check_name(argument: str, name: object) -> str:
    """`name` if it is a safe file name: it can neither leave a folder nor hide in it."""
    if not isinstance(name, str) or not SAFE_NAME.fullmatch(name):
        raise ValueError(
            f"{argument} must be 1 to 100 letters, digits, '.', '_' or '-', no '.' first, "
            f"got {name!r}"
        )
    return name


def as_json(name: str, value: object) -> Any:
    """`value` in the types that JSON has: dict, list, str, int, finite float, bool and None.

    Raises:
        ValueError: it holds anything else, named by where it is, e.g. `config['lr']`.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, np.generic):
        value = value.item()
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case str() if not re.search("[\ud800-\udfff]", value):  # half a character: not UTF-8
            return value
        case list() | tuple():
            return [as_json(f"{name}[{i}]", item) for i, item in enumerate(value)]
        case Mapping() if all(isinstance(key, str) for key in value):
            keys = [as_json(f"a key of {name}", key) for key in value]
            return {key: as_json(f"{name}[{key!r}]", value[key]) for key in keys}
    raise ValueError(
        f"{name} must be text, a finite number, a bool, None, or a list or a mapping with text "
        f"keys of these, got {value!r}"
    )


def as_mapping(name: str, value: object) -> dict[str, Any]:
    """A mapping or a dataclass in JSON's types, see `as_json`; else ValueError."""
    mapping = as_json(name, value)
    if not isinstance(mapping, dict):
        raise ValueError(f"{name} must be a mapping or a dataclass, got {value!r}")
    return mapping


def as_arrays(value: object) -> dict[str, NDArray[Any]]:
    """The arrays as a file holds them: read-only copies in C order, little-endian.

    Raises:
        ValueError: a name is not safe, or an array is not of numbers.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"arrays must be a mapping of names to arrays, got {value!r}")
    return {name: _as_array(name, array) for name, array in value.items()}


def _as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    check_name("an array's name", name)
    if name.endswith((".npy", ".json")):
        raise ValueError(f"an array's name must not end in .npy or .json, got {name!r}")
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"arrays[{name!r}] must not be masked: its mask would be lost")
    array = np.asarray(value)
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        allowed = ", ".join(np.dtype(text).name for text in DTYPES)
        raise ValueError(f"arrays[{name!r}] must be of {allowed}, got {array.dtype}")
    stored = np.array(array, dtype=dtype, order="C")
    stored.setflags(write=False)
    return stored


def dump(value: object) -> str:
    """Canonical JSON: keys sorted, no NaN or infinity, which JSON lacks."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True, indent=2)


def pack(fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The file's content.

    The fields, all but the arrays, are as `as_json` returns them, the arrays as `as_arrays`
    does.
    """
    members = {HEADER: _header(fields, arrays)}
    for name, array in sorted(arrays.items()):
        member = io.BytesIO()
        np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = member.getvalue()
    return archive.pack(members)


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The fields and the arrays of a file's content, after checking all of it.

    Raises:
        Exception: the content is not intact; of any type, since a broken archive makes zipfile,
            zlib, json and NumPy raise what they like.
    """
    members = archive.unpack(content)
    if HEADER not in members:
        raise ValueError(f"has no {HEADER}")
    header = json.loads(members[HEADER])
    if header["version"] != VERSION:
        raise ValueError(f"has format version {header['version']!r}, readable is {VERSION}")
    listed = {HEADER, *(f"{name}.npy" for name in header["arrays"])}
    if differing := listed ^ set(members):
        raise ValueError(f"members and list differ: {', '.join(sorted(differing))}")
    arrays = {name: _array(members[f"{name}.npy"]) for name in header["arrays"]}
    if _header(header["fields"], arrays) != members[HEADER]:
        raise ValueError(f"{HEADER} does not say what is there, as a record does")
    return header["fields"], arrays


def _header(fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The member `record.json`."""
    described = {
        name: {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        }
        for name, array in arrays.items()
    }
    header = {"format": FORMAT, "version": VERSION, "fields": dict(fields), "arrays": described}
    return f"{dump(header)}\n".encode()


def _array(data: bytes) -> NDArray[Any]:
    """The array in a `.npy` member."""
    member = io.BytesIO(data)
    array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    if member.read():
        raise ValueError("bytes stand after an array")
    return array
