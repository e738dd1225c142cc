"""The built pages and the notebooks behind them: claims, parameters, a broken Adam."""

import hashlib
import html
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from esp_lib import measure
from esp_lib.bert import ablations
from esp_lib.bert.curves import curve
from esp_lib.finetuning import studies
from esp_lib.records.store import load, load_folder
from tests.conftest import ROOT

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("[0-9]*.ipynb"))
ROW = re.compile(
    r'<tr [^>]*data-claim="([^"]+)" data-holds="(true|false)"[^>]*>(.*?)</tr>', re.DOTALL
)


# Statements of the paper that our measurements contradict. Their rows say so, with the numbers, and
# the chapters explain them; any other claim that fails, or one of these that holds, is a failure.
REFUTED = {
    "02_phenomenon": {"fig2-drop-by-drop"},
    "03_factors": {
        "fig4-larger",
        "fig4-concave",
        "fig4-regularizes",
        "fig4-larger-reduced",
        "fig4-concave-reduced",
    },
    "04_mechanism": {"fig12-momentum-amplifies"},
    "07_epochs_and_seeds": {
        "best-worst",
        "good-everywhere",
        "early-tells",
        "start-many-helps",
        "more-data-fewer-epochs",
    },
}


def claims(page: str) -> dict[str, tuple[bool, str]]:
    """name -> (holds, its row as text) of every claim on a page."""
    return {
        name: (holds == "true", html.unescape(re.sub(r"(<[^>]+>)+", " | ", row)))
        for name, holds, row in ROW.findall(page)
    }


def outputs(notebook: nbformat.NotebookNode, mime: str) -> list[str]:
    """All outputs of one kind, in order."""
    found = (
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    )
    return [data[mime] for data in found if mime in data]


def papermill(
    tmp_path: Path, *arguments: str, chapter: str = "05_replication"
) -> subprocess.CompletedProcess[str]:
    out = str(tmp_path / "out.ipynb")
    command = [sys.executable, "-m", "papermill", f"book/{chapter}.ipynb", out]
    return subprocess.run(
        [*command, "--no-progress-bar", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", CHAPTERS)
def test_claims_hold_unless_they_are_known_to_be_refuted(built_book, name):
    found = claims((built_book / f"book/{name}.html").read_text())
    assert found, "no claims table on the page"
    failed = {claim: row for claim, (holds, row) in found.items() if not holds}
    assert set(failed) == REFUTED.get(name, set()), failed


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_text_in_a_figure_follows_the_theme(built_book, name):
    page = (built_book / f"book/{name}.html").read_text()
    texts = re.findall(r"<text\b.*?</text>", page, flags=re.DOTALL)
    assert texts
    assert [text for text in texts if not re.search(r"fill(: ?|=\")var\(--esp-", text)] == []


@pytest.mark.parametrize("name", [*CHAPTERS, "index", "play"])
def test_no_page_shows_a_python_object(built_book, name):
    """Such as the value of a cell's last line, "<matplotlib.axis.XTick at 0x7f…>"."""
    page = html.unescape((built_book / f"book/{name}.html").read_text())
    assert re.findall(r"<[\w.]+(?: object)? at 0x[0-9a-f]+>|<Axes: ", page) == []


@pytest.mark.parametrize("name", [*CHAPTERS, "index", "play"])
def test_no_page_shows_markup(built_book, name):
    """Roles such as {cite:p} work in a notebook's text, not in what its code prints."""
    page = (built_book / f"book/{name}.html").read_text()
    assert re.findall(r"{(?:cite|doc|ref|math)[^}]*}(?=<code|`)", page) == []


@pytest.mark.parametrize("name", [*CHAPTERS, "index", "play"])
def test_every_page_says_how_it_was_computed(built_book, name):
    page = (built_book / f"book/{name}.html").read_text()
    foot = page[page.index("esp-provenance") :]
    assert re.search(r"Computed.*\d{4}-\d\d-\d\d \d\d:\d\d UTC", foot)
    assert re.search(r"Code.*(commit [0-9a-f]{12}|not from a repository)", foot)


@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_are_numbered_with_caption_and_alt(built_book, name):
    page = (built_book / f"book/{name}.html").read_text()
    figures = re.findall(r'<figure class="esp-figure" id=.*?</figure>', page, re.DOTALL)
    assert figures
    numbers = [re.search(r"<strong>Figure (\S+.*?)\.</strong>", figure)[1] for figure in figures]
    assert len(set(numbers)) == len(numbers)
    for figure in figures:
        assert len(re.search(r'aria-label="([^"]*)"', figure)[1]) > 40
        assert len(re.search(r"<figcaption>(.*?)</figcaption>", figure, re.DOTALL)[1]) > 80


def test_other_parameters_change_the_figures(tmp_path, built_book):
    done = papermill(tmp_path, "-p", "beta2", "0.85", "-p", "eps", "1e-6", "-p", "profile", "quick")
    assert done.returncode == 0, done.stderr[-2000:]
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    figure = next(page for page in outputs(notebook, "text/html") if 'id="fig-19"' in page)
    assert "β₂ = 0.85" in figure
    built = (built_book / "book/05_replication.html").read_text()
    assert hashlib.sha256(figure.encode()).digest() != hashlib.sha256(built.encode()).digest()
    assert figure not in built
    assert "beta2 = 0.85" in outputs(notebook, "text/html")[-1]


def test_the_quick_profile_runs_from_text_to_figure(tmp_path, monkeypatch):
    """Chapter 2 trains what has no record, writes records, draws them and finds the tooth."""
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path / "results"))
    monkeypatch.delenv("ESP_DATA", raising=False)
    done = papermill(tmp_path, "-p", "profile", "quick", chapter="02_phenomenon")
    assert done.returncode == 0, done.stderr[-2000:]
    pages = outputs(nbformat.read(tmp_path / "out.ipynb", as_version=4), "text/html")
    assert any('id="fig-reduced"' in page and "profile “quick”" in page for page in pages)
    (page,) = (page for page in pages if "data-claim" in page)
    assert claims(page)["fig2-mlm-training"][0]
    found = load_folder(tmp_path / "results")
    assert found.damaged == ()
    assert len(found.records) == 5
    for record in found.records:
        assert (record.profile, record.status) == ("quick", "finished")
        assert record.made["device"]
    kept = [record for record in found.records if record.name in ("baseline", "beta2-0.8")]
    assert kept[0].made["corpus"] == kept[1].made["corpus"]
    for record in kept:
        loss = record.arrays["mlm_loss"]
        assert loss.shape == (320,)
        assert loss[-40:].mean() < loss[:40].mean() - 1
        tooth = measure(curve([record]))
        assert tooth.p_value[0] < 0.01
        assert tooth.amplitude[0] > 0.1
    assert not list(tmp_path.glob("**/*.pt"))  # checkpoints of finished runs are gone


