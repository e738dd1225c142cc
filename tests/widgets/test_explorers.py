"""The explorers' Python side, and their front end's arithmetic against the library's, in Node."""

import json
import re
import subprocess
from dataclasses import asdict

import numpy as np
import pytest
from ipywidgets.embed import dependency_state

from esp_lib import QuadraticProblem, simulate
from esp_lib.sampling.orders import ORDERS
from esp_lib.theory.staleness import mean_staleness
from esp_lib.widgets import (
    RecordedExplorer,
    SawtoothExplorer,
    SimilarityExplorer,
    TwoSampleExplorer,
    WhyExplorer,
    sawtooth,
)
from esp_lib.widgets._assets import PACKAGE, front_end
from esp_lib.widgets.base import shown
from esp_lib.widgets.fields import Choice, Number, Vector
from tests.node import ask, evaluate, module
from tests.widgets.recordings import recordings

SCRIPTS = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix()
    for path in PACKAGE.rglob("*.js")
    if "export default" in path.read_text("utf-8")
)


def test_small_explorers_compute_as_the_library(node, tmp_path):
    rng = np.random.default_rng(5)
    signed = [[float(x) for x in rng.normal(size=3)] for _ in range(10)]
    positive = [[float(x) for x in rng.exponential(size=3)] for _ in range(10)]
    similar = [SimilarityExplorer()] + [
        SimilarityExplorer(gradient=a, m=b, v_before=c, g_squared=d)
        for a, b, c, d in zip(signed, signed[::-1], positive, positive[::-1], strict=True)
        if a != b
    ]
    samples = [
        TwoSampleExplorer(sequence=sequence, momentum=momentum, x0=x0)
        for sequence in ("AB,BA", "AB,AB")
        for momentum, x0 in ((0.0, 0.5), (0.9, -2.0), (0.35, 1.7))
    ]
    why = [
        WhyExplorer(order=order, batch_size=batch, seed=seed)
        for order in ORDERS
        for batch, seed in ((100, 0), (200, 4))
    ]
    jobs = {
        name: [one.settings for one in explorers]
        for name, explorers in (("similarity", similar), ("samples", samples), ("orders", why))
    }
    modules = (f"widgets/{name}.js" for name in ("similarity", "two_samples", "why"))
    found = ask(node, tmp_path, "small", jobs, *modules)
    for values, explorer in zip(found["similarity"], similar, strict=True):
        np.testing.assert_allclose(values, explorer.cosine, rtol=1e-9, atol=1e-12)
    for values, explorer in zip(found["samples"], samples, strict=True):
        np.testing.assert_allclose(values, explorer.loss, rtol=1e-12, atol=1e-12)
    for values, explorer in zip(found["orders"], why, strict=True):
        np.testing.assert_allclose(np.array(values, float), explorer.staleness, rtol=1e-12)
    for order, values in found["expected"].items():
        if values:
            assert values == mean_staleness(order, 50).tolist()


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_front_end_is_one_module_without_imports(node, tmp_path, script):
    text = front_end(f"{script}.js")
    assert not re.search(r"^(import|export (?!default))", text, re.MULTILINE)
    path = tmp_path / "module.mjs"
    path.write_text(f"globalThis.self = {{}};\n{text}")
    code = f"import({json.dumps(path.as_uri())}).then((m) => console.log(typeof m.default.render))"
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "function", done.stderr


def test_explorer_has_the_losses_of_simulate():
    explorer = SawtoothExplorer(beta2=0.9, eps=1e-6, order="reverse", batch_size=200, seed=5)
    optimizer = sawtooth.optimizer_of(explorer.settings)
    problem = QuadraticProblem.sample(seed=5)
    expected = simulate(problem, optimizer, order="reverse", batch_size=200, seed=5)
    assert np.array_equal(explorer.loss, expected.loss)
    assert np.array_equal(explorer.curve.loss, expected.loss)
    explorer.set(order="fixed")
    assert not np.array_equal(explorer.loss, expected.loss)


