"""A training log, made of the columns of a table: which losses at which steps, of which run.

Evaluation is told from training, runs from each other, and epochs are found; `notes` say what was
left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.logs.columns import find, rank, relevant, role, step_rank, words
from esp_lib.logs.epochs import epoch_length
from esp_lib.logs.formats import LogError, Note, listed, say
from esp_lib.logs.json_logs import to_numbers_with_gaps
from esp_lib.logs.runs import count_from_one, gap_of, join_epochs, keep_last, run_starts
from esp_lib.logs.table import Table, to_kinds

Array = NDArray[np.float64]

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
    left_out: int = 0  # losses of this run that are not among the points
    runs: tuple[int, int] = (1, 1)  # which run of the log this is, and how many it holds


def log_of_columns(columns: Mapping[str, Any]) -> Log:
    """The log that columns of a table hold, by their names as in a file.

    Args:
        columns: name -> (rows,) numbers, or words such as "train" and "val"; None and NaN are gaps.

    Raises:
        LogError: no column reads as a loss.
    """
    names = list(columns)
    cells = {
        name: [
            cell if isinstance(cell, str) else None if cell is None else float(cell)
            for cell in np.asarray(columns[name]).tolist()
        ]
        for name in relevant(names, [])
    }
    found = {}
    for name, column in cells.items():
        gaps = [None if isinstance(cell, float) and np.isnan(cell) else cell for cell in column]
        found[name] = to_kinds(gaps) if role(name) == "kind" else to_numbers_with_gaps(gaps)
    return make_log(Table(found, "columns", names), None, None, 1, None, "library")


def log_of_arrays(
    loss: ArrayLike, steps: ArrayLike | None = None, epochs: ArrayLike | None = None
) -> Log:
    """The log that losses (points,) are, with steps and epochs of the same length, or without.

    Raises:
        ValueError: they are not numbers, or don't fit together.
    """
    columns = {"loss": _losses(loss)}
    for name, values in (("step", steps), ("epoch", epochs)):
        if values is not None:
            columns[name] = _checks.real(f"{name}s", values)
    size = columns["loss"].size
    for name, values in columns.items():
        if values.shape != (size,):
            raise ValueError(f"{name} must be {size} numbers in a row, got shape {values.shape}")
    if "step" in columns and (np.diff(columns["step"]) <= 0).any():
        raise ValueError("steps must increase, got steps that do not")
    return make_log(Table(columns, "array", list(columns)), None, None, 1, None, "library")


def _losses(loss: ArrayLike) -> Array:
    """Losses as numbers; masked ones and NaN are gaps, infinite ones have diverged."""
    try:
        if np.iscomplexobj(loss):
            raise TypeError
        values = np.ma.filled(np.ma.array(loss, dtype=np.float64), np.nan)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"loss must be an array of numbers, got {type(loss).__name__}") from None
    return np.where(np.isinf(values), np.inf, values)


def _pick(table: Table, kind: str, asked: str | None, notes: list[Note]) -> str | None:
    """The column of a kind: the one asked for, or the best name of those that are well filled."""
    if asked is not None:
        name = find(table.columns, asked)
        if name is None:
            raise LogError("missing column", name=asked, names=listed(table.names))
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
        notes.append((f"{'training' if kind == 'loss' else kind} column", {"name": best}))
        alike = [name for name in names if words(name) == words(best)]
        if len(alike) > 1:
            notes.append(("alike", {"count": len(alike), "name": best}))
    return best


def make_log(
    table: Table,
    column: str | None,
    validation: str | None,
    log_every: int,
    run: int | None,
    voice: str,
) -> Log:
    """The log that a table holds; the arguments are those of `read.parse_log`."""
    notes = list(table.notes)
    loss_name = _pick(table, "loss", column, notes)
    if loss_name is None:
        raise LogError("no column", names=listed(table.names))
    loss = table.columns[loss_name].copy()
    none = np.full(loss.size, np.nan)
    valid_name = _pick(table, "validation", validation, notes)
    valid = none.copy() if valid_name is None else table.columns[valid_name].copy()
    rate, epoch, step, aside = (
        none if name is None else table.columns[name].copy()
        for name in (_pick(table, kind, None, notes) for kind in ("rate", "epoch", "step", "kind"))
    )
    for values in (rate, epoch, step):
        values[~np.isfinite(values) | (np.abs(values) > MAX_STEP)] = np.nan
    fine = np.abs(step) < 1e6
    step[fine] = np.round(step[fine] * 1e6) / 1e6  # steps that differ by less are the same
    of, bar = (table.columns.get(name) for name in ("of", "bar"))

    evaluated = aside == 1
    if (~np.isnan(loss) & ~evaluated).any() and evaluated.any():
        moved = evaluated & ~np.isnan(loss)
        here = moved & np.isnan(valid)
        valid[here], loss[moved] = loss[here], np.nan
        step[evaluated] = epoch[evaluated] = np.nan
        if moved.any():
            notes.append(("evaluation", {"count": int(moved.sum())}))
    else:
        evaluated[:] = False

    # The points of one run.
    points = np.flatnonzero(~np.isnan(loss))
    starts = run_starts(step[points], epoch[points], np.where(np.isinf(loss), np.nan, loss)[points])
    sizes = np.diff([*starts, points.size])
    number = int(np.argmax(sizes)) if run is None else run - 1
    if number >= sizes.size:
        raise LogError("no run", count=sizes.size, got=run)
    if sizes.size > 1:
        key = "longest run" if run is None else "chosen run"
        notes.append((key, {"count": sizes.size, "number": number + 1}))
    edges = [0, *(_edge(step, points[at - 1], points[at]) for at in starts[1:]), loss.size]
    cut = slice(edges[number], edges[number + 1])
    loss, valid, rate, epoch, step = (x[cut] for x in (loss, valid, rate, epoch, step))
    evaluated = evaluated[cut]
    of, bar = (None if x is None else x[cut] for x in (of, bar))

    has_loss, has_valid = ~np.isnan(loss), ~np.isnan(valid)
    found, known_length, more = _find_steps(step, epoch, of, bar, has_loss, table.epoch_steps)
    notes += more
    if found is None:
        keep = has_loss | has_valid
        step = np.cumsum(has_loss) * float(log_every)
        notes.append(("no steps", {"every": log_every}))
        known_length = None
    else:
        step = found
        if evaluated.any():  # an evaluation belongs to the step before it
            last = np.maximum.accumulate(np.where(np.isfinite(step), np.arange(step.size), 0))
            step = np.where(evaluated, step[last], step)
        keep = np.isfinite(step) & (has_loss | has_valid | np.isfinite(epoch))
    lost = int(np.count_nonzero(has_loss & ~keep))
    if lost:
        notes.append(("no step", {"count": lost}))
    rows = np.flatnonzero(keep)
    last = keep_last(step[rows], has_loss[rows], has_valid[rows])
    gone = rows[~last & has_loss[rows]]
    again = int(np.isin(step[gone], step[rows[last & has_loss[rows]]]).sum())
    if gone.size:
        replaced = bool((np.diff(step[rows[has_loss[rows]]]) < 0).any())
        notes.append(("replaced" if replaced else "repeated", {"count": gone.size}))
    rows = rows[last]
    step, base = count_from_one(step, rows[has_loss[rows]])
    if base:
        notes.append(("from zero", {}))
    length, error, shift = epoch_length(step[rows], epoch[rows], has_valid[rows], known_length)
    step = step + shift
    points = rows[has_loss[rows]]
    finite = np.abs(loss[points]) <= LARGEST
    diverged = int(np.count_nonzero(~finite))
    if diverged:
        notes.append(("not finite", {"count": diverged}))
    points = points[finite & (step[points] >= 1)]
    if points.size == 0:
        raise LogError("nothing finite", name=loss_name[:60])
    valid_rows = rows[np.isfinite(valid[rows])]
    notes.insert(0, ("read", {"count": points.size, "source": table.source}))
    return Log(
        steps=step[points],
        loss=loss[points],
        epochs=epoch[points] if np.isfinite(epoch[points]).any() else None,
        validation=(step[valid_rows], valid[valid_rows]) if valid_rows.size else None,
        learning_rate=rate[points] if np.isfinite(rate[points]).any() else None,
        steps_per_epoch=length,
        steps_per_epoch_error=error,
        interval=gap_of(step[points], float(log_every)),
        averaged=table.averaged,
        source=table.source,
        notes=tuple(say(key, values, voice) for key, values in notes),
        left_out=lost + gone.size - again + diverged + table.lost,
        runs=(number + 1, sizes.size),
    )


def _edge(step: Array, last: int, first: int) -> int:
    """Where rows without a loss part, after the last point of a run and before the next run's."""
    back = np.flatnonzero(step[last + 1 : first] < step[last])
    return int(last + 1 + back[0]) if back.size else int(first)


def _find_steps(
    step: Array,
    epoch: Array,
    of: Array | None,
    bar: Array | None,
    has_loss: Any,
    known: float | None,
) -> tuple[Array | None, float | None, list[Note]]:
    """The step of each row, None where nothing tells; the length of an epoch if it comes with it.

    Steps stand in a column, and may begin anew in every epoch; else they follow from the epochs
    where the log says how many steps these have, or stand in a progress bar between the losses.
    """
    enough = max(1, has_loss.sum() / 2)
    fractions = epoch[has_loss & np.isfinite(epoch)]
    if np.isfinite(step[has_loss]).sum() >= enough:
        step, joined = join_epochs(step, epoch, of)
        return step, joined or known, [("begin anew", {"length": joined})] if joined else []
    if known and fractions.size >= enough and (fractions != np.round(fractions)).any():
        return np.round(epoch * known), known, [("steps of epochs", {"length": known})]
    if bar is not None:
        shown = bar[has_loss]
        rises = np.diff(shown) > 0
        if np.isfinite(shown).sum() >= enough and rises.size and rises.mean() > 0.9:
            return bar, known, [("steps of bar", {})]
    return None, None, []
