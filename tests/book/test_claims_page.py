"""The pages of claims and downloads: filled from what ran, in a small book and in the real one."""

import csv
import html
import io
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

from esp_lib.notebook.ledger import book_fingerprint, read_notebook
from tests.conftest import CHROMIUM, ROOT
from tests.notebook.notebooks import notebook

ROW = re.compile(r"<tr><th scope=\"row\">.*?</tr>", re.DOTALL)
CONFIGURATION = """
import sys
sys.path[:0] = [{extensions!r}]
extensions = ["myst_nb", "esp_claims", "esp_paper_figures", "esp_downloads", "esp_api"]
root_doc = "index"
nb_execution_mode = "off"
html_sourcelink_suffix = ""
"""


@pytest.fixture(scope="module")
def small_book(tmp_path_factory):
    """A book of one chapter that ran and one that did not, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "book").mkdir()
    notebook(folder / "book/01_ran.ipynb", refuted=True)
    ran = nbformat.read(folder / "book/01_ran.ipynb", as_version=4)
    for cells, title in ((ran.cells, "# It ran"), (idle := [], "# It did not run")):
        cells.insert(0, nbformat.v4.new_markdown_cell(title))
    idle.append(nbformat.v4.new_code_cell("1 + 1"))
    for name, own in (("01_ran", ran.cells), ("02_idle", idle)):
        language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        whole = nbformat.v4.new_notebook(cells=own, metadata=language)
        nbformat.write(whole, folder / f"book/{name}.ipynb")
    pages = {
        "index": "# Book\n\n```{toctree}\nbook/01_ran\nbook/02_idle\nbook/claims\nbook/downloads\n"
        "book/figures\nbook/api\n```\n",
        "book/claims": "# Claims\n\n```{esp-claims}\n```\n",
        "book/downloads": "# Downloads\n\n```{esp-downloads}\n```\n\n"
        "```{esp-colab}\nColab needs:\n```\n",
        "book/figures": "# Figures\n\n```{esp-paper-figures}\n```\n",
        "book/api": "# API\n\n```{eval-rst}\n.. automodule:: esp_lib.sawtooth.curve\n```\n",
    }
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)
    (folder / "conf.py").write_text(CONFIGURATION.format(extensions=str(ROOT / "book/_ext")))
    target = folder / "_build" / "html"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", folder, target],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return target


def cells(row: str) -> list[str]:
    """A table's row as text."""
    return [html.unescape(re.sub(r"<[^>]+>", "", c)) for c in re.findall(r"<t[hd].*?</t[hd]>", row)]


def test_claims_and_figures_are_listed_with_what_made_them(small_book):
    page = (small_book / "book/claims.html").read_text()
    ledger = read_notebook(small_book.parent / "jupyter_execute/book/01_ran.ipynb")
    holds, open_one, figure, made = [cells(row) for row in ROW.findall(page)]
    assert (
        '<summary>It ran: <span class="esp-count">1 of 2 hold, 1 refuted</span>; 1 figure' in page
    )
    assert "It did not run</a>: not executed in this build." in page
    assert holds == ["A.", "1", "0", "holds"]
    assert open_one == ["B.", "2", "more", "refuted"]
    assert figure[:2] == ["5.1", "3"]
    assert figure[2:4] == [ledger.made["commit"], ledger.made["device"]]
    assert figure[4] == ledger.figures[0].fingerprint[:16]
    assert made[0] == "It ran"
    assert made[2] == ledger.fingerprint[:16]
    assert book_fingerprint([ledger]) in page


def test_the_page_begins_with_what_does_not_hold(small_book):
    page = (small_book / "book/claims.html").read_text()
    top, _, rest = page.partition('id="chapter-by-chapter"')
    assert "<strong>2 claims</strong> in 1 chapters: 1 hold, 1 refuted." in top
    (item,) = re.findall(r"<li><span class=\"esp-state\".*?</li>", top)
    assert re.sub(r"<[^>]+>", "", item) == (
        "refuted: B. Measured: 2. To hold it would take: more. Why: It ran"
    )
    assert "<details" not in top[top.index('id="what-does-not-hold"') :]
    assert len(re.findall(r"<details class=\"esp-fold", rest)) == 2  # the chapter, what made it


def test_entries_link_to_the_chapter(small_book):
    page = (small_book / "book/claims.html").read_text()
    chapter = (small_book / "book/01_ran.html").read_text()
    for name in ("claim-a", "claim-b", "fig-a"):
        assert f'href="01_ran.html#{name}"' in page
        assert f'id="{name}"' in chapter


