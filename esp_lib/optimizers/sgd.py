"""Stochastic gradient descent, with and without momentum.

Source: Nesterov momentum as in `torch.optim.SGD`, after Sutskever et al. (ICML 2013).
"""

from dataclasses import dataclass

import numpy as np

from esp_lib.optimizers.base import Array, Hyper, Optimizer, State, TwoMoment


@dataclass(frozen=True, eq=False)
class SGD(Optimizer):
    """SGD with heavy-ball momentum: m = momentum m + g, x <- x - lr m."""

    lr: Hyper = 1e-3
    momentum: Hyper = 0.0

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        m = self.momentum * state.m + g
        return x - self.lr * m, state._replace(t=state.t + 1, m=m)

    def two_moment(self, steps: int) -> TwoMoment:
        return TwoMoment(
            decay1=self.momentum,
            weight1=1.0,
            decay2=0.0,
            weight2=0.0,
            eps=1.0,
            shrink=1.0,
            scale_m=self.lr * np.ones(steps),
            scale_g=np.zeros(steps),
            root=np.zeros(steps),
            adaptive=False,
        )


@dataclass(frozen=True, eq=False)
class Nesterov(SGD):
    """SGD with Nesterov momentum: m = momentum m + g, x <- x - lr (g + momentum m)."""

    momentum: Hyper = 0.9

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        m = self.momentum * state.m + g
        return x - self.lr * (g + self.momentum * m), state._replace(t=state.t + 1, m=m)

    def two_moment(self, steps: int) -> TwoMoment:
        m, g = self.lr * self.momentum * np.ones(steps), self.lr * np.ones(steps)
        return super().two_moment(steps)._replace(scale_m=m, scale_g=g)
