"""Runs that the theory is held against: Adam on the quadratic problem, measured once settled.

Ours, not the paper's. Every floor b is at its mean, which changes nothing but the noise of the log.
The settled part of a run is an even number of epochs at its end.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.optimizers.adam import Adam
from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import measure

Array = NDArray[np.float64]

FLOOR = 0.75  # mean of b


@dataclass(frozen=True)
class TheoryStudy:
    """How runs are made and measured."""

    seeds: NDArray[np.int64]  # (seeds,) of the problems and of their orders
    epochs: int  # of a run; from `skip` on an even number
    skip: int  # epochs before the settled part, an even number
    lr: float = 0.06  # learning rate of `adam`
    beta1: float = 0.9  # its decay of the first moment
    eps: float = 1e-8  # added to the root of v
    device: str = "cpu"  # where the runs are computed

    @classmethod
    def of(cls, seeds: NDArray[np.int64], epochs: int, **settings: Any) -> "TheoryStudy":
        """A study whose second half, an even number of epochs, counts as settled."""
        skip = epochs // 4 * 2
        return cls(seeds, skip + (epochs - skip) // 2 * 2, skip, **settings)

    @cached_property
    def problem(self) -> QuadraticProblem:
        """The paper's problem, one a seed."""
        return level_floor(QuadraticProblem.sample(seed=self.seeds))

    def grouped(self, k: int, num_functions: int = 9_600) -> QuadraticProblem:
        """Problems with exactly k functions on each coordinate in use, one a seed."""
        base = QuadraticProblem.sample(num_functions=num_functions, dim=1, seed=self.seeds)
        drawn = [np.random.default_rng(seed).permutation(num_functions) // k for seed in self.seeds]
        place = np.stack(drawn)
        floor = np.full_like(base.b, FLOOR)
        return QuadraticProblem(base.a, floor, base.c, place, num_functions)

    def adam(self, beta2: ArrayLike, eps: ArrayLike | None = None) -> Adam:
        """Adam with the study's other settings."""
        own: Any = self.eps if eps is None else eps
        decay: Any = beta2
        return Adam(lr=self.lr, beta1=self.beta1, beta2=decay, eps=own)

    def train(
        self, rule: Optimizer, problem: QuadraticProblem | None = None, **settings: Any
    ) -> Curve:
        """Every problem with its own order: loss (seeds, *settings, steps).

        The rule may have any shape of settings; the problem, one a seed, is by default the
        paper's; `settings` are of `simulate`, where they differ from the study's.
        """
        at = (slice(None), *[None] * len(rule.shape))  # settings broadcast against seeds
        return simulate(
            (self.problem if problem is None else problem)[at],
            rule,
            seed=self.seeds[at],
            device=self.device,
            **({"epochs": self.epochs} | settings),
        )

    def level(self, curve: Curve) -> Array:
        """Mean loss of the settled epochs: (...)."""
        mean: Array = curve.by_epoch()[..., self.skip :, :].mean(axis=(-2, -1))
        return mean

    def amplitude(self, curve: Curve) -> Array:
        """Amplitude of the settled tooth: (...)."""
        return measure(curve, skip_epochs=self.skip).amplitude

    def fold(self, curve: Curve, period: int = 1) -> Array:
        """Settled loss folded over `period` epochs, in tenths of an epoch: (..., 10 period)."""
        late = curve.by_epoch()[..., self.skip :, :]
        shape = (*late.shape[:-2], -1, period * 10, late.shape[-1] // 10)
        mean: Array = late.reshape(shape).mean(axis=(-3, -1))
        return mean

    def settled_excess(
        self, k: int, beta2: ArrayLike, *, steps_per_epoch: int, epochs: int, batch_size: int
    ) -> Array:
        """Mean excess loss of groups of k over the second half of a run, for each beta2: (betas,).

        Epsilon grows as the batch shrinks, so that nothing else changes with the batch.
        """
        rule = self.adam(np.atleast_1d(beta2), self.eps * 100 / batch_size)
        problem = self.grouped(k, batch_size * steps_per_epoch)
        curve = self.train(rule, problem, epochs=epochs, batch_size=batch_size)
        late = curve.by_epoch()[..., epochs // 2 :, :]
        excess: Array = late.mean(axis=(0, -2, -1)) - FLOOR
        return excess


def level_floor(problem: QuadraticProblem) -> QuadraticProblem:
    """The problem with every b at its mean, which changes nothing but the noise."""
    floor = np.full_like(problem.b, FLOOR)
    return QuadraticProblem(problem.a, floor, problem.c, problem.coordinate, problem.dim)


def rise_of(profile: ArrayLike) -> float:
    """Mean of the last tenth of an epoch minus that of its first.

    `profile` (steps,) is the loss along the epoch.
    """
    loss = np.asarray(profile, dtype=np.float64)
    tenth = loss.size // 10
    return float(loss[-tenth:].mean() - loss[:tenth].mean())
