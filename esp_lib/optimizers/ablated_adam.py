"""Adam with one part switched off: momentum, second moment, bias correction or eps.

Ours, to see which part makes the tooth. Adam is

    x <- x - lr m_hat / (sqrt(v_hat) + eps),   m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t).

Without momentum m is the gradient (beta1 = 0). Without the second moment the denominator is 1.
Without bias correction m_hat = m and v_hat = v. Without eps the denominator is sqrt(v_hat) alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from esp_lib import _checks
from esp_lib.optimizers.adam import Adam
from esp_lib.optimizers.base import Array, State, TwoMoment

PARTS = ("momentum", "second moment", "bias correction", "eps")
NO_EPS = 1e-300  # too small to change any sum here, and 0 / NO_EPS is still 0


@dataclass(frozen=True, eq=False)
class AdamUndivided(Adam):
    """Adam without the second moment: x <- x - lr m_hat; beta2 and eps do nothing."""

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        return x - self.lr * m / (1 - self.beta1**t), state._replace(t=t, m=m)

    def two_moment(self, steps: int) -> TwoMoment:
        return super().two_moment(steps)._replace(adaptive=False)


@dataclass(frozen=True, eq=False)
class AdamUncorrected(Adam):
    """Adam without bias correction: x <- x - lr m / (sqrt(v) + eps)."""

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        x = x - self.lr * m / (np.sqrt(v) + self.eps)
        return x, state._replace(t=state.t + 1, m=m, v=v)

    def two_moment(self, steps: int) -> TwoMoment:
        plain = super().two_moment(steps)
        return plain._replace(scale_m=self.lr * np.ones(steps), root=np.ones(steps))


def without(part: str, adam: Adam) -> Adam:
    """Adam with one of its `PARTS` switched off and everything else as it is.

    The part is "momentum", "second moment", "bias correction" or "eps".

    Raises:
        ValueError: there is no such part.
    """
    _checks.choice("part", part, PARTS)
    if part == "momentum":
        return replace(adam, beta1=0.0)
    if part == "eps":
        return replace(adam, eps=NO_EPS)
    kind = AdamUndivided if part == "second moment" else AdamUncorrected
    return kind(adam.lr, adam.beta1, adam.beta2, adam.eps)
