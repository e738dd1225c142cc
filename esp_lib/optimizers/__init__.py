"""Update rules: Adam and its kin, SGD, and what chapter 9 compares them with."""

from esp_lib.optimizers.adam import Adam, AdamW, AMSGrad, NAdam
from esp_lib.optimizers.adaptive import Adagrad, RMSProp
from esp_lib.optimizers.base import Optimizer
from esp_lib.optimizers.lion import Lion
from esp_lib.optimizers.memory_efficient import Adafactor, AdafactorMatrix, AdamMini
from esp_lib.optimizers.schedule_free import ScheduleFreeAdamW
from esp_lib.optimizers.sgd import SGD, Nesterov

__all__ = [
    "SGD", "AMSGrad", "Adafactor", "AdafactorMatrix", "Adagrad", "Adam", "AdamMini", "AdamW",
    "Lion", "NAdam", "Nesterov", "Optimizer", "RMSProp", "ScheduleFreeAdamW",
]  # fmt: skip
