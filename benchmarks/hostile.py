"""Attacks in full: wrong calls, broken records and links, and how many of them broke something.

Run with `python -m benchmarks.hostile`; it prints the table and writes it to
`benchmarks/hostile.md`. The tests run the same attacks in small. A wrong call breaks if it ends in
anything but a result, or a ValueError or TypeError that names the argument, or if it takes more
than 20 s or 1 GiB. Mangled logs are in `benchmarks.diagnosis_page`.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._page import made, table, write
from esp_lib.records.store import DamagedRecord, load, save
from tests.hostile import calls
from tests.hostile.links import broken_links
from tests.records.records import make_record
from tests.records.test_nothing_lost import killed_everywhere

RANDOM = 5_000  # calls with one or two random hostile values
CHANGED = 5_000  # records with one random change
LINKS = 5_000  # to an explorer, mangled at random


def unnoticed(count: int, seed: int) -> list[str]:
    """Change a record's file at random: a bit, bytes more or less; a line where it was read."""
    rng = np.random.default_rng(seed)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = save(make_record(), folder)
        intact = path.read_bytes()
        for _ in range(count):
            at, size = int(rng.integers(len(intact))), int(rng.integers(1, 200))
            how = ("flip", "insert", "cut", "double")[int(rng.integers(4))]
            head, rest = intact[:at], intact[at:]
            path.write_bytes(
                {
                    "flip": head + bytes([rest[0] ^ (1 << int(rng.integers(8)))]) + rest[1:],
                    "insert": head + rng.bytes(size) + rest,
                    "cut": head + rest[size:],
                    "double": head + rest[:size] + rest,
                }[how]
            )
            try:
                load(path)
            except DamagedRecord:
                continue
            found.append(f"{how} at {at}, {size}")
    return found


def lost() -> tuple[int, list[str]]:
    """Kill a sweep at every call that touches the disk; a line where a run is lost."""
    with tempfile.TemporaryDirectory() as folder:
        found = killed_everywhere(Path(folder))
    kept = {"nothing+checkpoint", "record+checkpoint", "record"}
    return len(found), [f"{key}: {there}" for key, there in found.items() if there not in kept]


def misread() -> list[str]:
    """Mangle links to an explorer; a line where one is neither refused nor sets good settings."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("Node is not on this machine: it reads the links as a page does")
    with tempfile.TemporaryDirectory() as folder:
        return broken_links(node, Path(folder), LINKS, 0)[0]


def attacks() -> list[tuple[str, int, list[str]]]:
    """What was tried, how often, and what broke."""
    kills, gone = lost()
    one = sum(len(call.arguments) for call in calls.CALLS) * len(calls.HOSTILE)
    return [
        ("calls with one hostile value, each for each argument", one, calls.each()),
        ("calls with one or two hostile values, at random", RANDOM, calls.broken(RANDOM, 0)),
        (
            "a record's file with a flipped bit, or bytes more or less",
            CHANGED,
            unnoticed(CHANGED, 0),
        ),
        ("a sweep killed before and after each call that touches the disk", kills, gone),
        ("links to an explorer, mangled at random", LINKS, misread()),
    ]


def main() -> None:
    rows = attacks()
    counted = [[what, f"{tried:,}", str(len(broke))] for what, tried, broke in rows]
    lines = table(["attack", "tried", "broke"], counted)
    lines += [f"- `{line}`" for _, _, broke in rows for line in broke]
    write(__file__, "Attacks: what was tried, and what broke", [*lines, made()])


if __name__ == "__main__":
    main()
