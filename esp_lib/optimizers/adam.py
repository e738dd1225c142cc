"""Adam and its kin: Adam, AdamW, AMSGrad, NAdam.

Sources: Adam, Kingma and Ba (arXiv 1412.6980), Algorithm 1; AMSGrad, Reddi, Kale and Kumar
(arXiv 1904.09237), Algorithm 2 with Adam's bias correction; AdamW, Loshchilov and Hutter
(arXiv 1711.05101), Algorithm 2; NAdam, Dozat (2016) with the momentum schedule of `torch.optim`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.optimizers.base import Array, Hyper, Optimizer, State, TwoMoment, powers


@dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    """Adam: x <- x - lr m_hat / (sqrt(v_hat) + eps), with bias-corrected m_hat and v_hat.

    Defaults are `torch.optim.Adam`'s.
    """

    lr: Hyper = 1e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8

    keeps_max: ClassVar[bool] = False

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_max = np.maximum(state.v_max, v)
        m_hat = m / (1 - self.beta1**t)
        v_hat = (v_max if self.keeps_max else v) / (1 - self.beta2**t)
        x = self.decayed(x) - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return x, State(t, m, v, v_max, state.mu_product)

    def decayed(self, x: Hyper) -> Hyper:
        """The parameters `x` after weight decay; plain Adam has none."""
        return x

    def two_moment(self, steps: int) -> TwoMoment:
        return TwoMoment(
            decay1=self.beta1,
            weight1=1 - self.beta1,
            decay2=self.beta2,
            weight2=1 - self.beta2,
            eps=self.eps,
            shrink=self.decayed(1.0),
            scale_m=self.lr / (1 - powers(self.beta1, steps)),
            scale_g=np.zeros(steps),
            root=1 / np.sqrt(1 - powers(self.beta2, steps)),
            use_max=self.keeps_max,
        )


@dataclass(frozen=True, eq=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: x shrinks by 1 - lr weight_decay at each step."""

    weight_decay: Hyper = 1e-2

    def decayed(self, x: Hyper) -> Hyper:
        return (1 - self.lr * self.weight_decay) * x


@dataclass(frozen=True, eq=False)
class AMSGrad(Adam):
    """Adam whose denominator uses the largest second moment so far."""

    keeps_max: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class NAdam(Optimizer):
    """Adam with Nesterov momentum; mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)."""

    lr: Hyper = 2e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8
    momentum_decay: Hyper = 4e-3

    def momentum(self, t: ArrayLike) -> Array:
        """mu_t, the momentum coefficient at step t."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (np.asarray(t) * self.momentum_decay))

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        t = state.t + 1
        mu, mu_next = self.momentum(t), self.momentum(t + 1)
        product = state.mu_product * mu
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        denominator = np.sqrt(v / (1 - self.beta2**t)) + self.eps
        x = x - self.lr * (1 - mu) / (1 - product) * g / denominator
        x = x - self.lr * mu_next / (1 - product * mu_next) * m / denominator
        return x, State(t, m, v, state.v_max, product)

    def two_moment(self, steps: int) -> TwoMoment:
        mu = self.momentum(np.arange(1, steps + 2))
        product = np.cumprod(mu, axis=-1)
        return TwoMoment(
            decay1=self.beta1,
            weight1=1 - self.beta1,
            decay2=self.beta2,
            weight2=1 - self.beta2,
            eps=self.eps,
            shrink=1.0,
            scale_m=self.lr * mu[..., 1:] / (1 - product[..., 1:]),
            scale_g=self.lr * (1 - mu[..., :-1]) / (1 - product[..., :-1]),
            root=1 / np.sqrt(1 - powers(self.beta2, steps)),
        )
