"""Explorer of a network that trains while you watch: chapter 1's, small, in the reader's browser.

The cliff is in the log and not in the network: beside the logged loss stand the loss on a fixed
part of the training set and the loss on held-out examples. `small_network` has the mathematics.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures import COLORS, GREY, INK, epoch_lines, label_lines
from esp_lib.small_network import EPOCHS, VOCABULARY, SmallConfig, SmallRun, text_numbers, train
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Field, Number, Settings, Switch
from esp_lib.widgets.sawtooth import color_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = 5  # steps in a drawn point

FIELDS: tuple[Field, ...] = (
    Number("beta2", "β₂", 0, 1, step=0.001, highOpen=True, marks=(0.8, 0.9, 0.999)),
    Switch("shuffle", "Reshuffle each epoch"),
    Switch("fresh", "Fresh data each epoch"),
    Number("eps", "ε", 1e-12, 1e-2, step=0.1, log=True, marks=(1e-8,)),
    Number("lr", "Learning rate", 1e-4, 1e-1, step=0.05, log=True, marks=(5e-3,)),
    Number("seed", "Seed", 0, 2**32 - 1, integer=True),
)

DEFAULTS: Settings = {
    "beta2": 0.999, "shuffle": True, "fresh": False, "eps": 1e-8, "lr": 5e-3, "seed": 0,
}  # fmt: skip


class NetworkExplorer(Explorer):
    """A next-word network that is trained while it is looked at.

    Args:
        **settings: `beta2`, `eps`, `lr`, `shuffle` (a new order each epoch), `fresh` (new examples
            each epoch), `seed`.
    """

    name = "network"
    script = "network/network"
    field_list = FIELDS
    defaults = DEFAULTS
    front = ("beta2", "shuffle", "fresh")
    caption = (
        "Losses of a small network in training: of each batch as it is logged, of a fixed part of "
        "the training set, and of held-out examples. With JavaScript it trains live, as you watch."
    )

    def __init__(self, **settings: Any) -> None:
        self.data = {"text": packed_text(), "words": VOCABULARY + 1}
        super().__init__(**settings)

    @property
    def run(self) -> SmallRun:
        """The three losses at the settings in force, trained here and now."""
        return train(SmallConfig(**self.settings))  # type: ignore[arg-type]

    @property
    def loss(self) -> NDArray[np.float64]:
        """The logged loss, (steps,)."""
        return self.run.training.loss

    def draw_static(self) -> Axes:
        """The three losses against epochs."""
        ax = static_axes("epoch", "loss (nats)")
        run = self.run
        color = COLORS[color_of({**self.settings, "optimizer": "Adam"})]
        logged = run.training
        ax.plot(logged.epochs(DRAWN), logged.every(DRAWN), color=color, label="logged")
        for curve, shade, label in (
            (run.seen, INK, "fixed part"), (run.held_out, GREY, "held out"),
        ):  # fmt: skip
            ax.plot(curve.epochs(1), curve.loss, color=shade, label=label)
        ax.set_xlim(0, EPOCHS)
        ax.set_ylim(bottom=0)
        epoch_lines(ax, EPOCHS)
        label_lines(ax)
        return ax


@cache
def packed_text() -> str:
    """The text as word numbers of two bytes, low byte first, in base64."""
    return base64.b64encode(text_numbers().astype("<u2").tobytes()).decode()
