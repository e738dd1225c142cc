"""Figures of the theory beside the simulation, in the language of `figures`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import figures
from esp_lib.theory.maps import BLOWN_UP, AmplitudeMap, tame
from esp_lib.theory.remedies import Remedied
from esp_lib.theory.study import FLOOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Line = tuple[ArrayLike, ArrayLike, str]  # x, y, style

MAP_SIZE = (3.7, 3.1)  # inches
LINES = {"-": "β₂ = β₁²", "--": "K* = T", ":": "K* = 2T"}  # on maps, by their style


def plain_log(ax: "Axes", ticks: Sequence[float]) -> None:
    """A logarithmic loss axis with plain numbers."""
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


def broad_and_thin(
    ax: "Axes",
    x: ArrayLike,
    simulated: ArrayLike,
    predicted: ArrayLike,
    color: str,
    label: str,
    *,
    broad: float = 3,
    thin: float = 1,
) -> None:
    """A prediction as a thin line inside what was simulated, a broad pale one; all (points,).

    The label is of the thin line, the predicted one; the broad one is named so too, with ",
    simulated".
    """
    ax.plot(x, simulated, color=color, linewidth=broad, alpha=0.35, label=f"{label}, simulated")
    ax.plot(x, predicted, color=color, linewidth=thin, label=label)


def draw_maps(
    found: AmplitudeMap, x: Array, y: Array, lines: Sequence[Line], x_label: str, *, log_x: bool
) -> list["Axes"]:
    """Three panels of amplitudes: simulated, predicted, and the difference in per cent.

    `found` are amplitudes (rows, columns) over `x` (columns,) and beta2, `y` (rows,); `lines`
    are drawn over each in a style of `LINES`.
    """
    import matplotlib as mpl

    simulated, own = found.simulated, found.predicted
    difference = 100 * np.where(tame(simulated), own / simulated - 1, np.nan)
    grey = mpl.colormaps["RdBu_r"].with_extremes(bad="#8a8a8a")
    logarithm = "decimal logarithm of the amplitude"
    axes = []
    for title, values, reach, colors, label in (
        ("(a) simulated amplitude", _shade(simulated), 2, "cividis", logarithm),
        ("(b) predicted amplitude", _shade(own), 2, "cividis", logarithm),
        ("(c) predicted − simulated, %", difference, 30, grey, "per cent"),
    ):
        ax = figures.panel(title, size=MAP_SIZE)
        bar = _draw_map(ax, x, y, values, log_x, vmin=-reach, vmax=reach, cmap=colors, label=label)
        if label == logarithm:
            bar.set_ticks(np.arange(-2, 3), labels=["0.01", "0.1", "1", "10", "100 +"])
        ink = "#1a1a1a" if label == "per cent" else "#fefefe"
        for line_x, line_y, style in lines:
            ax.plot(line_x, line_y, style, color=ink, linewidth=1.4, label=LINES[style])
        ax.set(xlabel=x_label, ylabel="β₂")
        axes.append(ax)
    return axes


def _draw_map(ax: "Axes", x: Array, y: Array, values: Array, log_x: bool, **look: Any) -> Any:
    """A heat map; its colour bar is returned."""
    edges_x = 10 ** _edges(np.log10(x)) if log_x else _edges(x)
    edges_y = _edges(y)
    mesh = ax.pcolormesh(edges_x, edges_y, values, rasterized=True, **look)
    if log_x:
        ax.set_xscale("log")
    bar: Any = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(color=figures.SOFT, labelcolor=figures.INK, labelsize=8)
    ax.set(xlim=(edges_x[0], edges_x[-1]), ylim=(edges_y[0], edges_y[-1]))
    return bar


def _edges(values: Array) -> Array:
    """Where cells begin and end: (n,) -> (n + 1,)."""
    ends = 1.5 * values[[0, -1]] - 0.5 * values[[1, -2]]
    return np.concatenate([ends[:1], (values[1:] + values[:-1]) / 2, ends[1:]])


def _shade(teeth: Array) -> Array:
    """Decimal logarithm of the amplitude; that of 100 where training has blown up."""
    return np.log10(np.where(tame(teeth), teeth, BLOWN_UP))


def draw_cut(
    title: str,
    found: AmplitudeMap,
    at: tuple[int | slice, int | slice],
    along: Array,
    marks: Mapping[str, float],
) -> "Axes":
    """A row or a column of a map as a curve.

    `at` is the row or column as an index of the map, `along` (cells,) the setting along it,
    `marks` are name -> where a dashed line stands.
    """
    ax = figures.panel(title, size=MAP_SIZE)
    ax.errorbar(
        along,
        found.simulated[at],
        yerr=found.error[at],
        fmt="o",
        color=figures.GREY,
        markersize=3.5,
        linewidth=1,
        label="simulated",
    )
    ax.plot(along, found.predicted[at], color=figures.GREEN, label="predicted")
    for text, where in marks.items():
        ax.axvline(where, color=figures.GREY, linewidth=0.9, linestyle="--", label=text)
        ax.annotate(
            text,
            (where, 0.04),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 0),
            textcoords="offset points",
            rotation=90,
            va="bottom",
            ha="right",
            fontsize=9,
            color=figures.SOFT,
        )
    ax.set(yscale="log", ylabel="amplitude")
    return ax


def draw_remedies(
    found: Mapping[str, Remedied], title: str, color: str, ticks: Sequence[float]
) -> "Axes":
    """One row a change: a bar from the loss at an epoch's start to that at its end, and its mean.

    `found` are name -> what the change does, from the top; `ticks` are of the loss axis.
    """
    ax = figures.panel(title, size=(3.7, 3.9))
    for row, one in enumerate(found.values()):
        ax.plot(
            [one.start, one.end],
            [row] * 2,
            color=color,
            linewidth=5,
            alpha=0.55,
            solid_capstyle="butt",
            label="loss at the start and at the end of an epoch",
        )
        ax.plot(one.mean, row, "o", color=color, markersize=4, label="mean loss")
        if one.own is not None:
            ax.plot(
                one.own[:2],
                [row] * 2,
                "|",
                color=figures.INK,
                markersize=9,
                markeredgewidth=0.9,
                label="predicted start and end",
            )
    short = {"learning rate": "lr", "no momentum (RMSProp)": "RMSProp"}
    names = [_replace(name, short) for name in found]
    ax.set_yticks(range(len(names)), names)
    ax.set(xscale="log", xlabel="training loss", ylim=(len(names) - 0.5, -0.5))
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.tick_params(axis="y", length=0)
    ax.axvline(FLOOR, color=figures.GREY, linewidth=0.8, linestyle=":", label="lowest loss")
    return ax


def _replace(text: str, words: Mapping[str, str]) -> str:
    for long, short in words.items():
        text = text.replace(long, short)
    return text
