"""Maps: their axes, their cells one by one, records, and what travels with a page."""

import json

import numpy as np
import pytest

from esp_lib import Adam, QuadraticProblem, measure, simulate
from esp_lib.maps import grid, recorded
from esp_lib.maps.figures import NAMES, SCALES, TICKS, draw_map, edges
from esp_lib.maps.grid import BASE, BATCH_SIZES, MAPS, START, Axis, MapConfig, compute, config_of
from esp_lib.records.experiment import Experiment
from esp_lib.records.store import load
from esp_lib.records.sweeps import Job
from esp_lib.widgets import MapExplorer, SawtoothExplorer
from esp_lib.widgets.maps import maps as widget
from tests.node import evaluate, module


@pytest.fixture(scope="module")
def small():
    """Each map with six cells a side and two problems a cell."""
    return {name: compute(config_of(name, side=6, seeds=2)) for name in MAPS}


# --------------------------------------------------------------------------------- axes and cells


def test_axes_are_even_in_their_scale_and_every_value_is_one_the_explorer_takes():
    for x, y in MAPS.values():
        for axis in (x, y):
            values = axis.values(5)
            assert (np.diff(values) > 0).all()
            assert [axis.place(v, 5) for v in values] == pytest.approx(range(len(values)), abs=1e-3)
            assert values[0] == pytest.approx(axis.low)
            assert values[-1] == pytest.approx(axis.high)
            for value in values:
                given = int(value) if axis.name == "batch_size" else float(value)
                assert SawtoothExplorer(**{axis.name: given}).settings[axis.name] == value
    assert np.diff(np.log(Axis("eps", 1e-10, 1e-2).values(9))) == pytest.approx(np.log(10))
    steps = np.diff(Axis("beta2", 0.6, 0.999, "linear").values(9))
    assert steps == pytest.approx(0.399 / 8, rel=1e-4)  # six digits of beta2


def test_every_batch_size_divides_the_functions():
    assert [b for b in range(20, 501) if 10_000 % b == 0] == [*BATCH_SIZES]


@pytest.mark.parametrize("name", MAPS)
def test_a_cell_is_what_runs_of_its_own_give(small, name):
    """The settled tooth of a run from x = 0, the last epoch's loss of one from x = 3."""
    x, y = MAPS[name]
    found = small[name]
    lost = 0
    for row, column in ((1, 2), (4, 3), (len(found.y) - 1, 0), (0, 0), (0, 5)):
        here = {**BASE, x.name: found.x[column], y.name: found.y[row]}
        rule = Adam(**{key: here[key] for key in ("lr", "beta1", "beta2", "eps")})
        amplitudes, losses = [], []
        for seed in (0, 1):
            drawn = QuadraticProblem.sample(seed=seed)
            flat = np.full_like(drawn.b, 0.75)
            problem = QuadraticProblem(drawn.a, flat, drawn.c, drawn.coordinate, 10_000)
            settings = {"batch_size": int(here["batch_size"]), "seed": seed, "epochs": 10}
            near = simulate(problem, rule, x0=0.0, **settings)
            amplitudes.append(measure(near, skip_epochs=4).amplitude)
            far = simulate(problem, rule, x0=3.0, **settings)
            losses.append(far.loss[-far.steps_per_epoch :].mean())
        seen = (found.amplitude[row, column], found.loss[row, column], found.error[row, column])
        if not np.mean(losses) <= START:
            lost += 1
            assert np.isnan(seen).all()
            continue
        error = np.std(amplitudes, ddof=1) / np.sqrt(2)
        assert seen == pytest.approx((np.mean(amplitudes), np.mean(losses), error), rel=1e-9)
    assert lost  # of these cells, one at least diverges


def test_a_cell_shows_the_settled_tooth():
    """Within 10 % of the one after forty epochs, also where ten from x = 3 are all descent."""
    at = {"beta2": [0.999, 0.8, 0.8, 0.9], "lr": [0.06, 0.06, 0.014, 0.06],
          "eps": [1e-8, 1e-8, 1e-8, 1e-4]}  # fmt: skip
    points = {name: np.array(at.get(name, [value] * 4), float) for name, value in BASE.items()}
    seen = grid.evaluate(points, seeds=4)[0].mean(axis=0)
    seeds = np.arange(4)[:, None]
    drawn = QuadraticProblem.sample(seed=seeds)
    flat = np.full_like(drawn.b, 0.75)
    problem = QuadraticProblem(drawn.a, flat, drawn.c, drawn.coordinate, 10_000)
    rule = Adam(**{key: points[key] for key in ("lr", "beta1", "beta2", "eps")})
    settled = measure(simulate(problem, rule, epochs=60, seed=seeds), skip_epochs=40)
    assert seen == pytest.approx(settled.amplitude.mean(axis=0), rel=0.1)
    early = measure(simulate(problem, rule, epochs=10, seed=seeds)).amplitude.mean(axis=0)
    assert early[0] > 3 * seen[0]


