"""Two samples that pull one parameter apart: the example of Fig. 12 of Liu and Ma (2025)."""

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks

Array = NDArray[np.float64]


def alternate(
    sequence: str, *, momentum: float = 0.0, lr: float = 1.0, x0: float = 0.5
) -> tuple[Array, Array]:
    """Heavy-ball steps on two samples of one parameter: A has the loss x, B has -x (Fig. 12).

    m <- momentum m + g, x <- x - lr m, with g = 1 for A and -1 for B.

    The sequence has the samples in the order of their visits, such as "ABBA"; x starts at `x0`.

    Returns:
        x and the visited sample's loss, before each update: (visits,) each.

    Raises:
        ValueError: a letter that is neither A nor B, or a momentum outside [0, 1).
    """
    if not isinstance(sequence, str) or not sequence or set(sequence) - set("AB"):
        raise ValueError(
            f"sequence must be made of the letters A and B, got {_checks.shown(sequence)}"
        )
    momentum = _checks.scalar("momentum", momentum, low=0.0, high=1.0, high_open=True)
    lr = _checks.scalar("lr", lr)
    x, m = _checks.scalar("x0", x0), 0.0
    xs, losses = [], []
    for sample in sequence:
        g = 1.0 if sample == "A" else -1.0
        xs.append(x)
        losses.append(g * x)
        m = momentum * m + g
        x -= lr * m
    return np.array(xs), np.array(losses)


def steady_swing(run_length: int, momentum: float, lr: float = 1.0) -> float:
    """How far x swings once it repeats itself, when A and B come in runs of `run_length` visits.

    After each visit of a run, m = ±(1 - 2 momentum^k / (1 + momentum^run_length)) / (1 - momentum),
    k = 1 … run_length; x turns around where m changes its sign.
    """
    n = _checks.integer("run_length", run_length, low=1)
    momentum = _checks.scalar("momentum", momentum, low=0.0, high=1.0, high_open=True)
    lr = _checks.scalar("lr", lr)
    k = np.arange(1, n + 1)
    m = (1 - 2 * momentum**k / (1 + momentum**n)) / (1 - momentum)
    path = np.cumsum(np.concatenate([m, -m]))
    return float(lr * np.ptp(path))
