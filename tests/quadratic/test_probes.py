"""Probes against the slow twin, against `simulate`, and against ranges read off the paper."""

import time

import numpy as np
import pytest

from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.quadratic.probes import NORMS, PRODUCTS, STATES, Probes, probe
from tests.quadratic.slow_probe import slow_probe
from tests.reference import RULES

EVERYTHING = Probes(
    epochs=(3, 1),
    norms=NORMS,
    products=PRODUCTS,
    batches=(29, 0, 7),
    batch_loss=True,
    states=(40, 2),
)


@pytest.fixture(scope="module")
def problem():
    """Small, with shared and unused coordinates and more than one block of lanes."""
    return QuadraticProblem.sample(num_functions=600, dim=700, seed=3)


@pytest.mark.parametrize("kind", ["reshuffle", "reverse", "replacement"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}-{rule.lr}")
def test_every_number_equals_the_twin(problem, rule, kind):
    order = make_order(kind, num_functions=600, epochs=4, batch_size=20, seed=5)
    fast = probe(problem, rule, EVERYTHING, order=kind, batch_size=20, seed=5)
    norm, product, losses, states = slow_probe(problem, rule, order, 20, EVERYTHING)

    def same(mine, twin):
        twin = np.array(twin)
        np.testing.assert_allclose(mine, twin, rtol=1e-10, atol=1e-10 * np.abs(twin).max())

    def kept(names):  # RMSProp has no m; in its common form m is g and goes unused
        return [name for name in names if not (name == "m" and rule.name == "RMSProp")]

    assert fast.step.tolist() == [*range(30, 60), *range(90, 120)]
    same(fast.curve.loss, losses["run"])
    same(fast.loss_before, losses["before"])
    same(fast.loss_after, losses["after"])
    for name in kept(NORMS):
        same(fast.norm[name], norm[name])
    for name in kept(PRODUCTS):
        same(fast.product[name], product[name])
    for place, step in enumerate(EVERYTHING.states):
        for name in kept(STATES):
            same(fast.state[name][place], states[step][name])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}-{rule.lr}")
def test_probing_changes_no_bit_of_the_loss(problem, rule):
    alone = simulate(problem, rule, epochs=4, batch_size=20, seed=2)
    probed = probe(problem, rule, EVERYTHING, batch_size=20, seed=2)
    assert np.array_equal(probed.curve.loss, alone.loss)
    assert probed.curve.source == alone.source


def test_settings_problems_and_seeds_broadcast(problem):
    seeds = np.array([4, 7])
    problems = QuadraticProblem.sample(num_functions=60, dim=50, seed=seeds[:, None])
    rule = Adam(lr=0.06, beta2=[0.999, 0.9, 0.8])
    probes = Probes(epochs=(1,), norms=("m",), products=("g",), batches=(0, 2), states=(5,))
    record = probe(problems, rule, probes, batch_size=20, seed=seeds[:, None])
    assert record.curve.loss.shape == (2, 3, 6)
    assert record.norm["m"].shape == (2, 3, 3)
    assert record.product["g"].shape == (2, 3, 3, 2)
    assert record.loss_before.shape == (2, 3, 3, 0)
    assert record.state["x"].shape == (2, 3, 1, 50)
    for i, seed in enumerate(seeds):
        for j, beta2 in enumerate((0.999, 0.9, 0.8)):
            one = probe(
                QuadraticProblem.sample(num_functions=60, dim=50, seed=seed),
                Adam(lr=0.06, beta2=beta2),
                probes,
                batch_size=20,
                seed=seed,
            )
            assert np.array_equal(record.norm["m"][i, j], one.norm["m"])
            assert np.array_equal(record.product["g"][i, j], one.product["g"])
            assert np.array_equal(record.state["v"][i, j], one.state["v"])


