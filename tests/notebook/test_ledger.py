"""What executed notebooks record: drawn numbers, seeds, runs, claims, fingerprints."""

import csv
import io
import json
import os
import re
import shutil

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from esp_lib import figures
from esp_lib.figures.numbers import figure_csv
from esp_lib.notebook import ledger
from esp_lib.records.store import load_folder
from tests.conftest import ROOT
from tests.notebook.notebooks import notebook


def rows(*axes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(figure_csv(*axes))))


def numbers(table, kind, *columns):
    return np.array([[float(row[c]) for c in columns] for row in table if row["kind"] == kind])


# ---------------------------------------------------------------------------------- drawn numbers


def test_lines_and_bands_are_read_back_with_all_digits():
    x, y = np.arange(3.0), np.array([0.1, 1 / 3, np.nan])
    ax = figures.panel()
    ax.plot(x, y, label="mean")
    ax.fill_between(x[:2], y[:2] - 1, y[:2] + 1, label="band")
    ax.axvline(1, label="guide")
    table = rows(ax)
    line = numbers(table, "line", "x", "y")
    assert np.array_equal(line, np.stack([x, y], axis=1), equal_nan=True)
    assert {row["series"] for row in table if row["kind"] == "line"} == {"mean"}
    corners = {tuple(corner) for corner in numbers(table, "area", "x", "y").tolist()}
    assert corners == {(x[i], y[i] + side) for i in (0, 1) for side in (-1, 1)}
    assert numbers(table, "guide", "x", "y").tolist() == [[1, 0], [1, 1]]


def test_maps_points_and_bars_are_read_back():
    maps, image, points, bars = (figures.panel() for _ in range(4))
    values = np.ma.masked_greater(np.arange(6.0).reshape(2, 3), 4.5)
    maps.pcolormesh([0, 1, 2, 3], [0, 10, 20], values, label="map")
    image.imshow(values.filled(np.nan), extent=(0, 3, 0, 20), origin="lower", label="map")
    expected = [[x + 0.5, y, v] for y, row in zip((5, 15), values.filled(np.nan), strict=True)
                for x, v in enumerate(row)]  # fmt: skip
    for ax in (maps, image):
        got = numbers(rows(ax), "cell", "x", "y", "z")
        np.testing.assert_allclose(got, expected)
    points.scatter([1, 2], [3, 4], c=[5, 6], label="dots")
    assert numbers(rows(points), "point", "x", "y", "z").tolist() == [[1, 3, 5], [2, 4, 6]]
    bars.bar([1.0], [7.0], width=0.5, label="bars")
    corners = numbers(rows(bars), "bar", "x", "y")
    assert corners.min(axis=0).tolist() == [0.75, 0]
    assert corners.max(axis=0).tolist() == [1.25, 7]


def test_panels_are_numbered_and_every_drawn_number_counts():
    first, second = figures.panel(), figures.panel()
    first.plot([0, 1], [2, 3], label="a")
    (line,) = second.plot([0, 1], [2, 3], label="a")
    before = figure_csv(first, second)
    assert [row["panel"] for row in rows(first, second)] == ["1", "1", "2", "2"]
    line.set_ydata([2, np.nextafter(3, 4)])
    assert figure_csv(first, second) != before


def test_the_table_has_the_labels_of_what_is_drawn():
    ax = figures.panel("(a) losses", xlabel="epoch", ylabel="loss")
    ax.plot([0, 1], [1, 2], label="Adam")
    ax.fill_between([0, 1], [0, 0], [1, 1], alpha=0.2, label="Adam")
    ax.plot([0, 1], [4, 5], "o", label="published")
    ax.errorbar([1], [2], yerr=[0.5], fmt="s", label="rise")
    for _, _, bars in (ax.hist([1, 2], [0, 1, 2]),):
        bars.set_label("counts")
    table = rows(ax)
    assert {(row["title"], row["x axis"], row["y axis"]) for row in table} == {
        ("(a) losses", "epoch", "loss")
    }
    by_kind = {kind: [r["series"] for r in table if r["kind"] == kind] for kind in ("line", "area")}
    assert list(dict.fromkeys(by_kind["line"])) == ["Adam", "published", "rise"]
    assert set(by_kind["area"]) == {"Adam", "rise"}
    assert {row["series"] for row in table if row["kind"] == "bar"} == {"counts"}


