"""The epochal sawtooth phenomenon: simulate it, measure it, explain it.

Companion to Q. Liu and W. Ma, "The Epochal Sawtooth Phenomenon: Unveiling Training Loss
Oscillations in Adam and Other Optimizers", Neural Processing Letters 57(3), 2025,
doi 10.1007/s11063-025-11776-4.
"""

from esp_lib.curve import Curve
from esp_lib.optimizers import SGD, Adam, AdamW, AMSGrad, NAdam, Optimizer, RMSProp
from esp_lib.orders import make_order
from esp_lib.quadratic import QuadraticProblem, simulate
from esp_lib.sawtooth import Sawtooth, measure

__version__ = "0.1.0"

__all__ = [
    "SGD", "AMSGrad", "Adam", "AdamW", "Curve", "NAdam", "Optimizer", "QuadraticProblem",
    "RMSProp", "Sawtooth", "make_order", "measure", "simulate",
]  # fmt: skip
