"""Figures of episodes: what is drawn is what was recorded."""

from dataclasses import replace

import numpy as np
import pytest

from esp_lib.finetuning import figures as draw
from esp_lib.finetuning.best_of import Chosen, expected_validation
from esp_lib.finetuning.glue import score
from esp_lib.finetuning.seed_variance import Episodes, best_seen, extremes
from esp_lib.records.record import RunRecord


@pytest.fixture
def found():
    random = np.random.default_rng(0)
    label = random.integers(2, size=60).astype(np.int32)
    predicted = (random.random((4, 3, 6, 60)) < 0.3) ^ (label == 1)
    return Episodes(
        "sst2",
        2,
        np.arange(1, 7),
        score("sst2", label, predicted),
        random.random((4, 3, 6)),
        random.random((4, 3, 20)),
        predicted,
        label,
    )


def lines(ax):
    return {str(line.get_label()): line for line in ax.get_lines()}


def test_training_draws_means_of_a_tenth_of_an_epoch():
    losses = np.arange(40.0, dtype=np.float32)[None]
    config = {"steps_per_epoch": 20, "epochs": 2}
    run = RunRecord("x", "quick", 0, config, {"train_loss": losses}, {}, "finished")
    ax = draw.training({"two": run}, "")
    np.testing.assert_allclose(lines(ax)["two"].get_ydata(), np.arange(20) * 2 + 0.5)
    assert lines(ax)["two"].get_xdata()[0] == pytest.approx(0.05)


def test_sizes_draw_means_at_equal_epochs_and_at_equal_steps(found):
    longer = replace(
        found, epochs=4, step=np.arange(1, 13), loss=np.tile(found.loss, (1, 1, 2))
    )  # of a set half as large
    runs = {"60": found, "30": longer}
    ax = draw.sizes(runs, "", steps=False)
    np.testing.assert_allclose(lines(ax)["60"].get_ydata(), found.loss[0].mean(axis=0))
    assert lines(ax)["30"].get_xdata()[-1] == lines(ax)["60"].get_xdata()[-1] == 2
    ax = draw.sizes(runs, "", steps=True)
    assert lines(ax)["30"].get_xdata().tolist() == list(range(1, 13))


def test_learning_curves_draw_every_episode_and_the_mean(found):
    drawn = draw.learning_curves(found, "").get_lines()
    at_points = [line for line in drawn if len(line.get_xdata()) == 6]
    assert len(at_points) == 4 * 3 + 1
    np.testing.assert_allclose(at_points[-1].get_ydata(), found.score.mean(axis=(0, 1)))


def test_densities_mark_the_episodes_of_the_extreme_seeds(found):
    values = best_seen(found.score, 3, 3)
    ax = draw.densities(values, "sst2", "")
    ticks = [line for line in ax.get_lines() if line.get_marker() == "|"]
    expected = [extremes(values).best_values, extremes(values.T).worst_values]
    np.testing.assert_allclose(ticks[0].get_xdata(), expected[0])
    np.testing.assert_allclose(ticks[-1].get_xdata(), expected[1])
    constant = draw.densities(np.full((3, 3), 0.5), "sst2", "")
    assert lines(constant)["best init"].get_xdata() == [0.5, 0.5]


def test_best_of_rises_and_more_evaluations_lie_above(found):
    drawn = lines(draw.best_of(found, ""))
    often, once = drawn["3 an epoch"].get_ydata(), drawn["1 an epoch"].get_ydata()
    expected = expected_validation(best_seen(found.score, 3, 3).ravel(), np.arange(1, 13))
    np.testing.assert_allclose(often, expected)
    assert (often >= once).all()


def test_chosen_and_reductions_draw_what_they_are_given():
    n = [1, 2]
    drawn = lines(draw.chosen(Chosen(np.array([1.0, 2]), np.array([3.0, 4])), n, "rte", ""))
    assert drawn["reported"].get_ydata().tolist() == [1, 2]
    assert drawn["elsewhere"].get_ydata().tolist() == [3, 4]
    drawn = lines(draw.reductions(n, np.array([0.1, 0.2]), np.array([0.0, -0.1]), ""))
    np.testing.assert_allclose(drawn["elsewhere"].get_ydata(), [0, -10])
