"""Curves of losses on axes: data in, axes out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.figures.style import BLUE, GRID, INK, KINDS, SOFT, panel, wide
from esp_lib.sawtooth.curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def epoch_lines(ax: "Axes", epochs: int) -> None:
    """Thin vertical lines where epochs end, and ticks at whole epochs."""
    ax.locator_params(axis="x", integer=True)
    for epoch in range(1, epochs):
        ax.axvline(epoch, color=GRID, linewidth=0.8, zorder=0, label="end of an epoch")


def drawable(values: ArrayLike) -> NDArray[np.float64]:
    """The values, NaN where a diverged run has left every axis (beyond 1e30 in size)."""
    y = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(y) <= 1e30, y, np.nan)


def band(ax: "Axes", x: ArrayLike, runs: ArrayLike, color: str, label: str, **line: Any) -> "Axes":
    """Median of the runs as a line, their 10th to 90th percentile as a band.

    `x` is (points,), `runs` (runs, points), or (points,) for a single run; `line` has further
    properties of the line.
    """
    y = np.atleast_2d(drawable(runs))
    gone = np.isnan(y).all(axis=0)
    y = np.where(gone, 0.0, y)  # so that percentiles of nothing are no warning
    x = np.where(gone, np.nan, x)
    if y.shape[0] > 1:
        low, high = np.nanpercentile(y, [10, 90], axis=0)
        ax.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0, label=label)
    ax.plot(x, np.nanmedian(y, axis=0), color=color, label=label, **line)
    return ax


def loss_curves(
    curves: Mapping[str, Curve],
    *,
    every: int = 1,
    colors: Sequence[str] = KINDS,
    published: Mapping[str, ArrayLike] | None = None,
    ax: "Axes | None" = None,
    log: bool = False,
) -> "Axes":
    """Loss against epochs, one band a setting, labelled at its right end.

    Args:
        curves: label -> curve with loss (runs, steps) or (steps,).
        every: steps averaged for each point ("plot every").
        colors: one a curve.
        published: label -> end-of-epoch losses of the paper, drawn as hollow circles.
        ax: axes to draw on; new half-width ones by default.
        log: logarithmic loss axis.

    Returns:
        The axes.
    """
    ax = panel() if ax is None else ax
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
    epochs = 0
    for i, (label, curve) in enumerate(curves.items()):
        color = colors[i % len(colors)]
        band(ax, curve.epochs(every), curve.every(every), color, label, linestyle=styles[i % 6])
        epochs = max(epochs, -(-curve.steps // curve.steps_per_epoch))
        ends = (published or {}).get(label)
        if ends is not None:
            at = np.arange(1, np.size(ends) + 1)
            ax.plot(
                at,
                ends,
                "o",
                markerfacecolor="none",
                markeredgecolor=color,
                markersize=5,
                label=f"{label}, published",
            )
    epoch_lines(ax, epochs)
    ax.set_xlim(0, epochs)
    ax.set_xlabel("epoch")
    ax.set_ylabel("training loss")
    if log:
        ax.set_yscale("log")
    label_lines(ax, *curves)
    return ax


def signed_log(ax: "Axes", scale: float) -> None:
    """A y axis that is linear between -scale and scale and logarithmic beyond, with a zero line.

    Ticks stand at zero and at powers of ten well beyond the linear part, where they can be read.
    """
    ax.set_yscale("symlog", linthresh=scale)
    ax.axhline(0, color=SOFT, linewidth=0.8, label="zero")
    lowest = int(np.floor(np.log10(scale))) + 1
    ticks = [0.0]
    for side, reach in ((-1, -ax.get_ylim()[0]), (1, ax.get_ylim()[1])):
        highest = int(np.floor(np.log10(reach))) if reach > 0 else lowest - 1
        stride = max(1, -(-(highest - lowest + 1) // 3))
        ticks += [side * 10.0**k for k in range(highest, lowest - 1, -stride)]
    ax.set_yticks(sorted(ticks))
    ax.minorticks_off()


def label_lines(ax: "Axes", *labels: str, size: float = 8.5) -> None:
    """Write lines' names beside their right ends, in their colours, moved apart.

    Args:
        ax: axes with the lines.
        labels: of the lines to name; without any, of all curves: lines that join points.
        size: of the text, in points.

    Raises:
        ValueError: a label is that of no line.
    """
    lines = [line for line in ax.get_lines() if _is_curve(ax, line)]
    if labels:
        drawn = [line.get_label() for line in ax.get_lines()]
        if missing := [label for label in labels if label not in drawn]:
            raise ValueError(f"labels must be of lines, which are {drawn}, got {missing}")
        lines = [line for line in lines if line.get_label() in labels]
    ax.get_ylim()  # settles the limits; the layout, later, moves little
    points = 72 / ax.figure.dpi
    ends: list[tuple[float, float, Any]] = []  # height in points, value, line
    for line in lines:
        x, y = (np.asarray(data, dtype=float) for data in line.get_data())
        seen = y[np.isfinite(x) & np.isfinite(y)]
        last = seen[-1] if seen.size else ax.get_ylim()[0]
        ends.append((ax.transData.transform((0, last))[1] * points, last, line))
    ends.sort(key=lambda end: end[0])
    heights = [height for height, _, _ in ends]
    for _ in range(100):  # push neighbours apart until none overlap
        for i in range(1, len(heights)):
            overlap = 1.25 * size - (heights[i] - heights[i - 1])
            if overlap > 1e-6:
                heights[i - 1] -= overlap / 2
                heights[i] += overlap / 2
    for height, (own, value, line) in zip(heights, ends, strict=True):
        ax.annotate(
            str(line.get_label()),
            xy=(1, value),
            xycoords=("axes fraction", "data"),
            xytext=(5, height - own),
            textcoords="offset points",
            va="center",
            ha="left",
            color=line.get_color(),
            fontsize=size,
            annotation_clip=False,
        )


def _is_curve(ax: "Axes", line: Any) -> bool:
    """Whether a line has a label and joins points; neither markers alone nor a line across."""
    joins = line.get_linestyle() not in ("None", "none", " ", "")
    across = not line.get_transform().contains_branch(ax.transData)
    return joins and not across and not str(line.get_label()).startswith("_")


def published_against_ours(
    published: NDArray[Any], mean: NDArray[Any], sd: NDArray[Any], ax: "Axes | None" = None
) -> "Axes":
    """Each published value as z = (published - mean) / sd, against its epoch; grey from -3 to 3.

    All are (runs, epochs): end-of-epoch losses, ours as mean and standard deviation; the runs
    of an epoch stand side by side.
    """
    ax = wide() if ax is None else ax
    z = (published - drawable(mean)) / sd
    runs, epochs = z.shape
    beside = (np.arange(runs)[:, None] + 0.5) / runs - 0.5
    ax.axhspan(-3, 3, color=GRID, alpha=0.35, linewidth=0, label="z from −3 to 3")
    ax.axhline(0, color=SOFT, linewidth=0.8, label="zero")
    ax.plot(
        (np.arange(1, epochs + 1) + 0.8 * beside).ravel(),
        z.ravel(),
        "o",
        markerfacecolor="none",
        markeredgecolor=BLUE,
        markersize=4.5,
        label="published",
    )
    ax.set(xlabel="epoch", ylabel="z of the published value", xlim=(0.4, epochs + 0.6))
    ax.set_xticks(np.arange(1, epochs + 1))
    reach = 1.15 * max(4.0, np.nanmax(np.abs(z), initial=0.0))
    ax.set_ylim(-reach, reach)
    return ax


def span(ax: "Axes", start: tuple[float, float], end: tuple[float, float], word: str) -> "Axes":
    """An arrow with two heads between two points, and beside its middle what it measures.

    `start` and `end` are points in the units of the axes; the word stands to the right of an
    upright arrow, and below a level one.
    """
    ax.annotate("", end, start, arrowprops={"arrowstyle": "<->", "color": INK, "linewidth": 1})
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    upright = start[0] == end[0]
    ax.annotate(
        word,
        middle,
        (5, 0) if upright else (0, -5),
        textcoords="offset points",
        color=INK,
        ha="left" if upright else "center",
        va="center" if upright else "top",
    )
    return ax
