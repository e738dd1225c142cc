"""The page of all claims and figures, filled at each build from the notebooks that it executed.

MyST-NB leaves the executed notebooks in `_build/jupyter_execute/` while pages are read
(https://myst-nb.readthedocs.io). When pages are written all of them are there; then the directive
`esp-claims` turns into what does not hold, a line for each chapter that opens to its claims and
figures, and what made the build. `esp_lib.notebook.ledger` says what is read from a notebook and
what a fingerprint covers.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from esp_lib.notebook.ledger import Figure, Ledger, book_fingerprint, read_notebook

STATES = {  # what is said of their number
    "holds": "hold",
    "refuted": "refuted",
    "not reproduced": "not reproduced",
    "not testable": "not testable here",
    "fails": "failed",
}
PARTS = {  # anchor -> heading
    "what-does-not-hold": "What does not hold",
    "chapter-by-chapter": "Chapter by chapter",
    "what-made-it": "What made this build",
}
FINGERPRINT = (
    "A figure names the random seeds that it rests on, the commit of the code, and the machine; "
    "figures of recorded runs name the commit and the machine of the training. A fingerprint is a "
    "SHA-256 of all claims and of all numbers that figures draw, with all their digits; dates and "
    "times stay out. Two builds on one machine have the same. If you change a constant in the "
    "code, the fingerprints of the chapters that use it change, and no others."
)
SHORT = 16  # characters of a fingerprint that tables show

Link = Callable[[str], str]  # (page, or page#anchor) -> address relative to the page of claims


class Place(nodes.General, nodes.Element):  # type: ignore[misc]  # docutils has no types
    """Where a part of the page goes: a key of `PARTS`."""


class ClaimsDirective(SphinxDirective):
    """`esp-claims`: three sections, named in `PARTS`."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Set the sections up; `fill` writes what is in them."""
        self.env.metadata[self.env.docname]["esp_claims"] = True
        found: list[nodes.Node] = []
        for part, title in PARTS.items():
            section = nodes.section(ids=[part])
            section += [nodes.title(title, title), Place(part=part)]
            found.append(section)
        return found


def chapters(env: BuildEnvironment) -> list[str]:
    """The book's notebooks, in the order of their names."""
    return sorted(name for name in env.found_docs if env.doc2path(name).endswith(".ipynb"))


def chapter_title(path: Path) -> str:
    """A notebook's first heading."""
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return heading[1].strip() if heading else path.stem


