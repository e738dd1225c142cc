"""What readers can take away: notebooks, the numbers of each figure, the claims, a PDF.

When pages are written, each figure of an executed chapter gets a link to a CSV file below
`book/data/`, which holds the very numbers that its fingerprint is made of (`esp_claims.py`). The
notebooks are those that Sphinx copies to `_sources/`. `tools/print_book.py` writes the PDF after
the build and then uncovers its link.
"""

from __future__ import annotations

import html
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from esp_claims import anchor, chapter_title, chapters, grid, read_ledgers
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from esp_lib.notebook.ledger import Ledger

DATA = "data"  # beside the chapters' pages
PDF = "epochal-sawtooth.pdf"  # in the root of the built book
EXTRAS = "figures,widgets,torch,bert"  # what of pyproject.toml the chapters import


class Offer(nodes.General, nodes.Element):
    """Where the table of downloads goes."""


class DownloadsDirective(SphinxDirective):
    """`esp-downloads`: a row for each chapter with its notebook and the data of its figures."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Keep the place; `fill` writes the table."""
        return [Offer()]


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the table, on a page in the chapters' folder (event `doctree-resolved`)."""
    for offer in list(doctree.findall(Offer)):
        rows = []
        for chapter, ledger in read_ledgers(app).items():
            name = PurePosixPath(chapter).name
            has_data = ledger is not None and ledger.figures
            rows.append([
                anchor(f"{name}.html", chapter_title(Path(app.env.doc2path(chapter)))),
                download(f"../_sources/{chapter}.ipynb", f"{name}.ipynb"),
                download(f"{DATA}/{name}.csv", f"{name}.csv") if has_data else "",
            ])  # fmt: skip
        columns = ("Chapter", "Notebook", "Numbers of its figures")
        pdf = f'<p class="esp-pdf" hidden="">The book on paper: {download(f"../{PDF}", PDF)}</p>'
        claims = f"<p>All claims, as measured: {download(f'{DATA}/claims.json', 'claims.json')}</p>"
        text = pdf + claims + grid(columns, rows, "What each chapter offers")
        offer.replace_self(nodes.raw("", text, format="html"))


class ColabDirective(SphinxDirective):
    """`esp-colab`: its text and the lines that make a Colab notebook ready.

    Nothing where the repository's address is not known: there are no launch buttons either.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write text and lines, if there is somewhere to launch from."""
        url = os.environ.get("ESP_REPOSITORY_URL", "").strip().rstrip("/")
        branch = os.environ.get("ESP_REPOSITORY_BRANCH", "").strip() or "main"
        if not url:
            return []
        words = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, words)
        lines = colab_lines(url, branch)
        return [*words.children, nodes.literal_block(lines, lines, language="text")]


def colab_lines(url: str, branch: str) -> str:
    """What to run first in Colab: `esp_lib` and the recorded runs that chapters read."""
    return (
        f"!git clone --quiet --depth 1 --branch {branch} {url} /content/esp\n"
        f"%pip install --quiet /content/esp[{EXTRAS}]\n"
        "%env ESP_RESULTS=/content/esp/results"
    )


def download(address: str, text: str) -> str:
    """A link to a file."""
    return f'<a href="{html.escape(address, quote=True)}" download="">{html.escape(text)}</a>'


def link_data(app: Sphinx, pagename: str, _: str, context: dict[str, Any], *__: Any) -> None:
    """Put a link to its numbers under each figure (event `html-page-context`)."""
    if pagename not in chapters(app.env) or not (ledger := read_ledgers(app)[pagename]):
        return
    for figure in ledger.figures:
        target = f"{DATA}/{PurePosixPath(pagename).name}/{figure.name}.csv"
        link = f' <span class="esp-data">{download(target, "Data (CSV)")}</span>'
        start = f'<figure class="esp-figure" id="{figure.name}">'
        head, found, tail = context["body"].partition(start)
        if found:
            context["body"] = (
                head + found + tail.replace("</figcaption>", f"{link}</figcaption>", 1)
            )


def write_data(app: Sphinx, failure: Exception | None) -> None:
    """Write the files that the links lead to (event `build-finished`)."""
    if failure or app.builder.format != "html":
        return
    ledgers = {name: ledger for name, ledger in read_ledgers(app).items() if ledger}
    for name, ledger in ledgers.items():
        path = Path(app.outdir) / name
        folder = path.parent / DATA
        (folder / path.name).mkdir(parents=True, exist_ok=True)
        for figure in ledger.figures:
            (folder / path.name / f"{figure.name}.csv").write_text(figure.csv, encoding="utf8")
        (folder / f"{path.name}.csv").write_text(chapter_csv(ledger), encoding="utf8")
    claims = {PurePosixPath(n).name: [dict(c) for c in book.claims] for n, book in ledgers.items()}
    text = json.dumps(claims, ensure_ascii=False, indent=1)
    folder = Path(app.outdir) / "book" / DATA
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claims.json").write_text(text + "\n", encoding="utf8")


def remove_pdf(app: Sphinx, failure: Exception | None) -> None:
    """Delete the PDF of an older build, and cover its link again (event `build-finished`)."""
    if app.builder.format == "html":
        (Path(app.outdir) / PDF).unlink(missing_ok=True)
        _replace_on_pages(Path(app.outdir), '<p class="esp-pdf">', '<p class="esp-pdf" hidden="">')


def chapter_csv(ledger: Ledger) -> str:
    """The numbers of all figures of a chapter as one table, with the figure's name in front."""
    lines: list[str] = []
    for figure in ledger.figures:
        head, *rows = figure.csv.splitlines()
        lines += [] if lines else [f"figure,{head}"]
        lines += [f"{figure.name},{row}" for row in rows]
    return "".join(f"{line}\n" for line in lines)


def uncover_pdf(folder: Path) -> list[Path]:
    """Show the link to the PDF on the pages that have one; return those pages."""
    return _replace_on_pages(folder, '<p class="esp-pdf" hidden="">', '<p class="esp-pdf">')


def _replace_on_pages(folder: Path, before: str, after: str) -> list[Path]:
    """Replace a text on the pages of the book that have it; return those pages."""
    found = []
    for page in sorted(folder.glob("book/*.html")):
        text = page.read_text(encoding="utf8")
        if before in text:
            page.write_text(text.replace(before, after), encoding="utf8")
            found.append(page)
    return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Register directives and events."""
    app.add_node(Offer)
    app.add_directive("esp-downloads", DownloadsDirective)
    app.connect("doctree-resolved", fill)
    app.add_directive("esp-colab", ColabDirective)
    app.connect("html-page-context", link_data)
    app.connect("build-finished", write_data)
    app.connect("build-finished", remove_pdf)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
