"""`show` puts a figure on a page: vector graphics that follow its theme, caption, alt text."""

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.figures.numbers import figure_csv
from esp_lib.figures.style import COLORS, NARROW, PANEL, STYLE, WIDE
from esp_lib.records.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Shown:
    """A figure ready for a page: Jupyter and MyST-NB display it."""

    page: str  # HTML: inline SVG with caption
    svg: str  # the first panel alone, for viewers without HTML
    record: Mapping[str, Any]  # as `notebook.ledger.Figure` reads it

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        shown = {"text/html": self.page, "image/svg+xml": self.svg}
        return shown, {"esp_lib": {"figure": dict(self.record)}}


def show(
    *axes: "Axes",
    name: str,
    number: str,
    caption: str,
    alt: str,
    folded: str = "",
    seeds: ArrayLike = (),
    runs: Mapping[str, Sequence[RunRecord]] | Sequence[RunRecord] = (),
) -> Shown:
    """Put one figure, of one or several panels, on the page.

    Args:
        axes: one a panel. A single wide panel is drawn a second time for narrow screens; a tall
            one, of many rows, keeps its height there.
        name: the figure's anchor, unique on the page, such as "fig-19".
        number: such as "5.1".
        caption: can be read alone; plain text.
        alt: what the picture shows, for those who can't see it.
        folded: a title; the figure is shown when the reader opens it.
        seeds: integers of any shape: the random seeds that the figure rests on.
        runs: the recorded runs that it rests on, or label -> recorded runs; their seeds count too.

    Returns:
        An object that notebooks display.

    Raises:
        ValueError: seeds are no integers, or something drawn has no label.
    """
    record = {"name": name, "number": number, "caption": caption, "csv": figure_csv(*axes)}
    record |= _origin(seeds, runs)
    figures: list[Any] = [ax.figure for ax in axes]
    drawn = [page_svg(figure, f"{name}-{i}") for i, figure in enumerate(figures)]
    if len(drawn) == 1 and figures[0].get_size_inches()[0] > PANEL[0]:
        height = figures[0].get_size_inches()[1]
        figures[0].set_size_inches(NARROW[0], NARROW[1] if height <= WIDE[1] else height)
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


def _origin(seeds: ArrayLike, runs: Any) -> dict[str, Any]:
    """Seeds, sorted, and what made each recorded run, as `ledger.Figure` has them."""
    given = np.asarray(seeds)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"seeds must be integers, got {seeds!r}")
    every = [run for own in runs.values() for run in own] if isinstance(runs, Mapping) else runs
    made = [
        {
            "run": run.label,
            "profile": run.profile,
            "status": run.status,
            "seed": run.seed,
            "device": run.made.get("device", ""),
            "commit": run.made.get("commit", ""),
        }
        for run in {run.label: run for run in every}.values()
    ]
    numbers = {int(seed) for seed in given.ravel()} | {run["seed"] for run in made}
    return {"seeds": sorted(numbers), "runs": made}


def _shorten(tag: re.Match[str]) -> str:
    """A tag with its coordinates rounded to hundredths of a point."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag[0])


def page_svg(figure: Any, prefix: str) -> str:
    """The figure as an SVG element for a page: no size, unique ids, colours as CSS variables."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    insets = [inset for ax in figure.axes for inset in ax.child_axes]
    for part in (figure, *figure.axes, *insets):
        part.patch.set_facecolor("none")
    canvas: Any = FigureCanvasSVG(figure)
    with mpl.rc_context({**STYLE, "svg.hashsalt": prefix}):
        canvas.print_svg(buffer, metadata={"Date": None})  # `savefig` would draw it twice
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>\s*", "", svg, flags=re.DOTALL)  # it would style the page
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|version)="[^"]*"', "", head)
    width, height = figure.get_size_inches()
    svg = (
        f'{head} aria-hidden="true" focusable="false" '
        f'style="stroke-linejoin: round; stroke-linecap: butt; '
        # what is out of sight is not laid out, and keeps its place
        f'content-visibility: auto; aspect-ratio: {width:g} / {height:g}">{rest}'
    )
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", svg)
    svg = re.sub(r"<[^>]+>", _shorten, svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--esp-font, sans-serif)", svg)
    for color, value in COLORS.items():
        svg = svg.replace(value, f"var(--esp-{color}, {value})")
    return re.sub(r">\s+<", "><", svg).strip()
