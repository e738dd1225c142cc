"""`Curve`: the loss of each training step, where epochs begin, and what the numbers came from.

Simulations, recorded training runs and users' logs all become a `Curve`, and measurement and
plotting take nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks


@dataclass(frozen=True, eq=False)
class Curve:
    """Loss of each step of one or many runs.

    Attributes:
        loss: (..., steps) float64, in nats or the problem's own unit; not finite after divergence.
            NaN is a gap, and so is an entry that was masked.
        steps_per_epoch: steps in one epoch.
        source: what the numbers came from: settings, seeds, devices, versions.

    Raises:
        ValueError: no loss, entries that are no real numbers, or `steps_per_epoch` below 1.
    """

    loss: NDArray[np.float64]
    steps_per_epoch: int
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        loss = _checks.numbers("loss", self.loss, gaps=True)
        if loss.ndim == 0 or loss.shape[-1] == 0:
            raise ValueError(
                f"loss must have at least one step on its last axis, got {_checks.shown(self.loss)}"
            )
        steps_per_epoch = _checks.integer("steps_per_epoch", self.steps_per_epoch, low=1)
        _checks.instance("source", self.source, Mapping)
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "steps_per_epoch", steps_per_epoch)

    @property
    def steps(self) -> int:
        """Steps in the run."""
        return self.loss.shape[-1]

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Shape (...,): not finite at the end, or a last epoch with over twice the first's loss."""
        first = self.loss[..., : self.steps_per_epoch]
        last = self.loss[..., -self.steps_per_epoch :]
        with np.errstate(invalid="ignore", over="ignore"):
            worse = last.mean(axis=-1) > 2 * first.mean(axis=-1)
        return ~np.isfinite(self.loss[..., -1]) | worse

    def every(self, n: int) -> NDArray[np.float64]:
        """Mean loss of consecutive windows of `n` steps ("plot every"), whole windows only.

        Returns:
            (..., steps // n) float64.

        Example:
            >>> Curve(np.arange(6.0), steps_per_epoch=3).every(2).tolist()
            [0.5, 2.5, 4.5]
        """
        n = _checks.integer("n", n, low=1, high=self.steps)
        windows = self.loss[..., : self.steps // n * n]
        with np.errstate(invalid="ignore", over="ignore"):
            return windows.reshape(*self.loss.shape[:-1], -1, n).mean(axis=-1)

    def epochs(self, n: int = 1) -> NDArray[np.float64]:
        """Where each window of `n` steps ends, in epochs: (steps // n,) float64."""
        n = _checks.integer("n", n, low=1, high=self.steps)
        return np.arange(1, self.steps // n + 1) * n / self.steps_per_epoch

    def by_epoch(self) -> NDArray[np.float64]:
        """The loss as (..., epochs, steps_per_epoch); an incomplete last epoch is dropped."""
        whole = self.steps // self.steps_per_epoch
        return self.loss[..., : whole * self.steps_per_epoch].reshape(
            *self.loss.shape[:-1], whole, self.steps_per_epoch
        )

    def epoch_end(self, n: int) -> NDArray[np.float64]:
        """Mean of the last `n` steps of each whole epoch, as the paper prints it: (..., epochs)."""
        n = _checks.integer("n", n, low=1, high=self.steps_per_epoch)
        with np.errstate(invalid="ignore", over="ignore"):
            return self.by_epoch()[..., -n:].mean(axis=-1)

    def __getitem__(self, index: Any) -> "Curve":
        """Some of the runs: indexes the leading axes of `loss`, as in NumPy."""
        loss = self.loss[
            (*index, slice(None)) if isinstance(index, tuple) else (index, slice(None))
        ]
        return Curve(loss, self.steps_per_epoch, self.source)


def as_curve(loss: "Curve | ArrayLike", steps_per_epoch: int | None = None) -> Curve:
    """A curve from a curve or from an array and its steps per epoch; else ValueError."""
    if isinstance(loss, Curve):
        if steps_per_epoch is not None:
            _checks.integer("steps_per_epoch", steps_per_epoch, low=1)
        if steps_per_epoch not in (None, loss.steps_per_epoch):
            raise ValueError(
                f"steps_per_epoch must be left out for a Curve or be its own, "
                f"{loss.steps_per_epoch}, got {steps_per_epoch}"
            )
        return loss
    if steps_per_epoch is None:
        raise ValueError("steps_per_epoch must be given with an array of losses, got None")
    return Curve(loss, steps_per_epoch)  # type: ignore[arg-type]  # it becomes an array there
