"""Figures of the chapter on other optimizers: data in, axes out, in the language of `figures`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.figures.curves import drawable
from esp_lib.figures.style import GRID, INK, SOFT, beta2_color, panel
from esp_lib.optimizers.base import Optimizer
from esp_lib.optimizers.lion import Lion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 0.3  # inches a row
APART = 0.28  # rows between two dots of one row


class Dot(NamedTuple):
    """A measured value in a row, with its confidence interval."""

    mean: float
    half: float  # half the width of the interval
    color: str = INK
    tick: float | None = None  # a second value, drawn as a short stroke
    label: str = "value"  # for the table of what is drawn


def color_of(rule: Optimizer) -> str:
    """The colour of a rule's beta2; ink for rules whose second moment is not such an average."""
    beta2 = getattr(rule, "beta", getattr(rule, "beta2", None))
    return INK if beta2 is None or isinstance(rule, Lion) else beta2_color(beta2)


def rows(dots: Mapping[str, Sequence[Dot]], title: str, xlabel: str) -> "Axes":
    """One row a name, from the top; the dots of a row stand one below the other."""
    ax = panel(title, size=(3.7, 0.8 + ROW * len(dots)))
    for row, several in enumerate(dots.values()):
        ax.axhline(row, color=GRID, linewidth=0.6, zorder=0, label="row")
        first = row - APART * (len(several) - 1) / 2
        for i, dot in enumerate(several):
            y = first + APART * i
            ax.errorbar(
                dot.mean,
                y,
                xerr=dot.half,
                fmt="o",
                color=dot.color,
                markersize=3.5,
                linewidth=1.2,
                label=f"{dot.label}, dot with its interval",
            )
            if dot.tick is not None:
                ax.plot(
                    dot.tick,
                    y,
                    "|",
                    color=dot.color,
                    markersize=7,
                    markeredgewidth=1.4,
                    label=f"{dot.label}, stroke",
                )
    ax.set_yticks(range(len(dots)), list(dots))
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(len(dots) - 0.4, -0.6), xlabel=xlabel)
    return ax


def against_rate(
    lines: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], float, str]],
    title: str,
    ylabel: str,
    ylim: tuple[float, float],
) -> "Axes":
    """A value against the learning rate; each rule's best rate as a dot.

    `lines` are label -> rates (tried,), values (tried,), the best rate, colour; they end where
    they leave `ylim`.
    """
    ax = panel(title, xscale="log", xlabel="learning rate", ylabel=ylabel, ylim=ylim)
    for label, (rates, values, best, color) in lines.items():
        y = drawable(values)
        with np.errstate(invalid="ignore"):
            y = np.where((y >= ylim[0]) & (y <= ylim[1]), y, np.nan)
        ax.plot(rates, y, color=color, label=label, linewidth=1.2)
        at_best = y[np.flatnonzero(rates == best)[0]]
        ax.plot(best, at_best, "o", color=color, markersize=4.5, label=f"{label}, best rate")
    ax.axhline(0, color=SOFT, linewidth=0.8, label="zero")
    return ax
