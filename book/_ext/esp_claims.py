"""The page of all claims and figures, filled at each build from the notebooks that it executed.

MyST-NB leaves the executed notebooks in `_build/jupyter_execute/` while pages are read
(https://myst-nb.readthedocs.io). When pages are written all of them are there; then the directive
`esp-claims` turns into one table of the chapters and, under a heading each, their claims and
figures. `esp_lib.notebook.ledger` says what is read from a notebook and what a fingerprint covers.
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

STATES = {
    "holds": "hold",
    "refuted": "are known to be refuted",
    "not reproduced": "are not reproduced at our size",
    "not testable": "cannot be tested here",
    "fails": "fail",
}
SHORT = 16  # characters of a fingerprint that tables show

Link = Callable[[str], str]  # (page, or page#anchor) -> address relative to the page of claims


class Place(nodes.General, nodes.Element):  # type: ignore[misc]  # docutils has no types
    """Where the tables of a chapter go, or, without a chapter, the overview."""


class ClaimsDirective(SphinxDirective):
    """`esp-claims`: the overview, then a section for each chapter."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Set the sections up; `fill` writes what is in them."""
        self.env.metadata[self.env.docname]["esp_claims"] = True
        found: list[nodes.Node] = [Place(chapter="")]
        for chapter in chapters(self.env):
            title = chapter_title(Path(self.env.doc2path(chapter)))
            section = nodes.section(ids=[nodes.make_id(f"claims-{chapter}")])
            section += [nodes.title(title, title), Place(chapter=chapter)]
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
    ledgers = read_ledgers(app)

    def link(target: str) -> str:
        page, _, anchor = target.partition("#")
        uri = app.builder.get_relative_uri(docname, page) if page != docname else ""
        return f"{uri}#{anchor}" if anchor else uri

    for place in places:
        name = place["chapter"]
        if not name:
            text = overview(app.env, ledgers, link)
        elif ledger := ledgers[name]:
            text = tables(name, ledger, link)
        else:
            text = "<p>This chapter was not executed in this build.</p>"
        place.replace_self(nodes.raw("", text, format="html"))


def overview(env: BuildEnvironment, ledgers: Mapping[str, Ledger | None], link: Link) -> str:
    """What the whole book claims, and a row for each chapter."""
    ran = {name: ledger for name, ledger in ledgers.items() if ledger}
    states = [claim["state"] for ledger in ran.values() for claim in ledger.claims]
    figures = sum(len(ledger.figures) for ledger in ran.values())
    counts = ", ".join(
        f"{states.count(state)} {words}" for state, words in STATES.items() if state in states
    )
    total = "".join(
        f"<p>{text}</p>"
        for text in (
            f"<strong>{len(states)} claims</strong> in {len(ran)} chapters: {counts}. "
            f"<strong>{figures} figures.</strong>",
            f"Fingerprint of the book: <code>{book_fingerprint(ran.values())}</code>",
        )
    )
    rows = []
    for name, ledger in ledgers.items():
        head = anchor(link(name), chapter_title(Path(env.doc2path(name))))
        if ledger is None:
            rows.append([head, "not executed", "", "", "", "", ""])
            continue
        made = ledger.made
        rows.append([
            head,
            verdict([claim["state"] for claim in ledger.claims]),
            str(len(ledger.figures)),
            f"{made['seconds']:.0f} s" if made else "stopped",
            f"<code>{ledger.fingerprint[:SHORT]}</code>",
            code(made),
            device(made),
        ])  # fmt: skip
    columns = ("Chapter", "Claims", "Figures", "Executed in", "Fingerprint", "Code", "On")
    return total + grid(columns, rows, "The chapters and what their execution took")


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
