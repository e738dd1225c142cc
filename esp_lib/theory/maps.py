"""Amplitude of the tooth over two settings, simulated and predicted. Ours, not the paper's.

The simulated problem is a quarter of the paper's, with a quarter of the batch: epochs stay as long.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sawtooth.measurement import measure
from esp_lib.sawtooth.statistics import mean_error
from esp_lib.theory.prediction import predict
from esp_lib.theory.study import level_floor

Array = NDArray[np.float64]

EPOCHS, SKIP = 12, 4  # of the runs; those before the settled part
BLOWN_UP = 100.0  # amplitude


@dataclass(frozen=True, eq=False)
class AmplitudeMap:
    """Amplitudes over a map, all (rows, columns)."""

    simulated: Array  # mean over problems
    error: Array  # its standard error
    predicted: Array

    @property
    def tame(self) -> NDArray[np.bool_]:
        """Cells in which the simulated training has not blown up."""
        return tame(self.simulated)


def tame(teeth: Array) -> NDArray[np.bool_]:
    """Whether amplitudes are those of training that has not blown up."""
    return (teeth > 0) & (teeth < BLOWN_UP)


def amplitude_map(
    rule: Optimizer, quarter_rule: Optimizer, *, problems: int, device: str = "cpu"
) -> AmplitudeMap:
    """Simulate and predict the tooth of every cell, on problems of its own.

    `rule` has shape (rows, columns), as many of each; `quarter_rule` is the same with four
    times its eps, for a quarter of the gradient's sum.
    """
    seeds = np.arange(problems * math.prod(rule.shape)).reshape(problems, *rule.shape)
    curve = simulate(
        level_floor(QuadraticProblem.sample(2_500, 2_500, seed=seeds)),
        quarter_rule,
        epochs=EPOCHS,
        batch_size=25,
        seed=seeds,
        x0=0.0,
        device=device,
    )
    own = predict(rule, epochs=EPOCHS, x0=0.0, points=256)
    found = mean_error(measure(curve, skip_epochs=SKIP).amplitude)
    return AmplitudeMap(found.mean, found.error, measure(own, skip_epochs=SKIP).amplitude)


def onset(teeth: Array, betas: Array) -> float:
    """The largest beta2 at which the amplitude is twice that at the last beta2; NaN if none.

    `teeth` are (betas,) amplitudes; `betas` increase.
    """
    above = np.flatnonzero(teeth > 2 * teeth[-1])
    if above.size == 0:
        return np.nan
    k = above.max()
    height = np.log(teeth[k : k + 2] / (2 * teeth[-1]))
    return float(betas[k] + (betas[k + 1] - betas[k]) * height[0] / (height[0] - height[1]))
