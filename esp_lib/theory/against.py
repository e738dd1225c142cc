"""Prediction against simulation, setting by setting: settled loss, amplitude, and the whole curve.

Ours, not the paper's; the settings are those of its Fig. 22.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.notebook.page import like, percent, rounded, short
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.statistics import mean_error
from esp_lib.theory.study import FLOOR, TheoryStudy

EVERY = 10  # steps averaged, where curves are compared
EPOCHS = 10  # of the curves that are compared


class Compared(NamedTuple):
    """One setting, simulated and predicted. Errors are relative, noise is a standard error."""

    order: str
    batch_size: int
    beta2: float
    eps: float
    level: float  # settled loss, simulated
    level_sem: float
    tooth: float  # settled amplitude, simulated
    tooth_sem: float
    own_level: float  # predicted
    own_tooth: float
    level_error: float
    level_noise: float
    tooth_error: float  # of the excess loss, for orders without a tooth
    tooth_noise: float
    curve_rms: float  # root mean square error of the curve

    @property
    def has_tooth(self) -> bool:
        """Whether the order makes one."""
        return self.order in ("reshuffle", "reverse")

    @property
    def drifts(self) -> bool:
        """Whether drift rules: reshuffled, at or below the threshold of beta2."""
        return self.order == "reshuffle" and self.beta2 <= 0.82

    def row(self) -> list[object]:
        """What the table of all settings says of this one."""
        return [
            self.order,
            self.batch_size,
            f"{self.beta2:g}",
            short(self.eps),
            rounded(self.level, self.level_sem),
            like(self.own_level, self.level_sem),
            f"{percent(self.level_error)} ± {100 * self.level_noise:.1f}",
            rounded(self.tooth, self.tooth_sem),
            like(self.own_tooth, self.tooth_sem),
            f"{percent(self.tooth_error)} ± {100 * self.tooth_noise:.1f}",
            f"{100 * self.curve_rms:.1f} %",
        ]


def compare(
    study: TheoryStudy,
    simulated: Curve,
    predicted: Curve,
    *,
    order: str,
    batch_size: int,
    betas: Sequence[float],
    floors: Sequence[float],
) -> list[Compared]:
    """Hold a prediction against runs, for each eps and each beta2.

    `simulated` is loss (seeds, betas, floors, steps), `predicted` (betas, floors, steps), for
    values `betas` of beta2 and `floors` of eps.
    """
    levels, teeth = (mean_error(part(simulated)) for part in (study.level, study.amplitude))
    own_levels, own_teeth = study.level(predicted), study.amplitude(predicted)
    points = slice(0, EPOCHS * simulated.steps_per_epoch // EVERY)
    seen = simulated.every(EVERY)[..., points].mean(axis=0)
    apart = predicted.every(EVERY)[..., points] / seen - 1
    found = []
    for j, eps in enumerate(floors):
        for i, beta2 in enumerate(betas):
            level, level_sem = levels.mean[i, j], levels.error[i, j]
            tooth, tooth_sem = teeth.mean[i, j], teeth.error[i, j]
            scale = abs(tooth) if order in ("reshuffle", "reverse") else level - FLOOR
            one = Compared(
                order,
                batch_size,
                float(beta2),
                float(eps),
                level,
                level_sem,
                tooth,
                tooth_sem,
                own_level=own_levels[i, j],
                own_tooth=own_teeth[i, j],
                level_error=own_levels[i, j] / level - 1,
                level_noise=level_sem / level,
                tooth_error=(own_teeth[i, j] - tooth) / scale,
                tooth_noise=tooth_sem / scale,
                curve_rms=np.sqrt((apart[i, j] ** 2).mean()),
            )
            found.append(one)
    return found


def pick(
    results: Sequence[Compared], field: str, test: Callable[[Compared], bool]
) -> NDArray[np.float64]:
    """One field of all settings that pass a test: (settings,)."""
    return np.array([getattr(one, field) for one in results if test(one)])
