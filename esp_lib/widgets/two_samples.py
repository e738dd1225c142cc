"""Explorer of the two-sample toy: what re-exposure and momentum do, with two samples.

Source: Fig. 12 of Liu and Ma (2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures import GREY, GRID, label_lines
from esp_lib.mechanism.two_samples import alternate
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Choice, Field, Number, Settings, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPOCHS = 8

FIELDS: tuple[Field, ...] = (
    Choice("sequence", "Sequence", ("AB,BA", "AB,AB")),
    Number("momentum", "Momentum", 0, 1, step=0.05, highOpen=True, marks=(0.5, 0.9)),
    Number("x0", "Start at x", -3, 3, step=0.1),
)

DEFAULTS: Settings = {"sequence": "AB,BA", "momentum": 0.0, "x0": 0.5}


def visits(sequence: str) -> str:
    """The samples visited: "AB,AB" repeats one order, "AB,BA" turns every other epoch round."""
    first, second = sequence.split(",")
    return "".join(second if epoch % 2 else first for epoch in range(EPOCHS))


class TwoSampleExplorer(Explorer):
    """Two samples, A with loss x and B with loss -x, visited in turn.

    Args:
        **settings: `sequence` ("AB,BA" or "AB,AB"), `momentum`, `x0` (where x starts); steps have
            length 1.
    """

    name = "two-samples"
    script = "two_samples"
    field_list = FIELDS
    defaults = DEFAULTS
    preset_list: tuple[tuple[str, Mapping[str, Value], Mapping[str, Value]], ...] = (
        ("Fig. 12, AB,AB, no momentum", {"sequence": "AB,AB", "momentum": 0.0}, {}),
        ("Fig. 12, AB,BA, no momentum", {"sequence": "AB,BA", "momentum": 0.0}, {}),
        ("Fig. 12, AB,BA, momentum", {"sequence": "AB,BA", "momentum": 0.5}, {}),
    )
    caption = (
        "Loss of the visited sample, for two samples that pull one parameter in opposite "
        "directions. With JavaScript this figure is live."
    )

    @property
    def loss(self) -> NDArray[np.float64]:
        """Loss at each visit, (visits,)."""
        chosen: Mapping[str, Any] = self.settings
        sequence = visits(chosen["sequence"])
        return alternate(sequence, momentum=chosen["momentum"], x0=chosen["x0"])[1]

    def draw_static(self) -> Axes:
        """Loss of the visited sample against visits."""
        ax = static_axes("visit", "loss of the visited sample")
        for boundary in np.arange(2.5, 2 * EPOCHS, 2):
            ax.axvline(boundary, color=GRID, linewidth=0.8, zorder=0, label="end of an epoch")
        label = str(self.settings["sequence"])
        ax.plot(np.arange(1, 2 * EPOCHS + 1), self.loss, color=GREY, label=label)
        label_lines(ax)
        return ax
