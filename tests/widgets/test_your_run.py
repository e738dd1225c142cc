"""The explorer of the reader's own run, and the example logs that it offers: the Python side."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.figures import compact, draw_both, draw_loss, thin
from esp_lib.diagnosis.report import answer as answer_of
from esp_lib.diagnosis.report import as_json, as_text, how_often_wrong
from esp_lib.diagnosis.trial.examples import example_logs
from esp_lib.diagnosis.trial.synthetic import RIGHT, as_log, make
from esp_lib.logs.read import parse_log
from esp_lib.widgets import YourRun
from tests.conftest import ROOT
from tests.diagnosis.page_worker import close, page_answers
from tests.node import evaluate, module

EXAMPLES = example_logs()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_each_example_shows_what_its_title_says(example):
    log = parse_log(example.text)
    assert log.loss == pytest.approx(example.run.loss, abs=1e-4)
    found = diagnose(log, example.steps_per_epoch)
    assert (found.verdict, found.cause) == RIGHT[example.run.label]
    assert found.steps_per_epoch == example.run.steps_per_epoch


def test_examples_are_of_different_causes_and_formats_and_small():
    assert len({example.run.label for example in EXAMPLES}) == 5
    assert len({parse_log(example.text).source for example in EXAMPLES}) >= 4
    assert len({example.file for example in EXAMPLES}) == 5
    assert sum(len(example.text) for example in EXAMPLES) < 200_000


def test_the_diagnosis_comes_back_from_the_page():
    explorer = YourRun()
    assert explorer.diagnosis == {}
    log = parse_log(EXAMPLES[0].text)
    values = json.loads(as_json(diagnose(log)))
    explorer.set_state({"diagnosis": values})  # as ipywidgets hands over a front end's message
    assert explorer.diagnosis["verdict"] == "sawtooth"


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "soon"])
def test_a_time_limit_has_to_be_one(seconds):
    with pytest.raises(ValueError, match="time_limit must be"):
        YourRun(time_limit=seconds)


def test_static_figure_names_the_command():
    page = YourRun().static_figure()
    assert 'data-for="your-run"' in page
    assert "esp-diagnose" in page
    assert page.count("stroke: var(--esp-grid") == 6


def test_the_page_says_what_the_command_says(node, tmp_path):
    jobs = [(example.text, {}, example.steps_per_epoch) for example in EXAMPLES]
    jobs += [(EXAMPLES[1].text, {}, 90), (EXAMPLES[0].text.replace("epoch", "x"), {}, None)]
    for (text, _, steps), answer in zip(jobs, page_answers(node, tmp_path, jobs), strict=True):
        log = parse_log(text, voice="page")
        expected = diagnose(log, steps)
        found = answer["found"]
        assert found["text"] == as_text(expected, "page")
        assert found["answer"] == [*answer_of(expected, "page"), how_often_wrong(expected)]
        assert close(json.loads(found["json"]), json.loads(as_json(expected, "page")))
        assert found["points"] == log.loss.size


def test_the_worker_refuses_in_a_sentence(node, tmp_path):
    jobs = [
        ("", {}, None), ("a,b\n1,2\n", {}, None), ("loss\n1\n2\n", {"column": "x"}, None),
        ("loss 1\n", {"pattern": "("}, None),
    ]  # fmt: skip
    refused = [answer["refused"] for answer in page_answers(node, tmp_path, jobs)]
    expected = ("is empty", "no column reads as a training loss", "no column 'x'", "“Pattern”")
    for words, sentence in zip(expected, refused, strict=True):
        assert words in sentence
        assert "undefined" not in sentence


def test_thinning_keeps_the_extremes_and_is_the_same_on_both_sides(node, tmp_path):
    rng = np.random.default_rng(0)
    y = np.round(rng.normal(size=5_003), 2)
    x = np.cumsum(rng.integers(1, 5, size=y.size))
    at, values = thin(x, y, 100)
    assert values.size <= 200
    assert (values.min(), values.max()) == (y.min(), y.max())
    assert np.all(np.diff(at) > 0)
    assert thin(x[:200], y[:200], 100)[1].size == 200
    path = module(tmp_path, "widgets/front/thin.js")
    code = "(({ x, y }) => [Array.from(x), Array.from(y)])(m.thin(...args))"
    assert evaluate(node, path, code, x.tolist(), y.tolist(), 100) == [at.tolist(), values.tolist()]


def test_steps_per_epoch_are_read_or_refused(node, tmp_path):
    path = module(tmp_path, "widgets/your_run/form.js")
    texts = ["", "  ", "100", "1,323", "12.5", "1e3", "0", "-4", "ten", "Infinity", "1 2"]
    code = "args.map((x) => { try { return m.readSteps(x); } catch (e) { return e.message; } })"
    found = evaluate(node, path, code, *texts)
    assert found[:6] == [None, None, 100, 1323, 12.5, 1000]
    assert all("must be a number of at least 1, got" in text for text in found[6:])


def test_figures_draw_what_is_there():
    log = parse_log(EXAMPLES[0].text)
    found = diagnose(log)
    figure = draw_both(log, found.steps_per_epoch, found.phase, found.profile, "title")
    assert [ax.get_xlabel() for ax in figure.axes] == ["epoch", "phase of the epoch"]
    assert len(figure.axes[0].lines) == 1 + 6  # and the boundaries
    unknown = parse_log("\n".join(map(str, np.linspace(3, 2, 50))))
    empty = diagnose(unknown)
    left, right = draw_both(unknown, empty.steps_per_epoch, empty.phase, empty.profile, "").axes
    assert left.get_xlabel() == "step"
    assert right.lines[-1].get_xdata().size == 0
    run = make("staircase", 0)
    ax = compact(as_log(run), run.steps_per_epoch, "(a)")
    assert ax.get_xlim() == (5, 8)
    single = parse_log("2.5\n")
    lone = diagnose(single)
    both = draw_both(single, lone.steps_per_epoch, lone.phase, lone.profile, "")
    draw_loss(both.axes[0], single, lone.steps_per_epoch)


def test_the_chapter_shows_the_log_that_it_is_given(tmp_path):
    """Run as from the downloads: the library installed elsewhere, the records at ESP_RESULTS."""
    shutil.copytree(ROOT / "esp_lib", tmp_path / "site/esp_lib")  # keeps times: Numba's cache too
    shutil.copy(ROOT / "book/08_your_run.ipynb", tmp_path)
    results = os.environ.get("ESP_RESULTS", str(ROOT / "results"))
    paths = [str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "ESP_RESULTS": results}
    (tmp_path / "my.csv").write_text(EXAMPLES[1].text, encoding="utf8")
    command = [
        "-m", "papermill", "08_your_run.ipynb", str(tmp_path / "out.ipynb"),
        "-p", "log", str(tmp_path / "my.csv"), "-p", "profile", "quick", "--no-progress-bar",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    page = json.dumps(json.loads((tmp_path / "out.ipynb").read_text("utf8")))
    assert re.search(r"840 logged losses of my\.csv", page)
    assert "7 epochs" in page
