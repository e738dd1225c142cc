"""Every built page in Chromium, in both themes and widths, and the extension behind the pages.

Screenshots go to `_build/screenshots/`.
"""

import json
import os
import re
from types import SimpleNamespace

import nbformat
import pytest
import yaml

from tests.browsing import each_look
from tests.conftest import ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for chapter in TOC["chapters"])]
SHOTS = ROOT / "_build" / "screenshots"
# What would be cut off at the right: the links at the foot, and formulas that can't be scrolled.
CUT = """() => [
  ...document.querySelectorAll(".prev-next-area *"),
  ...[...document.querySelectorAll("mjx-container[display]")].filter(
    (one) => getComputedStyle(one).overflowX !== "auto"),
].filter((one) => one.getBoundingClientRect().right > innerWidth)
 .map((one) => [one.className, one.textContent.slice(0, 40)])"""


# ------------------------------------------------------------------------------------- every page


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_in_both_themes_and_widths(open_page, site, name):
    page = open_page(f"{site}/{name}.html", reduced_motion="reduce")
    page.add_style_tag(content="svg { content-visibility: visible !important; }")  # far off, too
    SHOTS.mkdir(parents=True, exist_ok=True)
    for theme, width in each_look(page):
        page.screenshot(
            path=SHOTS / f"{name.removeprefix('book/').replace('/', '-')}-{theme}-{width}.png",
            full_page=True,
            timeout=60_000,
        )
        assert page.evaluate(CUT) == []


@pytest.mark.browser
@pytest.mark.parametrize("name", ["search", "genindex"])
def test_search_and_index_fit_a_phone(open_page, site, name):
    page = open_page(f"{site}/{name}.html")
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if name == "search":
        field = page.locator(".bd-search-container form.bd-search")
        icon, text = (field.locator(part).bounding_box() for part in ("i, svg", "input"))
        assert icon["x"] + icon["width"] <= text["x"] + 1


@pytest.mark.browser
def test_search_finds_pages_to_read_before_the_reference(open_page, site):
    page = open_page(f"{site}/book/references.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("sawtooth")
    page.keyboard.press("Enter")
    page.wait_for_selector(".search-summary:has-text('found')")
    found = page.locator("#search-results li a").evaluate_all("all => all.map(a => a.pathname)")
    reference = ["/book/api/" in path for path in found]
    assert any(reference)
    assert reference == sorted(reference)


def test_no_page_names_another_host_for_what_it_loads(book):
    loads = re.compile(
        r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=\"(?:https?:)?//"
        r"|<link\b(?=[^>]*rel=\"(?:stylesheet|preload|icon|modulepreload|preconnect|dns-prefetch))"
        r"[^>]*href=\"(?:https?:)?//"
        r"|@import\s+(?:url\()?[\"']?(?:https?:)?//",
        re.IGNORECASE,
    )
    pages = list(book.rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert {p.name: m.group() for p in pages if (m := loads.search(p.read_text("utf-8")))} == {}


def test_only_the_page_of_results_loads_the_search_index(book):
    pages = [p for p in book.rglob("*.html") if "searchindex.js" in p.read_text("utf-8")]
    assert [p.name for p in pages] == ["search.html"]


# ------------------------------------------------------------------- the extension behind the pages


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    return pytest.importorskip("esp_book")


def fake_config():
    return SimpleNamespace(
        html_static_path=[],
        html_theme_options={},
        html_context={},
        mathjax3_config=None,
        myst_substitutions={},
        mathjax_path="https://cdn/mathjax.js",
        nb_ipywidgets_js={"https://cdn/embed.js": {}},
    )


def test_without_bundles_pages_load_exact_versions(extension, monkeypatch, tmp_path):
    config = fake_config()
    monkeypatch.setattr(extension, "VENDOR", tmp_path)
    monkeypatch.setattr(extension.has_assets, "__defaults__", (tmp_path,))
    extension.configure(None, config)
    assert re.fullmatch(r"https://.*@\d+\.\d+\.\d+/.*", config.mathjax_path)
    assert config.mathjax_options["integrity"].startswith("sha384-")
    assert all(options["integrity"] for options in config.nb_ipywidgets_js.values())
    assert str(tmp_path) not in config.html_static_path


def test_buttons_need_the_repositorys_address(extension, monkeypatch):
    monkeypatch.delenv("ESP_REPOSITORY_URL", raising=False)
    config = fake_config()
    extension.configure(None, config)
    assert "http" not in json.dumps(config.html_theme_options)
    monkeypatch.setenv("ESP_REPOSITORY_URL", "https://github.com/someone/something/")
    monkeypatch.setenv("ESP_REPOSITORY_BRANCH", "next")
    config = fake_config()
    extension.configure(None, config)
    options = config.html_theme_options
    assert options["repository_url"] == "https://github.com/someone/something"
    assert options["repository_branch"] == "next"
    assert all(value for key, value in options.items() if key.startswith("use_"))
    assert set(options["launch_buttons"]) >= {"binderhub_url", "colab_url"}


@pytest.mark.skipif(os.name != "posix", reason="pages are read one after another")
def test_kernels_that_run_side_by_side_share_no_ports(extension, monkeypatch):
    executors = extension.executors
    monkeypatch.setattr(executors, "executenb", executors.executenb)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    more = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")
    extension.read_side_by_side(SimpleNamespace(extensions={n: SimpleNamespace() for n in more}))
    cell = nbformat.v4.new_code_cell(
        "import ipykernel\nprint(open(ipykernel.get_connection_file()).read())"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    executors.single_nb_execution(notebook, cwd=None, timeout=60, allow_errors=False)
    connection = json.loads(notebook.cells[0].outputs[0].text)
    assert connection["transport"] == "ipc"
    assert not os.path.lexists(connection["ip"] + "-1")  # nothing stays behind
