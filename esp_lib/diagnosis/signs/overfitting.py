"""Overfitting, which is another question than the sawtooth: what the validation loss does."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.signs.grid import median

Array = NDArray[np.float64]


class ValidationRise(NamedTuple):
    """The validation loss after its best."""

    verdict: str  # "rises while training falls", "does not rise" or "cannot tell"
    best_step: float
    rise: float  # mean of the last third minus the best


def overfitting(steps: Array, loss: Array, evaluated: tuple[Array, Array] | None) -> ValidationRise:
    """Does the validation loss rise while the training loss falls?"""
    nan = float("nan")
    if evaluated is None or evaluated[1].size < 4:
        return ValidationRise("cannot tell", nan, nan)
    at, v = evaluated
    best = int(np.argmin(v))
    late = v[v.size - max(2, v.size // 3) :]
    rise = float(late.mean() - v[best])
    after = v[best:]
    if after.size < 3:
        return ValidationRise("does not rise", float(at[best]), rise)
    x = np.arange(after.size) - (after.size - 1) / 2
    slope = float((x * after).sum() / (x**2).sum())
    rest = after - after.mean() - slope * x
    error = float(np.sqrt((rest**2).sum() / max(after.size - 2, 1) / (x**2).sum()))
    change = np.abs(np.diff(v))
    before = loss[(steps <= at[best]) & (steps > 0.7 * at[best])]
    end = loss[steps > steps[-1] - 0.3 * at[best]]
    falls = before.size > 0 and end.size > 0 and end.mean() < before.mean()
    rises = slope > 3 * error and rise > 0.5 * median(change)
    if rises and falls:
        return ValidationRise("rises while training falls", float(at[best]), rise)
    return ValidationRise("cannot tell" if rises else "does not rise", float(at[best]), rise)
