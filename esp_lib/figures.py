"""Figures: data in, axes out, and `show`, which puts them on a page.

Every figure is vector graphics in one visual language. Colours are those of `book/css/esp.css`;
`show` writes them as CSS variables, so that a figure follows the page's light or dark theme. Axes
come from `panel` (half the text's width; panels stack on a phone) or `wide` (the whole width).
"""

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.curve import Curve
from esp_lib.figure_data import figure_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Light-theme colours by the name of their CSS variable, --esp-<name>.
COLORS = {
    "ink": "#1f2328", "soft": "#57606a", "grid": "#d5dae0", "paper": "#ffffff",
    "blue": "#0b62a8", "orange": "#b35309", "green": "#09765a", "purple": "#8a3f94",
    "grey": "#6a737d",
}  # fmt: skip
BLUE, ORANGE, GREEN = COLORS["blue"], COLORS["orange"], COLORS["green"]
PURPLE, GREY, INK, SOFT, GRID = (COLORS[c] for c in ("purple", "grey", "ink", "soft", "grid"))
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, GREY, INK)

PANEL, WIDE, NARROW = (3.7, 2.9), (7.6, 3.3), (3.7, 3.1)  # inches, 72 points each

STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": f"cycler('color', {list(CYCLE)})",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def beta2_color(beta2: float) -> str:
    """The colour of a beta2, as in the paper: 0.999 blue, 0.9 orange, 0.8 green; else purple."""
    return {0.999: BLUE, 0.9: ORANGE, 0.8: GREEN}.get(round(float(beta2), 6), PURPLE)


def panel(title: str = "", *, size: tuple[float, float] = PANEL, **subplot: Any) -> "Axes":
    """New axes in a figure of their own, half the width of the text.

    Args:
        title: above the axes, at the left.
        size: width and height in inches.
        subplot: properties of the axes, as Matplotlib's `add_subplot` takes them.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        return Figure(figsize=size).add_subplot(title=title, **subplot)


def wide(title: str = "", **subplot: Any) -> "Axes":
    """New axes in a figure of their own, the width of the text."""
    return panel(title, size=WIDE, **subplot)


def legend(ax: "Axes", **options: Any) -> None:
    """A legend in the style of the page; options as Matplotlib's `legend` takes them."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        ax.legend(**options)


def epoch_lines(ax: "Axes", epochs: int) -> None:
    """Thin vertical lines where epochs end, and ticks at whole epochs."""
    ax.locator_params(axis="x", integer=True)
    for epoch in range(1, epochs):
        ax.axvline(epoch, color=GRID, linewidth=0.8, zorder=0, label="_end of an epoch")


def drawable(values: ArrayLike) -> NDArray[np.float64]:
    """The values, NaN where a diverged run has left every axis (beyond 1e30 in size)."""
    y = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(y) <= 1e30, y, np.nan)


def band(ax: "Axes", x: ArrayLike, runs: ArrayLike, color: str, label: str, **line: Any) -> "Axes":
    """Median of the runs as a line, their 10th to 90th percentile as a band.

    Args:
        ax: axes to draw on.
        x: (points,).
        runs: (runs, points), or (points,) for a single run.
        color: of line and band.
        label: for the legend or `label_lines`.
        line: further properties of the line.
    """
    y = np.atleast_2d(drawable(runs))
    gone = np.isnan(y).all(axis=0)
    y = np.where(gone, 0.0, y)  # so that percentiles of nothing are no warning
    x = np.where(gone, np.nan, x)
    if y.shape[0] > 1:
        low, high = np.nanpercentile(y, [10, 90], axis=0)
        ax.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0)
    ax.plot(x, np.nanmedian(y, axis=0), color=color, label=label, **line)
    return ax


def loss_curves(
    curves: Mapping[str, Curve],
    *,
    every: int = 1,
    colors: Sequence[str] = CYCLE,
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
                at, ends, "o", markerfacecolor="none", markeredgecolor=color, markersize=5,
                label=f"_{label}, published",
            )  # fmt: skip
    epoch_lines(ax, epochs)
    ax.set_xlim(0, epochs)
    ax.set_xlabel("epoch")
    ax.set_ylabel("training loss")
    if log:
        ax.set_yscale("log")
    label_lines(ax)
    return ax


