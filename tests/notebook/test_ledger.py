"""What executed notebooks record of themselves: drawn numbers, lineage, claims, fingerprints."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from esp_lib import figures
from esp_lib.comparison import contenders
from esp_lib.figures.numbers import figure_csv
from esp_lib.maps import grid
from esp_lib.notebook import ledger
from esp_lib.notebook.lineage import keys_of, runs_of, seeds_of, trace
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
    ax.fill_between(x[:2], y[:2] - 1, y[:2] + 1)
    ax.axvline(1)
    table = rows(ax)
    line = numbers(table, "line", "x", "y")
    assert np.array_equal(line, np.stack([x, y], axis=1), equal_nan=True)
    assert {row["series"] for row in table if row["kind"] == "line"} == {"mean"}
    corners = {tuple(corner) for corner in numbers(table, "area", "x", "y").tolist()}
    assert corners == {(x[i], y[i] + side) for i in (0, 1) for side in (-1, 1)}
    assert numbers(table, "guide", "x", "y").tolist() == [[1, 0], [1, 1]]


def test_maps_points_and_bars_are_read_back():
    grid, image, points, bars = (figures.panel() for _ in range(4))
    values = np.ma.masked_greater(np.arange(6.0).reshape(2, 3), 4.5)
    grid.pcolormesh([0, 1, 2, 3], [0, 10, 20], values)
    image.imshow(values.filled(np.nan), extent=(0, 3, 0, 20), origin="lower")
    expected = [[x + 0.5, y, v] for y, row in zip((5, 15), values.filled(np.nan), strict=True)
                for x, v in enumerate(row)]  # fmt: skip
    for ax in (grid, image):
        got = numbers(rows(ax), "cell", "x", "y", "z")
        np.testing.assert_allclose(got, expected)
    points.scatter([1, 2], [3, 4], c=[5, 6])
    assert numbers(rows(points), "point", "x", "y", "z").tolist() == [[1, 3, 5], [2, 4, 6]]
    bars.bar([1.0], [7.0], width=0.5)
    corners = numbers(rows(bars), "bar", "x", "y")
    assert corners.min(axis=0).tolist() == [0.75, 0]
    assert corners.max(axis=0).tolist() == [1.25, 7]


def test_panels_are_numbered_and_every_drawn_number_counts():
    first, second = figures.panel(), figures.panel()
    first.plot([0, 1], [2, 3])
    (line,) = second.plot([0, 1], [2, 3])
    before = figure_csv(first, second)
    assert [row["panel"] for row in rows(first, second)] == ["1", "1", "2", "2"]
    line.set_ydata([2, np.nextafter(3, 4)])
    assert figure_csv(first, second) != before


def test_rows_say_what_they_are_without_the_figure():
    ax = figures.panel("(a) losses", xlabel="epoch", ylabel="loss")
    ax.plot([0, 1], [1, 2], color=figures.BLUE, label="Adam")
    ax.plot([0, 1], [1, 2], "o", color=figures.BLUE, markerfacecolor="none")
    ax.plot([0, 1], [1, 3], color=figures.BLUE, label="_one run")
    ax.fill_between([0, 1], [0, 0], [1, 1], color=figures.BLUE, alpha=0.2)
    ax.plot([0, 1], [4, 5], "--", color=figures.GREEN)
    ax.errorbar([1], [2], yerr=[0.5], fmt="s", color=figures.INK, label="rise")
    table = rows(ax)
    assert {(row["title"], row["x axis"], row["y axis"]) for row in table} == {
        ("(a) losses", "epoch", "loss")
    }
    by_kind = {kind: [r["series"] for r in table if r["kind"] == kind] for kind in ("line", "area")}
    assert list(dict.fromkeys(by_kind["line"])) == [
        "Adam", "Adam, circles", "one run", "green dashed", "rise",
    ]  # fmt: skip
    assert set(by_kind["area"]) == {"Adam", "rise"}
    figures.legend(ax)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"Adam", "rise"}


def test_places_have_the_names_of_their_ticks():
    def names(axis, *places):
        ax = figures.panel()
        ax.plot(places, places)
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
    mesh = ax.pcolormesh([0, 1], [0, 1], [[5.0]])
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


# ---------------------------------------------------------------------------------------- lineage

CELLS = [
    "beta2 = 0.8\nnum_seeds = 4\nunused = 1",
    "import numpy as np\nfrom esp_lib import Adam, QuadraticProblem, figures, measure, simulate\n"
    "from esp_lib import diagnose as d",
    "seeds = np.arange(num_seeds)\nother = measure([1.0], 1)",
    "def loss(rule):\n    return simulate(QuadraticProblem.sample(seed=7), rule, seed=seeds)",
    "ax = figures.panel()\nd.diagnose(other)",
    "ax = figures.wide()\nfor k in range(2):\n    ax.plot(loss(Adam(beta2=beta2)).loss)",
    "figures.show(ax, name='a')",
]  # fmt: skip


def test_a_figure_is_traced_to_functions_parameters_and_seeds():
    found = trace(CELLS, 6)
    assert found.functions == (
        "esp_lib.figures.page.show",
        "esp_lib.figures.style.wide",
        "esp_lib.optimizers.adam.Adam",
        "esp_lib.quadratic.problem.QuadraticProblem",
        "esp_lib.quadratic.problem.QuadraticProblem.sample",
        "esp_lib.quadratic.simulation.simulate",
    )
    assert {"beta2", "num_seeds", "seeds"} <= found.names
    assert not {"unused", "other"} & found.names
    assert found.seeds == (7,)


def test_a_function_called_without_a_seed_has_its_default():
    imports = "from esp_lib import Adam, QuadraticProblem, simulate"
    call = "simulate(QuadraticProblem.sample(seed={}), Adam(){})"
    assert trace([imports, call.format(3, "")], 1).seeds == (0, 3)
    assert trace([imports, call.format(3, ", seed=4")], 1).seeds == (3, 4)
    assert trace([imports, "s = 5", call.format(3, ", **settings")], 2).seeds == (3,)


def test_a_name_that_is_written_anew_ends_the_trace():
    cells = ["a = 1\nb = 2", "x = a", "x = b", "x.append(c)", "print(x)"]
    assert trace(cells, 4).names == {"x", "b", "c", "print"}
    loops = ["for k in first: a = k", "for k in second: print(k)"]
    assert trace(loops, 1).names == {"second", "print"}


def test_a_loop_keeps_its_variables_to_itself():
    loop = (
        "for (label, value), k in first:\n    ax = make(value)\n    with ax as own:\n"
        "        own.draw([label for label in k])\n    total += k\n    panels.append(ax)"
    )
    found = trace(["ax, label = old, 1", "total = start", "panels = []", loop, "show(*panels)"], 4)
    assert {"first", "make", "panels"} <= found.names
    assert "old" not in found.names
    assert "start" in found.names  # `total` is read before it is written


@pytest.mark.parametrize("body", [
    "for i in first:\n    for j in i:\n        x = j\n        a.append(x)",
    "while first:\n    x = first\n    a.append(x)",
    "if first:\n    x = 1\nelse:\n    x = 2\na.append(x)",
    "a = [x for y in first for x in y if x]",
    "a = {x: y for x, y in first}",
    "a = f(lambda x: x, first)",
    "with first as (x, y): a = x",
    "def a(y):\n    x = first\n    return x",
    "a = (x := first) + x",
    "(x, *y), z[0] = first, 1\na = x",
])  # fmt: skip
def test_names_that_are_assigned_before_they_are_read_come_from_nowhere_else(body):
    names = trace(["x = old", "a = []", body, "show(a)"], 3).names
    assert "old" not in names
    assert "first" in names or body.startswith("with")


@pytest.mark.parametrize("body", [
    "for i in first:\n    a.append(x)\n    x = i",
    "if first:\n    x = 1\na.append(x)",
    "for x[0] in first: a.append(x)",
    "a = [x for y in x for x in y]",
    "a = f(lambda y=x: y)",
    "def a(y=x):\n    x = 1",
    "try:\n    x = 1\nexcept KeyError:\n    pass\na.append(x)",
    "x += 1\na.append(x)",
])  # fmt: skip
def test_names_that_may_be_read_first_stay_needed(body):
    assert "old" in trace(["x = old", "a = []", body, "show(a)"], 3).names


def test_what_a_loop_does_to_its_variable_it_does_to_what_it_runs_over():
    for loop in (
        "for ax in (left, right): ax.plot(new)",
        "for ax in panels: draw(ax, new)",
        "for ax, k in ((left, 1), (right, 2)): ax.plot(new)",
    ):
        cells = ["left = 1", "right = 1", "panels = []", loop, "show(left, panels)"]
        assert "new" in trace(cells, 4).names
    assert (
        "new" not in trace(["left = 1", "for ax in (right,): ax.plot(new)", "show(left)"], 2).names
    )


def test_constants_and_explorers_stand_for_what_they_hold_and_call():
    cells = ["from esp_lib import comparison", "rules = comparison.CONTENDERS", "show(rules)"]
    found = trace(cells, 2).functions
    rules = {rule for one in contenders.CONTENDERS for rule in (one.rule, one.forgetful) if rule}
    assert len(found) == 1 + len({type(rule) for rule in rules})
    assert "esp_lib.optimizers.lion.Lion" in found
    found = trace(["from esp_lib.widgets import MapExplorer", "MapExplorer()"], 1).functions
    assert found == ("esp_lib.maps.recorded.find_map", "esp_lib.widgets.maps.MapExplorer")


def test_annotations_make_nothing():
    cells = ["from esp_lib import Adam, Curve", "def f(x: Curve) -> Curve: return Adam()", "f(1)"]
    assert trace(cells, 2).functions == ("esp_lib.optimizers.adam.Adam",)


def test_parts_of_a_variable_are_read_by_their_keys():
    cells = ["import a", "runs = a.get('baseline', 'unused')", "B = {'x': 'small'}",
             "show(runs['baseline'], runs[B['x']], runs[f'fixed{s}'], f'{s}')"]  # fmt: skip
    keys = trace(cells, 3).keys["runs"]
    own = [{"key": key, "run": key} for key in ("baseline", "unused", "small", "fixed-2", "2")]
    made = {"runs": {"runs": own}}
    for cell, expected in ((cells[3], ["baseline", "small", "fixed-2"]),
                           ("show(runs['baseline'], len(runs))", [r["key"] for r in own]),
                           ("show(runs[name])", [r["key"] for r in own])):  # fmt: skip
        code = [*cells[:2], *(cells[2:3] if "B[" in cell else []), cell]
        figure = ledger.Figure("a", "1", "", "", trace(code, len(code) - 1))
        assert [run["run"] for run in ledger.Ledger((), (), made).runs(figure)] == expected
    assert "unused" not in keys
    code = [*cells[:2], "names = some()", "show({runs[name] for name in names})"]
    figure = ledger.Figure("a", "1", "", "", trace(code, 3))
    by_name = made | {"keys": {"names": ["small", "2"], "other": ["unused"]}}
    assert [run["run"] for run in ledger.Ledger((), (), by_name).runs(figure)] == ["small", "2"]
    made["runs"]["shown"] = own[1:2]  # as the notebook left it, after a later figure
    code = [*cells[:2], "shown = runs['baseline']", "show(shown)"]
    figure = ledger.Figure("a", "1", "", "", trace(code, 3))
    assert [run["run"] for run in ledger.Ledger((), (), made).runs(figure)] == ["baseline"]


def test_a_number_of_seeds_is_read_off_the_objects_that_have_one():
    one = grid.config_of("map-betas", side=4, seeds=3)
    assert seeds_of({"one": one, "all": {"a": one}, "kind": grid.MapConfig}) == {
        "one": [0, 1, 2], "all": [0, 1, 2],
    }  # fmt: skip


def test_every_figure_on_optimizers_has_its_seeds_and_its_rules():
    """Chapter 9: problems 0, 1, ... at rates tuned on others; the static part of it."""
    cells = [
        "".join(cell["source"])
        for cell in json.loads((ROOT / "book/09_optimizers.ipynb").read_text())["cells"]
        if cell["cell_type"] == "code"
    ]
    shown = {
        name: trace(cells, i)
        for i, cell in enumerate(cells)
        for name in re.findall(r'name="(fig-\w+)', cell)
    }
    for name in ("fig-optimizers", "fig-parts"):
        assert {"seeds", "TUNING_SEEDS"} <= shown[name].names
    assert "seeds" not in shown["fig-tuning"].names
    assert "esp_lib.optimizers.adam.NAdam" in shown["fig-optimizers"].functions
    assert "esp_lib.optimizers.adam.NAdam" not in shown["fig-parts"].functions


def test_seeds_and_runs_are_found_in_variables():
    found = seeds_of({"seeds": np.array([[1], [0], [1]]), "seed": 3, "num_seeds": 9, "seedy": "x"})
    assert found == {"seeds": [0, 1], "seed": [3]}
    records = load_folder(ROOT / "results", "cpu").records[:3]
    found = runs_of({"runs": {"a": list(records[:2])}, "one": records[2], "none": [1]})
    assert [run["run"] for run in found["runs"]] == [record.label for record in records[:2]]
    assert found["one"][0]["commit"] == records[2].made["commit"]
    assert set(found) == {"runs", "one"}
    held = {"runs": {"a": records[:1], "b": records[1:]}, "all": ["a", "b"], "some": {"b": "B"}}
    assert keys_of(held | {"text": "a", "more": ["a", "z"]}) == {"some": ["b"]}


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
    assert book.parameters(figure) == {}


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
    command = [sys.executable, "-m", "papermill", f"book/{name}.ipynb", str(folder / "out.ipynb")]
    done = subprocess.run(
        [*command, "--no-progress-bar"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return ledger.read_notebook(folder / "out.ipynb")


def alter(folder, module, before, after):
    """A copy of the library with one constant changed."""
    shutil.copytree(ROOT / "esp_lib", folder / "esp_lib")  # keeps times, so Numba's cache too
    path = folder / "esp_lib" / module
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    return folder


def test_two_runs_are_identical_and_a_changed_constant_changes_those_that_use_it(tmp_path):
    """Chapter 2 measures recorded runs: it uses `sawtooth.py`, and no update rule."""
    chapter = "02_phenomenon"
    first, second = (run_chapter(chapter, tmp_path / f"run{i}", ROOT) for i in (1, 2))
    assert len(first.claims) > 5
    assert len(first.figures) > 4
    assert first.fingerprint == second.fingerprint
    assert first.made["date"] != second.made["date"]
    other_rule = alter(
        tmp_path / "rule", "optimizers.py", "eps: Hyper = 1e-10", "eps: Hyper = 1e-9"
    )
    assert run_chapter(chapter, tmp_path / "run3", other_rule).fingerprint == first.fingerprint
    other_tooth = alter(
        tmp_path / "tooth", "sawtooth.py", "BEND_WEIGHT = 2 / 15", "BEND_WEIGHT = 3 / 15"
    )
    assert run_chapter(chapter, tmp_path / "run4", other_tooth).fingerprint != first.fingerprint
