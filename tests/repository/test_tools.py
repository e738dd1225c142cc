"""The scripts behind `make`: running chapters, reading requirement files, refusing a Python."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest

from tools import check_python, lock, run_chapters


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def chapters(tmp_path: Path) -> list[Path]:
    """A book of two chapters and a page, all in its table of contents."""
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nchapters: [{file: book/02_b}, {file: book/01_a}]\n", encoding="utf8"
    )
    write_notebook(
        tmp_path / "book" / "01_a.ipynb", "beta2 = 0.8\nseeds = 2", "print(beta2 * seeds)"
    )
    write_notebook(tmp_path / "book" / "02_b.ipynb", "beta2 = 0.8", "1 / 0")
    (tmp_path / "book" / "index.md").write_text("# Book\n", encoding="utf8")
    return run_chapters.list_chapters(tmp_path)


def test_chapters_come_in_the_order_of_the_contents(chapters: list[Path]):
    assert [path.name for path in chapters] == ["02_b.ipynb", "01_a.ipynb"]
    assert [path.stem for path in run_chapters.select(chapters, ["01_a"])] == ["01_a"]
    assert run_chapters.select(chapters, []) == chapters


def test_unknown_chapter_is_refused(chapters: list[Path]):
    with pytest.raises(ValueError, match="chapter must be one of 02_b, 01_a; got 03_c"):
        run_chapters.select(chapters, ["03_c"])


def test_parameters_go_to_the_chapters_that_declare_them(chapters: list[Path]):
    second, first = chapters
    split = run_chapters.split_parameters(chapters, {"beta2": 0.9, "seeds": 3})
    assert split == {first: {"beta2": 0.9, "seeds": 3}, second: {"beta2": 0.9}}


def test_misspelled_parameter_is_refused(chapters: list[Path]):
    with pytest.raises(ValueError, match="parameter must be one of beta2, seeds; got beta_2"):
        run_chapters.split_parameters(chapters, {"beta_2": 0.9})


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-6", 1e-6), ("4", 4), ("true", True), ("[0.9, 0.8]", [0.9, 0.8]), ("cuda", "cuda")],
)
def test_values_are_read_as_numbers_where_they_are(text: str, value: object):
    read = run_chapters.parse_value(text)
    assert read == value
    assert type(read) is type(value)


def test_a_chapter_runs_with_the_given_parameters(chapters: list[Path], tmp_path: Path):
    first = chapters[1]
    assert run_chapters.run(first, {"beta2": 0.5}, tmp_path) == ""
    executed = nbformat.read(tmp_path / first.name, as_version=4)
    assert executed.cells[-1].outputs[0].text.strip() == "1.0"


def test_a_failing_chapter_is_reported_and_the_others_still_run(
    chapters: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(run_chapters, "list_chapters", lambda: chapters)
    monkeypatch.setenv("PYTHONPATH", "")
    output = tmp_path / "out"
    assert run_chapters.main(["--output", str(output), "-p", "beta2", "0.5"]) == 1
    printed = capsys.readouterr().out
    assert "failed: ZeroDivisionError" in printed
    assert "1 of 2 chapters ran" in printed
    assert nbformat.read(output / "01_a.ipynb", as_version=4).cells[-1].outputs[0].text == "1.0\n"


def test_requirement_lines_are_read_without_comments_and_options(tmp_path: Path):
    path = tmp_path / "requirements.txt"
    path.write_text("# all\n-c lock\nnumpy==2.4.6  # arrays\n\n-e .\n", encoding="utf8")
    assert lock.direct_requirements(path) == ["numpy==2.4.6"]


def test_pins_are_sorted_and_names_normal():
    assert lock.canonical("Types_PyYAML.x") == "types-pyyaml-x"
    assert lock.pins({"b": "2", "a": "1"}) == "a==1\nb==2\n"


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0)])
def test_another_python_is_refused_with_a_way_out(version, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"3\.14 is needed(.|\n)*make PYTHON="):
        check_python.main()


def test_this_python_is_accepted():
    check_python.main()
