"""Which optimizers chapter 9 compares, and what each is tuned over."""

from dataclasses import replace
from typing import NamedTuple

from esp_lib.optimizers.adam import Adam, AdamW, AMSGrad, NAdam
from esp_lib.optimizers.adaptive import Adagrad, RMSProp
from esp_lib.optimizers.base import Optimizer
from esp_lib.optimizers.lion import Lion
from esp_lib.optimizers.memory_efficient import Adafactor, AdafactorMatrix, AdamMini
from esp_lib.optimizers.schedule_free import ScheduleFreeAdamW
from esp_lib.optimizers.sgd import SGD, Nesterov

FORGETFUL = 0.8  # the paper's small beta2, beside each rule's default


class Contender(NamedTuple):
    """A rule of the comparison; its learning rate is tuned."""

    name: str
    rule: Optimizer
    why: str  # what it is on this problem, and whether that makes sense
    forgetful: Optimizer | None = None  # the same with beta2 = 0.8, where it has a beta2


def _pair(name: str, rule: Optimizer, why: str) -> Contender:
    beta2 = "beta" if isinstance(rule, RMSProp) else "beta2"
    return Contender(name, rule, why, replace(rule, **{beta2: FORGETFUL}))


CONTENDERS = (
    Contender("SGD", SGD(), "Moves only the coordinates that the batch touches."),
    Contender(
        "heavy ball", SGD(momentum=0.9), "Momentum 0.9: moves on after a visit, ever more slowly."
    ),
    Contender("Nesterov", Nesterov(), "Momentum 0.9 with a look ahead; all but heavy ball here."),
    Contender(
        "Adagrad", Adagrad(), "Divides by all past gradients: the rate of each coordinate decays."
    ),
    _pair("RMSProp", RMSProp(), "No momentum and no bias correction, as in the paper's code."),
    _pair("Adam", Adam(), "Momentum over second moment; the paper's subject."),
    _pair("AdamW", AdamW(), "Adam that pulls towards 0 by 0.01 lr; the minima lie around 0."),
    _pair("AMSGrad", AMSGrad(), "Adam whose second moment never falls."),
    _pair("NAdam", NAdam(), "Adam with Nesterov momentum."),
    _pair(
        "Adam-mini", AdamMini(),
        "A second moment for 100 coordinates together, the 10,000 laid out in 100 rows. By its own "
        "rule (one for each dense block of the Hessian) it would be Adam here.",
    ),
    Contender(
        "Adafactor", Adafactor(), "No momentum; on a vector it does not factor the second moment."
    ),
    Contender(
        "Adafactor, 100 x 100", AdafactorMatrix(),
        "Coordinates laid out as a matrix, so that it factors; rows and columns mean nothing here.",
    ),
    Contender("Lion", Lion(), "Every step is the learning rate or nothing; betas 0.9 and 0.99."),
    _pair(
        "schedule-free AdamW", ScheduleFreeAdamW(),
        "No weight decay, so schedule-free Adam. Logged where gradients are taken, between a fast "
        "sequence and its average.",
    ),
)  # fmt: skip


def label_of(key: tuple[str, bool]) -> str:
    """The name of a setting (name, whether its beta2 is the small one), which the label says."""
    return f"{key[0]} at {FORGETFUL:g}" if key[1] else key[0]
