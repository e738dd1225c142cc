"""The explorer of recorded runs: what travels, what it means, and its arithmetic in Node."""

import json
import math
import re
from dataclasses import asdict

import numpy as np
import pytest

from esp_lib import Curve
from esp_lib.widgets import RecordedExplorer, Recording
from esp_lib.widgets.fields import Number, Switch
from esp_lib.widgets.packing import LIMIT, MISSING, pack, pack_runs
from tests.node import ask, evaluate, module
from tests.widgets.recordings import recordings, tooth

# ------------------------------------------------------------------------------------- what travels


@pytest.mark.parametrize("scale", [1e-9, 1.0, 3e7])
def test_losses_travel_at_the_resolution_of_their_epoch(scale):
    loss = scale * np.random.default_rng(1).uniform(2, 5, size=1000)
    loss[[3, 500]] = np.nan, np.inf
    packed = pack(loss, 252)
    good = np.isfinite(loss)
    assert np.array_equal(np.isnan(packed.values), ~good)
    assert (packed.codes[good] < MISSING).all()
    assert np.abs(packed.values - loss)[good].max() <= packed.unit.max() / 2
    assert packed.unit.max() < 2.001 * 3 * scale / 2**16


def test_logged_losses_travel_unchanged():
    grid = 2.0**-14
    loss = np.round(np.random.default_rng(2).uniform(4, 7.999, size=4032) / grid) * grid
    loss[2520:] = 5.0  # a block without a spread, and others
    assert np.array_equal(pack(loss, 252).values, loss)


def test_an_epoch_that_blows_up_takes_no_digit_from_the_others():
    loss = tooth().loss.copy()
    expected = pack(loss, 252).values
    loss[2520:2772] *= 1e12
    found = pack(loss, 252).values
    assert np.array_equal(found[:2520], expected[:2520])
    assert np.array_equal(found[2772:], expected[2772:])


def test_six_runs_with_both_series_and_validation_weigh_what_is_promised():
    explorer = RecordedExplorer(recordings())
    assert explorer.group == 1
    assert len(json.dumps(explorer.plot.data)) < 150_000


@pytest.mark.parametrize(("per_epoch", "group"), [(1323, 7), (1321, 5)])
def test_long_runs_travel_as_means_of_steps(per_epoch, group):
    runs = {f"{k}": tooth(30, per_epoch, noise=0.2, seed=k) for k in range(6)}
    explorer = RecordedExplorer(runs, every=7 * 5)
    assert explorer.group == group  # a divisor of the epoch if there is one that is hardly more
    assert sum(run.losses[0].codes.size for run in explorer.runs) <= LIMIT
    for label, drawn in explorer.drawn.items():
        expected = runs[label].every(35)[: drawn.size]
        np.testing.assert_allclose(drawn, expected, atol=2**-15)
    with pytest.raises(ValueError, match=f"every must be a multiple of {group} of at least"):
        explorer.set(every=group + 1)


# --------------------------------------------------------------------------------- what is measured


@pytest.mark.parametrize("every", [1, 10, 28, 50, 84])
def test_the_measured_tooth_is_the_same_in_any_window(every):
    explorer = RecordedExplorer({"run": tooth()}, every=every)
    found = explorer.teeth["run"]
    assert found.drop == pytest.approx(0.25, abs=1e-4)
    assert found.rise == pytest.approx(0.1, abs=1e-4)


def test_front_end_draws_and_measures_as_the_library(node, tmp_path):
    diverging = tooth(noise=0.1, seed=3).loss.copy()
    diverging[3000:] = np.nan
    gap = tooth(noise=0.1, seed=4).loss.copy()
    gap[252 * 4 : 252 * 5 + 40] = np.inf
    runs = {
        "noisy": tooth(noise=0.2),
        "curved": Curve(9 + np.sin(np.arange(4032) / 252 % 1) - np.arange(4032) / 5000, 252),
        "short epochs": tooth(16, 63, noise=0.1, seed=1),
        "few": tooth(4, 252, noise=0.1, seed=2),
        "cut off": Curve(tooth(noise=0.1).loss[:4000], 252),
        "diverging": Curve(diverging, 252),
    }
    long = {f"{k}": tooth(30, 1323, noise=0.1, seed=k) for k in range(6)}
    explorers = [RecordedExplorer(runs), RecordedExplorer({"gap": Curve(gap, 252)})]
    explorers.append(RecordedExplorer(long))
    jobs, expected = [], []
    for explorer in explorers:
        g = explorer.group
        for every in sorted({n * g for n in (1, 2, 5, 10, 36, 38, 42, 50, 63, 84, 126, 200, 252)}):
            if every > explorer.field_list[0].high:
                continue
            explorer.set(every=every, smoothing=0.75 if every % 4 else 1.0)
            drawn, teeth, falls = explorer.drawn, explorer.teeth, explorer.falls
            for run, data in zip(explorer.runs, explorer.plot.data["runs"], strict=True):
                now = {"every": every, "smoothing": explorer.settings["smoothing"]}
                jobs.append({"run": data, "group": g, **now})
                tooth_of = teeth.get(run.label)
                expected.append((run, every, drawn[run.label], tooth_of, falls[run.label]))
    answers = ask(node, tmp_path, "recorded", {"views": jobs}, "widgets/recorded.js")["views"]
    compared = 0
    for found, (run, every, drawn, measured, fall) in zip(answers, expected, strict=True):
        assert np.array_equal(np.array(found["loss"], float), run.losses[0].values, equal_nan=True)
        np.testing.assert_allclose(np.array(found["y"], float), drawn, rtol=1e-12)
        ends = np.arange(1, drawn.size + 1) * every / run.steps_per_epoch
        np.testing.assert_allclose(found["x"], ends, rtol=1e-12)
        for name in ("drop", "rise"):
            value = np.nan if measured is None else float(getattr(measured, name))
            if np.isnan(value):
                assert found[name] is None, (run.label, every, name)
            else:
                assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12), (run.label, every)
                compared += 1
        assert (math.nan if found["fall"] is None else found["fall"]) == pytest.approx(
            fall, rel=1e-9, abs=1e-12, nan_ok=True
        )
    assert compared > 150
    assert any(found["drop"] is None for found in answers)


