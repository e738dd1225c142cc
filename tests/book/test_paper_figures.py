"""The page of the paper's figures: a row for each, and a verdict that follows from what ran."""

import re
from fnmatch import fnmatch

import nbformat
import pytest

from esp_lib.notebook.ledger import Figure, Ledger
from tests.conftest import ROOT

RESULTS = {  # what the published README shows without a number of the paper's
    "without shuffling", "plot every", "BERT, batch size", "weight decay", "The toy, batch size",
    "The toy, β₁", "one waiting batch",
}  # fmt: skip
UNDESCRIBED = {"3", "6", "7", "8", "20"}


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    return pytest.importorskip("esp_paper_figures")


def link(target: str) -> str:
    return target.removeprefix("book/").replace("#", ".html#")


def ledger(*states: str, profile: str = "", status: str = "finished", drawn: bool = True) -> Ledger:
    claims = tuple(
        {"name": f"fig9-{i}", "statement": f"S{i}.", "state": state}
        for i, state in enumerate(states)
    )
    runs = [{"profile": profile, "status": status}] if profile else []
    figure = Figure("fig-9", "3.6", "Sizes.", "x,y\n", [], runs, "<svg></svg>")
    return Ledger(claims, (figure,) if drawn else (), {})


def source(chapter: str) -> str:
    cells = nbformat.read(ROOT / f"book/{chapter}.ipynb", as_version=4).cells
    return "\n".join(cell.source for cell in cells)


def test_each_figure_of_the_paper_has_its_row(page):
    numbers = [row.number.split(" ")[0] for row in page.ROWS if row.number]
    assert list(dict.fromkeys(numbers)) == [str(number) for number in range(1, 23)]
    assert {row.number for row in page.ROWS if row.number.startswith("2 ")} == {"2 (a)", "2 (b)"}
    extra = [row.what for row in page.ROWS if not row.number]
    assert all(sum(what in text for text in extra) == 1 for what in RESULTS)
    assert len(extra) == len(RESULTS)


def test_what_no_source_describes_is_said_to_be_absent(page):
    rows = [row for row in page.ROWS if row.number in UNDESCRIBED]
    assert {row.number for row in rows} == UNDESCRIBED
    for row in rows:
        text = page.entry(row, None, link)
        assert 'data-verdict="absent"' in text
        assert "neither the paper's published code nor its README" in text


def test_rows_name_figures_and_claims_that_their_chapters_have(page):
    for row in page.ROWS:
        if not row.chapter:
            continue
        text = source(row.chapter)
        drawn = re.findall(r'name="(fig[^"]*)"', text)
        stated = re.findall(r'chapter\.claim\(\s*f?"([^"]+)"', text)
        stated = [re.sub(r"\{[^}]*\}", "x", name) for name in stated]
        assert set(row.figures) <= set(drawn), row
        for pattern in row.claims:
            assert any(fnmatch(name, pattern) for name in stated), (row, pattern)
        if row.section:
            assert row.section.removeprefix("claim-") in stated


@pytest.mark.parametrize(("found", "state", "words"), [
    (ledger("holds", "holds"), "holds", "Rebuilt; holds."),
    (ledger("holds", profile="paper"), "holds", "Rebuilt; holds."),
    (ledger("holds", profile="cpu"), "holds", "Rebuilt at reduced size; holds."),
    (ledger("holds", profile="paper", status="stopped"), "holds",
     "Rebuilt in part: a run stopped early; holds."),
    (ledger("holds", "refuted"), "refuted", "Rebuilt; 1 of 2 claims hold, refuted: S1."),
    (ledger("refuted", "fails", "refuted"), "refuted",
     "Rebuilt; 0 of 3 claims hold, refuted: S0; S2; fails: S1."),
    (ledger("not reproduced", profile="cpu"), "not reproduced",
     "Rebuilt at reduced size; 0 of 1 claims hold, not reproduced: S0."),
    (ledger("fails"), "fails", "Rebuilt; 0 of 1 claims hold, fails: S0."),
    (ledger(drawn=False), "absent", ""),
    (None, "not executed", "Its chapter was not executed in this build."),
])  # fmt: skip
def test_the_verdict_follows_from_what_ran(page, found, state, words):
    (row,) = [row for row in page.ROWS if row.number == "9"]
    text = page.entry(row, found, link)
    assert f'data-verdict="{state}"' in text
    assert words in re.sub(r"<[^>]+>", "", text)
    shown = found is not None and state != "absent"
    assert ('href="03_factors.html#fig-9"' in text) == shown
    assert ('src="data/03_factors/fig-9.svg"' in text) == shown


def test_bert_small_is_absent_until_it_is_trained(page):
    (row,) = [row for row in page.ROWS if row.number == "2 (a)"]
    text = page.entry(row, ledger("holds"), link)
    assert 'data-verdict="absent"' in text
    assert "python -m esp_lib runs train small small-fixed --profile paper" in text


def test_pictures_and_links_of_the_page_lead_somewhere(built_book):
    text = (built_book / "book/figures.html").read_text()
    rows = re.findall(r"<li data-figure=.*?</li>", text, re.DOTALL)
    assert len(rows) > 28
    assert not [row for row in rows if 'data-verdict="fails"' in row]
    assert not [row for row in rows if 'data-verdict="not executed"' in row]
    for target in re.findall(r'src="(data/[^"]+)"', text):
        picture = (built_book / "book" / target).read_text()
        assert picture.startswith("<svg")
        assert 'xmlns="http://www.w3.org/2000/svg"' in picture
    for chapter, place in re.findall(r'href="([^"#]+\.html)#([^"]+)"', "".join(rows)):
        assert f'id="{place}"' in (built_book / "book" / chapter).read_text()
