"""Optimizers that divide by a root mean square and keep no momentum: RMSProp, Adagrad.

Sources: RMSProp as in the code of Liu and Ma (2025), which has no bias correction; Adagrad, Duchi,
Hazan and Singer (JMLR 12, 2011).
"""

from dataclasses import dataclass

import numpy as np

from esp_lib.optimizers.base import Array, Hyper, Optimizer, State, TwoMoment


@dataclass(frozen=True, eq=False)
class RMSProp(Optimizer):
    """RMSProp of the paper: v = beta v + (1 - beta) g^2, x <- x - lr g / (sqrt(v) + eps)."""

    lr: Hyper = 1e-2
    beta: Hyper = 0.99
    eps: Hyper = 1e-8

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        v = self.beta * state.v + (1 - self.beta) * g**2
        return x - self.lr * g / (np.sqrt(v) + self.eps), state._replace(t=state.t + 1, v=v)

    def two_moment(self, steps: int) -> TwoMoment:
        return TwoMoment(
            decay1=0.0,
            weight1=0.0,
            decay2=self.beta,
            weight2=1 - self.beta,
            eps=self.eps,
            shrink=1.0,
            scale_m=np.zeros(steps),
            scale_g=self.lr * np.ones(steps),
            root=np.ones(steps),
        )


@dataclass(frozen=True, eq=False)
class Adagrad(Optimizer):
    """Adagrad: v = v + g^2, x <- x - lr g / (sqrt(v) + eps); v never forgets."""

    lr: Hyper = 1e-2
    eps: Hyper = 1e-10

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        v = state.v + g**2
        return x - self.lr * g / (np.sqrt(v) + self.eps), state._replace(t=state.t + 1, v=v)

    def two_moment(self, steps: int) -> TwoMoment:
        return RMSProp(self.lr, 0.0, self.eps).two_moment(steps)._replace(decay2=1.0, weight2=1.0)