@pytest.mark.parametrize("every", [1, 28, 63, 126, 252])
def test_what_is_drawn_hides_the_tooth_as_windows_grow(node, tmp_path, every):
    explorer = RecordedExplorer({"run": tooth()}, every=every)
    job = {"run": explorer.plot.data["runs"][0], "group": 1, "every": every, "smoothing": 1}
    (found,) = ask(node, tmp_path, "recorded", {"views": [job]}, "widgets/recorded.js")["views"]
    assert explorer.falls["run"] == pytest.approx(found["fall"], abs=1e-9)
    # the middles of an epoch's first and last windows are a window nearer than its ends
    assert found["climb"] == pytest.approx(0.1 * (1 - every / 252), abs=1e-4)
    assert found["fall"] == pytest.approx(0.25 - 0.1 * every / 252, abs=1e-4)


def test_smoothing_is_the_published_scripts():
    explorer = RecordedExplorer({"run": tooth(noise=0.2)}, every=10, smoothing=0.75)
    means = explorer.runs[0].losses[0].values[:4030].reshape(-1, 10).mean(axis=1)
    average = None
    for mean, drawn in zip(means, explorer.drawn["run"], strict=True):
        average = mean if average is None else (1 - 0.75) * average + 0.75 * mean
        assert drawn == pytest.approx(average, rel=1e-12)


def test_names_stand_apart_and_inside(node, tmp_path):
    rng = np.random.default_rng(0)
    given = [[sorted(rng.uniform(0, 300, size=n)), 16, 26, 300] for n in (1, 2, 6) * 30]
    given.append([[50.0, 100.0, 200.0], 16, 26, 300])
    answer = ask(node, tmp_path, "recorded", {"spreads": given}, "widgets/recorded.js")
    for places, (wanted, gap, low, high) in zip(answer["spreads"], given, strict=True):
        assert len(places) == len(wanted)
        assert (np.diff(places) >= gap - 1e-9).all()
        assert low - 1e-9 <= places[0]
        assert places[-1] <= high + 1e-9
    assert answer["spreads"][-1] == [50, 100, 200]  # nothing in the way


# ------------------------------------------------------------------------------- settings, controls


def test_settings_reach_the_controls_and_what_is_drawn():
    explorer = RecordedExplorer(recordings(3), shown=["run b", "run c"], marks=[10, 38])
    assert explorer.settings == {
        "every": 10, "smoothing": 1.0, "start": 1, "series": "MLM loss",
        "run1": False, "run2": True, "run3": True, "validation": False,
    }  # fmt: skip
    assert list(explorer.drawn) == ["run b", "run c"]
    assert (explorer.plot.run1_on, explorer.plot.run2_on) == (False, True)
    before = explorer.drawn["run b"]
    explorer.set(run1=True, series="NSP loss", validation=True)
    assert explorer.plot.run1_on
    assert explorer.plot.validation_on
    assert explorer.plot.series_index == 1
    assert list(explorer.teeth) == ["run a", "run b", "run c"]
    assert not np.array_equal(explorer.drawn["run b"], before)
    np.testing.assert_allclose(
        explorer.drawn["run b"], recordings(3)["run b"].losses["NSP loss"].every(10), atol=2**-14
    )


def test_bare_curves_need_no_series_and_keep_the_colours_that_are_given():
    explorer = RecordedExplorer([("β₂ = 0.8", tooth(), "green"), ("SGD", tooth(4), "ink")])
    assert [run.color for run in explorer.runs] == ["green", "ink"]
    assert set(explorer.settings) == {"every", "smoothing", "start", "run1", "run2"}
    assert explorer.settings["start"] == 0  # the shorter run has four epochs
    assert explorer.series == ("training loss",)


CURVE = tooth(4)
TWO = Curve(np.ones((2, 504)), 252)


