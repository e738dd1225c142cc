"""Explorer of two rules side by side: choose two optimizers, drag the learning rate.

Ours, not the paper's. The runs, the window in which the tooth is measured and the tuned rates are
those of `comparison.study`: ten epochs from x = 3, the second half, every b at its mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from esp_lib import _checks
from esp_lib.comparison.contenders import CONTENDERS
from esp_lib.comparison.study import TuningStudy
from esp_lib.figures import INK, PURPLE, drawable, epoch_lines, label_lines
from esp_lib.optimizers.adaptive import RMSProp
from esp_lib.optimizers.base import Optimizer
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth, measure
from esp_lib.sawtooth.pattern import pattern
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Choice, Field, Number, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPOCHS = 10
EVERY = 5  # steps in a drawn point
RULES = ("SGD", "heavy ball", "Adagrad", "RMSProp", "Adam", "AMSGrad")  # of the contenders
TUNED_AT = 0.999  # beta2, where a rule has one

FIELDS: tuple[Field, ...] = (
    Choice("first", "First rule", RULES),
    Choice("second", "Second rule", RULES),
    Number("rate", "Rate / tuned rate", 0.01, 100, step=0.05, log=True, marks=(1.0,)),
    Number("beta2", "β₂", 0, 1, step=0.001, highOpen=True, marks=(0.8, 0.9, 0.999)),
    Number("seed", "Seed", 0, 2**32 - 1, integer=True),
)

DEFAULTS: Settings = {
    "first": "SGD", "second": "Adam", "rate": 1.0, "beta2": TUNED_AT, "seed": 0,
}  # fmt: skip


class TwoRulesExplorer(Explorer):
    """Loss and tooth of two optimizers, at learning rates in units of their tuned ones.

    Args:
        rates: the tuned learning rate of each of `RULES`, see `tuned_rates`.
        **settings: `first` and `second`, of `RULES`; `rate`, of both, in tuned rates; `beta2`, of
            those that have one; `seed`.

    Raises:
        ValueError: rates that are not those of `RULES`, an unknown setting, or a value that is not
            allowed.
    """

    name = "two-rules"
    script = "comparison/two_rules"
    field_list = FIELDS
    defaults = DEFAULTS
    front = ("first", "second", "rate", "beta2")
    caption = (
        "Training loss of two optimizers on the incremental quadratic problem, each at its own "
        "tuned learning rate. With JavaScript this figure is live."
    )

    def __init__(self, rates: Mapping[str, float], **settings: Any) -> None:
        if set(rates) != set(RULES):
            raise ValueError(f"rates must be of {', '.join(RULES)}, got {', '.join(rates)}")
        self.rates = {
            name: _checks.scalar(f"rates[{name!r}]", rates[name], low=0.0, low_open=True)
            for name in RULES
        }
        self.data = {"rules": {name: self._as_json(name) for name in RULES}}
        super().__init__(**settings)

    @property
    def curves(self) -> tuple[Curve, Curve]:
        """The two runs at the settings in force: loss (steps,)."""
        now: dict[str, Any] = self.settings
        study = TuningStudy(epochs=EPOCHS)
        first, second = (
            study.run(
                rule_of(now[key], now["rate"] * self.rates[now[key]], now["beta2"]),
                [now["seed"]],
                "reshuffle",
            )[0, 0]
            for key in ("first", "second")
        )
        return first, second

    @property
    def found(self) -> tuple[tuple[str, Sawtooth], tuple[str, Sawtooth]]:
        """Of each run the pattern in a word, and the tooth in its second half."""
        teeth = [(curve, measure(curve, skip_epochs=EPOCHS // 2)) for curve in self.curves]
        first, second = ((str(pattern(curve, tooth)), tooth) for curve, tooth in teeth)
        return first, second

    def draw_static(self) -> Axes:
        """Training loss of both against epochs."""
        ax = static_axes("epoch", "training loss")
        for key, curve, color in zip(("first", "second"), self.curves, (INK, PURPLE), strict=True):
            ax.plot(
                curve.epochs(EVERY),
                drawable(curve.every(EVERY)),
                color=color,
                label=str(self.settings[key]),
            )
        ax.set_xlim(0, EPOCHS)
        ax.set_ylim(bottom=0)
        epoch_lines(ax, EPOCHS)
        label_lines(ax)
        return ax

    def _as_json(self, name: str) -> dict[str, Any]:
        """A rule as the simulation in the page names it, with its tuned rate."""
        rule = rule_of(name, self.rates[name], TUNED_AT)
        own: Any = rule
        return {
            "optimizer": type(rule).__name__,
            "beta1": float(getattr(own, "beta1", getattr(own, "momentum", 0.0))),
            "eps": float(getattr(own, "eps", 0.0)),
            "lr": float(own.lr),
            "forgets": has_beta2(rule),
        }


def has_beta2(rule: Optimizer) -> bool:
    """Whether a rule has a beta2 to set."""
    return hasattr(rule, "beta2") or isinstance(rule, RMSProp)


def rule_of(name: str, lr: float, beta2: float) -> Optimizer:
    """One of `RULES` with a learning rate, and with a beta2 if it has one."""
    rule = next(one.rule for one in CONTENDERS if one.name == name)
    changes = {"lr": lr}
    if has_beta2(rule):
        changes["beta" if isinstance(rule, RMSProp) else "beta2"] = beta2
    return replace(rule, **changes)


def tuned_rates() -> dict[str, float]:
    """The learning rate of each of `RULES` that ends ten epochs lowest, at a beta2 of 0.999."""
    study = TuningStudy(epochs=EPOCHS)
    return {name: study.tune(rule_of(name, 1.0, TUNED_AT)).rate for name in RULES}
