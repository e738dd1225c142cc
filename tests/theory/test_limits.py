"""The theory's parts: distributions against exact counts, closed forms against brute force."""

from itertools import permutations, product
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import qmc

from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.optimizers.base import State
from esp_lib.sampling.orders import ORDERS
from esp_lib.theory.drift import (
    displacement,
    displacement_without_eps,
    drift_profile,
    steps_to_eps,
    threshold,
)
from esp_lib.theory.interference import interference_profile, settle, spread
from esp_lib.theory.staleness import gap_pmf, mean_staleness, observed_staleness, staleness_pmf

# ------------------------------------------------------------------------------------ staleness


@pytest.mark.parametrize("batch_size", [1, 2])
def test_reshuffled_staleness_equals_the_count_over_all_pairs_of_permutations(batch_size):
    T = 4 // batch_size
    counts = np.zeros((T, 2 * T))
    for first, second in product(permutations(range(4)), repeat=2):
        found = observed_staleness([first, second], batch_size)[1].reshape(T, batch_size)
        for q in range(T):
            np.add.at(counts[q], found[q], 1)
    for q in range(T):
        exact = counts[q, 1:] / counts[q].sum()
        np.testing.assert_allclose(staleness_pmf("reshuffle", q, T, 2 * T - 1), exact, atol=1e-14)


def test_replacement_staleness_equals_the_count_over_all_sequences():
    counts = np.zeros(8)
    for draws in product(range(2), repeat=7):
        counts[observed_staleness([draws], 1)[0, -1]] += 1
    exact = counts[1:7] / 2**7  # entry 0: never seen before
    np.testing.assert_allclose(staleness_pmf("replacement", 0, 2, 6), exact, atol=1e-14)


@pytest.mark.parametrize("order", ["fixed", "reverse"])
def test_staleness_of_orders_without_chance(order):
    table = make_order(order, num_functions=60, epochs=5, batch_size=5)
    found = observed_staleness(table, 5).reshape(5, 12, 5)
    assert (found[0] == 0).all()
    for q in range(12):
        (only,) = np.flatnonzero(staleness_pmf(order, q, 12, 24)) + 1
        assert (found[1:, q] == only).all()


@pytest.mark.parametrize("order", ORDERS)
def test_mean_staleness_of_real_orders(order):
    table = make_order(order, num_functions=2000, epochs=60, batch_size=100, seed=3)
    found = observed_staleness(table, 100).reshape(60, 20, 100)[30:]
    error = found.std(axis=(0, 2)) / np.sqrt(30 * 100) + 1e-9
    assert (np.abs(found.mean(axis=(0, 2)) - mean_staleness(order, 20)) < 4.5 * error).all()
    for q in (0, 7, 19):
        pmf = staleness_pmf(order, q, 20, 800)
        assert pmf.sum() == pytest.approx(1, abs=1e-12)
        assert pmf @ np.arange(1, 801) == pytest.approx(mean_staleness(order, 20)[q], rel=1e-9)


def test_gaps_are_the_staleness_over_the_whole_epoch():
    mean = np.mean([staleness_pmf("reshuffle", q, 9, 17) for q in range(9)], axis=0)
    np.testing.assert_allclose(gap_pmf(9), mean, atol=1e-15)


# ---------------------------------------------------------------------------------------- drift


@pytest.mark.parametrize(("beta2", "eps"), [(0.999, 1e-8), (0.81, 1e-8), (0.7, 1e-8), (0.8, 1e-5)])
def test_displacement_equals_adam_visited_once_and_left_alone(beta2, eps):
    rule = Adam(lr=0.06, beta1=0.9, beta2=beta2, eps=eps)
    g = np.array([0.03, -1e-4])
    x, zero = np.zeros(2), np.zeros(2)
    state = State(10**6, zero, zero, zero, np.ones(2))  # bias correction is long over
    moved = []
    for step in range(200):
        x, state = rule.update(g if step == 0 else zero, state, x)
        moved.append(-np.sign(g) * x)
    G = displacement(200, g, lr=0.06, beta1=0.9, beta2=beta2, eps=eps)
    np.testing.assert_allclose(G, np.transpose(moved), rtol=1e-10)


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.9, 0.8), (0.5, 0.25), (0.0, 0.9)])
def test_displacement_without_eps_is_the_limit(beta1, beta2):
    closed = displacement_without_eps(60, lr=0.1, beta1=beta1, beta2=beta2)
    for g in (1.0, 1e-6):
        G = displacement(60, g, lr=0.1, beta1=beta1, beta2=beta2, eps=1e-60)
        np.testing.assert_allclose(closed, G, rtol=1e-10)


