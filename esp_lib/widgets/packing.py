"""Recorded runs as they travel with a page: checked, and packed into few bytes.

Each loss is a 16-bit integer, in blocks of an epoch. The integers of a block count from its
smallest loss in the smallest unit, a power of two, that reaches its largest. Where the losses of an
epoch lie within 4 nats the unit is at most 2**-14 nats, the resolution of the run records, so those
travel unchanged. Beyond `LIMIT` losses in all, means of two or more steps travel instead of steps.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.sawtooth.curve import Curve

Array = NDArray[np.float64]

COLORS = ("blue", "orange", "green", "purple", "grey", "ink")
LIMIT = 50_000  # training losses that travel: 133 kB of text
MISSING = 2**16 - 1  # the integer of a loss that is not finite


@dataclass(frozen=True, eq=False)
class Recording:
    """What was recorded of one run.

    Attributes:
        losses: for each series, e.g. "MLM loss (nats)", its curve, of one run; equally long.
        validation: for some of these series, the steps (points,) after which the network was
            validated, counted from 1 and increasing, and the losses (points,) found there; the
            same steps for all of them.
    """

    losses: Mapping[str, Curve]
    validation: Mapping[str, tuple[ArrayLike, ArrayLike]] = field(default_factory=dict)


Runs = Mapping[str, Curve] | Mapping[str, Recording] | Sequence[tuple[str, Curve | Recording, str]]


@dataclass(frozen=True, eq=False)
class Packed:
    """Losses as they travel: `low[b] + unit[b] * code` in block b of `block` codes."""

    codes: NDArray[np.uint16]
    block: int
    low: Array
    unit: Array

    @property
    def values(self) -> Array:
        """The losses, (codes,); NaN where they were not finite."""
        at = np.arange(self.codes.size) // self.block
        values = self.low[at] + self.unit[at] * self.codes
        return np.where(self.codes == MISSING, np.nan, values)

    def as_json(self) -> dict[str, Any]:
        """The same in JSON's types."""
        codes = base64.b64encode(self.codes.astype("<u2").tobytes()).decode("ascii")
        grid = {"low": self.low.tolist(), "unit": self.unit.tolist()}
        return {"codes": codes, "block": self.block, **grid}


@dataclass(frozen=True, eq=False)
class PackedRun:
    """A checked run as it is drawn."""

    label: str
    color: str
    steps_per_epoch: int
    losses: tuple[Packed, ...]  # of each series, means of `group` steps
    steps: NDArray[np.int64]  # (points,) of validations
    validation: tuple[Packed | None, ...]  # of each series

    def as_json(self) -> dict[str, Any]:
        """The same in JSON's types, for the front end."""
        return {
            "label": self.label,
            "color": self.color,
            "perEpoch": self.steps_per_epoch,
            "losses": [one.as_json() for one in self.losses],
            "steps": self.steps.tolist(),
            "validation": [one and one.as_json() for one in self.validation],
        }


def pack(values: Array, block: int) -> Packed:
    """Losses (points,) in blocks of `block` points, each on the finest grid that holds it."""
    blocks = math.ceil(values.size / block)
    padded = np.full(blocks * block, np.nan)
    padded[: values.size] = np.where(np.isfinite(values), values, np.nan)
    rows = np.ma.masked_invalid(padded.reshape(blocks, block))
    low = rows.min(axis=1).filled(0.0)
    span = rows.max(axis=1).filled(0.0) - low
    # two codes less than there are: rounding `low` down may cost one, the last one means missing
    unit = np.where(
        span > 0, 2.0 ** np.ceil(np.log2(np.maximum(span, 1e-300) / (MISSING - 2))), 1.0
    )
    low = np.where(span > 0, np.floor(low / unit) * unit, low)
    codes = np.rint((rows - low[:, None]) / unit[:, None]).filled(MISSING).astype(np.uint16)
    return Packed(codes.ravel()[: values.size], block, low, unit)


def pack_runs(runs: Runs) -> tuple[tuple[str, ...], int, tuple[PackedRun, ...]]:
    """The runs as they travel.

    Returns:
        The names of the series, the steps whose mean each loss is, and the runs.

    Raises:
        ValueError: not one to six runs with different labels, known colours and the same series, or
            a recording that is not as `Recording` says.
    """
    given = _label(runs)
    series = tuple(given[0][1].losses)
    for label, recording, _ in given:
        _check(label, recording, series)
    curves = [recording.losses[series[0]] for _, recording, _ in given]
    total = len(series) * sum(curve.steps for curve in curves)
    epochs = [curve.steps_per_epoch for curve in curves]
    group = _group(math.ceil(total / LIMIT), epochs)
    if group > min(epochs) // 2:
        raise ValueError(
            f"runs must have at most {LIMIT:,} half epochs in all, got {total:,} steps"
        )
    return series, group, tuple(_pack_run(*one, series, group) for one in given)


