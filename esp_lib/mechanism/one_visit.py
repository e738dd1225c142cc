"""What Adam does to one coordinate after its sample has visited it once, and then waits.

Ours, not the paper's. A visit with gradient g leaves m = (1 - beta1) g and v = (1 - beta2) g^2, if
both were zero before and bias correction is over. While nothing comes, m and v decay and x moves
each step by

    lr m beta1^k / (sqrt(v beta2^k) + eps),    k = 0, 1, 2, ...

As long as eps is small beside the root, each step is beta1 / sqrt(beta2) times the one before: the
push dies out if beta2 > beta1^2, and grows if beta2 < beta1^2 until the root has fallen to eps.
"""

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks


def pushes(
    beta1: float, beta2: float, eps: float, gradient: float, steps: int = 300
) -> NDArray[np.float64]:
    """Each step's length after one visit, in learning rates: (steps,).

    Raises:
        ValueError: a beta outside [0, 1), a gradient that is not above zero.
    """
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= float(_checks.real(name, beta)) < 1:
            raise ValueError(f"{name} must be a number in [0, 1), got {beta}")
    if not float(_checks.real("gradient", gradient)) > 0:
        raise ValueError(f"gradient must be a number above 0, got {gradient}")
    k = np.arange(_checks.integer("steps", steps, low=1))
    root = np.sqrt((1 - beta2) * beta2**k) * gradient
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - beta1) * beta1**k * gradient / (root + eps)
