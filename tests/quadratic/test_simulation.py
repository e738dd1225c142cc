"""The problem and its simulation, against the slow twin and the published numbers' definitions."""

import warnings

import numpy as np
import pytest

from esp_lib import SGD, Adam, AdamW, NAdam, QuadraticProblem, RMSProp, make_order, simulate
from esp_lib.quadratic._torch import run_on_torch
from esp_lib.sampling.orders import ORDERS
from tests import reference
from tests.reference import RULES


@pytest.fixture(scope="module")
def problem() -> QuadraticProblem:
    """Small, with many coordinates shared, some unused, and more than one block of lanes."""
    return QuadraticProblem.sample(num_functions=600, dim=700, seed=3)


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}-{rule.lr}")
def test_every_step_equals_the_twin(problem, rule, kind):
    order = make_order(kind, num_functions=600, epochs=4, batch_size=20, seed=5)
    curve = simulate(problem, rule, order=kind, epochs=4, batch_size=20, seed=5)
    twin = reference.train(problem, rule, order, batch_size=20)
    np.testing.assert_allclose(curve.loss, twin, rtol=1e-10)


def test_the_paper_setting_equals_the_twin_for_an_epoch():
    problem = QuadraticProblem.sample(seed=1)
    order = make_order("reshuffle", num_functions=10_000, epochs=1, batch_size=100, seed=1)
    rule = Adam(lr=0.06, beta2=0.8)
    curve = simulate(problem, rule, order=order, epochs=1)
    np.testing.assert_allclose(curve.loss, reference.train(problem, rule, order, 100), rtol=1e-10)


def test_explicit_problem_order_and_start_equal_the_twin():
    rng = np.random.default_rng(8)
    problem = QuadraticProblem(
        rng.uniform(0.5, 1, 40),
        rng.uniform(0.5, 1, 40),
        rng.uniform(-1, 1, 40),
        rng.integers(0, 9, 40),
        dim=9,
    )
    order = np.stack([rng.permutation(40) for _ in range(6)])
    x0 = rng.normal(size=9)
    rule = Adam(lr=0.02, beta2=0.9)
    curve = simulate(problem, rule, order=order, epochs=6, batch_size=8, x0=x0)
    twin = reference.train(problem, rule, order, 8, x0)
    np.testing.assert_allclose(curve.loss, twin, rtol=1e-10)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}-{rule.lr}")
def test_torch_path_equals_compiled_path(problem, rule):
    pytest.importorskip("torch")
    order = make_order("reshuffle", num_functions=600, epochs=3, batch_size=20, seed=0)
    curve = simulate(problem, rule, order=order, epochs=3, batch_size=20)
    loss = run_on_torch(problem, np.full(700, 3.0), order, 20, [rule.two_moment(90)], "cpu")
    np.testing.assert_allclose(loss[0], curve.loss, rtol=1e-9)
    loss = run_on_torch(
        problem, np.full(700, 3.0), order, 20, [rule.two_moment(90)], "cpu", "float32"
    )
    np.testing.assert_allclose(loss[0], curve.loss, rtol=1e-4)


def test_settings_problems_and_seeds_broadcast():
    seeds = np.array([4, 7])
    problems = QuadraticProblem.sample(num_functions=60, dim=50, seed=seeds[:, None])
    rule = Adam(lr=0.06, beta2=[0.999, 0.9, 0.8])
    curve = simulate(problems, rule, epochs=2, batch_size=20, seed=seeds[:, None])
    assert curve.loss.shape == (2, 3, 6)
    for i, seed in enumerate(seeds):
        for j, beta2 in enumerate((0.999, 0.9, 0.8)):
            alone = simulate(
                QuadraticProblem.sample(num_functions=60, dim=50, seed=seed),
                Adam(lr=0.06, beta2=beta2),
                epochs=2,
                batch_size=20,
                seed=seed,
            )
            assert np.array_equal(curve.loss[i, j], alone.loss)


def test_a_map_is_one_call(problem):
    rule = Adam(lr=0.06, beta2=np.array([0.8, 0.9])[:, None], eps=np.array([1e-8, 1e-5, 1e-3]))
    curve = simulate(problem, rule, epochs=2, batch_size=60)
    assert curve.loss.shape == (2, 3, 20)
    one = simulate(problem, Adam(lr=0.06, beta2=0.9, eps=1e-5), epochs=2, batch_size=60)
    assert np.array_equal(curve.loss[1, 1], one.loss)


def test_sampled_problem_has_the_distribution_of_the_paper():
    problem = QuadraticProblem.sample(seed=11)
    for name, low, high in (("a", 0.5, 1.0), ("b", 0.5, 1.0), ("c", -1.0, 1.0)):
        values = getattr(problem, name)
        assert low < values.min() < values.max() < high
        standard_error = (high - low) / np.sqrt(12 * values.size)
        assert abs(values.mean() - (low + high) / 2) < 4 * standard_error
    unused = 1 - np.unique(problem.coordinate).size / problem.dim
    assert abs(unused - np.exp(-1)) < 0.015
    assert abs(np.corrcoef(problem.a, problem.b)[0, 1]) < 0.04


