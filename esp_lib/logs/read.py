"""Read a training log: which losses at which steps, where the epochs begin, and what was left out.

`read_log` takes what training scripts leave behind: CSV and TSV, Lightning's `metrics.csv`, Weights
& Biases exports, JSON and JSON lines, the Hugging Face Trainer's `trainer_state.json`, TensorBoard
event files, and plain text. Whatever is wrong with a file ends in a `LogError` that says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.logs.columns import find, rank, role, step_rank, words
from esp_lib.logs.epochs import count_from_one, epoch_length, join_epochs, keep_last
from esp_lib.logs.json_logs import load_json, read_json, read_json_lines
from esp_lib.logs.table import LogError, Table, as_lines, find_delimiter, read_delimited
from esp_lib.logs.tensorboard import is_events, read_events
from esp_lib.logs.text import read_pattern, read_text

__all__ = ["Log", "LogError", "parse_log", "read_log"]

Array = NDArray[np.float64]

MAX_BYTES = 256 * 2**20
LARGEST = 1e70  # a loss beyond it counts as diverged
MAX_STEP = 2.0**53  # larger steps are not whole numbers in double precision


@dataclass(frozen=True, eq=False)
class Log:
    """The training loss of one run, as it was logged.

    Losses are in the unit of the log. `steps` count from 1, also where the log counts from 0.
    """

    steps: Array  # (points,) increasing; the step at, or up to which, each point was logged
    loss: Array  # (points,) finite, at most 1e70 in size
    epochs: Array | None  # (points,) the epoch column as it was logged
    validation: tuple[Array, Array] | None  # steps and losses, each (evaluations,)
    learning_rate: Array | None  # (points,) NaN where it was not logged
    steps_per_epoch: float | None  # as the log has it; need not be whole
    steps_per_epoch_error: float  # largest error of it, in steps
    interval: float  # steps from one point to the next, the median
    averaged: bool  # the format says that a point is the mean since the point before
    source: str  # the format, in words
    notes: tuple[str, ...]  # what was read, what was left out and why


def read_log(path: str | Path, **choices: Any) -> Log:
    """Read a log file; the arguments are those of `parse_log`.

    Raises:
        LogError: the file cannot be read, or is no training log.

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w", suffix=".csv") as file:
        ...     print("step,loss", "1,3.1", "2,2.9", "3,2.8", sep=chr(10), file=file, flush=True)
        ...     read_log(file.name).loss.tolist()
        [3.1, 2.9, 2.8]
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise LogError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    return parse_log(data, **choices)


def parse_log(
    data: bytes | str,
    *,
    column: str | None = None,
    validation_column: str | None = None,
    pattern: str | None = None,
    log_every: int = 1,
) -> Log:
    """Read the content of a log.

    Args:
        data: the file's bytes, or its text.
        column: the column with the training loss; by default it is found by its name.
        validation_column: the column with the validation loss, likewise.
        pattern: for plain text, a regular expression with a group `loss` and perhaps groups
            `step`, `epoch`, `lr` and `val_loss`.
        log_every: steps from one point to the next, for a log without steps.

    Raises:
        LogError: the data is no training log, or too large.
        ValueError: `log_every` is below 1.
    """
    log_every = _checks.integer("log_every", log_every, low=1)
    if len(data) > MAX_BYTES:
        raise LogError(f"the log is larger than {MAX_BYTES // 2**20} MiB; thin it out")
    wanted = [name for name in (column, validation_column) if name is not None]
    table = _read_table(data, wanted, pattern)
    if table.columns and not any(values.size for values in table.columns.values()):
        raise LogError("the log has no rows")
    return _make_log(table, column, validation_column, log_every)


def _read_table(data: bytes | str, wanted: list[str], pattern: str | None) -> Table:
    if isinstance(data, bytes):
        if is_events(data):
            return read_events(data, wanted)
        data = _decode(data)
    start = data[:100_000].lstrip()[:1]
    if not start:
        raise LogError("the log is empty")
    if pattern is not None:
        return read_pattern(as_lines(data), pattern)
    first, _, others = data.strip().partition("\n")
    if start == "{" and others and _is_object(first):
        return read_json_lines(as_lines(data), wanted)
    if start in "{[":
        try:
            return read_json(data, wanted)
        except LogError as error:  # text may begin so, too: [12:30:01] step 5, or {'loss': 2.1}
            if first[1:].lstrip()[:1] in ('"', "{", "[", ""):
                raise
            try:
                return read_text(as_lines(data))
            except LogError:
                raise error from None
    lines = as_lines(data)
    found = find_delimiter(lines)
    if found is not None:
        delimiter, names = found
        known = any(role(name) in ("loss", "validation") for name in names)
        if not names or known or any(find(names, want) for want in wanted) or delimiter != " ":
            return read_delimited(lines, delimiter, names, wanted)
    return read_text(lines)


def _is_object(line: str) -> bool:
    try:
        return len(line) < 1_000_000 and isinstance(load_json(line), dict)
    except LogError:
        return False


