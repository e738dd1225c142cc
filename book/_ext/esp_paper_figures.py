"""The page of the paper's figures: each by its number, with what became of it in this build.

What the figures show is told by the README of the paper's repository, which also names the files
(https://github.com/qiliuchn/training-loss-pattern). Where ours stand, what they draw and whether
their claims hold is read from the executed chapters, as on the page of claims (`esp_claims.py`).
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from esp_claims import Link, anchor, linker, read_ledgers
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from esp_lib.notebook.ledger import Figure, Ledger

PICTURES = "book/data"  # beside the numbers of the figures


@dataclass(frozen=True)
class Row:
    """A figure of the paper's, or a result of its README.

    Attributes:
        number: such as "2 (a)"; "" where the README shows it without one.
        what: what it shows, as the README says.
        chapter: the notebook that rebuilds it; "" if none can.
        figures: anchors there, the best first; the first that was drawn is shown.
        claims: patterns of the names of its claims.
        section: an anchor there, for a result without a figure of its own.
        note: why it is absent; in a row with claims or a section, what stands in its place.
    """

    number: str
    what: str
    chapter: str = ""
    figures: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    section: str = ""
    note: str = ""


UNKNOWN = "absent: neither the paper's published code nor its README describes it"
ROWS = (
    Row("1", "Loss curves that others have posted", "01_introduction", ("fig-network",),
        ("network-*",), note="Others' curves are not ours to copy: a run of our own instead."),
    Row("2 (a)", "BERT-small: the hidden-word loss has the sawtooth", "02_phenomenon", ("fig-2a",),
        note="absent: it takes WikiText-103 and hours of a GPU. To train it: <code>python -m "
        "esp_lib runs train small small-fixed --profile paper --device cuda</code>"),
    Row("2 (b)", "BERT-tiny: hidden-word and next-sentence loss have it", "02_phenomenon",
        ("fig-2", "fig-reduced"), ("fig2-*",)),
    Row("3", "", note=UNKNOWN),
    Row("4", "A smaller β₂: larger teeth, and less learnt by heart (BERT)", "03_factors",
        ("fig-4", "fig-4-reduced"), ("fig4-*",)),
    Row("5", "β₁ has no noticeable effect (BERT)", "03_factors", ("fig-5",), ("fig5-*",)),
    Row("6", "", note=UNKNOWN),
    Row("7", "", note=UNKNOWN),
    Row("8", "", note=UNKNOWN),
    Row("9", "Larger models have larger teeth (BERT)", "03_factors",
        ("fig-9", "fig-9-reduced"), ("fig9-*",)),
    Row("10", "All batches have the same loss at the start of an epoch", "04_mechanism",
        ("fig-10",), ("fig10-*",)),
    Row("11", "Norms of the two moments through an epoch", "04_mechanism", ("fig-11",),
        ("fig11-*",)),
    Row("12", "Two samples that disagree: re-exposure and momentum", "04_mechanism", ("fig-12",),
        ("fig12-re-exposure", "fig12-momentum-amplifies")),
    Row("13", "Inner product of each gradient with that of a waiting batch", "04_mechanism",
        ("fig-13",), ("fig13-*",)),
    Row("14", "Inner product of the first moment with it", "04_mechanism", ("fig-14",),
        ("fig14-*",)),
    Row("15", "Norm of the gradient through an epoch", "04_mechanism", ("fig-15",), ("fig15-*",)),
    Row("16", "The n-shaped similarity against β₂, and its example in three dimensions",
        "04_mechanism", ("fig-16",), ("fig16-*",)),
    Row("17", "Inner product of each update with the gradient of a waiting batch",
        "04_mechanism", ("fig-17",), ("fig17-*",)),
    Row("18", "The shape of one tooth", "04_mechanism", ("fig-18",), ("fig18-*",)),
    Row("19", "Shuffled, in a fixed order, reversed, with replacement", "05_replication",
        ("fig-19",), ("fig19*",)),
    Row("20", "", note=UNKNOWN),
    Row("21", "RMSProp, shuffled and not", "05_replication", ("fig-21",), ("fig21*",)),
    Row("22", "Six values of β₂ at two of ε", "05_replication", ("fig-22",), ("fig22-*",)),
    Row("", "BERT without shuffling, and with replacement", "03_factors", ("fig-orders",),
        ("no-shuffling", "with-replacement", "fixed-order-drop", "no-drop-replaced")),
    Row("", "BERT, points that average more steps (“plot every”)", "03_factors", (),
        ("plot-every",), section="claim-plot-every",
        note="An explorer of the recorded steps, at reduced size."),
    Row("", "BERT, batch size", "03_factors", ("fig-batch",), ("batch-size",)),
    Row("", "BERT, weight decay", "03_factors", ("fig-batch",), ("weight-decay",)),
    Row("", "The toy, batch size", "05_replication", ("fig-extras",), ("batch-size-mitigates",)),
    Row("", "The toy, β₁ of 0.9 and 0.1", "05_replication", ("fig-extras",),
        ("beta1-less-pronounced",)),
    Row("", "The toy: the logged loss and the loss of one waiting batch", "05_replication",
        ("fig-loss-curves",), ("loss-curves-alike",)),
)  # fmt: skip


class FigureList(nodes.General, nodes.Element):  # type: ignore[misc]  # docutils has no types
    """Where the list goes."""


class PaperFiguresDirective(SphinxDirective):
    """`esp-paper-figures`: a row for each figure of the paper."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Keep the place; `fill` writes the list, anew in each build."""
        self.env.metadata[self.env.docname]["esp_claims"] = True
        return [FigureList()]


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the list (event `doctree-resolved`)."""
    places = list(doctree.findall(FigureList))
    if not places:
        return
    ledgers = {PurePosixPath(name).name: ledger for name, ledger in read_ledgers(app).items()}
    link = linker(app, docname)
    items = "".join(entry(row, ledgers.get(row.chapter), link) for row in ROWS)
    for place in places:
        text = f'<ul class="esp-paper-figures">{items}</ul>'
        place.replace_self(nodes.raw("", text, format="html"))


def entry(row: Row, ledger: Ledger | None, link: Link) -> str:
    """One figure of the paper: number, thumbnail, link and verdict."""
    drawn = {figure.name: figure for figure in ledger.figures} if ledger else {}
    ours = next((drawn[name] for name in row.figures if name in drawn), None)
    states = {
        claim["name"]: claim
        for claim in (ledger.claims if ledger else ())
        if any(fnmatch(claim["name"], pattern) for pattern in row.claims)
    }
    state, text = verdict(row, ours, states, ledger, link)
    page = f"book/{row.chapter}"
    picture = place = ""
    if ours:
        target = link(f"{page}#{ours.name}")
        source = f"data/{row.chapter}/{ours.name}.svg"
        # The words beside it say what it is: for a screen reader the picture is decoration.
        picture = f'<img src="{source}" alt="" loading="lazy" width="144" height="96">'
        place = f" {anchor(target, f'Figure {ours.number}')}"
    elif row.section and ledger:
        place = f" {anchor(link(f'{page}#{row.section}'), 'In chapter ' + row.chapter[1])}"
    name = f"Fig. {row.number}" if row.number else "Further result"
    what = f" {html.escape(row.what)}." if row.what else ""
    return (
        f'<li data-figure="{html.escape(row.number or row.what)}" data-verdict="{state}">'
        f'<span class="esp-thumbnail">{picture}</span>'
        f"<span><strong>{name}.</strong>{what}{place}<br>{text}</span></li>"
    )


def verdict(
    row: Row,
    ours: Figure | None,
    claims: Mapping[str, Mapping[str, Any]],
    ledger: Ledger | None,
    link: Link,
) -> tuple[str, str]:
    """What became of a figure, in a word and in a sentence of HTML."""
    if row.chapter and ledger is None:
        return "not executed", "Its chapter was not executed in this build."
    if not ours and not row.section:
        return "absent", f"{row.note[:1].upper()}{row.note[1:]}."
    runs = ours.runs if ours else ()
    start = "Rebuilt"
    if row.note and (row.section or row.claims):
        start = row.note.rstrip(".")
    elif any(run["profile"] != "paper" for run in runs):
        start = "Rebuilt at reduced size"
    elif any(run["status"] == "stopped" for run in runs):
        start = "Rebuilt in part: a run stopped early"
    against = [claim for claim in claims.values() if claim["state"] != "holds"]
    if not claims:
        return "rebuilt", f"{start}."
    if not against:
        return "holds", f"{start}; holds."
    held = len(claims) - len(against)
    by_state: dict[str, list[str]] = {}
    for claim in against:
        target = link(f"book/{row.chapter}#claim-{claim['name']}")
        by_state.setdefault(claim["state"], []).append(
            anchor(target, claim["statement"].rstrip("."))
        )
    found = "; ".join(f"{state}: {'; '.join(named)}" for state, named in by_state.items())
    return str(against[0]["state"]), f"{start}; {held} of {len(claims)} claims hold, {found}."


def write_pictures(app: Sphinx, failure: Exception | None) -> None:
    """Write the first panel of each figure that is shown (event `build-finished`)."""
    if failure or app.builder.format != "html":
        return
    named = {(row.chapter, name) for row in ROWS for name in row.figures}
    for chapter, ledger in read_ledgers(app).items():
        name = PurePosixPath(chapter).name
        folder = Path(app.outdir) / PICTURES / name
        for figure in ledger.figures if ledger else ():
            if (name, figure.name) in named:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(FigureList)
    app.add_directive("esp-paper-figures", PaperFiguresDirective)
    app.connect("doctree-resolved", fill)
    app.connect("build-finished", write_pictures)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
