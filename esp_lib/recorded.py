"""What recorded pre-training runs say: curves, teeth, forgetting, drifting embedding rows.

Definitions of teeth are those of `sawtooth`. Forgetting is ours, the network's counterpart of the
staleness theory (`theory_staleness`): what a visit takes off the loss of a pair of sentences, and
what comes back before the next one.
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
    """What became of single pairs within an epoch, in nats of their MLM loss.

    A pair's loss = its own level + what all pairs have in common at that moment (`common`) - `gain`
    if it was trained on in this epoch already + `fresh`, which depends on the steps since then.
    """

    wait: Array  # (bins,) steps since the pair was last trained on
    fresh: Array  # (bins,) loss against that of pairs that have waited for over an epoch
    fresh_error: Array  # (bins,) its standard error, from the spread of pairs
    gain: Estimate  # what this epoch's visit takes off the loss for good
    phase: Array  # (probes,) of the epoch
    common: Array  # (epochs with probes of all runs, probes) change since the epoch's first probe


def forgetting(records: Sequence[RunRecord], edges: Array) -> Forgetting:
    """Take apart what a visit leaves in a pair, what fades, and what happens to all pairs alike.

    At each probe the followed pairs are asked with the weights of that moment, without dropout. The
    parts are found by least squares; the order is random, so that visits and waits are dealt out by
    lot.

    Args:
        records: runs with probes.
        edges: (bins + 1,) bounds of the bins of waits in steps; the last ones lie beyond an epoch.
    """
    bins, per_epoch = len(edges) - 1, int(records[0].config["steps_per_epoch"])
    blocks = []  # (design (probes, pairs, columns), losses (probes, pairs), waits)
    for record in records:
        steps = record.arrays["probe_step"].astype(np.int64)
        losses = record.arrays["probe_loss"].astype(np.float64)  # (probes, pairs)
        last = last_visits(record, steps, losses.shape[1])
        epoch = (steps - 1) // per_epoch
        for e in np.unique(epoch):
            here = epoch == e
            wait = steps[here, None] - last[here]
            level = np.digitize(wait, edges[1:-1])[..., None] == np.arange(bins - 1)
            visited = last[here, :, None] > e * per_epoch
            blocks.append((np.concatenate([level, visited], -1).astype(float), losses[here], wait))
    within = [(_both_ways(design), _both_ways(losses)) for design, losses, _ in blocks]
    design = np.concatenate([x.reshape(-1, bins) for x, _ in within])
    fit = np.linalg.lstsq(design, np.concatenate([y.ravel() for _, y in within]), rcond=None)[0]
    # clustered by pair: its probes are no independent evidence
    scores = np.concatenate([np.einsum("tpb,tp->pb", x, y - x @ fit) for x, y in within])
    bread = np.linalg.pinv(design.T @ design)
    covariance = bread @ (scores.T @ scores) @ bread
    waits = np.concatenate([wait.ravel() for _, _, wait in blocks])
    level = np.digitize(waits, edges[1:-1])
    middle = np.bincount(level, waits, bins) / np.maximum(np.bincount(level, minlength=bins), 1)
    # measured from the mean of the bins beyond an epoch; the last bin is the fit's own zero
    contrast = np.eye(bins) - np.where(middle > per_epoch, 1 / (middle > per_epoch).sum(), 0)
    contrast = contrast[:, :-1]  # (bins, fitted bins)
    spread = np.einsum("ij,jk,ik->i", contrast, covariance[:-1, :-1], contrast)
    common = np.stack([(losses - x @ fit).mean(axis=1) for x, losses, _ in blocks])
    phase = (steps[here] - 1) % per_epoch + 1
    return Forgetting(
        wait=middle,
        fresh=contrast @ fit[:-1],
        fresh_error=np.sqrt(spread),
        gain=Estimate(-float(fit[-1]), float(np.sqrt(covariance[-1, -1]))),
        phase=phase / per_epoch,
        common=common - common[:, :1],
    )


def _both_ways(values: Array) -> Array:
    """(probes, pairs, ...) less the means over probes and over pairs."""
    over_probes = values.mean(axis=0, keepdims=True)
    over_pairs = values.mean(axis=1, keepdims=True)
    return values - over_probes - over_pairs + values.mean(axis=(0, 1), keepdims=True)


def freshness(found: Forgetting, order: str, steps_per_epoch: int) -> Array:
    """Mean of `fresh` over the pairs of each step's batch: (steps_per_epoch,).

    At step q of an epoch a pair has waited K steps, with the distribution that follows from the
    order (`theory_staleness`).
    """
    longest = (2 if order == "reshuffle" else 12) * steps_per_epoch
    cost = np.interp(np.arange(1, longest + 1), found.wait, found.fresh)
    steps = range(steps_per_epoch)
    return np.array([staleness_pmf(order, q, steps_per_epoch, longest) @ cost for q in steps])


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


class RowSizes(NamedTuple):
    """Sizes of embedding rows after a run, by how often their tokens are read in an epoch."""

    readings: Array  # (bins,) mean number of occurrences an epoch
    size: Array  # (bins,) root mean square of the row after the run, over that before: mean
    error: Array  # (bins,) its standard error, from the spread of rows
    rows: NDArray[np.int64]  # (bins,) rows in the bin, all runs together


def row_sizes(records: Sequence[RunRecord], edges: Array) -> RowSizes:
    """How much embedding rows have grown or shrunk, by the occurrences of their tokens.

    Args:
        records: runs with probes.
        edges: (bins + 1,) bounds of the bins of occurrences an epoch.
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
