"""What to change about Adam to have less of the sawtooth, and what each change costs.

Ours, not the paper's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers.adam import Adam, AdamW, AMSGrad
from esp_lib.optimizers.adaptive import RMSProp
from esp_lib.optimizers.base import Optimizer, TwoMoment
from esp_lib.sawtooth.curve import Curve


@dataclass(frozen=True, eq=False)
class LinearDecay(Adam):
    """Adam whose learning rate falls linearly to zero over the run."""

    def two_moment(self, steps: int) -> TwoMoment:
        """Adam's rule, its steps shrinking."""
        rule = super().two_moment(steps)
        return rule._replace(scale_m=rule.scale_m * np.linspace(1, 0, steps, endpoint=False))


class Change(NamedTuple):
    """A rule, and what else a run has other than usual, as `simulate` takes it."""

    rule: Optimizer
    settings: Mapping[str, Any] = MappingProxyType({})


def changes(beta2: float, *, lr: float, beta1: float, eps: float) -> dict[str, Change]:
    """Name -> what is changed about Adam, reshuffled, in batches of 100.

    lr, beta1 and eps are those of the rules where they are not what is changed.
    """
    base: dict[str, Any] = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    adam = Adam(**base)
    return {
        "nothing changed": Change(adam),
        "fixed order": Change(adam, {"order": "fixed"}),
        "with replacement": Change(adam, {"order": "replacement"}),
        "ε = 1e-5": Change(Adam(**base | {"eps": 1e-5})),
        "ε = 1e-3": Change(Adam(**base | {"eps": 1e-3})),
        "β₁ = 0.5": Change(Adam(**base | {"beta1": 0.5})),
        "no momentum (RMSProp)": Change(RMSProp(lr=lr, beta=beta2, eps=eps)),
        "batch × 2": Change(adam, {"batch_size": 200}),
        "batch × 5": Change(adam, {"batch_size": 500}),
        "learning rate / 4": Change(Adam(**base | {"lr": lr / 4})),
        "learning rate → 0": Change(LinearDecay(**base)),
        "weight decay 0.1": Change(AdamW(**base, weight_decay=0.1)),
        "weight decay 1": Change(AdamW(**base, weight_decay=1.0)),
        "AMSGrad": Change(AMSGrad(**base)),
    }


class Ends(NamedTuple):
    """Loss late in a run: in the first and the last tenth of the epoch, and its mean; all (...)."""

    start: Any
    end: Any
    mean: Any


def epoch_ends(curve: Curve, skip_epochs: int) -> Ends:
    """Where the loss starts and ends within an epoch, after so many epochs."""
    late: NDArray[np.float64] = curve.by_epoch()[..., skip_epochs:, :].mean(axis=-2)
    tenth = max(1, late.shape[-1] // 10)
    start, end = late[..., :tenth].mean(axis=-1), late[..., -tenth:].mean(axis=-1)
    return Ends(start, end, late.mean(axis=-1))


class Remedied(NamedTuple):
    """What a change does to the loss within an epoch, mean over problems."""

    start: float
    end: float
    mean: float
    own: Ends | None  # predicted, where the theory covers the rule
    rise_sem: float  # standard error of end - start

    @property
    def rise(self) -> float:
        """How far the loss climbs within an epoch."""
        return self.end - self.start
