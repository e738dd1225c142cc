"""Start many, stop early, continue some: the exact law against all subsets, one by one."""

import json
import os
import re
import time
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest

from esp_lib.finetuning.early_stopping import (
    StoppingPlan,
    best_plan,
    binomials,
    compare,
    error_reduction,
    expected_best,
    expected_full,
    plans,
    split_half,
)
from esp_lib.published import FINETUNING_SEEDS, finetuning_scores
from esp_lib.widgets import BudgetExplorer
from tests.finetuning.episodes import synthetic, tasks
from tests.node import ask


def found_by(score, loss, t, f, p):
    """Mean best score that a plan finds."""
    return compare(score, loss, StoppingPlan(t, f, p)).expected


def by_hand(score, loss, chosen, point, p):
    """The best score that a plan finds when it draws these episodes."""
    ranked = sorted(chosen, key=lambda i: (-score[i, point - 1], loss[i, point - 1], i))
    seen = [score[i] for i in ranked[:p]] + [score[i, :point] for i in ranked[p:]]
    return max(one.max() for one in seen)


def small(rng, size, points):
    """Records with many ties, in scores and in losses."""
    levels = rng.integers(2, 8)
    score = rng.integers(0, levels, size=(size, points)) / levels
    return score, rng.integers(0, 3, size=(size, points)) / 2.0


# ------------------------------------------------------------------------------------ the exact law


@pytest.mark.parametrize("seed", range(8))
def test_law_is_the_mean_over_all_subsets(seed):
    rng = np.random.default_rng(seed)
    size, points = int(rng.integers(2, 8)), int(rng.integers(1, 5))
    score, loss = small(rng, size, points)
    for point in range(1, points + 1):
        for t in range(1, size + 1):
            for p in range(1, t + 1):
                subsets = combinations(range(size), t)
                found = [by_hand(score, loss, c, point, p) for c in subsets]
                value = found_by(score, loss, t, point / points, p)
                assert value == pytest.approx(np.mean(found), rel=1e-12)


def test_law_of_many_episodes_agrees_with_draws():
    score, loss = synthetic(625)
    rng = np.random.default_rng(5)
    draws = [rng.choice(625, 40, replace=False) for _ in range(3000)]
    found = [by_hand(score, loss, c, 6, 5) for c in draws]
    error = np.std(found) / np.sqrt(len(found))
    assert found_by(score, loss, 40, 0.2, 5) == pytest.approx(np.mean(found), abs=4 * error)


