"""What the book asks of Sphinx beyond `_config.yml`, decided when a build starts.

1. Page assets. `npm run build` in `frontend/` writes `book/vendor/`. If it is there, pages load
   widgets and MathJax from the book itself; if not, exact versions from public CDNs (`esp_policy`).
2. Repository buttons. `ESP_REPOSITORY_URL` (and `ESP_REPOSITORY_BRANCH`, "main" if not set) give
   the source, edit and issue buttons, and Colab and Binder on notebooks. Without it there are
   none.
3. The look: `book/css/`.
4. Quiet: theme options without which the pages log an error or show two search fields.
   (`_config.yml` lists the extensions by name: sphinx-thebe, which Jupyter Book adds by default,
   writes its scripts twice and throws on pages that have no live code.)
5. Weight: MathJax only where there are formulas, and after the explorers in sight;
   `book/js/scripts/fontawesome.js` stands in for the theme's icon script, which its style sheet
   makes superfluous.
6. Access: `book/js/` lets the keyboard reach boxes that scroll sideways, and the search find
   pages to read before the library's reference.
7. Speed: pages are read in several processes, so that chapters are executed side by side.
8. Parts of their own: `esp_claims` gathers the claims, `esp_paper_figures` the paper's figures,
   `esp_downloads` offers what can be taken away, `esp_api` documents the library, `esp_head` says
   what a page is about.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import nbclient
from esp_policy import load_from_cdn
from jupyter_cache.executors import utils as executors
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from traitlets.config import Config as KernelConfig

from esp_lib import Adam, QuadraticProblem, simulate

BOOK = Path(__file__).resolve().parent.parent
VENDOR = BOOK / "vendor"
WIDGETS = "esp-vendor/widgets.js"  # below VENDOR
MATHJAX = "esp-vendor/mathjax/tex-chtml-full.js"  # below VENDOR

# Sphinx's option -j, which `jupyter-book build` does not hand on. A process is given neighbouring
# pages: of 12 each gets two chapters at most; of 8 one got four, and the build took a sixth longer.
PROCESSES = 12

logger = logging.getLogger(__name__)


def has_assets(vendor: Path = VENDOR) -> bool:
    """Whether the bundles of `frontend/` have been built."""
    return (vendor / WIDGETS).is_file() and (vendor / MATHJAX).is_file()


def repository_options(url: str, branch: str) -> dict[str, Any]:
    """Theme options for the repository buttons; none of them without an address."""
    on = bool(url)
    launch = {
        "notebook_interface": "jupyterlab",
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com" if "github.com" in url else "",
    }
    return {
        "repository_url": url.rstrip("/"),
        "repository_branch": branch,
        "path_to_docs": "",
        "use_repository_button": on,
        "use_source_button": on,
        "use_edit_page_button": on,
        "use_issues_button": on,
        "launch_buttons": launch if on else {},
    }


def configure(app: Sphinx, config: Config) -> None:
    """Complete the configuration (event `config-inited`)."""
    static = [BOOK / "css", BOOK / "js"]
    if has_assets():
        static.append(VENDOR)
        config.nb_ipywidgets_js = {WIDGETS: {"async": "async"}}
        config.mathjax_path = MATHJAX
        logger.info("page assets: served by the book itself")
    else:
        load_from_cdn(config)
        logger.info("page assets: public CDN (run `npm ci && npm run build` in frontend/)")
    config.html_static_path = [*config.html_static_path, *map(str, static)]
    config.html_search_scorer = str(BOOK / "js" / "scripts" / "scorer.js")
    # MathJax's menu would make every formula a stop of the keyboard.
    config.mathjax3_config = {"options": {"enableMenu": False}, **(config.mathjax3_config or {})}

    url = os.environ.get("ESP_REPOSITORY_URL", "").strip()
    branch = os.environ.get("ESP_REPOSITORY_BRANCH", "").strip() or "main"
    code = f"[The code]({url.rstrip('/')})" if url else "The code"
    config.myst_substitutions = {**config.myst_substitutions, "code": code}
    options = {"navbar_persistent": [], **config.html_theme_options}
    config.html_theme_options = {**options, **repository_options(url, branch)}
    config.html_context = {"default_mode": "auto", **config.html_context}


def execute_with_files(*notebook: Any, **options: Any) -> Any:
    """Execute a notebook as `nbclient.execute` does, with a kernel that talks over files.

    Over TCP the ports of a kernel are chosen before it starts. Kernels that start at once in
    several processes can be given the same one; the later dies, and the build with it
    (https://github.com/jupyter/jupyter_client/issues/487).
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {"transport": "ipc", "ip": str(Path(folder, "kernel"))}
        return nbclient.execute(*notebook, config=KernelConfig(KernelManager=files), **options)


def read_side_by_side(app: Sphinx, *_: Any) -> None:
    """Let Sphinx read pages in several processes (event `env-before-read-docs`).

    Two extensions that Jupyter Book adds do not say that they allow it. One numbers chapters when
    all pages have been read, in Sphinx's own process; the other has its say in LaTeX alone. A
    chapter's BLAS gets one thread: with two, chapter 1 took twice as long beside the others. The
    loops of a simulation are compiled here, once, and not in each kernel.
    """
    if os.name != "posix":  # Sphinx reads one page after another there
        return
    app.parallel = PROCESSES
    executors.executenb = execute_with_files
    simulate(QuadraticProblem.sample(20, 10), Adam(), epochs=1, batch_size=5)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):
        app.extensions[name].parallel_read_safe = True


def place_mathjax(app: Sphinx, pagename: str, _: str, context: dict[str, Any], *__: Any) -> None:
    """MathJax only on pages with formulas, and after explorers (event `html-page-context`).

    Sphinx loads it on the root page as soon as any page of the book has a formula. On a page with
    explorers, `widgets.js` loads it when those in sight are live.
    """
    with_formulas = app.env.get_domain("math").data["has_equations"].get(pagename)
    files = [str(getattr(script, "filename", "")) for script in context["script_files"]]
    later = any(name.endswith(WIDGETS) for name in files)
    kept = []
    for name, script in zip(files, context["script_files"], strict=True):
        attributes = getattr(script, "attributes", {})
        loads = name.endswith(app.config.mathjax_path)
        if loads and later:
            del attributes["defer"]
            attributes["type"] = "text/later"
        sets = attributes.get("body", "").startswith("window.MathJax")
        if with_formulas or not (loads or sets):
            kept.append(script)
    context["script_files"][:] = kept


def drop_launch_buttons_of_text(
    app: Sphinx, pagename: str, _: str, context: dict[str, Any], *__: Any
) -> None:
    """No Colab or Binder on pages that are text in the repository: neither runs those."""
    if context.get("page_source_suffix") == ".ipynb" or "header_buttons" not in context:
        return
    buttons = context["header_buttons"]
    buttons[:] = [button for button in buttons if button.get("label") != "launch-buttons"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension and its parts."""
    parts = (
        "esp_claims", "esp_paper_figures", "esp_downloads", "esp_api", "esp_head", "esp_policy",
    )  # fmt: skip
    for part in parts:
        app.setup_extension(part)
    app.connect("config-inited", configure, priority=400)
    app.connect("env-before-read-docs", read_side_by_side)
    app.connect("html-page-context", place_mathjax, priority=900)
    app.connect("html-page-context", drop_launch_buttons_of_text, priority=900)
    app.add_css_file("esp.css", priority=900)
    app.add_css_file("esp-widgets.css", priority=900)
    app.add_js_file("esp.js", priority=900, defer="defer")
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
