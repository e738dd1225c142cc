"""The prediction, against a slow twin that follows coordinates with the textbook update, and
against simulation."""

from typing import Any, cast

import numpy as np
import pytest

from esp_lib import Adam, AdamW, AMSGrad, QuadraticProblem, RMSProp, measure, simulate
from esp_lib.sampling.orders import ORDERS
from esp_lib.theory.drift import displacement
from esp_lib.theory.prediction import LEAST_POINTS, class_shares, draw_visits, predict, window_means


def slow_excess(rule, order, k, epochs, T, points, batch_size):
    """Mean excess at each step, following each coordinate with the textbook update."""
    visits = draw_visits(order, k, epochs, T, points)
    total, count = np.zeros(epochs * T), np.zeros(epochs * T)
    for a, c, when, who in zip(*visits, strict=True):

        def follow(x, state, steps, leave_out=None, *, a=a, c=c, when=when, who=who):
            path = {}
            for t in steps:
                path[t] = x
                here = [i for i in who[when == t] if i != leave_out]
                g = sum(2 * a[i] * (x - c[i]) / batch_size for i in here)
                x, state = rule.update(g, state, x)
            return path, x, state

        start = np.float64(3.0), rule.init(3.0)
        if order == "reshuffle":
            x, state = start
            for epoch in range(epochs):
                steps = range(epoch * T, epoch * T + T)
                path, _, _ = follow(x, state, steps, leave_out=0)
                _, x, state = follow(x, state, steps)
                for t in steps:
                    total[t] += a[0] * (path[t] - c[0]) ** 2
                    count[t] += 1
            continue
        path, _, _ = follow(*start, range(epochs * T))
        told = [(t, 0) for t in path] if order == "replacement" else zip(when, who, strict=True)
        for t, i in told:
            total[t] += a[i] * (path[t] - c[i]) ** 2
            count[t] += 1
    with np.errstate(invalid="ignore"):
        return total / count


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "rule",
    [
        Adam(lr=0.06, beta2=0.8), Adam(lr=0.06, beta2=0.999, eps=1e-5), RMSProp(lr=0.06, beta=0.8),
        AdamW(lr=0.06, beta2=0.9, weight_decay=0.05),
    ],
    ids=lambda rule: rule.name,
)  # fmt: skip
def test_prediction_equals_the_twin(order, rule):
    for k in (1, 3):
        curve = predict(
            rule, order=order, epochs=3, batch_size=25, num_functions=200, groups=[k], points=16
        )
        twin = 0.75 + slow_excess(rule, order, k, 3, 8, LEAST_POINTS, 25)
        np.testing.assert_allclose(curve.loss, twin, rtol=1e-10)


def test_one_visit_map_is_what_is_left_without_memory():
    """carry and bias correction off, lone functions: u -> u - sign(u) G(K, |2 a u / B|)."""
    T, epochs, B = 10, 6, 20
    setting = {"lr": 0.06, "beta1": 0.9, "beta2": 0.8, "eps": 1e-8}
    curve = predict(
        Adam(**setting),
        epochs=epochs,
        batch_size=B,
        num_functions=T * B,
        groups=[1],
        carry=False,
        bias_correction=False,
        points=64,
    )
    visits = draw_visits("reshuffle", 1, epochs, T, 64)
    excess = np.zeros(epochs * T)
    for (a,), (c,), when, _ in zip(*visits, strict=True):
        u, last = 3.0 - c, None
        for epoch in range(epochs):
            G = np.zeros(2 * T)  # before the first visit nothing moves
            if last is not None:
                G[1:] = displacement(2 * T - 1, 2 * a * u / B, **setting)
            for t in range(epoch * T, epoch * T + T):
                gap = 0 if last is None else t - last
                excess[t] += a * (u - np.sign(u) * G[gap]) ** 2 / 64
            u -= np.sign(u) * G[0 if last is None else when[epoch] - last]
            last = when[epoch]
    np.testing.assert_allclose(curve.loss, 0.75 + excess, rtol=1e-9)