@pytest.mark.parametrize("size", [3, 100, 625, 1000])
def test_no_number_is_lost_with_many_episodes(size):
    for k in (0, 1, size // 2, size):
        exact = [float(comb(m, k)) for m in range(size + 1)]
        np.testing.assert_allclose(binomials(size, k), exact, rtol=1e-12)
    score = np.linspace(0, 1, size)[:, None]  # what is reached is the order: the best is continued
    for t in {1, size // 2 + 1, size}:
        for p in {1, (t + 1) // 2, t}:
            best = (t * (size + 1) / (t + 1) - 1) / (size - 1)  # mean of the largest of t ranks
            assert found_by(score, 1 - score, t, 1, p) == pytest.approx(best, rel=1e-11)


def test_all_continued_is_full_training():
    score, loss = synthetic(30)
    for n in (1, 7, 30):
        for f in (0.1, 0.5, 1.0):
            assert found_by(score, loss, n, f, n) == pytest.approx(
                expected_best(score.max(axis=1), n), rel=1e-12
            )


def test_expected_best_is_the_mean_over_all_subsets():
    values = np.random.default_rng(0).integers(0, 5, size=9)
    for n in range(1, 10):
        exact = np.mean([max(c) for c in combinations(values, n)])
        assert expected_best(values, n) == pytest.approx(exact, rel=1e-12)


def test_stopped_episodes_count_with_what_they_reached():
    score = np.array([[0.9, 0.2, 0.2, 0.2], [0.1, 0.3, 0.4, 0.5]])
    loss = np.ones_like(score)
    # the second is continued, and the first one's early checkpoint is kept
    assert found_by(score, loss, 2, 0.5, 1) == 0.9


def test_equal_scores_are_decided_by_loss_then_index():
    score = np.array([[0.5, 0.6], [0.5, 0.7], [0.5, 0.8]])
    assert found_by(score, np.array([[3.0, 0], [2, 0], [1, 0]]), 3, 0.5, 1) == 0.8
    assert found_by(score, np.array([[1.0, 0], [1, 0], [np.nan, 0]]), 3, 0.5, 1) == 0.6
    assert found_by(score, np.array([[np.inf, 0], [1, 0], [np.nan, 0]]), 3, 0.5, 1) == 0.7


# ----------------------------------------------------------------------------- budgets and choosing


def test_cost_is_the_articles():
    assert StoppingPlan(20, 0.25, 4).cost == 20 * 0.25 + 4 * 0.75
    assert StoppingPlan(7, 1.0, 3).cost == 7
    assert error_reduction(0.9, 0.8) == pytest.approx(0.5)
    assert np.isnan(error_reduction(1.0, 1.0))


@pytest.mark.parametrize("paid", [1, 2.5, 6.0, 9.999])
def test_started_episodes_are_the_most_that_fit(paid):
    for point in range(1, 11):
        for t, p in plans(paid, point, 10, 12):
            assert StoppingPlan(t, point / 10, p).cost <= paid + 1e-9
            assert t == 12 or StoppingPlan(t + 1, point / 10, p).cost > paid
            assert 1 <= p <= t


def test_full_training_takes_whole_episodes():
    reached = synthetic(20)[0].max(axis=1)
    three, four = expected_best(reached, 3), expected_best(reached, 4)
    assert expected_full(reached, 3.75) == three
    assert expected_full(reached, 4 - 1e-12) == four
    assert expected_full(reached, 99) == reached.max()


@pytest.mark.parametrize("paid", [1, 3, 4.5])
def test_best_plan_is_the_best_of_all_that_fit(paid):
    score, loss = synthetic(9, 6, seed=3)
    outcome = best_plan(score, loss, paid)
    values = {
        (t, k, p): found_by(score, loss, t, k / 6, p)
        for k in range(1, 7)
        for t in range(1, 10)
        for p in range(1, t + 1)
        if StoppingPlan(t, k / 6, p).cost <= paid + 1e-9
    }
    assert outcome.expected == pytest.approx(max(values.values()), rel=1e-12)
    assert outcome.plan.cost <= paid + 1e-9
    assert outcome.full == expected_full(score.max(axis=1), paid)
    assert outcome.reduction >= 0  # full training is one of the plans
    plan = outcome.plan
    assert compare(score, loss, plan, paid) == outcome
    assert values[plan.t, round(6 * plan.f), plan.p] == outcome.expected


def test_plans_chosen_by_chance_do_not_hold_elsewhere():
    rng = np.random.default_rng(0)
    score = rng.random((8, 6, 10)) * 0.01  # nothing is known before the end
    score[..., -1] = rng.random((8, 6))
    first, second = split_half(score, rng.random(score.shape), 4, splits=5).reductions
    assert first > 0.1
    assert second < 0


def test_plans_look_better_where_they_were_chosen():
    score, loss = synthetic(100, seed=2)
    held = split_half(score.reshape(10, 10, 30), loss.reshape(10, 10, 30), 5, splits=4)
    assert len(held.chosen) == len(held.judged) == 8
    for one, other in zip(held.chosen, held.judged, strict=True):
        assert one.plan == other.plan
        assert one.plan.t <= 50
    first, second = held.reductions
    assert first > second
    again = split_half(score.reshape(10, 10, 30), loss.reshape(10, 10, 30), 5, splits=4)
    assert again == held
    for pair in (held.chosen[:2], held.chosen[2:4]):  # two halves of one split share no episode
        assert len({one.expected for one in pair}) == 2


@pytest.mark.timing
def test_plans_of_625_episodes_are_found_in_seconds():
    score, loss = synthetic(625)
    start = time.perf_counter()
    best_plan(score, loss, 10)
    assert time.perf_counter() - start < 5


# ---------------------------------------------------------------------------------------- bad input

GOOD = np.full((4, 10), 0.5)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: found_by(GOOD[0], GOOD[0], 1, 0.5, 1), "score must have the shape (episodes, eval"),
    (lambda: found_by(GOOD, GOOD[:3], 1, 0.5, 1), "loss must have the shape of score, (4, 10)"),
    (lambda: found_by(GOOD + 1, GOOD, 1, 0.5, 1), "score must be finite and in [-inf, 1], got"),
    (lambda: found_by(GOOD * np.nan, GOOD, 1, 0.5, 1), "score must be finite"),
    (lambda: found_by(np.zeros((1001, 1)), np.zeros((1001, 1)), 1, 1, 1), "1 to 1,000 episodes"),
    (lambda: found_by(GOOD, GOOD, 5, 0.5, 1), "t must be an integer of at least 1 and at most 4"),
    (lambda: found_by(GOOD, GOOD, 2, 0.5, 3), "t must be an integer of at least 3, got 2"),
    (lambda: found_by(GOOD, GOOD, 2, 0.5, 0), "p must be an integer of at least 1, got 0"),
    (lambda: found_by(GOOD, GOOD, 2, 0.25, 1), "f must be k / 10 for a whole k from 1 to 10"),
    (lambda: found_by(GOOD, GOOD, 2, 0, 1), "f must be finite and in (0, 1], got 0"),
    (lambda: best_plan(GOOD, GOOD, 0.5), "budget must be finite and in [1, inf], got 0.5"),
    (lambda: expected_best([0.5], 2), "n must be an integer of at least 1 and at most 1, got 2"),
    (lambda: expected_full([0.5], 0), "budget must be finite and in [1, inf], got 0"),
    (lambda: split_half(GOOD, GOOD, 1), "score and loss must have one shape (initializations"),
    (lambda: split_half(GOOD[None], GOOD[None], 1), "at least 2 initializations, got (1, 4, 10)"),
    (lambda: split_half(GOOD.reshape(2, 2, 10), GOOD.reshape(2, 2, 10), 1, splits=0), "splits"),
])  # fmt: skip
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


