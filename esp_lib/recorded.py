"""What recorded pre-training runs say: curves, teeth, forgetting, drifting embedding rows.

Definitions of teeth are those of `sawtooth`. Forgetting is ours, the network's counterpart of the
staleness theory (`theory_staleness`): how much worse a pair of sentences is told the more steps ago
it was trained on, with the weights held.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.curve import Curve
from esp_lib.orders import make_order
from esp_lib.runs import RunRecord
from esp_lib.sawtooth import Sawtooth, measure
from esp_lib.theory_staleness import staleness_pmf

Array = NDArray[np.float64]


def curve(records: Sequence[RunRecord], series: str = "mlm_loss") -> Curve:
    """The logged loss of some runs of one factor: (runs, steps), in nats."""
    first = records[0]
    losses = np.stack([record.arrays[series] for record in records]).astype(np.float64)
    return Curve(losses, int(first.config["steps_per_epoch"]), {"name": first.name, **first.made})


def smoothed(values: Array, coefficient: float) -> Array:
    """The published script's smoothing: c times a point plus 1 - c times the smoothed one before.

    Args:
        values: (..., points).
        coefficient: c, in (0, 1]; 1 leaves the points as they are.
    """
    out = np.array(values, dtype=float)
    for i in range(1, out.shape[-1]):
        out[..., i] = (1 - coefficient) * out[..., i - 1] + coefficient * values[..., i]
    return out


class Validation(NamedTuple):
    """Validation of some runs: at which steps, and what was found there."""

    steps: NDArray[np.int64]  # (points,)
    values: Array  # (runs, points)

    def tooth(self, steps_per_epoch: int, skip_epochs: int | None = None) -> Sawtooth:
        """The tooth of the validation curve, one of its points being one moment."""
        return measure(self.values, steps_per_epoch, steps=self.steps, skip_epochs=skip_epochs)


def validation(records: Sequence[RunRecord], series: str = "valid_mlm_loss") -> Validation:
    """One validation series of some runs of one factor."""
    values = np.stack([record.arrays[series] for record in records]).astype(np.float64)
    return Validation(records[0].arrays["valid_step"].astype(np.int64), values)


def probes(records: Sequence[RunRecord]) -> dict[int, tuple[Array, Array]]:
    """The loss on the followed pairs, with the weights of the moment, in each epoch with probes.

    Returns:
        epoch, counted from 0 -> phase of the probes (probes,), mean loss of the pairs in nats
        (runs, probes).
    """
    per_epoch = int(records[0].config["steps_per_epoch"])
    steps = records[0].arrays["probe_step"].astype(np.int64)
    losses = np.stack([r.arrays["probe_loss"].astype(np.float64).mean(axis=1) for r in records])
    epoch = (steps - 1) // per_epoch
    return {
        int(e): (steps[epoch == e] / per_epoch - e, losses[:, epoch == e]) for e in np.unique(epoch)
    }


def line_rise(losses: Array) -> Array:
    """End minus start of a straight line through an epoch: (..., steps) -> (...)."""
    steps = losses.shape[-1]
    phase = (np.arange(steps) + 0.5) / steps - 0.5
    return losses @ phase / (phase @ phase)


class Estimate(NamedTuple):
    """A mean and its standard error."""

    mean: float
    error: float


def mean_error(values: Array) -> Estimate:
    """Mean of some independent values, and its standard error (NaN for a single one)."""
    error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else np.nan
    return Estimate(float(values.mean()), float(error))


def late_tooth(records: Sequence[RunRecord], series: str = "mlm_loss") -> dict[str, Estimate]:
    """Drop, rise and amplitude over the second half of the runs, with standard errors.

    The error is the larger of two: the spread of the seeds, where there are several, and the error
    within runs, averaged over them. In a fixed order each epoch repeats the same batches, and so
    the same noise: its error is that of one epoch, not of the mean over epochs.
    """
    runs = curve(records, series)
    epochs = runs.by_epoch().shape[-2]
    found = measure(runs, skip_epochs=epochs // 2)
    widened = np.sqrt(found.drops.shape[-1]) if records[0].config["order"] == "fixed" else 1.0
    result = {}
    for name in ("drop", "rise", "amplitude"):
        values = getattr(found, name)
        within = np.sqrt((getattr(found, f"{name}_error") ** 2).mean() / len(records)) * widened
        between = values.std(ddof=1) / np.sqrt(len(records)) if len(records) > 1 else 0.0
        result[name] = Estimate(float(values.mean()), float(max(within, between)))
    return result


def last_visits(record: RunRecord, at: Sequence[int] | NDArray[Any], pairs: int) -> NDArray[Any]:
    """When each of the first pairs was last trained on before some moments of a run.

    Args:
        record: a run; its config has the order.
        at: (moments,) updates before each moment, increasing.
        pairs: how many pairs.

    Returns:
        (moments, pairs) int64: the update, counted from 1, that saw the pair; 0 if none did.
    """
    config = record.config
    order = make_order(
        config["order"],
        num_functions=config["corpus"]["pairs"],
        epochs=config["epochs"],
        batch_size=config["batch_size"],
        seed=config["seed"],
    ).reshape(-1, config["batch_size"])  # (steps, batch)
    last = np.zeros(config["corpus"]["pairs"], np.int64)
    found, done = [], 0
    for moment in at:
        for step in range(done, int(moment)):
            last[order[step]] = step + 1
        done = int(moment)
        found.append(last[:pairs].copy())
    return np.stack(found)


class Forgetting(NamedTuple):
    """Loss of a pair against the steps since it was last trained on, with the weights held."""

    wait: Array  # (bins,) steps since the last visit, mean of each bin
    loss: Array  # (bins,) nats above the loss in the first bin
    error: Array  # (bins,) its standard error, from the spread of pairs; 0 in the first bin


def forgetting(records: Sequence[RunRecord], edges: Array) -> Forgetting:
    """How the loss of a pair grows with the steps since its last visit.

    At each probe all followed pairs are asked with the same weights, without dropout. Least squares
    with one level a bin of waits, one a pair and epoch (some are harder) and one a probe (training
    goes on): the order is random, so that waits are dealt out by lot.

    Args:
        records: runs with probes.
        edges: (bins + 1,) bounds of the bins in steps; waits beyond them count to the outer bins.
    """
    bins = len(edges) - 1
    designs, targets, waits = [], [], []
    for record in records:
        steps = record.arrays["probe_step"].astype(np.int64)
        losses = record.arrays["probe_loss"].astype(np.float64)  # (probes, pairs)
        wait = steps[:, None] - last_visits(record, steps, losses.shape[1])
        epoch = (steps - 1) // record.config["steps_per_epoch"]
        for e in np.unique(epoch):
            level = np.digitize(wait[epoch == e], edges[1:-1])  # (probes, pairs)
            designs.append(_both_ways((level[..., None] == np.arange(bins)).astype(float)))
            targets.append(_both_ways(losses[epoch == e]))
            waits.append((level, wait[epoch == e]))
    design = np.concatenate([part.reshape(-1, bins)[:, 1:] for part in designs])
    loss = np.linalg.lstsq(design, np.concatenate([t.ravel() for t in targets]), rcond=None)[0]
    # standard errors clustered by pair: its probes are no independent evidence
    scores = np.concatenate(
        [
            np.einsum("tpb,tp->pb", part[..., 1:], target - part[..., 1:] @ loss)
            for part, target in zip(designs, targets, strict=True)
        ]
    )
    bread = np.linalg.pinv(design.T @ design)
    error = np.sqrt(np.diag(bread @ (scores.T @ scores) @ bread))
    level = np.concatenate([level.ravel() for level, _ in waits])
    wait = np.concatenate([wait.ravel() for _, wait in waits])
    with np.errstate(invalid="ignore"):
        middle = np.bincount(level, wait, bins) / np.bincount(level, minlength=bins)
    return Forgetting(middle, np.r_[0.0, loss], np.r_[0.0, error])


def _both_ways(values: Array) -> Array:
    """(probes, pairs, ...) less the means over probes and over pairs."""
    over_probes = values.mean(axis=0, keepdims=True)
    over_pairs = values.mean(axis=1, keepdims=True)
    return values - over_probes - over_pairs + values.mean(axis=(0, 1), keepdims=True)


def tooth_from_forgetting(found: Forgetting, order: str, steps_per_epoch: int) -> Array:
    """The tooth that forgetting alone makes in the log, less its mean: (steps_per_epoch,).

    At step q of an epoch the pairs of the batch have waited K steps, with the distribution that
    follows from the order; the logged loss is the mean of what those waits cost.
    """
    longest = 2 * steps_per_epoch if order == "reshuffle" else 12 * steps_per_epoch
    cost = np.interp(np.arange(1, longest + 1), found.wait, found.loss)
    tooth = np.array(
        [staleness_pmf(order, q, steps_per_epoch, longest) @ cost for q in range(steps_per_epoch)]
    )
    return tooth - tooth.mean()


class Drift(NamedTuple):
    """How far embedding rows move that occur once an epoch, while nothing asks for them."""

    wait: Array  # (bins,) steps since the row's last occurrence
    speed: Array  # (bins,) root mean square movement a step, in learning rates
    error: Array  # (bins,) standard error, from the spread of rows


def drift(records: Sequence[RunRecord], edges: Array) -> Drift:
    """Speed of rarely used embedding rows against the steps since they were last used.

    Only stretches between two probes in which the row was not used at all.

    Args:
        records: runs with probes.
        edges: (bins + 1,) bounds of the bins in steps.
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