@pytest.mark.parametrize(("runs", "options", "message"), [
    ({}, {}, "runs must be one to 6 runs, got 0"),
    ({str(k): CURVE for k in range(7)}, {}, "runs must be one to 6 runs, got 7"),
    ({"a": [1, 2]}, {}, "runs['a'] must be a Curve or a Recording, got [1, 2]"),
    ({" ": CURVE}, {}, "runs must have labels of text"),
    ([("a", CURVE)], {}, "runs must be a mapping or (label, curve, colour) rows"),
    ([("a", CURVE, "red")], {}, "the colour of runs['a'] must be one of 'blue'"),
    ([("a", CURVE, "ink"), ("a", CURVE, "blue")], {}, "runs must have different labels"),
    ({"a": TWO}, {}, "runs['a'] must have a Curve of one run as 'training loss'"),
    ({"a": Curve(np.ones(300), 252)}, {}, "runs['a'] must have two epochs of two or more steps"),
    ({"a": Curve(np.full(504, np.nan), 252)}, {}, "0 losses finite"),
    ({"a": CURVE, "b": Recording({"MLM": CURVE})}, {}, "runs['b'] must have the series"),
    ({"a": Recording({"x": CURVE, "y": tooth(5)})}, {}, "must have the same steps in each series"),
    ({"a": Recording({"x": CURVE}, {"y": ([1], [2])})}, {}, "must have validation of ['x']"),
    ({"a": Recording({"x": CURVE}, {"x": ([5, 3], [1, 1])})}, {}, "must be increasing steps"),
    ({"a": Recording({"x": CURVE}, {"x": ([5], [1, 1])})}, {}, "and as many losses, got 1 and 2"),
    ({"a": Recording({"x": CURVE}, {"x": ([0], [1])})}, {}, "must be finite and in [1, 1008]"),
    ({"a": CURVE}, {"every": 253}, "every must be a whole number of at least 1 and at most 252"),
    ({"a": CURVE}, {"every": 2.5}, "every must be a whole number"),
    ({"a": CURVE}, {"smoothing": 0}, "smoothing must be a number of at least 0.05 and at most 1"),
    ({"a": CURVE}, {"start": 4}, "start must be a whole number of at least 0 and at most 3"),
    ({"a": CURVE}, {"run1": 1}, "run1 must be True or False, got 1"),
    ({"a": CURVE}, {"run2": True}, "settings must be among every, smoothing, start, run1"),
    ({"a": CURVE}, {"shown": ["b"]}, "shown must be one of 'a', got 'b'"),
    ({"a": CURVE}, {"marks": [0]}, "marks must be an integer of at least 1 and at most 252"),
])  # fmt: skip
def test_bad_arguments_are_refused_by_name(runs, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        RecordedExplorer(runs, **options)


def test_runs_that_are_too_long_are_refused():
    runs = {"a": Curve(np.ones(2 * LIMIT), 2)}
    with pytest.raises(ValueError, match="runs must have at most 50,000 half epochs in all"):
        pack_runs(runs)


def test_switches_and_multiples_are_read_alike_on_both_sides(node, tmp_path):
    fields = [Switch("n", "n"), Number("n", "n", 7, 1323, integer=True, multiple=7)]
    texts = [["on", "off", "yes", ""], ["7", "14", "1323", "8", "7.5", "0", "1330"]]
    one = "(field, text) => { try { return m.read(field, text); } catch { return null; } }"
    code = f"args[0].map((field, k) => args[1][k].map((text) => ({one})(field, text)))"
    path = module(tmp_path, "widgets/front/settings.js")
    given = [asdict(field) for field in fields]
    found = evaluate(node, path, code, given, texts)
    written = evaluate(node, path, "[true, false].map((on) => m.write(args[0], on))", given[0])
    assert found == [[True, False, None, None], [7, 14, 1323, None, None, None, None]]
    assert written == ["on", "off"]

    def checked(value):
        try:
            return fields[1].check(value)
        except ValueError:
            return None

    assert [checked(float(text)) for text in texts[1]] == found[1]


# -------------------------------------------------------------------------------- the static figure


def test_static_figure_shows_what_is_drawn():
    explorer = RecordedExplorer(recordings(2), start=4, validation=True)
    html = explorer.static_figure()
    assert 'data-for="recorded"' in html
    assert "MLM loss against epoch: run " in html
    assert html.count("run a, validation") == 2  # in the drawing and in its text
    ax = explorer.draw_static()
    lines = [line for line in ax.get_lines() if line.get_label().startswith("run")]
    assert [line.get_xdata().size for line in lines] == [108, 303, 108, 303]
    seen = np.concatenate([line.get_ydata() for line in lines])
    assert ax.get_xlim() == (4, 16)
    low, high = ax.get_ylim()  # fits the curves, and does not begin at zero
    assert 0.8 < np.ptp(seen) / (high - low) < 1


def test_static_figure_is_there_without_anything_to_draw():
    loss = tooth().loss.copy()
    loss[100:] = np.nan
    explorer = RecordedExplorer({"diverged": Curve(loss, 252)})
    assert "diverged" in explorer.static_figure()
    explorer.set(run1=False)
    assert explorer.drawn == {}
    assert "diverged" in explorer.static_figure()
