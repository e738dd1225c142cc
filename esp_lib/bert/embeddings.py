"""How rows of the embedding move: those of rare tokens between visits, and all under weight decay.

Shown in chapter 3.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.bert.forgetting import last_visits
from esp_lib.records.record import RunRecord

Array = NDArray[np.float64]


class Drift(NamedTuple):
    """How far embedding rows move that occur once an epoch, while nothing asks for them."""

    wait: Array  # (bins,) steps since the row's last occurrence
    speed: Array  # (bins,) root mean square movement a step, in learning rates
    error: Array  # (bins,) standard error, from the spread of rows


def drift(records: Sequence[RunRecord], edges: Array) -> Drift:
    """Speed of rarely used embedding rows against the steps since they were last used.

    Only stretches between two probes in which the row was not used at all.

    `edges` (bins + 1,) bounds the bins in steps; the runs have probes.
    """
    waits, speeds = [], []
    for record in records:
        config, pairs = record.config, record.arrays["rare_pair"]
        steps = record.arrays["probe_step"].astype(np.int64)
        starts = np.where(
            (steps - 1) % config["steps_per_epoch"] == 0, steps - 1, np.r_[0, steps[:-1]]
        )
        total = config["corpus"]["pairs"]
        before = last_visits(record, starts, total)[:, pairs]  # (probes, rows)
        after = last_visits(record, steps, total)[:, pairs]
        quiet = (before == after) & (before > 0)
        length = (steps - starts)[:, None]
        speed = record.arrays["rare_moved"] / length / config["lr"]
        waits.append((starts[:, None] + length / 2 - before)[quiet])
        speeds.append(speed[quiet])
    wait, speed = np.concatenate(waits), np.concatenate(speeds)
    level = np.digitize(wait, edges) - 1
    rows = []
    for b in range(len(edges) - 1):
        here = speed[level == b]
        if here.size > 1:
            rows.append((wait[level == b].mean(), here.mean(), here.std(ddof=1) / here.size**0.5))
    return Drift(*(np.array(column) for column in zip(*rows, strict=True)))


class RowSizes(NamedTuple):
    """Sizes of embedding rows after a run, by how often their tokens are read in an epoch."""

    readings: Array  # (bins,) mean number of occurrences an epoch
    size: Array  # (bins,) root mean square of the row after the run, over that before: mean
    error: Array  # (bins,) its standard error, from the spread of rows
    rows: NDArray[np.int64]  # (bins,) rows in the bin, all runs together


def row_sizes(records: Sequence[RunRecord], edges: Array) -> RowSizes:
    """How much embedding rows have grown or shrunk, by the occurrences of their tokens.

    `edges` (bins + 1,) bounds the bins of occurrences an epoch; the runs have probes.
    """
    count = np.concatenate([record.arrays["token_count"] for record in records])
    norms = [record.arrays["row_norm"].astype(np.float64) for record in records]
    ratio = np.concatenate([after / before for before, after in norms])
    level = np.digitize(count, edges) - 1
    rows = []
    for b in range(len(edges) - 1):
        here = ratio[level == b]
        if here.size > 1:
            error = here.std(ddof=1) / here.size**0.5
            rows.append((count[level == b].mean(), here.mean(), error, here.size))
    mean, size, error, number = (np.array(column) for column in zip(*rows, strict=True))
    return RowSizes(mean, size, error, number.astype(np.int64))