@pytest.mark.parametrize("order", ORDERS)
def test_prediction_is_the_mean_of_simulations(order):
    """Over 300 small problems the mean loss of each step lies where it should."""
    seeds = np.arange(300)
    rule = Adam(lr=0.06, beta2=0.8)
    problems = QuadraticProblem.sample(num_functions=600, dim=400, seed=seeds)
    loss = simulate(problems, rule, order=order, epochs=6, batch_size=30, seed=seeds).loss
    theory = predict(rule, order=order, epochs=6, batch_size=30, num_functions=600, dim=400).loss
    error = np.hypot(loss.std(axis=0) / np.sqrt(300), 0.01 * (theory - 0.75))
    z = (loss.mean(axis=0) - theory) / error
    assert np.abs(z).max() < 5
    assert np.sqrt((z**2).mean()) < 1.5


@pytest.mark.parametrize(("beta2", "eps"), [(0.8, 1e-8), (0.8, 1e-5), (0.78, 1e-8)])
def test_settled_level_and_amplitude_of_the_paper_setting(beta2, eps):
    rule = Adam(lr=0.06, beta2=beta2, eps=eps)
    seeds = np.arange(4)
    curve = simulate(QuadraticProblem.sample(seed=seeds), rule, epochs=30, seed=seeds)
    theory = predict(rule, epochs=30)
    level = [c.by_epoch()[..., 16:, :].mean() for c in (curve, theory)]
    teeth = [np.mean(measure(c, skip_epochs=16).amplitude) for c in (curve, theory)]
    assert level[1] == pytest.approx(level[0], rel=0.02)
    assert teeth[1] == pytest.approx(teeth[0], rel=0.05)


def test_ways_to_scramble_the_points_agree():
    rule = Adam(lr=0.06, beta2=[0.999, 0.8])
    one, two = (predict(rule, epochs=10, scramble=s).by_epoch()[:, 5:].mean((1, 2)) for s in (0, 1))
    assert not np.array_equal(one, two)
    np.testing.assert_allclose(one, two, rtol=0.01)


def test_shares_of_the_classes():
    shares = class_shares(range(1, 9), 10_000, 10_000)
    assert shares.sum() == pytest.approx(1)
    coordinate = QuadraticProblem.sample(seed=0).coordinate
    group = np.bincount(coordinate)[coordinate]
    for k in (1, 2, 3):
        assert abs((group == k).mean() - shares[k - 1]) < 0.02
    np.testing.assert_allclose(shares[:3], np.exp(-1) / np.array([1, 1, 2]), rtol=1e-3)


def test_settings_lead_the_curve():
    rule = Adam(lr=0.06, beta2=np.array([0.8, 0.9])[:, None], eps=[1e-8, 1e-5, 1e-3])
    curve = predict(rule, epochs=2, batch_size=100, num_functions=1000, points=16)
    assert curve.loss.shape == (2, 3, 20)
    one = predict(Adam(lr=0.06, beta2=0.9, eps=1e-5), epochs=2, num_functions=1000, points=16)
    assert np.array_equal(curve.loss[1, 1], one.loss)


@pytest.mark.parametrize("order", ["fixed", "reverse"])
@pytest.mark.parametrize(("batch_size", "points"), [(1, 1024), (10, 1024), (100, 2), (30, 4)])
def test_every_step_is_told(order, batch_size, points):
    setting = {"order": order, "epochs": 2, "num_functions": 3000, "dim": 3000}
    rule = Adam(lr=0.06, beta2=0.8)
    loss = predict(rule, batch_size=batch_size, points=points, **setting).loss
    assert np.isfinite(loss).all()
    assert (loss > 0.75).all()