def test_divergence_is_a_result_and_not_a_warning(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve = simulate(problem, SGD(lr=[1.0, 1e6], momentum=0.9), epochs=10, batch_size=20)
        for rule in (Adam(lr=0.06, beta2=0.0), RMSProp(lr=1e3, beta=0.1), NAdam(lr=9, beta2=0.1)):
            simulate(problem, rule, epochs=60, batch_size=20)
    assert curve.diverged.tolist() == [False, True]
    assert np.isfinite(curve.loss[0]).all()
    first_bad = np.flatnonzero(~np.isfinite(curve.loss[1]))[0]
    assert not np.isfinite(curve.loss[1, first_bad:]).any()


def test_beta2_of_07_diverges_at_small_eps_only():
    problem = QuadraticProblem.sample()
    curve = simulate(problem, Adam(lr=0.06, beta2=0.7, eps=[1e-8, 1e-5]))
    assert curve.diverged.tolist() == [True, False]


SMALL = {"num_functions": 20, "dim": 30}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order": "random"}, ["order", "'reshuffle'", "'random'"]),
        ({"order": np.zeros((2, 20), int)}, ["order", "exactly once"]),
        ({"order": np.arange(20)[None]}, ["order", "(2, 20)", "(1, 20)"]),
        ({"batch_size": 6}, ["batch_size", "divide", "20", "6"]),
        ({"epochs": 0}, ["epochs", "at least 1", "0"]),
        ({"seed": 1.5}, ["seed", "integers", "1.5"]),
        ({"seed": [0, 1, 2]}, ["broadcast", "(2,)", "(3,)"]),
        ({"x0": np.zeros(3)}, ["x0", "(30,)", "(3,)"]),
        ({"x0": np.nan}, ["x0", "finite", "nan"]),
        ({"device": "tpu"}, ["device", '"cpu"', "'tpu'"]),
        ({"device": "cuda:99"}, ["device", "no GPU", "'cuda:99'"]),
        ({"device": "cuda0"}, ["device", "cuda:<number>", "'cuda0'"]),
        ({"device": "cuda:01"}, ["device", "cuda:<number>", "'cuda:01'"]),
        ({"dtype": "float32"}, ["dtype", '"float64"', "cpu", "'float32'"]),
        ({"dtype": "float16", "device": "cuda"}, ["dtype", "'float32'", "'float16'"]),
    ],
)
def test_bad_arguments_are_named(change, words):
    problem = QuadraticProblem.sample(**SMALL)
    arguments = {"epochs": 2, "batch_size": 5, **change}
    with pytest.raises(ValueError, match=r".") as error:
        simulate(problem, Adam(beta2=[0.8, 0.9]), **arguments)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": [1.0, -1.0]}, ["a must", "(0, inf]", "-1.0"]),
        ({"b": [np.inf, 1.0]}, ["b must", "finite", "inf"]),
        ({"c": [0.0]}, ["one shape", "c (1,)"]),
        ({"coordinate": [0, 5]}, ["coordinate", "0 to dim - 1 = 4", "5"]),
        ({"coordinate": [0.0, 1.0]}, ["coordinate", "integers", "float64"]),
        ({"dim": 0}, ["dim", "at least 1", "0"]),
    ],
)
def test_bad_problems_are_named(change, words):
    arguments = {"a": [1.0, 1.0], "b": [0.0, 0.0], "c": [0.0, 0.0], "coordinate": [0, 1], "dim": 5}
    with pytest.raises(ValueError, match=r".") as error:
        QuadraticProblem(**(arguments | change))
    for word in words:
        assert word in str(error.value)


def test_the_caller_may_change_what_was_passed():
    beta2, coordinate = np.array([0.8, 0.9]), np.array([0, 1])
    rule = Adam(beta2=beta2)
    problem = QuadraticProblem([1.0, 1.0], [0.0, 0.0], [0.0, 0.0], coordinate, dim=2)
    beta2[0], coordinate[0] = 7, 9
    assert rule.beta2.tolist() == [0.8, 0.9]
    assert problem.coordinate.tolist() == [0, 1]


def test_dim_costs_nothing():
    problem = QuadraticProblem.sample(num_functions=100, dim=2**31, seed=1)
    loss = simulate(problem, Adam(lr=0.06), epochs=2, batch_size=10).loss
    used = np.unique(problem.coordinate, return_inverse=True)[1]
    small = QuadraticProblem(problem.a, problem.b, problem.c, used, dim=100)
    assert np.array_equal(loss, simulate(small, Adam(lr=0.06), epochs=2, batch_size=10).loss)


def test_rates_beyond_all_reason_are_results(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rule in (
            Adam(lr=1e308),
            NAdam(momentum_decay=1e308),
            AdamW(lr=1e10, weight_decay=1e10),
        ):
            assert simulate(problem, rule, epochs=2, batch_size=20).diverged in (True, False)


def test_compiles_where_no_cache_can_be_written(monkeypatch):
    import numba

    from esp_lib import _jit

    def njit(*functions, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(*functions, **options)

    original = numba.njit
    monkeypatch.setattr(numba, "njit", njit)
    assert _jit.jit(lambda x: x + 1)(2) == 3