def test_training_starts_at_the_mean_loss_of_its_start():
    losses = [simulate(QuadraticProblem.sample(seed=s), Adam(), epochs=1).loss[0] for s in range(9)]
    assert np.mean(losses) == pytest.approx(START, abs=3 * np.std(losses) / 3)


def test_a_cell_that_ends_above_its_start_has_diverged(monkeypatch):
    losses = np.array([[START - 0.1, START + 0.1, np.inf, np.nan]])
    monkeypatch.setattr(grid, "evaluate", lambda points, **_: (np.ones((1, 4)), losses))
    found = compute(config_of("map-betas", side=2, seeds=1))
    assert np.isnan(found.loss).tolist() == [[False, True], [True, True]]
    assert np.isnan(found.amplitude).tolist() == [[False, True], [True, True]]
    assert np.isnan(found.error).all()  # a single seed has none


def test_parts_of_a_map_are_computed_as_the_whole(small, monkeypatch):
    monkeypatch.setattr(grid, "CELLS", 5)
    seen = []
    config = config_of("map-betas", side=6, seeds=2)
    found = compute(config, report=lambda done, cells: seen.append((done, cells)))
    for one, other in zip(found, small["map-betas"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert seen == [(done, 36) for done in (5, 10, 15, 20, 25, 30, 35, 36)]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: config_of("betas"), "name must be one of"),
    (lambda: config_of("map-betas", side=1), "side must be an integer of at least 2"),
    (lambda: config_of("map-betas", seeds=0), "seeds must be an integer of at least 1"),
    (lambda: recorded.jobs("huge"), "profile must be one of"),
    (lambda: grid.evaluate(
        {key: np.array([value, value]) for key, value in BASE.items()}
        | {"batch_size": np.array([50.0, 100.0])}, seeds=1), r"one batch_size, got \[50, 100\]"),
    (lambda: MapExplorer(side=3), "side must be an integer of at least 4"),
])  # fmt: skip
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---------------------------------------------------------------------------------------- records


def small_job(name="map-betas", **changes):
    config = MapConfig(*MAPS[name], **{"side": 4, "seeds": 2, **changes})
    return Job(name, "paper", 0, config)


def test_recorded_maps_are_finer_and_of_profile_paper():
    assert recorded.jobs("cpu") == recorded.jobs("quick") == ()
    jobs = recorded.jobs("paper")
    assert [job.name for job in jobs] == list(MAPS)
    assert {(job.config.side, job.config.seeds) for job in jobs} == {(128, 8)}


def test_the_command_records_a_map_and_what_is_missing_is_computed(tmp_path, monkeypatch, capsys):
    from esp_lib.__main__ import main

    job = small_job()
    monkeypatch.setattr(recorded, "jobs", lambda profile: (job,))
    experiment = Experiment(lambda profile: (job,), recorded.train_job)
    monkeypatch.setattr(recorded, "RECORDED_MAPS", experiment)
    live, config, record = recorded.find_map("map-betas", folder=tmp_path, side=5, seeds=1)
    assert record is None
    assert live.amplitude.shape == (5, 5)
    assert config.seeds == 1

    words = ["runs", "train", "map-betas", "--profile", "paper", "--workers", "1"]
    assert main([*words, "--folder", str(tmp_path)]) == 0
    assert main(["runs", "list", "--folder", str(tmp_path)]) == 0
    assert "map-betas-seed0" in capsys.readouterr().out
    path = job.path(tmp_path)
    assert path.stat().st_size < 10_000
    shown, config, record = recorded.find_map("map-betas", folder=tmp_path, side=5, seeds=1)
    assert record is not None
    assert config == job.config
    assert load(path).config["side"] == 4
    fresh = compute(job.config)
    np.testing.assert_array_equal(shown.x, fresh.x)
    np.testing.assert_allclose(shown.amplitude, fresh.amplitude, rtol=1e-6)

    other = Job(job.name, "paper", 0, config_of("map-betas", side=4, seeds=1))
    monkeypatch.setattr(
        recorded, "jobs", lambda profile: (other,)
    )  # other settings: not that record
    assert recorded.find_map("map-betas", folder=tmp_path, side=5, seeds=1)[2] is None


# ------------------------------------------------------------------------------------ on the page


@pytest.fixture
def shown(small, monkeypatch):
    """The explorer on those maps."""
    monkeypatch.setattr(
        widget, "find_map", lambda name, **_: (small[name], config_of(name, side=6, seeds=2), None)
    )
    return MapExplorer()


