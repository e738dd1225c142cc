"""Schedule-free AdamW.

Source: Defazio et al. (arXiv 2405.15682), Algorithm 1 without warm-up. `simulate` runs its textbook
`update`.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.optimizers.base import Array, Hyper, Optimizer


class ScheduleFreeState(NamedTuple):
    """What schedule-free AdamW carries; z, average and v have the shape of x."""

    t: int  # steps done
    z: Array  # the fast sequence, which the gradients move
    average: Array  # of z, the paper's x: what training hands over in the end
    v: Array
    weight_sum: Hyper  # of the weights that z has had in the average


@dataclass(frozen=True, eq=False)
class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW: gradients are taken between a fast sequence z and its average.

    The parameters that `update` takes and returns, and whose loss is logged, are the paper's y =
    (1 - beta1) z + beta1 average; beta1 does the work of momentum.
    """

    lr: Hyper = 2.5e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0

    two_moment_form: ClassVar[bool] = False

    def init(self, x: ArrayLike) -> ScheduleFreeState:
        start = np.array(x, dtype=np.float64)
        return ScheduleFreeState(0, start, start, np.zeros(start.shape), 0.0)

    def update(
        self, g: Array, state: ScheduleFreeState, x: Array
    ) -> tuple[Array, ScheduleFreeState]:
        t = state.t + 1
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        weight = 1 - self.beta2**t  # the squared learning rate, over lr^2
        z = state.z - self.lr * np.sqrt(weight) * (
            g / (np.sqrt(v) + self.eps) + self.weight_decay * x
        )
        weight_sum = state.weight_sum + weight
        share = weight / weight_sum
        average = (1 - share) * state.average + share * z
        y = (1 - self.beta1) * z + self.beta1 * average
        return y, ScheduleFreeState(t, z, average, v, weight_sum)
