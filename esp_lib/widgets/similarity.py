"""Explorer of the n-shaped similarity: edit the vectors, move beta2, see the update turn.

Source: Fig. 16 of Liu and Ma (2025), the 3-dimensional example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures import PURPLE, label_lines
from esp_lib.mechanism.batches import EXAMPLE, update_similarity
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Field, Number, Settings, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 101  # values of beta2 from 0 to 1
EPS = 1e-8

FIELDS: tuple[Field, ...] = (
    Number("beta2", "β₂", 0, 1, step=0.01, marks=(0.8, 0.9, 0.999)),
    Number("azimuth", "View from", 0, 360, step=5),
    Vector("gradient", "Gradient", -100, 100),
    Vector("m", "m", -100, 100),
    Vector("v_before", "v before", 0, 100),
    Vector("g_squared", "g²", 0, 100),
)

DEFAULTS: Settings = {
    "beta2": 0.5,
    "azimuth": 300.0,
    **{
        name: [float(value) for value in vector]
        for name, vector in zip(("gradient", "m", "v_before", "g_squared"), EXAMPLE, strict=True)
    },
}


class SimilarityExplorer(Explorer):
    """Three parameters, one batch: the direction of Adam's update against the gradient.

    Args:
        **settings: `beta2`, `azimuth` (degrees), and three numbers each for `gradient`, `m`,
            `v_before` and `g_squared`.
    """

    name = "similarity"
    script = "similarity"
    field_list = FIELDS
    defaults = DEFAULTS
    caption = (
        "Cosine between one step of Adam and the gradient of a batch, against β₂, in "
        "the paper's example with three parameters. With JavaScript this figure is live."
    )

    @property
    def cosine(self) -> NDArray[np.float64]:
        """The curve of the explorer: (101,) cosines for beta2 from 0 to 1."""
        now: Mapping[str, Any] = self.settings
        beta2 = np.linspace(0, 1, POINTS)
        with np.errstate(invalid="ignore"):
            return update_similarity(
                now["gradient"], now["m"], now["v_before"], now["g_squared"], beta2, EPS
            )[1]

    def draw_static(self) -> Axes:
        """The cosine of update and gradient against beta2."""
        ax = static_axes("β₂", "cosine similarity")
        ax.plot(np.linspace(0, 1, POINTS), self.cosine, color=PURPLE, label="of Δθ and ∇l")
        label_lines(ax)
        return ax
