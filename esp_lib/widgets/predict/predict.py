"""Explorer of the map that predicts: drag a setting, see the tooth predicted and simulated.

Ours, not the paper's. The prediction is `theory.prediction.predict`, run in the page over Sobol
points that travel with it; the simulation is one random problem of the paper's size. Runs start
near the minima and are measured as those of `theory.maps`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.figures import GREY, INK, epoch_lines, label_lines
from esp_lib.optimizers.adam import Adam
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth, measure
from esp_lib.theory.maps import BLOWN_UP, EPOCHS, SKIP
from esp_lib.theory.prediction import class_shares, draw_classes, predict
from esp_lib.theory.study import level_floor
from esp_lib.widgets.base import Explorer, shown, static_axes
from esp_lib.widgets.fields import Choice, Field, Number, Settings
from esp_lib.widgets.maps.maps import ramp, three_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

FUNCTIONS, BATCH, LR = 10_000, 100, 0.06
PER_EPOCH = FUNCTIONS // BATCH
SIZES = (1, 2, 3, 4, 5)  # functions on a coordinate: all but 0.4 % of the functions
POINTS = 256  # Sobol points of the two most frequent classes
BIN = 5  # steps in a drawn point
PLANES = ("β₁ and β₂", "ε and β₂")

FIELDS: tuple[Field, ...] = (
    Choice("plane", "Map", PLANES),
    Number("beta1", "β₁", 0, 1, step=0.005, highOpen=True, marks=(0.9,)),
    Number("beta2", "β₂", 0, 1, step=0.005, highOpen=True, marks=(0.8, 0.9, 0.999)),
    Number("eps", "ε", 1e-13, 1e-2, step=0.1, log=True, marks=(1e-8, 1e-5)),
    Number("seed", "Seed", 0, 2**32 - 1, integer=True),
)

DEFAULTS: Settings = {"plane": PLANES[0], "beta1": 0.9, "beta2": 0.8, "eps": 1e-8, "seed": 0}


@dataclass(frozen=True, eq=False)
class Plane:
    """A map of predicted amplitudes, behind the point that is dragged."""

    x: Array  # (columns,) beta1, or eps, evenly spaced (eps in its logarithm)
    beta2: Array  # (rows,) evenly spaced
    amplitude: Array  # (rows, columns) as predicted
    fixed: float  # the eps, or the beta1, of all of them


class PredictExplorer(Explorer):
    """Predicted and simulated tooth at a setting of Adam that is dragged over a map.

    Args:
        betas: amplitudes over beta1 and beta2.
        floors: amplitudes over eps and beta2.
        **settings: `plane` ("β₁ and β₂" or "ε and β₂"), `beta1`, `beta2`, `eps`, `seed` (of the
            simulated problem).
    """

    name = "predict"
    script = "predict/predict"
    field_list = FIELDS
    defaults = DEFAULTS
    front = ("plane", "beta1", "beta2", "eps")
    caption = (
        "Settled training loss along an epoch, drawn twice, predicted and simulated, at the "
        "settings of the explorer. With JavaScript this figure is live, beside a map to drag over."
    )

    def __init__(self, betas: Plane, floors: Plane, **settings: Any) -> None:
        for name, plane in (("betas", betas), ("floors", floors)):
            _checks.instance(name, plane, Plane)
        self.data = {
            "planes": [
                _as_json(betas, "beta1", "β₁", f"ε = {shown(betas.fixed)}"),
                _as_json(floors, "eps", "ε", f"β₁ = {shown(floors.fixed)}"),
            ],
            "ramp": ramp(),
            "classes": packed_classes(),
        }
        super().__init__(**settings)

    @property
    def predicted(self) -> Curve:
        """The predicted loss of each step, (steps,)."""
        return predict(self._rule(), epochs=EPOCHS, x0=0.0, groups=SIZES, points=POINTS)

    @property
    def simulated(self) -> Curve:
        """The loss of each step of one random problem, (steps,), every b at its mean."""
        seed = int(self.settings["seed"])  # type: ignore[arg-type]
        problem = level_floor(QuadraticProblem.sample(seed=seed))
        return simulate(problem, self._rule(), epochs=EPOCHS, batch_size=BATCH, seed=seed, x0=0.0)

    @property
    def teeth(self) -> tuple[Sawtooth, Sawtooth]:
        """The settled tooth, predicted and simulated."""
        return tuple(  # type: ignore[return-value]
            measure(curve, skip_epochs=SKIP) for curve in (self.predicted, self.simulated)
        )

    def draw_static(self) -> Axes:
        """Settled loss against the phase of the epoch, drawn twice, predicted and simulated."""
        ax = static_axes("phase, one epoch twice", "training loss")
        at = (np.arange(2 * PER_EPOCH // BIN) + 0.5) * BIN / PER_EPOCH
        for curve, label, look in (
            (self.simulated, "simulated", {"color": GREY, "linewidth": 4, "alpha": 0.55}),
            (self.predicted, "predicted", {"color": INK, "linewidth": 1.4}),
        ):
            ax.plot(at, np.tile(fold(curve), 2), label=label, **look)  # type: ignore[arg-type]
        ax.set_xlim(0, 2)
        epoch_lines(ax, 2)
        label_lines(ax)
        return ax

    def _rule(self) -> Adam:
        now: dict[str, Any] = self.settings
        return Adam(lr=LR, beta1=now["beta1"], beta2=now["beta2"], eps=now["eps"])


def fold(curve: Curve) -> Array:
    """Settled loss at each phase of an epoch: (steps an epoch / BIN,)."""
    late = curve.by_epoch()[SKIP:].mean(axis=0)
    mean: Array = late.reshape(-1, BIN).mean(axis=1)
    return mean


@cache
def packed_classes() -> list[dict[str, Any]]:
    """The Sobol points of each class as they travel: numbers in base64, low byte first.

    `a` and `c` are doubles; a visit of function i at step t is the 16-bit integer 8 t + i.
    """
    shares = class_shares(SIZES, FUNCTIONS, FUNCTIONS)
    classes = draw_classes("reshuffle", SIZES, EPOCHS, PER_EPOCH, POINTS)
    return [
        {
            "k": k,
            "share": float(share),
            "a": _base64(one.a.astype("<f8")),
            "c": _base64(one.c.astype("<f8")),
            "visits": _base64((8 * one.when + one.who).astype("<u2")),
        }
        for k, share, one in zip(SIZES, shares, classes, strict=True)
    ]


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _as_json(plane: Plane, setting: str, name: str, fixed: str) -> dict[str, Any]:
    """A map as it travels; what has blown up has the largest amplitude that is coloured."""
    with np.errstate(invalid="ignore"):
        tame = (plane.amplitude > 0) & (plane.amplitude < BLOWN_UP)
    return {
        "setting": setting,
        "name": name,
        "fixed": fixed,
        "x": plane.x.tolist(),
        "y": plane.beta2.tolist(),
        "values": three_digits(np.where(tame, plane.amplitude, BLOWN_UP)),
    }
