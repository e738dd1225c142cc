"""The epochal sawtooth phenomenon: simulate it, measure it, explain it, find it in a run.

Companion to Q. Liu and W. Ma, "The Epochal Sawtooth Phenomenon: Unveiling Training Loss
Oscillations in Adam and Other Optimizers", Neural Processing Letters 57(3), 2025,
doi 10.1007/s11063-025-11776-4.
"""

from esp_lib.diagnosis.diagnosis import Diagnosis, diagnose
from esp_lib.logs.read import read_log
from esp_lib.optimizers.adam import Adam, AdamW, AMSGrad, NAdam
from esp_lib.optimizers.adaptive import Adagrad, RMSProp
from esp_lib.optimizers.base import Optimizer
from esp_lib.optimizers.lion import Lion
from esp_lib.optimizers.memory_efficient import Adafactor, AdafactorMatrix, AdamMini
from esp_lib.optimizers.schedule_free import ScheduleFreeAdamW
from esp_lib.optimizers.sgd import SGD, Nesterov
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sampling.orders import make_order
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth, measure

__version__ = "0.1.0"

__all__ = [
    "SGD", "AMSGrad", "Adafactor", "AdafactorMatrix", "Adagrad", "Adam", "AdamMini", "AdamW",
    "Curve", "Diagnosis", "Lion", "NAdam", "Nesterov", "Optimizer", "QuadraticProblem", "RMSProp",
    "Sawtooth", "ScheduleFreeAdamW", "diagnose", "make_order", "measure", "read_log", "simulate",
]  # fmt: skip
