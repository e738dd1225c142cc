"""The paper's experiments on the incremental quadratic problem, on many random problems at once.

Source: the replication section of Liu and Ma (2025), Figs. 19, 21 and 22, and its notebooks.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.optimizers.base import Optimizer
from esp_lib.published import quadratic_runs
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sampling.orders import check_batch_size
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth, measure

FUNCTIONS = 10_000  # of each problem
PAPER = {"lr": 0.06, "epochs": 10}  # of all published runs


@dataclass(frozen=True)
class Replication:
    """How the problems are trained; each has an order of its own.

    Raises:
        ValueError: a batch size that does not divide, or more plotted steps than an epoch has.
    """

    seeds: NDArray[np.int64]  # (seeds,) of the problems and of their orders
    lr: float = 0.06  # learning rate of the rules, to know which runs the paper published
    epochs: int = 10  # of a run
    batch_size: int = 100  # functions a step, unless a run says otherwise
    plot_every: int = 10  # steps averaged for one plotted point
    device: str = "cpu"  # where the runs are computed

    def __post_init__(self) -> None:
        if self.plot_every > self.steps_per_epoch:
            raise ValueError(
                f"plot_every must be at most {self.steps_per_epoch}, the steps of an epoch, "
                f"got {self.plot_every}"
            )

    @cached_property
    def problems(self) -> QuadraticProblem:
        """One problem a seed."""
        return QuadraticProblem.sample(FUNCTIONS, FUNCTIONS, self.seeds)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return FUNCTIONS // check_batch_size(self.batch_size, FUNCTIONS)

    def train(
        self,
        optimizer: Optimizer,
        order: str = "reshuffle",
        *,
        batch_size: int | None = None,
        epochs: int | None = None,
    ) -> Curve:
        """Every problem with its own order: loss (seeds, *settings, steps).

        The rule may have any shape of settings; order, batch size and epochs are as in
        `simulate`, the last two by default the experiment's.
        """
        at = (slice(None), *[None] * len(optimizer.shape))  # settings broadcast against seeds
        return simulate(
            self.problems[at],
            optimizer,
            order=order,
            epochs=epochs or self.epochs,
            batch_size=batch_size or self.batch_size,
            seed=self.seeds[at],
            device=self.device,
        )

    def continued(
        self, optimizer: Optimizer, order: str = "reshuffle", *, batch_size: int | None = None
    ) -> Curve:
        """A run six times as long; its last third has settled."""
        return self.train(optimizer, order, batch_size=batch_size, epochs=6 * self.epochs)

    def settled(
        self, optimizer: Optimizer, order: str = "reshuffle", *, batch_size: int | None = None
    ) -> Sawtooth:
        """The tooth once the descent is over."""
        curve = self.continued(optimizer, order, batch_size=batch_size)
        return measure(curve, skip_epochs=4 * self.epochs)

    def published(self, **setting: Any) -> tuple[float, ...] | None:
        """The paper's end-of-epoch losses of a setting, or None if it published none.

        Args:
            setting: fields of `published.PublishedRun`; by default reshuffled, in batches of 100,
                with as many plotted steps as here.
        """
        if {"lr": self.lr, "epochs": self.epochs} != PAPER:
            return None
        usual = {"batch_size": 100, "order": "reshuffle", "plot_every": self.plot_every}
        same = (run.loss for run in quadratic_runs() if run.matches(**usual | setting))
        return next(same, None)


def in_windows(values: ArrayLike, steps: int = 10) -> NDArray[np.float64]:
    """Mean over consecutive windows of steps, repeated to keep the axis.

    `values` are (..., steps); what is left at the end goes.
    """
    given = np.asarray(values, dtype=np.float64)
    whole = given[..., : given.shape[-1] // steps * steps]
    return whole.reshape(*whole.shape[:-1], -1, steps).mean(axis=-1).repeat(steps, axis=-1)