@pytest.mark.parametrize("label", [None, "_one run"])
@pytest.mark.parametrize(
    ("kind", "draw"),
    [
        ("Line2D", lambda ax, label: ax.plot([0, 1], [0, 1], label=label)),
        ("Line2D", lambda ax, label: ax.axhline(0, label=label)),
        ("Collection", lambda ax, label: ax.fill_between([0, 1], [0, 1], label=label)),
        ("QuadMesh", lambda ax, label: ax.pcolormesh([[1.0]], label=label)),
        ("Rectangle", lambda ax, label: ax.axvspan(0, 1, label=label)),
    ],
)
def test_what_has_no_label_is_refused(kind, draw, label):
    ax = figures.panel("(b) gains")
    ax.plot([0, 1], [1, 2], label="Adam")
    draw(ax, label)
    with pytest.raises(ValueError, match=rf"axes must draw .* label; \w*{kind} has none .*gains"):
        figure_csv(ax)


def test_places_have_the_names_of_their_ticks():
    def names(axis, *places):
        ax = figures.panel()
        ax.plot(places, places, label="a")
        axis(ax)
        return [(row["x name"], row["y name"]) for row in rows(ax)]

    assert names(lambda ax: ax.set_yticks([0, 1], ["Adam", "Lion"]), -0.2, 1.2, 3) == [
        ("", "Adam"), ("", "Lion"), ("", ""),
    ]  # fmt: skip
    assert names(lambda ax: ax.set_xticks([0.5, 1, 10], ["never", "1", "10"]), 0.5, 1, 0.6) == [
        ("never", ""), ("", ""), ("", ""),
    ]  # fmt: skip
    assert names(lambda ax: ax.set_xticks([0, 1], ["0.999", "0.8"]), 0, 1) == [
        ("0.999", ""), ("0.8", ""),
    ]  # fmt: skip
    assert names(lambda ax: None, 0, 1) == [("", "")] * 2


def test_maps_and_axes_beside_a_panel_are_in_the_table():
    ax = figures.panel("(a) amplitude", xlabel="β₁", ylabel="β₂")
    mesh = ax.pcolormesh([0, 1], [0, 1], [[5.0]], label="amplitude")
    ax.figure.colorbar(mesh, ax=ax).set_label("units of the loss")
    (cell,) = rows(ax)
    assert [cell[k] for k in ("series", "x axis", "z", "z axis")] == [
        "amplitude", "β₁", "5.0", "units of the loss",
    ]  # fmt: skip
    beside = ax.figure.add_axes((0, 0, 1, 1), xlabel="phase")
    beside.plot([1], [2], label="tooth")
    assert [(r["panel"], r["title"], r["x axis"], r["series"]) for r in rows(ax)[1:]] == [
        ("1", "(a) amplitude", "phase", "tooth")
    ]


# ------------------------------------------------------------------------------ seeds and records


def shown(**origin):
    """What `figures.show` records of where a figure comes from."""
    ax = figures.panel()
    ax.plot([0, 1], [0, 1], label="line")
    shown = figures.show(ax, name="fig-a", number="1", caption="A.", alt="A.", **origin)
    return ledger.Figure(**shown.record)


def test_a_figure_says_its_seeds():
    assert shown().seeds == []
    assert shown(seeds=np.array([[3], [0], [3]])).seeds == [0, 3]
    assert shown(seeds=range(2)).seeds == [0, 1]
    with pytest.raises(ValueError, match="seeds must be integers, got"):
        shown(seeds=[0.5])


