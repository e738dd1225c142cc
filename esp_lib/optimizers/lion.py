"""Lion: the sign of a momentum.

Source: Chen et al. (arXiv 2302.06675), Algorithm 2. `simulate` runs its textbook `update`.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.optimizers.base import Array, Hyper, Optimizer


class LionState(NamedTuple):
    """What Lion carries: m, of the shape of x."""

    m: Array


@dataclass(frozen=True, eq=False)
class Lion(Optimizer):
    """Lion: x <- x - lr (sign(beta1 m + (1 - beta1) g) + weight_decay x), m <- beta2 m + ….

    A step is lr or nothing at all: how small m has become makes no difference to it.
    """

    lr: Hyper = 1e-4
    beta1: Hyper = 0.9
    beta2: Hyper = 0.99
    weight_decay: Hyper = 0.0

    two_moment_form: ClassVar[bool] = False

    def init(self, x: ArrayLike) -> LionState:
        return LionState(np.zeros(np.shape(x)))

    def update(self, g: Array, state: LionState, x: Array) -> tuple[Array, LionState]:
        direction = np.sign(self.beta1 * state.m + (1 - self.beta1) * g)
        m = self.beta2 * state.m + (1 - self.beta2) * g
        return (1 - self.lr * self.weight_decay) * x - self.lr * direction, LionState(m)
