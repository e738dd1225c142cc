"""Forgetting: what a visit takes off the loss of a pair of sentences, and what comes back.

The network's counterpart of the staleness theory (`theory.staleness`), from single pairs that a run
followed; nothing is fitted to the log. Shown in chapter 3.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.records.record import RunRecord
from esp_lib.sampling.orders import make_order
from esp_lib.sawtooth.statistics import Estimate
from esp_lib.theory.staleness import staleness_pmf

Array = NDArray[np.float64]


def last_visits(record: RunRecord, at: Sequence[int] | NDArray[Any], pairs: int) -> NDArray[Any]:
    """When each of the first pairs was last trained on before some moments of a run.

    `at` (moments,) are updates before each moment, increasing; the run's config has its order.

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

    `edges` (bins + 1,) bounds the bins of waits in steps; the last ones lie beyond an epoch.
    The runs have probes.
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
    order (`theory.staleness`).
    """
    longest = (2 if order == "reshuffle" else 12) * steps_per_epoch
    cost = np.interp(np.arange(1, longest + 1), found.wait, found.fresh)
    steps = range(steps_per_epoch)
    return np.array([staleness_pmf(order, q, steps_per_epoch, longest) @ cost for q in steps])