@pytest.mark.parametrize("order", ["fixed", "reverse"])
def test_windows_of_long_epochs_follow_the_simulation(order):
    """600 steps an epoch, of which rare classes have 128 windows."""
    seeds = np.arange(100)
    rule = Adam(lr=0.06, beta2=0.9)
    problems = QuadraticProblem.sample(num_functions=600, dim=400, seed=seeds)
    loss = simulate(problems, rule, order=order, epochs=4, batch_size=1, seed=seeds).by_epoch()
    theory = predict(rule, order=order, epochs=4, batch_size=1, num_functions=600, dim=400)
    parts = theory.by_epoch().reshape(4, 12, 50).mean(axis=2)
    runs = loss.reshape(100, 4, 12, 50).mean(axis=3)
    error = np.hypot(runs.std(axis=0) / np.sqrt(100), 0.03 * (parts - 0.75))
    z = (runs.mean(axis=0) - parts) / error
    assert np.abs(z).max() < 5
    assert np.sqrt((z**2).mean()) < 1.5


def test_window_means_recover_a_line():
    T, per_step = 10, np.arange(20.0)  # two epochs
    count = np.full(20, 3)
    assert np.array_equal(window_means(3 * per_step, count, T, 16), per_step)
    inner = window_means(3 * per_step, count, T, 4).reshape(2, T)
    # windows of 3, 2, 3, 2 steps, whose middles are 1, 3.5, 6, 8.5
    np.testing.assert_allclose(inner[:, 1:9], per_step.reshape(2, T)[:, 1:9])
    np.testing.assert_allclose(inner[:, [0, 9]], [[1, 8.5], [11, 18.5]])
    empty = np.where(per_step % 3 == 0, 3, 0)  # a step that nothing tells
    assert np.isfinite(window_means(per_step, empty, T, 3)).all()


def test_small_problems_have_fewer_classes():
    curve = predict(Adam(lr=0.1), num_functions=5, batch_size=5, epochs=2)
    assert curve.source["groups"] == [1, 2, 3, 4, 5]
    for order in ORDERS:
        one = predict(Adam(lr=0.1), order=order, num_functions=1, dim=1, batch_size=1)
        assert np.isfinite(one.loss).all()


def test_no_settings_no_curves():
    empty = predict(Adam(lr=[]), epochs=2, points=2)
    assert empty.loss.shape == (0, 200)


@pytest.mark.parametrize("order", ["reshuffle", "replacement"])
def test_the_largest_number_of_epochs_is_the_one_that_is_named(order):
    with pytest.raises(ValueError, match="epochs must be at most") as error:
        draw_visits(order, 400, 10**6, 2, 2)
    most = int(str(error.value).split("at most ")[1].split()[0])
    assert draw_visits(order, 400, most, 2, 2).a.shape == (2, 400)
    with pytest.raises(ValueError, match=f"at most {most} "):
        draw_visits(order, 400, most + 1, 2, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: predict(Adam(), order="random"), ["order", "'reverse'", "'random'"]),
        (lambda: predict(Adam(), batch_size=3), ["batch_size", "divide", "10000", "3"]),
        (lambda: predict(Adam(), points=100), ["points", "power of two", "100"]),
        (lambda: predict(Adam(), groups=[]), ["groups", "none"]),
        (lambda: predict(Adam(), groups=[0]), ["groups", "at least 1", "0"]),
        (lambda: predict(Adam(), groups=[1, 1]), ["groups", "once", "[1, 1]"]),
        (lambda: predict(Adam(), groups=cast(Any, 3)), ["groups", "3"]),
        (lambda: draw_visits("fixed", 8000, 1, 2, 2), ["groups", "7067", "8000"]),
        (lambda: predict(Adam(), num_functions=1000, dim=1), ["groups", "dim = 1", "1000"]),
        (lambda: predict(Adam(), x0=cast(Any, [3.0, 2.0])), ["x0", "single", "[3.0, 2.0]"]),
        (lambda: predict(Adam(), scramble=-1), ["scramble", "-1"]),
        (lambda: predict(Adam(), epochs=30_000), ["epochs", "2648", "30000"]),
        (lambda: predict(AMSGrad()), ["AMSGrad"]),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=r".") as error:
        call()
    for word in words:
        assert word in str(error.value)