def test_a_chapter_names_the_record_that_it_misses(tmp_path, monkeypatch):
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    done = papermill(tmp_path, chapter="02_phenomenon")
    assert done.returncode != 0
    assert "there is no record of baseline-seed0" in done.stderr
    assert "set ESP_RESULTS to the folder of records" in done.stderr
    assert "python -m esp_lib runs train --profile cpu" in done.stderr


@pytest.mark.parametrize(
    ("name", "jobs"),
    [
        ("02_phenomenon", [job for job in ablations.jobs("cpu") if job.name == "baseline"]),
        ("03_factors", ablations.jobs("cpu")),
        ("07_epochs_and_seeds", studies.jobs("cpu")),
    ],
)
def test_recorded_chapters_say_what_made_each_run(built_book, name, jobs):
    page = html.unescape((built_book / f"book/{name}.html").read_text())
    head = page.index("recorded runs of this page: what made them")
    rows = page[head:]
    for job in jobs:
        assert job.label in rows
        assert load(job.path(ROOT / "results")).made["commit"] in rows
    assert "profile “cpu”" in page


@pytest.mark.parametrize("name", ["02_phenomenon", "03_factors"])
def test_reduced_runs_are_said_to_be_reduced(built_book, name):
    page = (built_book / f"book/{name}.html").read_text()
    assert "is a <strong>reduction</strong>" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-p", "bta2", "0.85"), ["no parameter is called", "bta2", "beta2: a number in [0, 1)"]),
        (("-p", "beta2", "1.5"), ["beta2 must be a number in [0, 1), got 1.5"]),
    ],
)
def test_wrong_parameters_stop_the_run(tmp_path, arguments, words):
    done = papermill(tmp_path, *arguments)
    assert done.returncode != 0
    for word in words:
        assert word in done.stderr


def test_breaking_adam_fails_the_claims_about_it():
    """With beta2 fixed to 0 inside Adam, the claims that rest on beta2 must fail by name."""
    notebook = nbformat.read(ROOT / "book/05_replication.ipynb", as_version=4)
    broken = (
        "from esp_lib.optimizers import Adam\n"
        "_whole = Adam.two_moment\n"
        "def _broken(self, steps):\n"
        "    return _whole(Adam(self.lr, self.beta1, 0.0, self.eps), steps)\n"
        "Adam.two_moment = _broken\n"
        "del Adam"
    )
    first = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells[first].source += '\nprofile = "quick"'
    notebook.cells.insert(first, nbformat.v4.new_code_cell(broken))
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "book")}}
    ).execute()
    (page,) = (page for page in outputs(notebook, "text/html") if "data-claim" in page)
    failed = {name for name, (holds, _) in claims(page).items() if not holds}
    assert {
        "fig19a-beta2",
        "fig22-exacerbates",
        "fig22-diverges",
        "fig22-eps-damps",
        "published-within-3",
    } <= failed


def test_the_theme_brings_no_icon_script(built_book):
    """The project's own file stands in for it; the icons come from the theme's style sheet."""
    static = built_book / "_static"
    assert (static / "scripts/fontawesome.js").stat().st_size < 1000
    css = (static / "styles/pydata-sphinx-theme.css").read_text()
    page = (built_book / "book/index.html").read_text()
    for icon in set(re.findall(r'class="fa\w* (fa-[a-z-]+)', page)):
        assert f".{icon}:before" in css
