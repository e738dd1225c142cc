"""Chapters are pages: what can be opened is short, what a page hides is hidden in Jupyter too."""

import ast

import nbformat
import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
LINES, COLUMNS = 45, 100
HIDDEN = {"hide-input", "remove-input"}  # behind a button, or not on the page at all


def cells(path):
    """(number, cell, its tags) of the code cells."""
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type == "code":
            yield number, cell, set(cell.metadata.get("tags", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_that_can_be_opened_are_short(path):
    long = {
        number: size
        for number, cell, tags in cells(path)
        if "remove-input" not in tags and (size := len(cell.source.splitlines())) > LINES
    }
    assert long == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lines_are_read_without_scrolling(path):
    wide = {
        (number, line): len(text)
        for number, cell, _ in cells(path)
        for line, text in enumerate(cell.source.splitlines(), start=1)
        if len(text) > COLUMNS
    }
    assert wide == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_is_hidden_in_jupyter_as_it_is_on_the_page(path):
    for number, cell, tags in cells(path):
        assert tags & HIDDEN, number
        assert cell.metadata.get("jupyter", {}).get("source_hidden") is True, number


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_captions_and_computed_sentences_stand_in_cells_of_their_own(path):
    """Those are not on the page; what is behind a button computes and draws."""
    for number, cell, tags in cells(path):
        if "remove-input" in tags:
            continue
        calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
        words = {keyword.arg for call in calls for keyword in call.keywords} & {"caption", "alt"}
        said = [call for call in calls if ast.unparse(call.func) in ("say", "chapter.claim")]
        assert (words, said) == (set(), []), number


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_made_for_the_page_gets_there(path):
    """Jupyter shows the value of a cell's last statement; any other needs `display`."""
    for number, cell, _ in cells(path):
        tree = ast.parse(cell.source)
        lost = [
            ast.unparse(node.value.func)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and node is not tree.body[-1]
        ]
        assert {"say", "table", "made_table", "figures.show"}.isdisjoint(lost), number


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_functions_live_in_the_library(path):
    defined = [
        node.name
        for _, cell, _ in cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    assert defined == []