def test_front_end_reads_the_same_values_and_colours(shown, small, node, tmp_path):
    """Values as in the map, to three digits; colours as Matplotlib draws them."""
    import matplotlib as mpl

    cells, packing = (module(tmp_path, f"widgets/{name}.js") for name in ("maps/cells", "packing"))
    layers = [layer for one in shown.data["maps"] for layer in one["layers"]]
    lists = evaluate(
        node,
        packing,
        "args.map((text) => [...m.threeDigits(text)].map(String))",
        *(layer["values"] for layer in layers),
    )
    code = "args[0].map((list, k) => [...m.pixels(list.map(Number), args[1][k], args[2])])"
    painted = evaluate(node, cells, code, lists, layers, shown.data["ramp"])
    wanted = [(name, key) for name in MAPS for key in SCALES]
    for texts, colors, (name, key) in zip(lists, painted, wanted, strict=True):
        values = getattr(small[name], key)
        mine = np.array([float(text) for text in texts]).reshape(values.shape)
        rounded = np.array([float(f"{value:.2e}") for value in values.ravel()])
        np.testing.assert_array_equal(mine, rounded.reshape(values.shape))
        (mesh,) = draw_map(small[name], config_of(name, side=6), key).collections
        assert mesh.get_cmap() == mpl.colormaps["cividis"]
        theirs = 255 * mesh.to_rgba(values)
        colors = np.array(colors).reshape(theirs.shape)
        good = np.isfinite(values)
        assert (colors[..., 3] == 255 * good).all()
        assert (
            np.abs(colors - theirs)[good].max() <= 4
        )  # of 255; Matplotlib has 256 colours, the page 65


def test_three_digits_of_any_number(node, tmp_path):
    values = np.array([0.0, -0.0, np.nan, np.inf, 1.0, -1.0, 0.0754, 9.995, -1.2345e-7, 9.99e17,
                       1e-18, 1.234e-40, -0.00999499])  # fmt: skip
    path = module(tmp_path, "widgets/packing.js")
    found = evaluate(
        node, path, "[...m.threeDigits(args[0])].map(String)", widget.three_digits(values)
    )
    expected = [float(f"{value:.2e}") if np.isfinite(value) else np.nan for value in values]
    expected[11] = 0.0  # too near to 0
    np.testing.assert_array_equal([float(text) for text in found], expected)
    with pytest.raises(ValueError, match=r"below 1e18.*1e\+18"):
        widget.three_digits(np.array([1e18]))


def test_the_page_gets_little_even_of_recorded_maps():
    rng = np.random.default_rng(0)
    total = sum(
        len(json.dumps(widget._layer(rng.exponential(size=(y.values(128).size, 128)), scale)))
        for _, y in MAPS.values()
        for scale in SCALES.values()
    )
    assert total < 220_000


@pytest.mark.parametrize("name", MAPS)
def test_figure_has_the_cells_of_the_map_in_their_places(small, name):
    x, y = MAPS[name]
    found = small[name]
    for key in SCALES:
        ax = draw_map(found, config_of(name, side=6), key, "(a)")
        (mesh,) = ax.collections
        np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan), getattr(found, key))
        corners = np.asarray(
            mesh.get_coordinates()
        )  # a cell's middle is its value, except of batch sizes
        assert (corners[0, :-1, 0] + corners[0, 1:, 0]) / 2 == pytest.approx(
            found.x, rel=1e-4, abs=1e-5 if x.scale == "linear" else 0.0
        )
        assert ((edges(found.y, y)[:-1] < found.y) & (found.y < edges(found.y, y)[1:])).all()
        assert (ax.get_xlabel(), ax.get_ylabel()) == (NAMES[x.name], NAMES[y.name])
        assert [label.get_text() for label in ax.get_xticklabels()] == [
            f"{tick:g}" for tick in TICKS[x.name]
        ]
        assert ax.patch.get_hatch()  # where the loss ends above its start


def test_colour_scale_covers_the_map_and_survives_an_empty_one():
    scale = SCALES["loss"]
    values = np.array([0.8, np.nan, 3.0])
    first, last = scale.ends(values)
    assert scale.value([first, last]) == pytest.approx([0.8, 3.0])
    assert scale.ends(np.array([np.nan])) == (0.0, 1.0)
    assert SCALES["amplitude"].ends(np.array([-0.5, 2.0]))[0] == 0.0


def test_static_figure_stands_in_for_the_explorer(shown):
    figure = shown.static_figure()
    assert 'data-for="maps"' in figure
    assert figure.count("<image") == 2  # the cells, and the colour bar
    assert len(figure) < 40_000
    for word in ("ε", "β₂", "amplitude", "0.999", "1e-08"):
        assert word in figure


def test_settings_are_checked_and_a_point_opens_in_the_explorer(shown):
    with pytest.raises(ValueError, match="map must be one of"):
        shown.set(map="β₂ and ε")
    assert shown.point == {}
    shown.plot.result = {"point": {"beta2": 0.9, "eps": 1e-6}}
    assert SawtoothExplorer(**shown.point).settings["eps"] == 1e-6
