"""What explorers are made of in tests: runs made up, a map, rates."""

import numpy as np

from esp_lib import Curve
from esp_lib.widgets import Plane, Recording
from esp_lib.widgets.comparison.two_rules import RULES

SERIES = ("MLM loss", "NSP loss")
RATES = dict(zip(RULES, (24.0, 2.4, 1.3, 0.056, 0.075, 0.075), strict=True))


def tooth(epochs=16, per_epoch=252, *, drop=0.25, rise=0.1, noise=0.0, seed=0):
    """A loss that climbs by `rise` through each epoch and falls by `drop` at each boundary.

    The line runs from the epoch's start to its end, each step being at the middle of its time.
    """
    t = np.arange(epochs * per_epoch)
    phase = (t % per_epoch + 0.5) / per_epoch
    loss = 9.0 + rise * phase - (drop - rise) * (t // per_epoch)
    return Curve(loss + noise * np.random.default_rng(seed).normal(size=t.size), per_epoch)


def recordings(count=6, epochs=16, per_epoch=252):
    runs = {}
    for k in range(count):
        curves = [tooth(epochs, per_epoch, noise=0.2, drop=0.1 * n, seed=2 * k + n) for n in (1, 2)]
        steps = np.arange(28, epochs * per_epoch + 1, 28)
        valid = {
            name: (steps, curve.loss[steps - 1]) for name, curve in zip(SERIES, curves, strict=True)
        }
        runs[f"run {'abcdef'[k]}"] = Recording(dict(zip(SERIES, curves, strict=True)), valid)
    return runs


def plane(x, beta2=(0.5, 0.9), fixed=1e-8):
    """A map with an edge at beta2 = 0.81."""
    amplitude = np.where(np.array(beta2)[:, None] < 0.81, 1.0, 0.1) * np.ones(len(x))
    return Plane(np.array(x), np.array(beta2), amplitude, fixed)
