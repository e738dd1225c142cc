"""What recorded pre-training runs say: curves and teeth.

Definitions of teeth are those of `sawtooth.measurement`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth, measure
from esp_lib.sawtooth.statistics import Estimate

Array = NDArray[np.float64]


def curve(records: Sequence[RunRecord], series: str = "mlm_loss") -> Curve:
    """The logged loss of some runs of one factor: (runs, steps), in nats."""
    first = records[0]
    losses = np.stack([record.arrays[series] for record in records]).astype(np.float64)
    return Curve(losses, int(first.config["steps_per_epoch"]), {"name": first.name, **first.made})


def smoothed(values: Array, coefficient: float) -> Array:
    """The published script's smoothing: c times a point plus 1 - c times the smoothed one before.

    c is in (0, 1]; 1 leaves the points, `values` (..., points), as they are.
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


def model_size(records: Sequence[RunRecord]) -> str:
    """Hidden units and blocks of a setting's network, such as "128 × 2"."""
    model = records[0].config["model"]
    return f"{model['hidden']} × {model['blocks']}"


def last_loss(records: Sequence[RunRecord]) -> float:
    """Mean MLM loss of the last epoch, in nats."""
    return float(curve(records).by_epoch()[:, -1].mean())


def drop_at(records: Sequence[RunRecord], level: float) -> Estimate:
    """Mean drop at the boundaries beside which the loss is nearest to a level.

    The level is of the mean MLM loss of the two epochs beside a boundary; three boundaries are
    taken.
    """
    loss = curve(records)
    found = measure(loss, skip_epochs=1)
    mean = loss.by_epoch().mean(axis=-1)
    beside = ((mean[:, 1:-1] + mean[:, 2:]) / 2).mean(axis=0)
    drops = found.drops[:, np.argsort(np.abs(beside - level))[:3]]
    return Estimate(float(drops.mean()), float(drops.std() / np.sqrt(drops.size)))


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
