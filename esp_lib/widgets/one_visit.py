"""Explorer of one coordinate after one visit: does the push die out, or grow?

beta2 = beta1^2 divides the two; `mechanism.one_visit` has the mathematics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures import PURPLE, label_lines
from esp_lib.mechanism.one_visit import pushes
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Field, Number, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIELDS: tuple[Field, ...] = (
    Number("beta1", "β₁", 0, 1, step=0.005, highOpen=True, marks=(0.9,)),
    Number("beta2", "β₂", 0, 1, step=0.005, highOpen=True, marks=(0.8, 0.81, 0.9, 0.999)),
    Number("eps", "ε", 1e-12, 1e-2, step=0.1, log=True, marks=(1e-8, 1e-5)),
    Number("gradient", "Gradient", 1e-4, 1, step=0.1, log=True),
)

DEFAULTS: Settings = {"beta1": 0.9, "beta2": 0.8, "eps": 1e-8, "gradient": 0.02}


class OneVisitExplorer(Explorer):
    """How far Adam moves a coordinate in each step after its one visit.

    Args:
        **settings: `beta1`, `beta2`, `eps`, `gradient` (of the visit).
    """

    name = "one-visit"
    script = "one_visit"
    field_list = FIELDS
    defaults = DEFAULTS
    front = ("beta1", "beta2")
    caption = (
        "Length of each step that Adam takes on a coordinate after one visit, in learning rates. "
        "With JavaScript this figure is live."
    )

    @property
    def pushes(self) -> NDArray[np.float64]:
        """Each step's length, in learning rates: (300,)."""
        now: dict[str, Any] = self.settings
        return pushes(**now)

    def draw_static(self) -> Axes:
        """Length of the steps against steps since the visit."""
        ax = static_axes("steps since the visit", "step (learning rates)")
        ax.plot(self.pushes, color=PURPLE, label=f"β₂ {self.settings['beta2']}")
        ax.set_ylim(bottom=0)
        label_lines(ax)
        return ax
