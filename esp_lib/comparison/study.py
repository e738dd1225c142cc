"""Optimizers side by side: the tooth and the loss of each at its own tuned learning rate.

Ours, not the paper's. The problem is the paper's incremental quadratic one, with every floor b at
its mean, which takes noise out of the log and changes nothing that an optimizer can see.

Tuning is the same for all: the learning rate alone, first on one grid of half decades that is not
chosen for any rule, then at six finer rates around the best; other hyper-parameters keep their
usual defaults. The best is the lowest mean loss of the last epoch, averaged over two problems whose
seeds are not among those that are reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.notebook.page import rounded
from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import measure

Array = NDArray[np.float64]

FLOOR = 0.75  # mean of b
RATES = 10.0 ** np.arange(-4.0, 3.1, 0.5)  # half decades from 1e-4 to 1e3
FINER = 10.0 ** (np.array([-3, -2, -1, 1, 2, 3]) / 8)  # times the best of them
TUNING_SEEDS = (1000, 1001)  # problems and orders for tuning; reported seeds count from 0


class Tuning(NamedTuple):
    """What a search for the learning rate found."""

    rate: float
    rates: Array  # (tried,) ascending
    losses: Array  # (tried,) mean loss of the last epoch, inf after divergence
    rises: Array  # (tried,) how far the loss climbs within an epoch, second half; NaN likewise

    @property
    def inside(self) -> bool:
        """Whether worse rates were tried on both sides of the best."""
        return bool(self.rates[0] < self.rate < self.rates[-1])

    def rise_at(self, loss: float) -> float:
        """The rise at the rate, from the best one upwards, that ends with this loss."""
        rough = self.rates >= self.rate
        stop = 1 + int(np.argmax(self.losses[rough] > loss))
        return float(np.interp(loss, self.losses[rough][:stop], self.rises[rough][:stop]))


class RuleResult(NamedTuple):
    """One rule with one setting over seeds; all (seeds,)."""

    loss: Array  # mean of the last epoch
    amplitude: Array  # of the tooth in the second half of the run, as `measure` defines it
    rise: Array  # how far the loss climbs within an epoch; below 0 it falls
    drop: Array  # how far it falls at the boundary
    p_value: Array  # of the test that it does not fall there

    @property
    def climbs(self) -> bool:
        """Whether the loss climbs within an epoch, by its 95 % confidence interval."""
        mean, half = interval(self.rise)
        return mean > half


@dataclass(frozen=True)
class TuningStudy:
    """How rules are tuned and tried.

    Raises:
        ValueError: a number out of its range, or a batch size that does not divide.
    """

    epochs: int = 10  # of each run; the tooth is measured in the second half
    num_seeds: int = 8  # problems, each with an order of its own, that results are reported for
    num_functions: int = 10_000  # and as many coordinates
    batch_size: int = 100

    def __post_init__(self) -> None:
        _checks.integer("epochs", self.epochs, low=4)
        _checks.integer("num_seeds", self.num_seeds, low=2, high=min(TUNING_SEEDS))

    def problems(self, seeds: ArrayLike) -> QuadraticProblem:
        """One problem a seed, shape (seeds, 1), every b at its mean."""
        shape = np.asarray(seeds)[:, None]
        drawn = QuadraticProblem.sample(self.num_functions, self.num_functions, shape)
        return replace(drawn, b=np.full_like(drawn.b, FLOOR))

    def tune(self, rule: Optimizer, seeds: Sequence[int] = TUNING_SEEDS) -> Tuning:
        """The learning rate with the lowest mean loss of the last epoch.

        The rule is a single setting, whose own learning rate is not used; the seeds are of
        problems and orders for tuning.

        Returns:
            The rate, and all that were tried.
        """

        def tried(rates: Array) -> tuple[Array, Array]:
            curve = self.run(replace(rule, lr=rates), seeds, "reshuffle")  # type: ignore[call-arg]
            loss = last_epoch(curve).mean(axis=0)
            rise = measure(curve, skip_epochs=self.epochs // 2).rise.mean(axis=0)
            return np.where(np.isfinite(loss), loss, np.inf), rise

        coarse, coarse_rises = tried(RATES)
        finer = RATES[np.argmin(coarse)] * FINER
        fine, fine_rises = tried(finer)
        rates, losses = np.append(RATES, finer), np.append(coarse, fine)
        rises = np.append(coarse_rises, fine_rises)
        sort = np.argsort(rates)
        return Tuning(float(rates[np.argmin(losses)]), rates[sort], losses[sort], rises[sort])

    def trial(
        self, rule: Optimizer, seeds: ArrayLike | None = None, order: str = "reshuffle"
    ) -> RuleResult:
        """Train one setting on every reported seed and measure its tooth.

        The rule is a single setting; the seeds, of problems and orders, are by default 0 to
        `num_seeds` - 1.
        """
        curve = self.run(rule, self._reported(seeds), order)[:, 0]
        tooth = measure(curve, skip_epochs=self.epochs // 2)
        return RuleResult(last_epoch(curve), tooth.amplitude, tooth.rise, tooth.drop, tooth.p_value)

    def run(self, rule: Optimizer, seeds: ArrayLike, order: str) -> Curve:
        """Train on one problem and order a seed: loss (seeds, settings, steps)."""
        return simulate(
            self.problems(seeds),
            rule,
            seed=np.asarray(seeds)[:, None],
            order=order,
            epochs=self.epochs,
            batch_size=self.batch_size,
        )

    def lowest(self, seeds: ArrayLike | None = None) -> float:
        """The lowest mean loss that any x has, averaged over the reported problems."""
        reported = self._reported(seeds)
        problems = self.problems(reported)
        return float(np.mean([lowest_loss(problems[i, 0]) for i in range(reported.size)]))

    def _reported(self, seeds: ArrayLike | None) -> NDArray[np.int64]:
        return np.arange(self.num_seeds) if seeds is None else np.asarray(seeds)


def last_epoch(curve: Curve) -> Array:
    """Mean loss of the last epoch, (...)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(curve.by_epoch()[..., -1, :].mean(axis=-1))


def lowest_loss(problem: QuadraticProblem) -> float:
    """The mean of all functions where it is lowest: each coordinate at its weighted mean of c."""
    weight = np.bincount(problem.coordinate, problem.a, problem.dim)
    pull = np.bincount(problem.coordinate, problem.a * problem.c, problem.dim)
    x = pull[problem.coordinate] / weight[problem.coordinate]
    return float((problem.a * (x - problem.c) ** 2 + problem.b).mean())


def interval(values: ArrayLike) -> tuple[float, float]:
    """Mean over seeds and half the width of its 95 % confidence interval (Student's t)."""
    from scipy import stats

    sample = np.asarray(values, dtype=np.float64)
    half = stats.t.ppf(0.975, sample.size - 1) * sample.std(ddof=1) / np.sqrt(sample.size)
    return float(sample.mean()), float(half)


def plus_minus(values: ArrayLike) -> str:
    """Mean over seeds and half of its 95 % confidence interval, as text; zero has no sign."""
    text = rounded(*interval(values))
    return text if any(digit in text.split()[0] for digit in "123456789") else text.lstrip("−")
