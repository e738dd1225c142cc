"""The epochal sawtooth phenomenon: simulate it, measure it, explain it.

Companion to Q. Liu and W. Ma, "The Epochal Sawtooth Phenomenon: Unveiling Training Loss
Oscillations in Adam and Other Optimizers", Neural Processing Letters 57(3), 2025,
doi 10.1007/s11063-025-11776-4.
"""

from esp_lib.curve import Curve
from esp_lib.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    NAdam,
    Nesterov,
    Optimizer,
    RMSProp,
)
from esp_lib.optimizers_other import Adafactor, AdafactorMatrix, AdamMini, Lion, ScheduleFreeAdamW
from esp_lib.orders import make_order
from esp_lib.quadratic import QuadraticProblem, simulate
from esp_lib.sawtooth import Sawtooth, measure

__version__ = "0.1.0"

__all__ = [
    "SGD", "AMSGrad", "Adafactor", "AdafactorMatrix", "Adagrad", "Adam", "AdamMini", "AdamW",
    "Curve", "Lion", "NAdam", "Nesterov", "Optimizer", "QuadraticProblem", "RMSProp", "Sawtooth",
    "ScheduleFreeAdamW", "make_order", "measure", "simulate",
]  # fmt: skip
