"""Explorer of the n-shaped similarity: edit the vectors, move beta2, see the update turn.

Source: Fig. 16 of Liu and Ma (2025), the 3-dimensional example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.widgets.base import Explorer
from esp_lib.widgets.fallback import Line, line_figure
from esp_lib.widgets.fields import Field, Number, Settings, Vector

POINTS = 101  # values of beta2 from 0 to 1
EPS = 1e-8

FIELDS: tuple[Field, ...] = (
    Number("beta2", "β₂", 0, 1, step=0.01, marks=(0.8, 0.9, 0.999)),
    Number("azimuth", "View from", 0, 360, step=5),
    Vector("gradient", "Gradient", -100, 100),
    Vector("m_hat", "m̂", -100, 100),
    Vector("v_prev", "v before", 0, 100),
    Vector("g_squared", "g²", 0, 100),
)

DEFAULTS: Settings = {
    "beta2": 0.5, "azimuth": 300.0, "gradient": [2.0, 1.0, 2.0], "m_hat": [8.0, -1.0, -2.0],
    "v_prev": [1.0, 1e-4, 1.0], "g_squared": [1.0, 4.0, 1e-4],
}  # fmt: skip


def cosine(settings: Mapping[str, Any], beta2: ArrayLike) -> NDArray[np.float64]:
    """Cosine between m_hat / (sqrt(v) + eps) and the gradient, v = beta2 v_prev + (1 - beta2) g^2.

    Args:
        settings: `gradient`, `m_hat`, `v_prev`, `g_squared`, three numbers each.
        beta2: values of beta2, (...).

    Returns:
        float64 (...); NaN where a vector is zero.
    """
    g, m_hat, v_prev, g2 = (
        np.asarray(settings[name], float) for name in ("gradient", "m_hat", "v_prev", "g_squared")
    )
    b = np.asarray(beta2, float)[..., None]
    u = m_hat / (np.sqrt(b * v_prev + (1 - b) * g2) + EPS)  # (..., 3)
    with np.errstate(invalid="ignore"):
        return (u @ g) / np.sqrt((u * u).sum(-1) * (g @ g))


class SimilarityExplorer(Explorer):
    """Three parameters, one batch: the direction of Adam's update against the gradient.

    Args:
        **settings: `beta2`, `azimuth` (degrees), and three numbers each for `gradient`, `m_hat`,
            `v_prev` and `g_squared`.

    Raises:
        ValueError: an unknown setting, or a value that is not allowed.
    """

    name = "similarity"
    script = "similarity"
    field_list = FIELDS
    defaults = DEFAULTS
    caption = (
        "Cosine between the direction of Adam's update and the gradient of a batch, against β₂, in "
        "the paper's example with three parameters. With JavaScript this figure is live."
    )

    @property
    def cosine(self) -> NDArray[np.float64]:
        """The curve of the explorer: (101,) cosines for beta2 from 0 to 1."""
        return cosine(self.settings, np.linspace(0, 1, POINTS))

    def static_figure(self) -> str:
        """HTML of a figure that stands in where the explorer can't run."""
        line = Line(np.linspace(0, 1, POINTS), self.cosine, "purple", "cosine")
        return line_figure(self.name, [line], "β₂", "cosine similarity", self.caption)