def test_a_figure_says_its_recorded_runs_and_their_seeds():
    records = load_folder(ROOT / "results", "cpu").records[:3]
    for runs in (records, {"a": records[:1], "b": records[1:]}):
        found = shown(runs=runs, seeds=[99])
        assert [run["run"] for run in found.runs] == [record.label for record in records]
        assert found.runs[0]["commit"] == records[0].made["commit"]
        assert found.seeds == sorted({99, *(record.seed for record in records)})


# ------------------------------------------------------------------------------------- notebooks


def test_the_ledger_is_what_the_notebook_showed(tmp_path):
    book = ledger.read_notebook(notebook(tmp_path / "a.ipynb", values=(1 / 3, np.nan)))
    (claim,) = book.claims
    assert claim["values"] == ["0.3333333333333333", "nan"]
    assert claim["state"] == "holds"
    (figure,) = book.figures
    assert (figure.name, figure.number) == ("fig-a", "5.1")
    assert [row["y"] for row in csv.DictReader(io.StringIO(figure.csv))] == ["0.0", "1.0"]
    assert book.made["parameters"]["beta2"] == 0.8
    assert (figure.seeds, figure.runs) == ([3], [])


def test_the_fingerprint_changes_with_numbers_and_with_nothing_else(tmp_path):
    def fingerprint(**changes):
        return ledger.read_notebook(notebook(tmp_path / "a.ipynb", **changes)).fingerprint

    plain = fingerprint()
    assert re.fullmatch(r"[0-9a-f]{64}", plain)
    assert fingerprint(extra=" Said otherwise.") == plain  # at another time, too
    changed = {
        fingerprint(measured="2"),
        fingerprint(values=(np.nextafter(1, 2),)),
        fingerprint(y=(0.0, np.nextafter(1, 2))),
    }
    assert len(changed | {plain}) == 4


def test_a_notebook_that_has_not_run_has_no_ledger(tmp_path):
    assert ledger.read_notebook(ROOT / "book/05_replication.ipynb") is None
    (tmp_path / "a.ipynb").write_text(json.dumps([1]))
    with pytest.raises(ValueError, match="path must name a notebook"):
        ledger.read_notebook(tmp_path / "a.ipynb")


# --------------------------------------------------------------------- the same numbers every time


def run_chapter(name, folder, package):
    """The ledger of a chapter, executed with the `esp_lib` that lies in the folder `package`."""
    folder.mkdir()
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    results = os.environ.get("ESP_RESULTS", str(ROOT / "results"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "ESP_RESULTS": results}
    chapter = nbformat.read(ROOT / f"book/{name}.ipynb", as_version=4)
    place = {"metadata": {"path": str(ROOT / "book")}}
    NotebookClient(chapter, timeout=300, resources=place).execute(env=environment)
    nbformat.write(chapter, folder / "out.ipynb")
    return ledger.read_notebook(folder / "out.ipynb")


def alter(folder, module, before, after):
    """A copy of the library with one constant changed."""
    shutil.copytree(ROOT / "esp_lib", folder / "esp_lib")  # keeps times, so Numba's cache too
    path = folder / "esp_lib" / module
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    return folder


def test_a_changed_constant_changes_the_chapters_that_use_it_and_no_other(tmp_path):
    """Chapter 2 measures recorded runs: it uses `sawtooth/`, and no update rule."""
    chapter = "02_phenomenon"
    first = run_chapter(chapter, tmp_path / "run1", ROOT)
    assert len(first.claims) > 5
    assert len(first.figures) > 4
    other_rule = alter(
        tmp_path / "rule", "optimizers/adaptive.py", "eps: Hyper = 1e-10", "eps: Hyper = 1e-9"
    )
    second = run_chapter(chapter, tmp_path / "run2", other_rule)
    assert second.fingerprint == first.fingerprint
    assert second.made["date"] != first.made["date"]
    other_tooth = alter(
        tmp_path / "tooth",
        "sawtooth/measurement.py",
        "BEND_WEIGHT = 2 / 15",
        "BEND_WEIGHT = 3 / 15",
    )
    assert run_chapter(chapter, tmp_path / "run3", other_tooth).fingerprint != first.fingerprint