def test_displacement_beyond_the_largest_float_is_infinite():
    G = displacement_without_eps(100_000, lr=0.1, beta1=0.9, beta2=0.5)
    assert np.isfinite(G[:2000]).all()
    assert np.isinf(G[-1])
    assert (displacement_without_eps(100_000, lr=0.0, beta1=0.9, beta2=0.5) == 0).all()


def test_steps_grow_exactly_below_the_threshold():
    assert threshold(0.9) == pytest.approx(0.81)
    for beta2, sign in ((0.82, -1), (0.80, 1)):
        step = np.diff(displacement_without_eps(50, lr=1.0, beta1=0.9, beta2=beta2))
        assert (np.sign(np.diff(step)) == sign).all()


def test_growth_ends_where_the_root_falls_to_eps():
    beta2, eps, g = 0.8, 1e-8, 0.01
    v, steps = (1 - beta2) * g**2, 0
    while np.sqrt(v) > eps:
        v, steps = beta2 * v, steps + 1
    assert steps == np.ceil(steps_to_eps(g, beta2=beta2, eps=eps))


def test_drift_profile_is_the_stationary_law_of_absolute_differences():
    T, chains = 10, 200_000
    setting: Any = {"lr": 0.1, "beta1": 0.9, "beta2": 0.8}
    G = displacement_without_eps(2 * T - 1, **setting)
    random = np.random.default_rng(0)
    u = np.zeros(chains)
    for _ in range(60):
        u = np.abs(u - G[random.choice(2 * T - 1, chains, p=gap_pmf(T))])
    profile = drift_profile(**setting, eps=1e-60, steps_per_epoch=T)
    for q in (0, 4, 9):
        before = 0.75 * (u - G[random.integers(q, q + T, chains)]) ** 2
        assert abs(profile[q] - before.mean()) < 4.5 * before.std() / np.sqrt(chains)
    # the level that the density P(G > u) / E G gives, integrated numerically
    grid = (np.arange(20_000) + 0.5) / 20_000 * G[-1]
    tail = [(gap_pmf(T) * (at < G)).sum() for at in grid]
    mean_square = np.average(grid**2, weights=tail)
    assert profile.mean() == pytest.approx(0.75 * mean_square, rel=1e-3)


def test_a_large_eps_stops_drift_altogether():
    profile = drift_profile(lr=0.01, beta1=0.3, beta2=0.8, eps=1e-2, steps_per_epoch=20)
    assert (np.abs(profile) < 1e-20).all()


# --------------------------------------------------------------------------------- interference


def brute_spread(kappa, c, order):
    """Mean of (x - c_i)^2 before the j-th visit of the last epoch, over every possible history."""
    k = len(c)
    histories: Any
    epochs = {"reshuffle": 8 if k == 2 else 5, "replacement": 1}.get(order, 40)
    if order == "reshuffle":
        histories = product(permutations(range(k)), repeat=epochs)
    elif order == "replacement":
        histories = ([h] for h in product(range(k), repeat=9))
    else:
        turn = -1 if order == "reverse" else 1
        histories = (
            [p if e % 2 == 0 else p[::turn] for e in range(epochs)] for p in permutations(range(k))
        )
    squares = []
    for history in histories:
        x, row = np.mean(c), []
        for i in [i for epoch in history for i in epoch]:
            row.append((x - c[i]) ** 2)
            x = c[i] + kappa * (x - c[i])
        squares.append(row[-1:] * k if order == "replacement" else row[-k:])
    return np.mean(squares, axis=0) / np.var(c)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("c", [(-0.2, 0.7), (0.1, -0.8, 0.3)])
