"""What a page says about itself: title, description, preview image; and the root page's redirect.

Descriptions are a page's first paragraph unless its front matter has one
(https://myst-parser.readthedocs.io, `html_meta`). A preview needs a whole address (https://ogp.me):
`ESP_BOOK_URL` says where the book is served; without it pages name no image.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 200  # characters of a description
GIVEN = re.compile(r'<meta content="([^"]*)" name="description"')
PREVIEW = "preview.png"  # in _static
REDIRECT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<script>location.replace("{page}" + location.search + location.hash);</script>
<noscript><meta http-equiv="refresh" content="0; url={page}"></noscript></head>
<body><p><a href="{page}">{title}</a></p></body></html>
"""


def describe(doctree: nodes.document) -> str:
    """The first paragraph in one line, cut at a word; "" if the page has none."""
    found = (p for s in doctree.findall(nodes.section) for p in s.findall(nodes.paragraph))
    text = next((" ".join(paragraph.astext().split()) for paragraph in found), "")
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0].rstrip(".,;:") + " …"


def add_metadata(
    app: Sphinx, pagename: str, _: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Complete the head of a page (event `html-page-context`)."""
    title = re.sub(r"<[^>]+>", "", context.get("title", ""))
    tags = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title}
    metatags = context.get("metatags", "")
    if given := GIVEN.search(metatags):
        text = html.unescape(given[1])
    elif text := describe(doctree) if doctree else "":
        metatags += f'\n<meta name="description" content="{html.escape(text)}" />'
    if text:
        tags["og:description"] = text
    if url := os.environ.get("ESP_BOOK_URL", "").strip().rstrip("/"):
        tags["og:url"] = f"{url}/{pagename}.html"
        tags["og:image"] = f"{url}/_static/{PREVIEW}"
    for name, value in tags.items():
        metatags += (
            f'\n<meta property="{name}" content="{html.escape(html.unescape(str(value)))}" />'
        )
    context["metatags"] = metatags
    if pagename == app.config.master_doc:  # the page is called as the book is
        context["docstitle"], context["theme_logo"] = "", {"text": app.config.html_title}


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write the preview, and a root page that keeps a link's settings (event `build-finished`)."""
    if error or app.builder.name != "html":
        return
    from esp_lib.picture import sawtooth_axes

    out = Path(app.outdir)
    figure: Any = sawtooth_axes().figure
    figure.set_size_inches(12, 6.3)
    figure.savefig(out / "_static" / PREVIEW, dpi=100, facecolor="white")
    root = app.config.master_doc
    if root != "index":
        page = REDIRECT.format(title=html.escape(app.config.html_title), page=f"{root}.html")
        (out / "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the two steps; the root page is written before Sphinx's own, which then is not."""
    app.connect("html-page-context", add_metadata, priority=900)
    app.connect("build-finished", finish, priority=100)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