def read_ledgers(app: Sphinx) -> dict[str, Ledger | None]:
    """Chapter -> what its execution has shown; None where it has not run."""
    folder = Path(app.outdir).parent / "jupyter_execute"
    paths = {name: folder / f"{name}.ipynb" for name in chapters(app.env)}
    return {
        name: _read(path, path.stat().st_mtime_ns) if path.exists() else None
        for name, path in paths.items()
    }


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Ledger | None:
    """`read_notebook`, once for each state of the file."""
    return read_notebook(path)


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the tables (event `doctree-resolved`)."""
    places = list(doctree.findall(Place))
    if not places:
        return
    ledgers, link = read_ledgers(app), linker(app, docname)
    titles = {name: chapter_title(Path(app.env.doc2path(name))) for name in ledgers}
    write = {
        "what-does-not-hold": lambda: against(ledgers, titles, link),
        "chapter-by-chapter": lambda: "".join(
            line(name, ledger, titles[name], link) for name, ledger in ledgers.items()
        ),
        "what-made-it": lambda: made(ledgers, titles, link),
    }
    for place in places:
        place.replace_self(nodes.raw("", write[place["part"]](), format="html"))


def linker(app: Sphinx, docname: str) -> Link:
    """Addresses relative to a page."""

    def link(target: str) -> str:
        page, _, place = target.partition("#")
        uri = app.builder.get_relative_uri(docname, page) if page != docname else ""
        return f"{uri}#{place}" if place else uri

    return link


def against(ledgers: Mapping[str, Ledger | None], titles: Mapping[str, str], link: Link) -> str:
    """How many claims there are, and each that does not hold: what was found, what was asked."""
    ran = {name: ledger for name, ledger in ledgers.items() if ledger}
    states = [claim["state"] for ledger in ran.values() for claim in ledger.claims]
    counts = ", ".join(
        f"{states.count(state)} {words}" for state, words in STATES.items() if state in states
    )
    items = []
    for state in list(STATES)[1:]:
        for name, ledger in ran.items():
            for claim in ledger.claims:
                if claim["state"] == state:
                    place = link(f"{name}#claim-{claim['name']}")
                    items.append(
                        f'<li><span class="esp-state" data-state="{state}">{state}</span>: '
                        f"{anchor(place, claim['statement'])} "
                        f"Measured: {html.escape(claim['measured'])}. "
                        f"To hold it would take: {html.escape(claim['tolerance'])}. "
                        f"Why: {anchor(link(name), titles[name])}</li>"
                    )
    total = f"<p><strong>{len(states)} claims</strong> in {len(ran)} chapters: {counts}.</p>"
    return total + (f'<ul class="esp-against">{"".join(items)}</ul>' if items else "")


def line(name: str, ledger: Ledger | None, title: str, link: Link) -> str:
    """A chapter in a line, which opens to its claims and figures."""
    head = anchor(link(name), title)
    if ledger is None:
        return f"<p>{head}: not executed in this build.</p>"
    count = verdict([claim["state"] for claim in ledger.claims])
    figures = f"{len(ledger.figures)} figures" if len(ledger.figures) != 1 else "1 figure"
    return (
        f'<details class="esp-fold esp-chapter"><summary>{html.escape(title)}: '
        f'<span class="esp-count">{count}</span>; {figures}</summary>'
        f"<p>To the chapter: {head}</p>{tables(name, ledger, link)}</details>"
    )


def made(ledgers: Mapping[str, Ledger | None], titles: Mapping[str, str], link: Link) -> str:
    """What the execution of each chapter took, folded."""
    ran = {name: ledger for name, ledger in ledgers.items() if ledger}
    rows = [
        [
            anchor(link(name), titles[name]),
            f"{ledger.made['seconds']:.0f} s" if ledger.made else "stopped",
            f"<code>{ledger.fingerprint[:SHORT]}</code>",
            code(ledger.made),
            device(ledger.made),
        ]
        for name, ledger in ran.items()
    ]
    columns = ("Chapter", "Executed in", "Fingerprint", "Code", "On")
    title = "The chapters and what their execution took"
    return (
        f"<p>Fingerprint of the book: <code>{book_fingerprint(ran.values())}</code></p>"
        f'<details class="esp-fold"><summary>{title}</summary>'
        f"<p>{FINGERPRINT}</p>{grid(columns, rows, title)}</details>"
    )


def verdict(states: Sequence[str]) -> str:
    """How many claims hold, as their chapter counts them, and what became of the others."""
    others = {"refuted": "refuted", "not reproduced": "not reproduced",
              "not testable": "not testable", "fails": "failed"}  # fmt: skip
    counts = [f"{states.count(state)} {word}" for state, word in others.items() if state in states]
    return ", ".join([f"{states.count('holds')} of {len(states)} hold", *counts])


def tables(chapter: str, ledger: Ledger, link: Link) -> str:
    """The claims and the figures of a chapter."""
    claims = [
        [
            anchor(link(f"{chapter}#claim-{claim['name']}"), claim["statement"]),
            html.escape(claim["measured"]),
            html.escape(claim["tolerance"]),
            f'<span class="esp-state" data-state="{claim["state"]}">{claim["state"]}</span>',
        ]
        for claim in ledger.claims
    ]
    figures = [
        [
            anchor(link(f"{chapter}#{figure.name}"), figure.number),
            ranges(figure.seeds) or "none",
            *circumstances(ledger, figure),
            f"<code>{figure.fingerprint[:SHORT]}</code>",
        ]
        for figure in ledger.figures
    ]
    heads = (
        ("Claim", "Measured", "Tolerance", "State"),
        ("Figure", "Seeds", "Code", "On", "Fingerprint"),
    )
    name = PurePosixPath(chapter).name
    return grid(heads[0], claims, f"Claims of {name}") + grid(
        heads[1], figures, f"Figures of {name}"
    )


def ranges(numbers: Sequence[int]) -> str:
    """Sorted integers, neighbours drawn together: "0–15, 100"."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in found)


def circumstances(ledger: Ledger, figure: Figure) -> tuple[str, str]:
    """Code and device of a figure: of this build, and of the recorded runs that it reads."""
    runs = figure.runs
    commits = sorted({str(run["commit"]) for run in runs})
    devices = sorted({str(run["device"]) for run in runs})
    if not runs:
        return code(ledger.made), device(ledger.made)
    what = f"{len(runs)} recorded runs: " if len(runs) > 1 else "a recorded run: "
    return what + html.escape("; ".join(commits)), html.escape("; ".join(devices))


def code(made: Mapping[str, Any]) -> str:
    """The commit that a chapter was executed with."""
    return html.escape(str(made.get("commit", "")))


def device(made: Mapping[str, Any]) -> str:
    """The machine that executed a chapter."""
    return html.escape(str(made.get("device", "")))


def anchor(address: str, text: str) -> str:
    """A link."""
    return f'<a href="{html.escape(address, quote=True)}">{html.escape(text)}</a>'


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table of HTML cells in a box that scrolls sideways; nothing where there is no row."""
    if not rows:
        return ""
    top = "".join(f'<th scope="col">{text}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    label = html.escape(caption, quote=True)
    return (
        f'<div class="esp-scroll" role="region" tabindex="0" aria-label="{label}">'
        f'<table class="esp-table esp-ledger"><caption>{label}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Pages with claims are written anew in each build (event `env-get-outdated`)."""
    return [name for name in env.found_docs if env.metadata.get(name, {}).get("esp_claims")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(Place)
    app.add_directive("esp-claims", ClaimsDirective)
    app.connect("doctree-resolved", fill)
    app.connect("env-get-outdated", outdated)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