def _group(least: int, epochs: Sequence[int]) -> int:
    """At least `least` steps, if possible so many that they divide each epoch."""
    whole = math.gcd(*epochs)
    return next((n for n in range(least, 2 * least + 1) if whole % n == 0), least)


def _label(runs: Runs) -> list[tuple[str, Recording, str]]:
    """Label, recording and colour of each run."""
    rows: list[Any]
    if isinstance(runs, Mapping):
        rows = [(*item, color) for item, color in zip(runs.items(), COLORS, strict=False)]
    else:
        rows = list(runs)
    if not 1 <= len(runs) <= len(COLORS):
        raise ValueError(f"runs must be one to {len(COLORS)} runs, got {len(runs)}")
    given = []
    for row in rows:
        if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != 3:
            raise ValueError(f"runs must be a mapping or (label, curve, colour) rows, got {row!r}")
        label, run, color = row
        if not isinstance(label, str) or not label.strip():
            raise ValueError(f"runs must have labels of text, got {label!r}")
        if isinstance(run, Curve):
            run = Recording({"training loss": run})
        if not isinstance(run, Recording):
            raise ValueError(f"runs[{label!r}] must be a Curve or a Recording, got {run!r}")
        _checks.choice(f"the colour of runs[{label!r}]", color, COLORS)
        given.append((label, run, color))
    labels = [label for label, _, _ in given]
    if len(set(labels)) < len(labels):
        raise ValueError(f"runs must have different labels, got {labels}")
    return given


def _check(label: str, recording: Recording, series: tuple[str, ...]) -> None:
    name = f"runs[{label!r}]"
    if not series or set(recording.losses) != set(series):
        raise ValueError(
            f"{name} must have the series of the first run, {list(series)}, "
            f"got {list(recording.losses)}"
        )
    shapes = set()
    for key, curve in recording.losses.items():
        if not isinstance(curve, Curve) or curve.loss.size != curve.steps:
            raise ValueError(f"{name} must have a Curve of one run as {key!r}, got {curve!r}")
        per_epoch, finite = curve.steps_per_epoch, int(np.isfinite(curve.loss).sum())
        if per_epoch < 2 or curve.steps < 2 * per_epoch or not finite:
            raise ValueError(
                f"{name} must have two epochs of two or more steps, and finite losses, as {key!r}, "
                f"got {curve.steps} steps in epochs of {per_epoch}, {finite} losses finite"
            )
        shapes.add((curve.steps, curve.steps_per_epoch))
    if len(shapes) > 1:
        raise ValueError(f"{name} must have the same steps in each series, got {sorted(shapes)}")
    if unknown := set(recording.validation) - set(series):
        raise ValueError(f"{name} must have validation of {list(series)}, got {sorted(unknown)}")


def _pack_run(
    label: str, recording: Recording, color: str, series: tuple[str, ...], group: int
) -> PackedRun:
    first = recording.losses[series[0]]
    block = max(1, first.steps_per_epoch // group)
    steps = np.zeros(0, np.int64)
    validation: list[Packed | None] = []
    for n, key in enumerate(series):
        if key not in recording.validation:
            validation.append(None)
            continue
        at, losses = _check_validation(f"validation {key!r} of runs[{label!r}]", recording, key)
        if n and steps.size and not np.array_equal(at, steps):
            raise ValueError(f"runs[{label!r}] must have the same steps in each validation")
        steps = at
        validation.append(pack(losses, losses.size))
    return PackedRun(
        label,
        color,
        first.steps_per_epoch,
        tuple(pack(recording.losses[key].every(group).ravel(), block) for key in series),
        steps,
        tuple(validation),
    )


def _check_validation(name: str, recording: Recording, key: str) -> tuple[NDArray[np.int64], Array]:
    """Steps and losses, both (points,)."""
    steps, losses = (np.ravel(part) for part in recording.validation[key])
    last = recording.losses[key].steps
    at = _checks.real(f"steps of {name}", steps, low=1, high=last)
    if at.size == 0 or at.shape != losses.shape or (np.diff(at) <= 0).any():
        raise ValueError(
            f"{name} must be increasing steps and as many losses, got {at.size} and {losses.size}"
        )
    return at.astype(np.int64), losses.astype(np.float64)