# --------------------------------------------------------------------------------------- published


@pytest.mark.skipif("ESP_SHARED" not in os.environ, reason="ESP_SHARED names no folder")
def test_published_scores_are_the_articles():
    (path,) = (Path(os.environ["ESP_SHARED"]) / "seeds").glob("002_*.txt")
    article = re.sub(r"[*$]|</?sup>\d*", "", path.read_text("utf-8"))
    assert r"3 \times 25^2 + 15^2" in article
    assert sum(n**2 for n in FINETUNING_SEEDS.values()) == 2100
    table = article[article.index("BERT (Phang") : article.index("Training BERT multiple")]
    printed = sorted(float(value) for value in re.findall(r"\d\d\.\d", table))
    own = sorted(100 * v for row in finetuning_scores().values() for v in row.values())
    assert own == pytest.approx(printed)
    ours = finetuning_scores()["BERT (Dodge et al., 2020)"]
    assert list(ours.values()) == [0.914, 0.773, 0.676, 0.951]


# ------------------------------------------------------------------------------------- the explorer


def test_front_end_computes_as_the_library(node, tmp_path):
    made = [BudgetExplorer(tasks()), BudgetExplorer(tasks(625)), BudgetExplorer(tasks(9, 4))]
    data = [one for explorer in made for one in explorer.plot.data["tasks"]]
    own = [task for explorer in made for task in explorer.tasks]
    rng = np.random.default_rng(0)
    plan_jobs, budget_jobs, example_jobs = [], [], []
    for k, task in enumerate(own):
        size, points = task.loss.shape
        for _ in range(12):
            t = int(rng.integers(1, size + 1))
            plan_jobs.append([k, t, int(rng.integers(1, points + 1)) / points, 1 + t // 3])
            example_jobs.append([k, int(rng.integers(2**32)), t, int(rng.integers(1, points + 1))])
        plan_jobs += [[k, size, 1 / points, 1], [k, size, 1, size], [k, 1, 1 / points, 1]]
        budget_jobs += [[k, b] for b in ((1, 2.5, min(10, size)) if size < 625 else (3,))]
    jobs = {"tasks": data, "plans": plan_jobs, "budgets": budget_jobs, "examples": example_jobs}
    found = ask(node, tmp_path, "budget", jobs, "widgets/finetuning/budget.js")
    for score, task in zip(found["score"], own, strict=True):
        assert np.array_equal(np.reshape(score, task.loss.shape), task.score)
    for (value, _), full, (k, t, f, p) in zip(
        found["plans"], found["full"], plan_jobs, strict=True
    ):
        outcome = compare(own[k].score, own[k].loss, StoppingPlan(t, f, p), t)
        assert value == pytest.approx(outcome.expected, rel=1e-10)
        assert full == pytest.approx(outcome.full, rel=1e-10)
    for (value, _), (k, paid) in zip(found["budgets"], budget_jobs, strict=True):
        outcome = best_plan(own[k].score, own[k].loss, paid)
        assert StoppingPlan(value["t"], value["f"], value["p"]) == outcome.plan
        assert value["expected"] == pytest.approx(outcome.expected, rel=1e-10)
    for drawn, (k, seed, t, point) in zip(found["examples"], example_jobs, strict=True):
        explorer, task = made[k // 3], own[k]
        explorer.set(task=task.label, t=t, f=point / task.loss.shape[1], draw=seed)
        assert drawn == explorer.example.tolist()
        assert len(set(drawn)) == t
        at_stop = task.score[drawn, point - 1]
        assert (np.diff(at_stop) <= 0).all()


@pytest.mark.timing
def test_front_end_answers_at_once(node, tmp_path):
    explorer = BudgetExplorer(tasks(625))
    jobs = {
        "tasks": explorer.plot.data["tasks"],
        "plans": [[k, t, f, 5] for f in (0.2, 0.5) for t in (10, 60, 600) for k in range(3)],
        "budgets": [[0, 10], [2, 10], [2, 30]],
        "examples": [],
    }
    found = ask(node, tmp_path, "budget", jobs, "widgets/finetuning/budget.js")
    assert np.median([ms for _, ms in found["plans"]]) < 50
    assert max(ms for _, ms in found["budgets"]) < 3000


def test_scores_travel_closely_and_lightly():
    explorer = BudgetExplorer(tasks())
    assert len(json.dumps(explorer.plot.data)) + len(explorer.static_figure()) < 80_000
    for task, (score, _) in zip(explorer.tasks, tasks().values(), strict=True):
        assert np.abs(task.score - score).max() < np.ptp(score) / 60_000


def test_a_plan_is_judged_on_other_seeds():
    other = {label: (score[:30], loss[:30]) for label, (score, loss) in tasks().items()}
    explorer = BudgetExplorer(tasks(40), others=other)
    assert explorer.field_list[1].high == 30  # no more can be started than both have
    assert explorer.plan.cost <= explorer.settings["budget"]
    explorer.set(task="RTE")
    expected = compare(explorer.others[1].score, explorer.others[1].loss, explorer.plan, 10)
    assert explorer.held_out == expected
    assert BudgetExplorer(tasks(40)).held_out is None
    with pytest.raises(ValueError, match="others must be of"):
        BudgetExplorer(tasks(40), others={"SST-2": other["SST-2"]})


def test_settings_reach_the_outcome_and_the_controls():
    explorer = BudgetExplorer(tasks(), epochs=3, metric={"CoLA": "Matthews correlation"})
    assert explorer.plot.data["tasks"][2]["metric"] == "Matthews correlation"
    start = explorer.settings
    assert (start["t"], start["p"], start["budget"]) == (23, 5, 10)
    assert explorer.plan.cost <= 10
    assert explorer.plan.f == 8 / 30
    explorer.set(task="CoLA", t=12, f=0.25, p=40 // 2, draw=7)
    assert explorer.plan == StoppingPlan(
        12, 8 / 30, 12
    )  # the nearest evaluation; no more than are started
    assert explorer.plot.t_text == "12"
    outcome = explorer.outcome
    assert outcome.budget == 12  # what the plan costs
    assert outcome.full == pytest.approx(outcome.expected)
    best = explorer.take_best_plan()
    assert explorer.plan == best.plan
    assert explorer.outcome == best
    assert best.expected > outcome.expected
    assert BudgetExplorer({"one": tasks()["RTE"]}).settings.keys() == start.keys() - {"task"}


def test_static_figure_shows_the_example():
    explorer = BudgetExplorer(tasks(), t=9, p=3)
    html = explorer.static_figure()
    drawn = explorer.draw_static().get_lines()
    labels = [line.get_label() for line in drawn]
    assert labels[:10] == 6 * ["stopped early"] + 3 * ["continued"] + ["best found"]
    assert html.count("best found") == 2  # in the drawing and in its text
    assert 'aria-label="accuracy against epoch: best found"' in html


ONE = synthetic(4, 6)


@pytest.mark.parametrize(("given", "options", "message"), [
    ({}, {}, "episodes must be one task or more"),
    ([ONE], {}, "episodes must be one task or more"),
    ({" ": ONE}, {}, "episodes must have labels of text, got ' '"),
    ({"a": ONE[0]}, {}, "episodes['a'] must be (score, loss)"),
    ({"a": (ONE[0] + 1, ONE[1])}, {}, "episodes['a'] must be (score, loss): score must be finite"),
    ({"a": (ONE[0][:1], ONE[1][:1])}, {}, "of 2 episodes or more, got [(1, 6)]"),
    ({"a": ONE, "b": synthetic(5, 6)}, {}, "one shape for all tasks, of 2 episodes or more, got"),
    ({"a": ONE}, {"epochs": 0}, "epochs must be finite and in (0, inf], got 0"),
    ({"a": ONE}, {"metric": {"b": "F1"}}, "metric must be of ['a'], got ['b']"),
    ({"a": ONE}, {"t": 5}, "t must be a whole number of at least 1 and at most 4, got 5"),
    ({"a": ONE}, {"f": 0.1}, "f must be a number of at least 0.166667 and at most 1, got 0.1"),
    ({"a": ONE}, {"budget": 5}, "budget must be a number of at least 1 and at most 4, got 5"),
    ({"a": ONE}, {"task": "a"}, "settings must be among t, f, p, budget, draw, got 'task'"),
])  # fmt: skip
def test_bad_episodes_and_settings_are_refused_by_name(given, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BudgetExplorer(given, **options)