def test_figures_offer_the_numbers_that_are_fingerprinted(small_book):
    chapter = (small_book / "book/01_ran.html").read_text()
    caption = re.search(r"<figcaption>.*?</figcaption>", chapter, re.DOTALL)[0]
    (target,) = re.findall(r'href="([^"]+)" download', caption)
    text = (small_book / "book" / target).read_text()
    assert (
        text
        == read_notebook(small_book.parent / "jupyter_execute/book/01_ran.ipynb").figures[0].csv
    )
    whole = (small_book / "book/data/01_ran.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(whole)))
    assert {(row["figure"], row["x"], row["y"]) for row in rows} == {
        ("fig-a", "0.0", "0.0"), ("fig-a", "1.0", "1.0"),
    }  # fmt: skip
    claims = json.loads((small_book / "book/data/claims.json").read_text())
    assert claims["01_ran"][0]["values"] == ["1.0"]


def test_downloads_lead_to_files(small_book):
    page = (small_book / "book/downloads.html").read_text()
    targets = re.findall(r'href="([^"]+)" download', page)
    assert len(targets) == 5  # the PDF, claims, two notebooks, the data of the one that ran
    missing = [t for t in targets if not (small_book / "book" / t).resolve().exists()]
    assert missing == ["../epochal-sawtooth.pdf"]  # hidden until it is printed


def test_what_leads_nowhere_is_not_offered(small_book, monkeypatch, tmp_path):
    page = (small_book / "book/downloads.html").read_text()
    assert "Colab" not in page
    assert "git clone" not in page
    monkeypatch.setenv("ESP_REPOSITORY_URL", "https://github.com/someone/something/")
    source, target = small_book.parents[1], tmp_path / "html"
    command = [sys.executable, "-m", "sphinx", "-q", "-E", source, target]
    subprocess.run(command, check=True, cwd=ROOT)
    page = html.unescape((target / "book/downloads.html").read_text())
    assert "<p>Colab needs:</p>" in page
    assert "https://github.com/someone/something /content/esp" in re.sub(r"<[^>]+>", "", page)


@pytest.fixture
def downloads(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    return pytest.importorskip("esp_downloads")


@pytest.mark.parametrize(("states", "text"), [
    (["holds"] * 2, "2 of 2 hold"),
    (["holds", "refuted", "holds"], "2 of 3 hold, 1 refuted"),
    (["not testable", "not reproduced"], "0 of 2 hold, 1 not reproduced, 1 not testable"),
    (["fails", "refuted"], "0 of 2 hold, 1 refuted, 1 failed"),
])  # fmt: skip
def test_held_refuted_and_failed_claims_are_counted_apart(downloads, states, text):
    import esp_claims

    assert esp_claims.verdict(states) == text


def test_the_pdf_is_linked_once_it_is_there(small_book, downloads):
    page = small_book / "book/downloads.html"
    assert '<p class="esp-pdf" hidden' in page.read_text()
    assert downloads.uncover_pdf(small_book) == [page]
    assert '<p class="esp-pdf">' in page.read_text()
    assert downloads.uncover_pdf(small_book) == []


def test_a_build_removes_the_pdf_of_an_older_one(small_book, downloads):
    pdf, page = small_book / downloads.PDF, small_book / "book/downloads.html"
    pdf.write_bytes(b"%PDF-")
    downloads.uncover_pdf(small_book)
    command = [sys.executable, "-m", "sphinx", "-q", small_book.parents[1], small_book]
    subprocess.run(command, check=True, cwd=ROOT)  # nothing changed: no page is written again
    assert not pdf.exists()
    assert '<p class="esp-pdf" hidden' in page.read_text()


def test_who_installs_the_library_is_told_where_the_records_are():
    for name in ("README.md", "book/downloads.md"):
        assert "ESP_RESULTS" in (ROOT / name).read_text()
    page = (ROOT / "book/downloads.md").read_text()
    reading = [
        int(path.name[:2])
        for path in sorted((ROOT / "book").glob("[0-9]*.ipynb"))
        if re.search(r"\b(PRETRAINING|FINETUNING|results_folder\(|load_trial\()", path.read_text())
    ]
    *most, last = map(str, reading)
    assert f"chapters {', '.join(most)} and {last} miss" in page


def test_colab_installs_what_the_chapters_import(downloads):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    lines = downloads.colab_lines("https://github.com/someone/something", "next")
    named = re.search(r"/content/esp\[(.+)\]", lines)[1].split(",")
    assert set(named) <= set(extras)
    assert {"figures", "widgets", "torch"} <= set(named)
    assert "--branch next https://github.com/someone/something /content/esp" in lines
    assert "ESP_RESULTS=/content/esp/results" in lines


def test_binder_installs_what_the_book_runs_with():
    lines = (ROOT / ".binder/requirements.txt").read_text().splitlines()
    (target,) = (line.removeprefix("-r ") for line in lines if line.startswith("-r "))
    assert (ROOT / ".binder" / target).resolve() == ROOT / "requirements.txt"
    runtime = (ROOT / ".binder/runtime.txt").read_text().strip()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert runtime == "python-" + re.search(r">=([\d.]+)", wanted)[1]


@pytest.mark.browser
def test_the_printed_book_joins_its_pages(tmp_path, chromium, monkeypatch, capsys):
    from tools import print_book

    toc = {"root": "book/index", "chapters": [{"file": "book/a"}, {"file": "book/api/x"}]}
    (tmp_path / "toc.yml").write_text(yaml.safe_dump(toc))
    pages = {
        "index": "",
        "genindex": "",
        "book/index": '<h1 id="top">One</h1><a href="a.html#b">to</a><p hidden>gone</p>',
        "book/a": '<h1 id="b">Two</h1>',
        "book/api/x": "<h1>Left out</h1>",
    }
    for name, text in pages.items():
        path = tmp_path / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'<!doctype html><title>x</title><article class="bd-article">{text}</article>'
        )
    names = print_book.list_pages(tmp_path, tmp_path / "toc.yml")
    assert names == ["book/index", "book/a"]
    print_book.print_book(tmp_path, names, tmp_path / "book.pdf", chromium)
    content = (tmp_path / "book.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2  # each begins on a sheet of its own
    monkeypatch.setenv("ESP_CHROMIUM", str(tmp_path / "none"))
    assert print_book.main(["--html", str(tmp_path)]) == 1
    assert "ESP_CHROMIUM" in capsys.readouterr().err


def test_the_browser_without_windows_comes_first(tmp_path, monkeypatch):
    from tools.print_book import find_browser

    monkeypatch.delenv("ESP_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() == Path("/usr/bin/chromium")
    for name in ("chromium", "chromium-headless-shell"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
        assert find_browser() == tmp_path / name
    monkeypatch.setenv("ESP_CHROMIUM", "/another")
    assert find_browser() == Path("/another")


def test_nothing_is_printed_without_a_book(tmp_path, capsys):
    from tools import print_book

    if not CHROMIUM.exists():
        pytest.skip("no browser")
    assert print_book.main(["--html", str(tmp_path)]) == 1
    assert "run make book first" in capsys.readouterr().err


# ------------------------------------------------------------------------------------ the real book


def test_the_page_has_every_claim_and_figure_of_the_book(built_book):
    page = (built_book / "book/claims.html").read_text()
    targets = set(re.findall(r'href="([^"#]+\.html#(?:claim-|fig)[^"]+)"', page))
    for path in sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        chapter = (built_book / f"book/{path.stem}.html").read_text()
        names = re.findall(r'<tr id="(claim-[^"]+)"', chapter)
        names += re.findall(r'<figure class="esp-figure" id="([^"]+)"', chapter)
        assert len(names) > 5
        assert {f"{path.stem}.html#{name}" for name in names} <= targets
        for name in names:
            data = built_book / f"book/data/{path.stem}/{name}.csv"
            assert name.startswith("claim-") or data.stat().st_size > 100


def test_page_and_chapters_count_held_claims_alike(built_book):
    page = (built_book / "book/claims.html").read_text()
    counts = re.findall(r"esp-count\">(\d+ of \d+ hold)", page)
    chapters = [
        (built_book / f"book/{path.stem}.html").read_text()
        for path in sorted((ROOT / "book").glob("[0-9]*.ipynb"))
    ]
    assert counts == [re.search(r"Claims of this chapter: (.+?)<", text)[1] for text in chapters]


def test_every_chapter_can_be_downloaded_unexecuted(built_book):
    for path in sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        copy = built_book / f"_sources/book/{path.stem}.ipynb"
        assert copy.read_bytes() == path.read_bytes()
        chapter = (built_book / f"book/{path.stem}.html").read_text()
        assert f"_sources/book/{path.stem}.ipynb" in chapter


@pytest.mark.browser
def test_formulas_are_printed_as_formulas(built_book, chromium, tmp_path):
    from tools import print_book

    if not (built_book / "_static/esp-vendor/mathjax").exists():
        pytest.skip("MathJax was not bundled (make assets)")
    page = "book/06_beyond"
    assert '<span class="math' in (built_book / f"{page}.html").read_text()
    assert print_book.print_book(built_book, [page], tmp_path / "one.pdf", chromium) == 0
