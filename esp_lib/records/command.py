"""What `python -m esp_lib runs` prints: run records as a table, one in full, or what is damaged."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.records.npz import dump
from esp_lib.records.record import RunRecord, config_key
from esp_lib.records.store import DamagedRecord, load_folder

HEAD = ("label", "profile", "status", "loss", "seconds", "device", "date")


def list_runs(folder: Path, profile: str | None = None) -> int:
    """Print a table of the runs: what became of them, and what made them.

    The loss is the mean of the array "mlm_loss" over the run's last epoch, in nats.

    Of one profile, by default of all.

    Returns:
        The exit status, 0.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    found = load_folder(folder, profile)
    if found.records:
        _print_table([HEAD, *map(_row, found.records)])
        print(f"\nruns in {folder}: {len(found.records)}; loss: mean of the last epoch, in nats")
    else:
        print(f"no runs in {folder}" + (f" of profile {profile}" if profile else ""))
    _print_damaged(found.damaged)
    return 0


def show_run(folder: Path, label: str, profile: str | None = None) -> int:
    """Print all of a run but the values in its arrays.

    Args:
        folder: the folder of records.
        label: the run's label, e.g. "beta2-0.8-seed0".
        profile: the run's profile; may be left out where only one has a run of this label.

    Returns:
        The exit status: 1 if the run's file is damaged, 2 if there is no such run or several.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    found = load_folder(folder, profile)
    damaged = [error for error in found.damaged if error.path.stem == label]
    runs = [record for record in found.records if record.label == label]
    if len(runs) + len(damaged) > 1:
        profiles = sorted({r.profile for r in runs} | {e.path.parent.name for e in damaged})
        return _wrong(f"{label} is there in {', '.join(profiles)}: choose one with --profile")
    if damaged:
        _print_damaged(damaged)
        return 1
    if not runs:
        labels = ", ".join(sorted({record.label for record in found.records})) or "none"
        return _wrong(f"no run {label} in {folder}; there are: {labels}")
    _print_run(runs[0])
    return 0


def verify_runs(folder: Path, profile: str | None = None) -> int:
    """Check every record, and print a line for each that is damaged.

    Of one profile, by default of all.

    Returns:
        The exit status: 1 if a file is damaged, else 0.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    found = load_folder(folder, profile)
    for error in found.damaged:
        print(f"damaged: {error.path}: {error.reason}")
    print(f"runs in {folder}: {len(found.records)} intact, {len(found.damaged)} damaged")
    return 1 if found.damaged else 0


def _row(record: RunRecord) -> tuple[str, ...]:
    """A run's line of the table; "-" stands for what its record does not hold."""
    made = record.made
    loss = _final_loss(record)
    seconds = made.get("seconds")
    return (
        record.label,
        record.profile,
        record.status,
        "-" if loss is None else f"{loss:.4f}",
        f"{seconds:.1f}" if isinstance(seconds, int | float) else "-",
        str(made.get("device", "-")),
        str(made.get("date", "-")),
    )


def _final_loss(record: RunRecord) -> float | None:
    """Mean of "mlm_loss", (steps,), over the last epoch; None where the record does not tell."""
    loss = record.arrays.get("mlm_loss")
    steps = record.config.get("steps_per_epoch")
    if loss is None or loss.ndim != 1 or not isinstance(steps, int) or not 0 < steps <= loss.size:
        return None
    return float(loss[-steps:].mean(dtype=np.float64))


def _print_run(record: RunRecord) -> None:
    print(f"{record.label}, profile {record.profile}: {record.status}")
    if record.message:
        print(record.message)
    print(f"\nconfig (key {config_key(record.config)}): {dump(record.config)}")
    print(f"\nmade: {dump(record.made)}\n")
    rows = [
        (name, str(array.dtype), str(array.shape), _range(array))
        for name, array in sorted(record.arrays.items())
    ]
    _print_table([("array", "dtype", "shape", "range"), *rows])


def _range(array: NDArray[Any]) -> str:
    """The smallest and the largest finite value, and how many are not finite."""
    if np.iscomplexobj(array):
        return "-"
    finite = array[np.isfinite(array)]
    if not finite.size:
        return "empty" if not array.size else f"{array.size} not finite"
    low, high = (
        str(v) if array.dtype.kind == "b" else f"{v:g}" for v in (finite.min(), finite.max())
    )
    others = array.size - finite.size
    return f"{low} to {high}" + (f", {others} not finite" if others else "")


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip())


def _print_damaged(damaged: Sequence[DamagedRecord]) -> None:
    for error in damaged:
        print(f"damaged: {error.path}: {error.reason}", file=sys.stderr)


def _wrong(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
