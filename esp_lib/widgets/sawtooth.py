"""Explorer of the sawtooth: the paper's incremental quadratic problem, computed as you drag.

Source: section "Incremental quadratic optimization" of Liu and Ma (2025); presets are the panels
of its Figs. 19, 21 and 22 (`Fig. 19 (a)` and so on).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures import COLORS, drawable, epoch_lines, label_lines
from esp_lib.maps.grid import BATCH_SIZES
from esp_lib.optimizers.adam import Adam
from esp_lib.optimizers.adaptive import RMSProp
from esp_lib.optimizers.base import Optimizer
from esp_lib.optimizers.sgd import SGD
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sampling.orders import ORDERS
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth
from esp_lib.sawtooth.pattern import settled
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Choice, Field, Number, Settings, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FUNCTIONS = DIM = 10_000
EPOCHS = 10
ON = 60  # epochs of the run that goes on; what is said is about its last third

FIELDS: tuple[Field, ...] = (
    Number("beta2", "β₂", 0, 1, step=0.001, highOpen=True, marks=(0.7, 0.78, 0.8, 0.9, 0.999)),
    Number("beta1", "β₁", 0, 1, step=0.01, highOpen=True, marks=(0.1, 0.9)),
    Number("eps", "ε", 1e-12, 1e-2, step=0.1, log=True, marks=(1e-8, 1e-5)),
    Number("lr", "Learning rate", 1e-4, 1e3, step=0.05, log=True, marks=(0.06,)),
    Choice("optimizer", "Optimizer", ("Adam", "RMSProp", "SGD")),
    Choice("order", "Shuffling", ORDERS),
    Choice("batch_size", "Batch size", BATCH_SIZES),
    Choice("every", "Plot every", (1, 2, 5, 10, 20)),
    Number("seed", "Seed", 0, 2**32 - 1, integer=True),
)

DEFAULTS: Settings = {
    "beta2": 0.8, "beta1": 0.9, "eps": 1e-8, "lr": 0.06, "optimizer": "Adam",
    "order": "reshuffle", "batch_size": 100, "every": 10, "seed": 0,
}  # fmt: skip


def presets() -> Iterator[tuple[str, Mapping[str, Value], Mapping[str, Value]]]:
    """Label, changes of the defaults, and what differs in the pinned curve."""
    slow = {"beta2": 0.999}
    for panel, order in zip("abcd", ORDERS, strict=True):
        yield f"Fig. 19 ({panel}), {order}", {"order": order}, slow
    for panel, order in zip("ab", ("reshuffle", "fixed"), strict=True):
        yield (
            f"Fig. 21 ({panel}), RMSProp, {order}",
            {"optimizer": "RMSProp", "order": order},
            {"beta2": 0.99},
        )
    for eps in (1e-8, 1e-5):
        for beta2 in (0.999, 0.9, 0.8, 0.79, 0.78, 0.7):
            label = f"Fig. 22, ε {eps:.0e}, β₂ {beta2}".replace("e-0", "e-")
            yield label, {"eps": eps, "beta2": beta2}, slow if beta2 != 0.999 else {}
    yield "Batch size 200", {"batch_size": 200}, {"batch_size": 100}
    yield "β₁ 0.1", {"beta1": 0.1}, {"beta1": 0.9}


def optimizer_of(settings: Mapping[str, Any]) -> Optimizer:
    """The update rule of some settings: RMSProp's beta is beta2, SGD's momentum is beta1."""
    lr, beta1, beta2, eps = (settings[name] for name in ("lr", "beta1", "beta2", "eps"))
    if settings["optimizer"] == "SGD":
        return SGD(lr=lr, momentum=beta1)
    if settings["optimizer"] == "RMSProp":
        return RMSProp(lr=lr, beta=beta2, eps=eps)
    return Adam(lr=lr, beta1=beta1, beta2=beta2, eps=eps)


class SawtoothExplorer(Explorer):
    """The paper's problem with all its settings, beside a pinned reference curve.

    Args:
        **settings: `beta1`, `beta2`, `eps`, `lr`, `optimizer` ("Adam", "RMSProp", "SGD"), `order`,
            `batch_size`, `every` (plot every), `seed`.

    Example:
        >>> explorer = SawtoothExplorer(beta2=0.9)
        >>> explorer.loss.shape
        (1000,)
    """

    name = "sawtooth"
    script = "sawtooth"
    field_list = FIELDS
    front = ("beta2", "order")
    defaults = DEFAULTS
    preset_list = tuple(presets())
    pinned_at_start: Mapping[str, Value] | None = {"beta2": 0.999}
    caption = (
        "Training loss of the incremental quadratic problem at the settings of the explorer, with "
        "a fainter curve for comparison. With JavaScript this figure is live."
    )

    @property
    def loss(self) -> NDArray[np.float64]:
        """Loss of each step, (steps,): the front end's if it has drawn these settings."""
        if self.plot.result_loss and self.plot.result.get("settings") == self.plot.settings:
            return np.frombuffer(self.plot.result_loss, np.float64)
        return run(self.settings).loss

    @property
    def curve(self) -> Curve:
        """The run at the settings in force, computed by `simulate`."""
        return run(self.settings)

    @property
    def settled(self) -> tuple[str, Sawtooth]:
        """What the explorer says: the pattern in a word, and the tooth once the loss has settled.

        Both are of the last third of a run that goes on for 60 epochs, as in the chapters.
        """
        word, tooth = settled(run(self.settings, epochs=ON))
        return str(word), tooth

    def draw_static(self) -> Axes:
        """Training loss against epochs, and the pinned run's."""
        ax = static_axes("epoch", "training loss")
        for settings, faint in ((self.plot.pinned, True), (self.settings, False)):
            if settings:
                every = int(settings["every"])  # type: ignore[arg-type]
                curve = run(settings)
                ax.plot(
                    curve.epochs(every),
                    drawable(curve.every(every)),
                    alpha=0.55 if faint else 1.0,
                    color=COLORS[color_of(settings)],
                    label=f"β₂ {settings['beta2']}",
                )
        ax.set_xlim(0, EPOCHS)
        ax.set_ylim(bottom=0)
        epoch_lines(ax, EPOCHS)
        label_lines(ax)
        return ax


def color_of(settings: Mapping[str, Any]) -> str:
    """The book's colour of a value of beta2."""
    if settings["optimizer"] == "SGD":
        return "purple"
    colors = {0.999: "blue", 0.99: "blue", 0.9: "orange", 0.8: "green"}
    return colors.get(settings["beta2"], "purple")


def run(settings: Mapping[str, Any], epochs: int = EPOCHS, x0: float = 3.0) -> Curve:
    """The problem trained with some settings; their seed makes the problem and the order."""
    return simulate(
        QuadraticProblem.sample(FUNCTIONS, DIM, seed=settings["seed"]),
        optimizer_of(settings),
        order=settings["order"],
        epochs=epochs,
        batch_size=settings["batch_size"],
        seed=settings["seed"],
        x0=x0,
    )
