"""The comparison of optimizers at reduced size: honest tuning, and Adam's parts one by one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from esp_lib import (
    SGD,
    Adam,
    Lion,
    QuadraticProblem,
    RMSProp,
    figures,
    make_order,
    measure,
    simulate,
)
from esp_lib.comparison.contenders import CONTENDERS, label_of
from esp_lib.comparison.figures import Dot, against_rate, color_of, rows
from esp_lib.comparison.study import (
    FINER,
    FLOOR,
    RATES,
    TUNING_SEEDS,
    RuleResult,
    Tuning,
    TuningStudy,
    interval,
    lowest_loss,
    plus_minus,
)
from esp_lib.optimizers.ablated_adam import PARTS, AdamUncorrected, AdamUndivided, without
from tests import reference

SMALL = TuningStudy(epochs=4, num_seeds=3, num_functions=200, batch_size=20)


def drawn(seed: int) -> QuadraticProblem:
    problem = QuadraticProblem.sample(200, 200, seed)
    return replace(problem, b=np.full(200, FLOOR))


@pytest.mark.parametrize("rule", [SGD(), Adam(beta2=0.8), Lion()], ids=lambda rule: rule.name)
def test_tuning_takes_the_best_of_the_same_rates_on_seeds_of_its_own(rule):
    tuning = SMALL.tune(rule)
    losses = []
    for rate in tuning.rates:
        last = []
        for seed in TUNING_SEEDS:
            curve = simulate(
                drawn(seed), replace(rule, lr=rate), epochs=4, batch_size=20, seed=seed
            )
            last.append(curve.loss[-10:].mean())
        losses.append(np.mean(last))
    np.testing.assert_allclose(tuning.losses, losses, rtol=1e-12)
    assert tuning.rate == tuning.rates[np.argmin(losses)]
    coarse = np.isin(tuning.rates, RATES)
    assert coarse.sum() == RATES.size
    best = tuning.rates[coarse][np.argmin(tuning.losses[coarse])]
    np.testing.assert_allclose(tuning.rates[~coarse], best * FINER)
    assert not set(TUNING_SEEDS) & set(range(SMALL.num_seeds))


def test_rates_that_diverge_lose():
    tuning = SMALL.tune(SGD(momentum=0.99))
    assert np.isfinite(tuning.losses[tuning.rates == tuning.rate]).all()
    assert tuning.losses[-1] > tuning.losses.min()
    assert tuning.inside


def test_inside_tells_an_edge():
    tuning = SMALL.tune(SGD())
    assert not tuning._replace(rate=tuning.rates[0]).inside
    assert not tuning._replace(rate=tuning.rates[-1]).inside


def test_a_trial_measures_the_second_half_of_each_seed():
    rule = Adam(lr=0.05, beta2=0.8)
    trial = SMALL.trial(rule, order="replacement")
    for seed in range(3):
        curve = simulate(drawn(seed), rule, order="replacement", epochs=4, batch_size=20, seed=seed)
        tooth = measure(curve, skip_epochs=2)
        assert trial.loss[seed] == pytest.approx(curve.loss[-10:].mean(), rel=1e-12)
        for name in ("amplitude", "rise", "drop", "p_value"):
            assert getattr(trial, name)[seed] == pytest.approx(getattr(tooth, name), rel=1e-9)


def test_lowest_loss_is_the_minimum():
    rng = np.random.default_rng(0)
    problem = QuadraticProblem(
        rng.uniform(0.5, 1, 12),
        rng.uniform(0.5, 1, 12),
        rng.uniform(-1, 1, 12),
        rng.integers(0, 5, 12),
        dim=6,
    )

    def loss(x):
        u = x[problem.coordinate] - problem.c
        return np.mean(problem.a * u**2 + problem.b)

    assert lowest_loss(problem) == pytest.approx(optimize.minimize(loss, np.zeros(6)).fun, rel=1e-9)
    found = [lowest_loss(drawn(seed)) for seed in range(3)]
    assert SMALL.lowest() == pytest.approx(np.mean(found))


def test_interval_is_students():
    values = np.random.default_rng(1).normal(size=8)
    low, high = stats.t.interval(0.95, 7, loc=values.mean(), scale=stats.sem(values))
    mean, half = interval(values)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_the_rise_at_a_loss_is_read_above_the_best_rate():
    found = Tuning(
        1.0, np.array([0.5, 1, 2, 4]), np.array([3.0, 1, 2, 9]), np.array([9.0, 0, 1, 3])
    )
    assert found.rise_at(1.5) == pytest.approx(0.5)
    assert found.rise_at(2.0) == pytest.approx(1.0)


def test_a_rule_climbs_if_its_interval_is_above_zero():
    nothing = np.zeros(3)
    for rise, expected in (([1, 1.1, 1.2], True), ([-1, 0.1, 1.2], False)):
        assert RuleResult(nothing, nothing, np.array(rise), nothing, nothing).climbs == expected


def test_names_and_numbers_are_written():
    assert label_of(("Adam", True)) == "Adam at 0.8"
    assert label_of(("Adam", False)) == "Adam"
    assert plus_minus([1.0, 2.0, 3.0]) == "2\u00a0±\u00a02"
    assert plus_minus([-1e-3, 0.0, 1e-3 - 1e-9]).startswith("0")
    assert color_of(Adam(beta2=0.8)) == figures.beta2_color(0.8)
    assert color_of(Lion()) == color_of(SGD()) == figures.INK


def test_every_contender_is_ready():
    names = [contender.name for contender in CONTENDERS]
    assert len(set(names)) == len(names) == 14
    for contender in CONTENDERS:
        assert contender.rule.shape == ()
        if contender.forgetful is not None:
            assert type(contender.forgetful) is type(contender.rule)
            beta2 = "beta" if isinstance(contender.rule, RMSProp) else "beta2"
            assert getattr(contender.forgetful, beta2) == 0.8
            same = replace(contender.forgetful, **{beta2: getattr(contender.rule, beta2)})
            assert vars(same) == vars(contender.rule)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 3}, ["epochs", "at least 4", "3"]),
        ({"num_seeds": 1}, ["num_seeds", "at least 2", "1"]),
        ({"num_seeds": 1001}, ["num_seeds", "at most 1000", "1001"]),
    ],
)
def test_bad_studies_are_named(change, words):
    with pytest.raises(ValueError, match=r".") as error:
        TuningStudy(**change)
    for word in words:
        assert word in str(error.value)


# ------------------------------------------------------------------------------- parts of Adam


def train(rule) -> np.ndarray:
    problem = drawn(7)
    return simulate(problem, rule, epochs=4, batch_size=20, seed=7).loss


def test_undivided_without_momentum_is_sgd():
    np.testing.assert_allclose(
        train(without("second moment", Adam(lr=3.0, beta1=0.0, beta2=0.8))),
        train(SGD(lr=3.0)),
        rtol=1e-12,
    )


def test_uncorrected_without_momentum_is_the_papers_rmsprop():
    np.testing.assert_allclose(
        train(without("bias correction", Adam(lr=0.05, beta1=0.0, beta2=0.8))),
        train(RMSProp(lr=0.05, beta=0.8)),
        rtol=1e-12,
    )


def test_momentum_of_the_parts_follows_the_formulas():
    """First two steps by hand: g = 2, then 0, with beta1 = 0.5, beta2 = 0.75, lr = 1."""
    g, x0 = np.array([2.0]), np.array([10.0])
    undivided = AdamUndivided(lr=1.0, beta1=0.5, beta2=0.75)
    x1, state = undivided.update(g, undivided.init(x0), x0)
    x2, state = undivided.update(0 * g, state, x1)
    assert state.t == 2
    assert x1 == pytest.approx(10 - 1 / 0.5)
    assert x1 - x2 == pytest.approx(0.5 / 0.75)
    uncorrected = AdamUncorrected(lr=1.0, beta1=0.5, beta2=0.75, eps=0.5)
    x1, state = uncorrected.update(g, uncorrected.init(x0), x0)
    x2, state = uncorrected.update(0 * g, state, x1)
    assert state.t == 2
    assert x1 == pytest.approx(10 - 1 / (1 + 0.5))
    assert x1 - x2 == pytest.approx(0.5 / (0.75**0.5 + 0.5))


@pytest.mark.parametrize("part", PARTS)
def test_the_table_of_each_part_equals_its_textbook_form(part):
    rule = without(part, Adam(lr=0.06, beta2=0.8))
    order = make_order("reshuffle", num_functions=200, epochs=3, batch_size=20, seed=2)
    curve = simulate(drawn(2), rule, order=order, epochs=3, batch_size=20)
    twin = reference.train(replace(drawn(2)), rule, order, 20)
    np.testing.assert_allclose(curve.loss, twin, rtol=1e-10)


def test_each_part_makes_a_difference_and_only_its_own():
    adam = Adam(lr=0.06, beta1=0.9, beta2=0.8, eps=1e-3)
    whole = train(adam)
    for part in PARTS:
        rule = without(part, adam)
        assert not np.allclose(train(rule), whole, rtol=1e-4), part
        kept = {"lr": 0.06, "beta1": 0.9, "beta2": 0.8, "eps": 1e-3}
        changed = {name for name, value in kept.items() if getattr(rule, name) != value}
        assert changed == {"momentum": {"beta1"}, "eps": {"eps"}}.get(part, set())
    with pytest.raises(ValueError, match="part must be one of 'momentum'"):
        without("luck", adam)


# ------------------------------------------------------------------------------------- figures


def test_rows_show_the_means_and_intervals():
    ax = rows({"A": [Dot(1.0, 0.2, tick=0.5)], "B": [Dot(2.0, 0.1), Dot(3.0, 0.3)]}, "", "loss")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["A", "B"]
    spans = [c.lines[2][0].get_segments()[0][:, 0] for c in ax.containers]
    np.testing.assert_allclose(spans, [[0.8, 1.2], [1.9, 2.1], [2.7, 3.3]])
    heights = [c.lines[0].get_ydata()[0] for c in ax.containers]
    assert heights[0] == 0
    assert 0.5 < heights[1] < 1 < heights[2] < 1.5
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top
    strokes = [line for line in ax.get_lines() if line.get_marker() == "|"]
    assert [stroke.get_xdata()[0] for stroke in strokes] == [0.5]


def test_lines_against_the_rate_end_where_they_leave():
    rates, values = np.array([0.1, 1.0, 10.0]), np.array([0.5, 0.2, np.inf])
    ax = against_rate({"A": (rates, values, 1.0, "#000000")}, "", "loss", (0.0, 1.0))
    line = next(line for line in ax.get_lines() if line.get_label() == "A")
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True]
    (dot,) = (line for line in ax.get_lines() if line.get_marker() == "o")
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (1.0, 0.2)