def test_watched_losses_are_the_logged_ones_where_they_meet(problem):
    probes = Probes(epochs=(2,), batches=tuple(range(30)), batch_loss=True)
    record = probe(problem, Adam(lr=0.06, beta2=0.8), probes, batch_size=20)
    own = np.diagonal(record.loss_before)
    np.testing.assert_allclose(own, record.curve.loss[60:], rtol=1e-12)
    np.testing.assert_allclose(record.loss_after[:-1], record.loss_before[1:], rtol=1e-12)


@pytest.mark.timing
def test_probes_are_ten_times_faster_than_the_twin():
    """At the paper's setting, with everything recorded over epoch 3."""
    problem, rule = QuadraticProblem.sample(), Adam(lr=0.06, beta2=0.8)
    order = make_order("reshuffle", num_functions=10_000, epochs=4, batch_size=100)
    probes = Probes(
        epochs=(3,), norms=NORMS, products=PRODUCTS, batches=(0, 49, 99), batch_loss=True
    )

    def seconds(run):
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    def fast():
        return probe(problem, rule, probes, order=order)

    fast()  # compiles
    slow_seconds = seconds(lambda: slow_probe(problem, rule, order, 100, probes))
    assert slow_seconds > 10 * min(seconds(fast) for _ in range(5))


def test_divergence_is_recorded():
    problem = QuadraticProblem.sample(num_functions=400, dim=400, seed=0)
    probes = Probes(epochs=(9,), norms=("g",), batches=(0,), products=("update",))
    record = probe(problem, Adam(lr=1e160, beta2=0.5), probes, batch_size=4)
    assert not np.isfinite(record.norm["g"]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": (1, 1)}, ["epochs", "distinct", "(1, 1)"]),
        ({"epochs": (-1,)}, ["epochs", "at least 0", "-1"]),
        ({"epochs": 4}, ["epochs", "tuple", "4"]),
        ({"epochs": ()}, ["epochs"]),
        ({"norms": ("w",)}, ["norms", "'update'", "'w'"]),
        ({"norms": "g"}, ["norms", "tuple", "'g'"]),
        ({"products": ("v",)}, ["products", "'m'", "'v'"]),
        ({"batches": ()}, ["batches", "batch_loss", "()"]),
        ({"batches": (1.5,)}, ["batches", "integer", "1.5"]),
    ],
)
def test_bad_probes_are_named(change, words):
    arguments = {"epochs": (1,), "norms": ("g",), "products": ("m",), "batches": (0,)}
    with pytest.raises(ValueError, match=r".") as error:
        Probes(**(arguments | change))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("probes", "epochs", "words"),
    [
        (Probes(epochs=(4,), norms=("g",)), 4, ["epochs", "at least 5", "4"]),
        (Probes(states=(60,)), 2, ["epochs", "at least 3", "2"]),
        (Probes(epochs=(0,), products=("g",), batches=(30,)), None, ["batches", "29", "30"]),
    ],
)
def test_probes_outside_the_run_are_named(problem, probes, epochs, words):
    with pytest.raises(ValueError, match=r".") as error:
        probe(problem, Adam(), probes, epochs=epochs, batch_size=20)
    for word in words:
        assert word in str(error.value)


# Ranges read off Figs. 11 and 15 of the paper (one random run each), as its README shows them.
@pytest.mark.parametrize(
    ("name", "low", "high"), [("m", 0.032, 0.048), ("v", 0.0009, 0.0022), ("g", 0.12, 0.21)]
)
def test_norms_lie_where_the_paper_shows_them(name, low, high):
    seeds = np.arange(4)
    probes = Probes(epochs=(4, 5), norms=(name,))
    record = probe(
        QuadraticProblem.sample(seed=seeds), Adam(lr=0.06, beta2=0.8), probes, seed=seeds
    )
    norm = record.norm[name].mean(axis=0)
    assert norm.min() == pytest.approx(low, rel=0.12)
    assert norm.max() == pytest.approx(high, rel=0.12)
