"""Figures of maps: a map in, axes out, in the language of `figures`.

A quantity is coloured in even steps of asinh((value - offset) / knee), which is linear near the
offset and logarithmic far from it. Lightness grows with the value, so that a map can be read
without hues and before a light or a dark page; where the loss ends above its start it is hatched.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib import figures
from esp_lib.maps.grid import FLOOR, Axis, HyperMap, MapConfig

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

COLORS = "cividis"  # J. R. Nuñez, C. R. Anderton, R. S. Renslow, PLoS ONE 13(7), 2018
NAMES = {
    "beta2": "β₂", "beta1": "β₁", "eps": "ε", "lr": "learning rate", "batch_size": "batch size",
}  # fmt: skip
TICKS = {
    "beta2": (0.6, 0.7, 0.8, 0.9, 0.999),
    "beta1": (0.0, 0.2, 0.4, 0.6, 0.8, 0.98),
    "eps": (1e-10, 1e-8, 1e-6, 1e-4, 1e-2),
    "lr": (1e-3, 1e-2, 1e-1, 1.0),
    "batch_size": (20, 50, 100, 200, 500),
}


@dataclass(frozen=True)
class Scale:
    """How a quantity is coloured: by t = asinh((value - offset) / knee), evenly."""

    name: str
    offset: float
    knee: float
    ticks: tuple[float, ...]  # of the colour bar, where they are on it

    def t(self, value: Any) -> Any:
        """The number that is even in colours."""
        return np.arcsinh((np.asarray(value, float) - self.offset) / self.knee)

    def value(self, t: Any) -> Any:
        """The value of such a number."""
        return self.offset + self.knee * np.sinh(t)

    def ends(self, values: Array) -> tuple[float, float]:
        """Where the first and the last colour of a map are, in t; values may be NaN."""
        t = self.t(values[np.isfinite(values)])
        first = max(0.0, float(t.min(initial=np.inf))) if t.size else 0.0
        return first, max(first + 1.0, float(t.max(initial=0.0)))


SCALES = {  # by the field of `HyperMap`
    "amplitude": Scale("settled amplitude", 0.0, 0.01, (0, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)),
    "loss": Scale("final loss", FLOOR, 0.05, (0.85, 0.9, 1, 1.2, 1.5, 2, 3, 5, 7)),
}


def draw_map(found: HyperMap, config: MapConfig, key: str, title: str = "") -> "Axes":
    """One quantity of a map, "amplitude" or "loss", with its colour bar."""
    from matplotlib.colors import FuncNorm

    scale = SCALES[key]
    values: Array = getattr(found, key)
    first, last = scale.ends(values)
    ax = figures.panel(title, xlabel=NAMES[config.x.name], ylabel=NAMES[config.y.name])
    for axis, set_scale, set_ticks in (
        (config.x, ax.set_xscale, ax.set_xticks),
        (config.y, ax.set_yscale, ax.set_yticks),
    ):
        set_scale("linear" if axis.scale == "linear" else "log")
        set_ticks(TICKS[axis.name], labels=[f"{tick:g}" for tick in TICKS[axis.name]])
    ax.minorticks_off()
    ax.patch.set(hatch="//////", hatchcolor=figures.GREY)
    x, y = edges(found.x, config.x), edges(found.y, config.y)
    ax.set(xlim=x[[0, -1]], ylim=y[[0, -1]])
    norm = FuncNorm((scale.t, scale.value), vmin=scale.value(first), vmax=scale.value(last))
    mesh = ax.pcolormesh(x, y, values, norm=norm, cmap=COLORS, rasterized=True, label=scale.name)
    bar: Any = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.outline.set_visible(False)
    shown = [tick for tick in scale.ticks if first - 1e-9 <= scale.t(tick) <= last + 1e-9]
    bar.set_ticks(shown, labels=[f"{tick:g}" for tick in shown])
    bar.ax.minorticks_off()
    bar.ax.tick_params(color=figures.SOFT, labelcolor=figures.INK, labelsize=8)
    return ax


def edges(values: Array, axis: Axis) -> Array:
    """Where cells begin and end, (cells + 1,); batch sizes apart, their middles are the values."""
    if axis.scale == "linear":
        v = np.concatenate([[2 * values[0] - values[1]], values, [2 * values[-1] - values[-2]]])
        return (v[1:] + v[:-1]) / 2
    v = np.concatenate([[values[0] ** 2 / values[1]], values, [values[-1] ** 2 / values[-2]]])
    return 2 * v[1:] * v[:-1] / (v[1:] + v[:-1])