def _decode(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b" or data[:4] == b"PK\x03\x04":
        raise LogError("the log is compressed; unpack it first")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        raise LogError("the log is a binary file, and not one of TensorBoard's event files")
    return data.decode("utf-8-sig", "replace")


def _pick(table: Table, kind: str, asked: str | None, notes: list[str]) -> str | None:
    """The column of a kind: the one asked for, or the best name of those that are well filled."""
    if asked is not None:
        name = find(table.columns, asked)
        if name is None:
            known = ", ".join(map(repr, table.names[:30])) or "none"
            raise LogError(f"there is no column {asked!r}; the columns are: {known}")
        return name
    filled = {
        name: int(np.count_nonzero(~np.isnan(values)))
        for name, values in table.columns.items()
        if role(name) == kind
    }
    enough = max(filled.values(), default=0) / 10
    names = [name for name, size in filled.items() if size > 0 and size >= enough]
    if not names:
        return None
    order = rank if kind == "loss" else step_rank if kind == "step" else len
    best = min(names, key=lambda name: (order(name), -filled[name]))
    if kind in ("loss", "validation"):
        notes.append(f"the {'training' if kind == 'loss' else kind} loss is the column {best!r}")
        alike = [name for name in names if words(name) == words(best)]
        if len(alike) > 1:
            notes.append(f"{len(alike)} runs are in the log; this is one of them")
    return best


def _make_log(table: Table, column: str | None, validation: str | None, log_every: int) -> Log:
    notes = list(table.notes)
    loss_name = _pick(table, "loss", column, notes)
    if loss_name is None:
        known = ", ".join(map(repr, table.names[:30])) or "none"
        raise LogError(f"no column reads as a training loss; name one of: {known}")
    loss = table.columns[loss_name]
    rows = np.arange(loss.size)
    valid_name = _pick(table, "validation", validation, notes)
    valid = table.columns[valid_name] if valid_name is not None else np.full(loss.size, np.nan)
    rate_name, epoch_name, step_name = (
        _pick(table, kind, None, notes) for kind in ("rate", "epoch", "step")
    )
    none = np.full(loss.size, np.nan)
    rate, epoch, step = (
        none if name is None else table.columns[name].copy()
        for name in (rate_name, epoch_name, step_name)
    )
    for values in (rate, epoch, step):
        values[~np.isfinite(values) | (np.abs(values) > MAX_STEP)] = np.nan

    known_length = table.epoch_steps
    has_loss = ~np.isnan(loss)
    if np.isfinite(step[has_loss]).sum() >= max(1, has_loss.sum() / 2):
        step, joined = join_epochs(step, epoch, table.columns.get("of"))
        known_length = joined or known_length
        if joined:
            notes.append(
                f"steps begin anew in every epoch, of {joined:g} steps: they were counted on"
            )
        keep = np.isfinite(step) & (has_loss | ~np.isnan(valid) | np.isfinite(epoch))
        lost = int(np.count_nonzero(has_loss & ~keep))
        if lost:
            notes.append(f"losses without a step, which were left out: {lost:,}")
    else:
        keep = has_loss | ~np.isnan(valid)
        step = np.cumsum(has_loss) * float(log_every)
        notes.append(
            f"the log has no steps: its points were taken to be {log_every} "
            f"step{'s' if log_every > 1 else ''} apart"
        )
    rows = rows[keep]
    last = keep_last(step[rows], has_loss[rows], ~np.isnan(valid[rows]))
    replaced = int(np.count_nonzero(has_loss[rows[~last]]))
    if replaced:
        notes.append(
            f"steps repeat, as after resuming; earlier points that were replaced: {replaced:,}"
        )
    rows = rows[last]
    step, base = count_from_one(step, rows[has_loss[rows]])
    if base:
        notes.append("steps count from 0 in the log; here they count from 1")

    length, error, shift = epoch_length(
        step[rows], epoch[rows], ~np.isnan(valid[rows]), known_length
    )
    step = step + shift
    points = rows[has_loss[rows]]
    finite = np.abs(loss[points]) <= LARGEST
    if not finite.all():
        notes.append(f"losses that are not finite and were left out: {np.count_nonzero(~finite):,}")
    points = points[finite & (step[points] >= 1)]
    if points.size == 0:
        raise LogError(f"the column {loss_name!r} has no finite loss")
    evaluated = rows[np.isfinite(valid[rows])]
    gaps = np.sort(np.diff(step[points]))
    return Log(
        steps=step[points],
        loss=loss[points],
        epochs=epoch[points] if np.isfinite(epoch[points]).any() else None,
        validation=(step[evaluated], valid[evaluated]) if evaluated.size else None,
        learning_rate=rate[points] if np.isfinite(rate[points]).any() else None,
        steps_per_epoch=length,
        steps_per_epoch_error=error,
        interval=float(gaps[gaps.size // 2]) if gaps.size else float(log_every),
        averaged=table.averaged,
        source=table.source,
        notes=(f"losses read: {points.size:,} ({table.source})", *notes),
    )
