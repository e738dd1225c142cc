"""What a page may load and whom it may talk to: enforced by the browser, not only promised.

A Content-Security-Policy (https://www.w3.org/TR/CSP3/) in the head of every page. Pages connect to
their own host alone, so that what a reader drops into one of them cannot be sent elsewhere. Scripts
come from the page's own host and from `blob:`, as the explorers' modules and workers do; scripts
within the page are allowed since the theme and MyST-NB write theirs there, different on each page.
Where the JavaScript was not bundled (no Node), pages load it from public CDNs, which are then
allowed as well: exact versions, with integrity hashes where a page itself names the file.

Behind a policy Chromium no longer looks ahead for scripts and would load one after another, a round
trip each. So the head names its own scripts at its start, as files to load now.
"""

from __future__ import annotations

import html
import re
from typing import Any

from sphinx.application import Sphinx

CDN = "https://cdn.jsdelivr.net"
REQUIRE = "https://cdnjs.cloudflare.com/ajax/libs/require.js/2.3.4/require.min.js"
EMBED = f"{CDN}/npm/@jupyter-widgets/html-manager@1.0.14/dist/embed-amd.js"
MATHJAX = f"{CDN}/npm/mathjax@3.2.2/es5/tex-mml-chtml.js"
# sha384 of the files in the npm packages of these versions, which the CDN serves unchanged
EMBED_HASH = "sha384-1eC9xL7FgepFi8D8Xz/TfxeUzAjG8GK6IsahHuLvlF4LasuWI2qZRAVE45FCEMCr"
MATHJAX_HASH = "sha384-Wuix6BuhrWbjDBs24bXrjf4ZQ5aFeFWBuKkFekO2t8xFU0iNaLQfp2K6/1Nxveei"

WIDGETS = {
    REQUIRE: {
        "integrity": "sha256-Ae2Vz/4ePdIu6ZyI/5ZGsYnb+m0JlOmKPjt6XZ9JJkA=",
        "crossorigin": "anonymous",
    },
    EMBED: {
        "integrity": EMBED_HASH,
        "crossorigin": "anonymous",
        "data-jupyter-widgets-cdn": f"{CDN}/npm/",
    },
}


def policy(bundled: bool) -> str:
    """The policy of a page whose JavaScript is `bundled` with the book, or comes from CDNs."""
    more = "" if bundled else f" {CDN} https://cdnjs.cloudflare.com"
    return "; ".join(
        (
            f"default-src 'self'{more}",
            f"script-src 'self' 'unsafe-inline' blob:{more}",
            "worker-src 'self' blob:",
            "connect-src 'self'",
            f"style-src 'self' 'unsafe-inline'{more}",
            "img-src 'self' data: blob:",
            f"font-src 'self' data:{more}",
            "form-action 'self'",
            "base-uri 'self'",
        )
    )


def load_from_cdn(config: Any) -> None:
    """Have pages load widgets and MathJax from CDNs, in exact versions."""
    config.nb_ipywidgets_js = WIDGETS
    config.mathjax_path = MATHJAX
    config.mathjax_options = {"integrity": MATHJAX_HASH, "crossorigin": "anonymous"}


def preloads(context: dict[str, Any]) -> str:
    """Links that have the head's scripts loaded at once, those of the page's own host."""
    tags = [context["js_tag"](script) for script in context["script_files"]]
    now = [tag for tag in tags if 'type="text/later"' not in tag]
    files = [found[1] for tag in now if (found := re.search(r'src="((?!https?:)[^"]+)"', tag))]
    return "".join(f'\n<link rel="preload" as="script" href="{file}" />' for file in files)


def add_policy(app: Sphinx, _: str, __: str, context: dict[str, Any], *___: Any) -> None:
    """Put the policy into the head of a page, before its scripts (event `html-page-context`)."""
    bundled = app.config.mathjax_path != MATHJAX
    tag = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy(bundled))}" />'
    context["metatags"] = f"\n{tag}{preloads(context)}{context.get('metatags', '')}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the policy."""
    app.connect("html-page-context", add_policy, priority=950)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
