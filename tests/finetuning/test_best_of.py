"""The best of many episodes, against brute force and simulation."""

import itertools

import numpy as np
import pytest

from esp_lib.finetuning.best_of import (
    bootstrap_validation,
    choose_best,
    expected_validation,
    spread_of_best,
)


@pytest.fixture
def values():
    return np.random.default_rng(1).random((4, 3))


def test_expected_validation_is_the_mean_over_all_draws(values):
    few = values.ravel()[:5]
    for n in (1, 2, 3):
        best = [max(draw) for draw in itertools.product(few, repeat=n)]
        np.testing.assert_allclose(expected_validation(few, n), [np.mean(best)], rtol=1e-13)
    rising = expected_validation(values.ravel(), np.arange(1, 500))
    assert (np.diff(rising) > -1e-12).all()
    assert rising[0] == pytest.approx(values.mean())
    assert rising[-1] == pytest.approx(values.max())
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        expected_validation(few, [0, 1])


def test_bootstrap_interval_covers_the_truth():
    """Episodes without an effect of their seeds: the interval holds the mean best of 3 draws."""
    truth = 0.75  # of the best of three uniform numbers
    inside = 0
    for trial in range(60):
        drawn = np.random.default_rng(trial).random((8, 8))
        low, high = bootstrap_validation(drawn, [3], resamples=200, seed=trial)
        inside += low[0] <= truth <= high[0]
    assert inside >= 54


def test_the_interval_is_wide_where_a_seed_matters():
    random = np.random.default_rng(2)
    ruled = np.repeat(random.random(6)[:, None], 6, axis=1) + 1e-3 * random.random((6, 6))
    alone = 4 * ruled.std() / 6  # 95 % of 36 episodes with seeds of their own
    assert np.ptp(bootstrap_validation(ruled, [1])) > 1.8 * alone  # 6 values and not 36


def test_the_best_of_guesses_is_no_better_on_other_examples(guessing):
    chosen = choose_best(guessing, [1, 4, 36], draws=200)
    assert (np.diff(chosen.reported) > 0.005).all()
    assert chosen.reported[-1] > 0.57
    np.testing.assert_allclose(chosen.honest, guessing.score.mean(), atol=0.02)


def test_spread_of_the_best_is_that_over_all_draws(values):
    few = values.ravel()[:5]
    for n in (1, 2, 3):
        best = [max(draw) for draw in itertools.product(few, repeat=n)]
        np.testing.assert_allclose(spread_of_best(few, n), [np.std(best)], rtol=1e-12)