def signed_log(ax: "Axes", scale: float) -> None:
    """A y axis that is linear between -scale and scale and logarithmic beyond, with a zero line.

    Ticks stand at zero and at powers of ten well beyond the linear part, where they can be read.
    """
    ax.set_yscale("symlog", linthresh=scale)
    ax.axhline(0, color=SOFT, linewidth=0.8)
    lowest = int(np.floor(np.log10(scale))) + 1
    ticks = [0.0]
    for side, reach in ((-1, -ax.get_ylim()[0]), (1, ax.get_ylim()[1])):
        highest = int(np.floor(np.log10(reach))) if reach > 0 else lowest - 1
        stride = max(1, -(-(highest - lowest + 1) // 3))
        ticks += [side * 10.0**k for k in range(highest, lowest - 1, -stride)]
    ax.set_yticks(sorted(ticks))
    ax.minorticks_off()


def label_lines(ax: "Axes", size: float = 8.5) -> None:
    """Write each labelled line's name beside its right end, in its colour, moved apart."""
    lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    figure: Any = ax.figure
    figure.draw_without_rendering()  # settles limits and layout
    points = 72 / figure.dpi
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
            str(line.get_label()), xy=(1, value), xycoords=("axes fraction", "data"),
            xytext=(5, height - own), textcoords="offset points", va="center", ha="left",
            color=line.get_color(), fontsize=size, annotation_clip=False,
        )  # fmt: skip


def published_against_ours(
    published: NDArray[Any], mean: NDArray[Any], sd: NDArray[Any], ax: "Axes | None" = None
) -> "Axes":
    """Each published value as z = (published - mean) / sd, against our mean; grey from -3 to 3."""
    ax = wide() if ax is None else ax
    mean = drawable(mean)
    z = (published - mean) / sd
    ax.axhspan(-3, 3, color=GRID, alpha=0.35, linewidth=0)
    ax.axhline(0, color=SOFT, linewidth=0.8)
    ax.plot(
        mean, z, "o", markerfacecolor="none", markeredgecolor=BLUE, markersize=4.5,
        label="_published",
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlabel("our mean end-of-epoch loss")
    ax.set_ylabel("z of the published value")
    reach = 1.15 * max(4.0, np.nanmax(np.abs(z), initial=0.0))
    ax.set_ylim(-reach, reach)
    return ax


@dataclass(frozen=True)
class Shown:
    """A figure ready for a page: Jupyter and MyST-NB display it."""

    page: str  # HTML: inline SVG with caption
    svg: str  # the first panel alone, for viewers without HTML
    record: Mapping[str, str]  # name, number and caption, and the numbers drawn, as `csv`

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        shown = {"text/html": self.page, "image/svg+xml": self.svg}
        return shown, {"esp_lib": {"figure": dict(self.record)}}


def show(*axes: "Axes", name: str, number: str, caption: str, alt: str, folded: str = "") -> Shown:
    """Put one figure, of one or several panels, on the page.

    Args:
        axes: one a panel. A single wide panel is drawn a second time for narrow screens.
        name: the figure's anchor, unique on the page, such as "fig-19".
        number: such as "5.1".
        caption: can be read alone; plain text.
        alt: what the picture shows, for those who can't see it.
        folded: a title; the figure is shown when the reader opens it.

    Returns:
        An object that notebooks display.
    """
    record = {"name": name, "number": number, "caption": caption, "csv": figure_csv(*axes)}
    figures: list[Any] = [ax.figure for ax in axes]
    drawn = [page_svg(figure, f"{name}-{i}") for i, figure in enumerate(figures)]
    if len(drawn) == 1 and figures[0].get_size_inches()[0] > PANEL[0]:
        figures[0].set_size_inches(*NARROW)
        narrow = page_svg(figures[0], f"{name}-narrow")
        body = f'<div class="esp-wide">{drawn[0]}</div><div class="esp-narrow">{narrow}</div>'
    else:
        body = f'<div class="esp-panels">{"".join(drawn)}</div>'
    page = (
        f'<figure class="esp-figure" id="{name}">'
        f'<div role="img" aria-label="{html.escape(alt, quote=True)}">{body}</div>'
        f"<figcaption><strong>Figure {number}.</strong> {html.escape(caption)}</figcaption>"
        "</figure>"
    )
    if folded:
        title = f"<summary>{html.escape(folded)}</summary>"
        page = f'<details class="esp-fold">{title}{page}</details>'
    return Shown(page, drawn[0], record)


def _shorten(tag: re.Match[str]) -> str:
    """A tag with its coordinates rounded to hundredths of a point."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag[0])


def page_svg(figure: Any, prefix: str) -> str:
    """The figure as an SVG element for a page: no size, unique ids, colours as CSS variables."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>\s*", "", svg, flags=re.DOTALL)  # it would style the page
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|version)="[^"]*"', "", head)
    svg = (
        f'{head} aria-hidden="true" focusable="false" '
        f'style="stroke-linejoin: round; stroke-linecap: butt">{rest}'
    )
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", svg)
    svg = re.sub(r"<[^>]+>", _shorten, svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--esp-font, sans-serif)", svg)
    for color, value in COLORS.items():
        svg = svg.replace(value, f"var(--esp-{color}, {value})")
    return re.sub(r">\s+<", "><", svg).strip()