def test_explorer_takes_the_front_ends_losses_for_the_same_settings():
    explorer = SawtoothExplorer()
    drawn = np.linspace(3, 1, 1000)
    # as ipywidgets hands over a front end's message
    message = {
        "result": {"settings": explorer.settings},
        "result_loss": memoryview(drawn.tobytes()),
    }
    explorer.plot.set_state(message)
    assert np.array_equal(explorer.loss, drawn)
    explorer.set(seed=1)
    assert not np.array_equal(explorer.loss, drawn)  # those were for other settings


def recorded():
    return RecordedExplorer(recordings(2))


@pytest.mark.parametrize(
    "make", [SawtoothExplorer, SimilarityExplorer, TwoSampleExplorer, WhyExplorer, recorded]
)
def test_each_control_is_linked_to_the_plot(make):
    explorer = make()
    models = dependency_state(explorer, drop_defaults=False)
    plot = f"IPY_MODEL_{explorer.plot.model_id}"
    links = [m["state"] for m in models.values() if m["model_name"] == "LinkModel"]
    controlled = re.compile(r"_(text|slider|index|on)$")
    wanted = [name for name in explorer.plot.traits() if controlled.search(name)]
    if not explorer.preset_list:
        wanted.remove("preset_index")
    assert sorted(link["target"][1] for link in links if link["target"][0] == plot) == sorted(
        wanted
    )


def test_python_settings_reach_the_controls():
    explorer = SawtoothExplorer()
    explorer.set(eps=1e-5, beta2=0.999, optimizer="RMSProp")
    plot = explorer.plot
    assert (plot.eps_text, plot.beta2_text, plot.optimizer_index) == ("1e-5", "0.999", 1)
    assert (plot.eps_slider, plot.beta2_slider) == (1e-5, 0.999)


@pytest.mark.parametrize(("name", "value", "message"), [
    ("beta2", 1.2, "beta2 must be a number of at least 0 and below 1, got 1.2"),
    ("beta2", 0.9999999, "beta2 must be a number of at least 0 and below 1, got 0.9999999"),
    ("beta2", float("nan"), "beta2 must be"),
    ("eps", "abc", "eps must be"),
    ("order", "shuffle", "order must be one of 'reshuffle'"),
    ("seed", 1.5, "seed must be a whole number"),
    ("seed", -1, "seed must be a whole number"),
    ("beta3", 0.5, "settings must be among beta2"),
])  # fmt: skip
def test_bad_settings_are_refused_and_the_last_good_ones_stay(name, value, message):
    explorer = SawtoothExplorer()
    before = explorer.settings
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.set(**{name: value})
    assert explorer.settings == before
    with pytest.raises(ValueError, match=re.escape(message)):
        SawtoothExplorer(**{name: value})


def test_vectors_and_choices_are_checked():
    vector = Vector("g", "gradient", -10, 10)
    assert vector.check([1, 2.5, -3]) == [1.0, 2.5, -3.0]
    for bad in ([1, 2], [1, 2, 11], "1 2 3", [1, 2, float("nan")]):
        with pytest.raises(ValueError, match="g must be 3 numbers from -10 to 10"):
            vector.check(bad)
    assert Choice("n", "N", (1, 2)).check(2) == 2
    assert Number("k", "k", 0, 1).check(0.1234567891) == 0.123457
    assert str(Number("k", "k", -1, 1).check(-0.0)) == "0.0"
    with pytest.raises(ValueError, match="k must be a number of at least 0 and at most 1"):
        Number("k", "k", 0, 1).check(10**400)