@pytest.mark.parametrize("kappa", [0.0, 0.2, -0.2])
def test_spread_equals_the_mean_over_all_histories(order, c, kappa):
    np.testing.assert_allclose(
        spread(kappa, len(c), order), brute_spread(kappa, c, order), rtol=1e-5
    )


@pytest.mark.parametrize("kappa", [0.0, 0.4, -0.7])
def test_spread_of_pairs_is_the_documented_table(kappa):
    first = (kappa**2 + (1 - kappa) / 2) / ((1 + kappa) * (1 + kappa**2))
    table = {
        "reshuffle": [first, 1 - kappa + kappa**2 * first],
        "fixed": [1 / (1 + kappa) ** 2] * 2,
        "reverse": np.array([kappa**2, 1]) / (1 + kappa**2) ** 2,
        "replacement": [1 / (2 * (1 + kappa))] * 2,
    }
    for order, q in table.items():
        np.testing.assert_allclose(spread(kappa, 2, order), 4 * np.array(q), rtol=1e-12)


def test_settle_solves_its_equation():
    for order, k in product(ORDERS, (2, 3, 5)):
        pull = np.array([0.1, 0.5, 1.0])
        kappa = settle(pull, k, order)
        np.testing.assert_allclose(
            (1 - kappa) * np.sqrt(spread(kappa, k, order).sum(axis=-1)), pull, rtol=1e-6
        )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("k", [2, 3])
def test_interference_profile_is_the_limit_of_the_simulation(order, k):
    """Small steps, equal curvatures, no momentum, a long memory of v."""
    n, T, lr = 2048 * k, 64, 0.03
    c = 2 * qmc.Sobol(k, rng=1).random(2048).ravel() - 1  # evenly spread minima
    random = np.random.default_rng(0)
    place = random.permutation(n)
    problem = QuadraticProblem(np.full(n, 0.75), np.zeros(n), c[place], place // k, dim=n)
    rule = Adam(lr=lr, beta1=0.0, beta2=0.999)
    curve = simulate(problem, rule, order=order, epochs=300, batch_size=n // T)
    measured = curve.by_epoch()[150:].mean(axis=0).reshape(4, -1).mean(axis=1)
    closed = interference_profile(k, order, lr=lr, steps_per_epoch=T).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(measured, closed, rtol=0.05)
    assert measured.mean() == pytest.approx(closed.mean(), rel=0.03)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: staleness_pmf("fixed", 9, 9, 3), ["step", "at most 8", "9"]),
        (lambda: observed_staleness([0, 1], 1), ["order", "(2,)"]),
        (lambda: observed_staleness([[-1, 0]], 1), ["order", "0 to 1", "-1"]),
        (lambda: observed_staleness([[0, 2]], 1), ["order", "0 to 1", "2"]),
        (lambda: observed_staleness(np.zeros((0, 3), int), 1), ["order", "(0, 3)"]),
        (lambda: observed_staleness([[0, 1], [0]], 1), ["order", "table"]),
        (lambda: displacement_without_eps(3, lr=-1, beta1=0.9, beta2=0.9), ["lr", "-1"]),
        (lambda: drift_profile(lr=0, beta1=0.9, beta2=0.8, eps=1e-8), ["lr", "(0, inf]", "0"]),
        (
            lambda: drift_profile(lr=cast(Any, [1]), beta1=0.9, beta2=0.8, eps=1),
            ["lr", "single", "[1]"],
        ),
        (lambda: displacement(3, 1.0, lr=1, beta1=1.0, beta2=0.9, eps=1), ["beta1", "1"]),
        (lambda: steps_to_eps(0.0, beta2=0.9, eps=1e-8), ["gradient", "0"]),
        (lambda: spread(1.0, 2, "fixed"), ["kappa", "1"]),
        (lambda: spread(0.5, 1, "fixed"), ["size", "at least 2", "1"]),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=r".") as error:
        call()
    for word in words:
        assert word in str(error.value)
