"""Explorer of the reason: how stale the functions of a batch are along the epoch, beside the loss.

The staleness of a visit is the number of steps since the same function was visited last. At step
q of an epoch of T steps (counted from 0) its mean is q + (T + 1) / 2 under reshuffling, T in a
fixed order and 2 q + 1 when each epoch runs backwards; with replacement it has no phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures import PURPLE, label_lines
from esp_lib.sampling.orders import ORDERS, make_order
from esp_lib.sawtooth.curve import Curve
from esp_lib.theory.staleness import observed_staleness
from esp_lib.widgets import sawtooth
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Choice, Field, Number, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SKIP = 4  # epochs from x = 0 until the tooth is settled

FIELDS: tuple[Field, ...] = (
    Choice("order", "Shuffling", ORDERS),
    Number("beta2", "β₂", 0, 1, step=0.001, highOpen=True, marks=(0.7, 0.78, 0.8, 0.9, 0.999)),
    Number("beta1", "β₁", 0, 1, step=0.01, highOpen=True, marks=(0.1, 0.9)),
    Choice("batch_size", "Batch size", (50, 100, 200, 400)),
    Number("seed", "Seed", 0, 2**32 - 1, integer=True),
)

DEFAULTS: Settings = {
    "order": "reshuffle", "beta2": 0.8, "beta1": 0.9, "batch_size": 100, "seed": 0,
}  # fmt: skip


class WhyExplorer(Explorer):
    """Staleness of a batch along the epoch, and the loss that goes with it, for Adam.

    Args:
        **settings: `order`, `beta2`, `beta1`, `batch_size`, `seed`.
    """

    name = "why"
    script = "why"
    field_list = FIELDS
    front = ("order", "beta2")
    defaults = DEFAULTS
    caption = (
        "Mean number of steps since the functions of a batch were last visited, against the step "
        "of the epoch. With JavaScript this figure is live, and shows the loss beside it."
    )

    @property
    def curve(self) -> Curve:
        """The run at the settings in force, from x = 0, near the minima, by `simulate`."""
        return sawtooth.run({**sawtooth.DEFAULTS, **self.settings}, x0=0.0)

    @property
    def loss(self) -> NDArray[np.float64]:
        """Loss of each step, (steps,)."""
        return self.curve.loss

    @property
    def staleness(self) -> NDArray[np.float64]:
        """Mean staleness of each step's batch, (steps,); NaN where nothing was visited before."""
        chosen: Mapping[str, Any] = self.settings
        order = make_order(
            chosen["order"],
            num_functions=sawtooth.FUNCTIONS,
            epochs=sawtooth.EPOCHS,
            batch_size=chosen["batch_size"],
            seed=chosen["seed"],
        )
        seen = observed_staleness(order, chosen["batch_size"]).reshape(-1, chosen["batch_size"])
        with np.errstate(invalid="ignore"):
            return seen.sum(axis=1) / (seen > 0).sum(axis=1)

    def draw_static(self) -> Axes:
        """Mean staleness against the step of the epoch."""
        per_epoch = sawtooth.FUNCTIONS // int(self.settings["batch_size"])  # type: ignore[arg-type]
        folded = self.staleness.reshape(-1, per_epoch)[SKIP:].mean(axis=0)
        ax = static_axes("step of the epoch", "staleness (steps)")
        ax.plot(np.arange(per_epoch), folded, color=PURPLE, label=str(self.settings["order"]))
        ax.set_ylim(bottom=0)
        label_lines(ax)
        return ax