def test_front_end_refuses_and_rounds_as_the_library(node, tmp_path):
    fields = [
        Number("n", "n", 0, 1, highOpen=True), Number("n", "n", 1e-3, 1),
        Number("n", "n", 0, 2**32 - 1, integer=True), Vector("n", "n", -1, 1, length=1),
    ]  # fmt: skip
    values = [0.9999999, 0.999999, 1.0000001, 1.0, 1.1, -0.0, -1.0000001, 9.999999e-4, 1e400]
    one = "(field, text) => { try { return m.read(field, text); } catch { return null; } }"
    code = f"args[0].map((field) => args[1].map((text) => ({one})(field, text)))"
    texts = [f" {value!r} ".replace("inf", "Infinity") for value in values]
    path = module(tmp_path, "widgets/front/settings.js")
    found = evaluate(node, path, code, [asdict(field) for field in fields], texts)

    def checked(field, value):
        try:
            return field.check([value] if isinstance(field, Vector) else value)
        except ValueError:
            return None

    expected = [[checked(field, value) for value in values] for field in fields]
    assert found == expected
    assert expected[0][:2] == [None, 0.999999]  # 0.9999999 would be rounded to 1
    assert all(None in row and any(value is not None for value in row) for row in expected)


def test_numbers_are_written_alike_on_both_sides(node, tmp_path):
    values = [0.8, 100.0, 3.0, 0.0, 1e-8, 1e-4, 0.001, 0.06, 2.5e-7, 1.99526e-9, 1000.0, 0.9999]
    path = module(tmp_path, "widgets/front/settings.js")
    written = evaluate(node, path, "args.map((value) => m.numberText(value))", *values)
    assert written == [shown(value) for value in values]
    assert [shown(value) for value in values[:6]] == ["0.8", "100", "3", "0", "1e-8", "1e-4"]


@pytest.mark.parametrize(("low", "high", "texts"), [
    (3e-4, 2e6, "1e-3 0.1 10 1000 1e5"), (120, 900, "200 500"), (7, 300, "10 20 50 100 200"),
    (2e5, 9e5, "2e5 5e5"), (11_000, 36_000, "15000 20000 25000 30000 35000"),
])  # fmt: skip
def test_log_axes_have_ticks_over_any_span(node, tmp_path, low, high, texts):
    path = module(tmp_path, "widgets/front/chart.js")
    found = evaluate(node, path, "m.ticks(...args, 5, true).map(m.tickText)", low, high)
    assert " ".join(found).replace("0.001", "1e-3") == texts


def test_log_axes_leave_room_for_labels(node, tmp_path):
    path = module(tmp_path, "widgets/front/chart.js")
    axis = evaluate(node, path, "m.axisFor([{y: [1, 1e5]}])")
    assert axis["log"]
    assert np.log10(axis["y"]) == pytest.approx([-0.5, 5.5])


def test_every_preset_is_a_setting():
    explorer = SawtoothExplorer()
    labels = [preset["label"] for preset in explorer.plot.presets]
    assert len(labels) == len(set(labels)) >= 18
    for preset in explorer.plot.presets:
        assert preset["pinned"] != preset["settings"]  # a curve is not compared with itself
    for panel in ("19 (a)", "19 (b)", "19 (c)", "19 (d)", "21 (a)", "21 (b)"):
        assert any(panel in label for label in labels)


def test_static_figure_says_what_it_shows():
    html = SawtoothExplorer().static_figure()
    assert 'data-for="sawtooth"' in html
    assert "<figcaption>" in html
    assert 'aria-label="training loss against epoch: β₂ 0.999, β₂ 0.8"' in html
    assert html.count("stroke: var(--esp-grid") == sawtooth.EPOCHS - 1
    for color in ("blue", "green", "ink"):  # of the theme, light or dark
        assert f"var(--esp-{color}," in html
    explorer = SawtoothExplorer(beta2=0.9)
    (live,) = (line for line in explorer.draw_static().get_lines() if line.get_label() == "β₂ 0.9")
    np.testing.assert_array_equal(live.get_ydata(), explorer.curve.every(10))


def test_static_figure_of_a_run_that_diverges():
    assert "β₂ 0.7" in SawtoothExplorer(beta2=0.7, lr=100.0).static_figure()
