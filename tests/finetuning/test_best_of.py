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
    """Episodes without an effect of their seeds: both intervals hold the expectation of 3 draws."""
    truth = 0.75  # of the best of three uniform numbers
    inside = {True: 0, False: 0}
    for trial in range(60):
        drawn = np.random.default_rng(trial).random((8, 8))
        for by_seeds in inside:
            low, high = bootstrap_validation(drawn, [3], resamples=200, seeds=by_seeds, seed=trial)
            inside[by_seeds] += low[0] <= truth <= high[0]
    assert inside[True] >= 54
    assert 50 <= inside[False] <= 60


def test_resampling_seeds_widens_the_interval_where_a_seed_matters():
    random = np.random.default_rng(2)
    ruled = np.repeat(random.random(6)[:, None], 6, axis=1) + 1e-3 * random.random((6, 6))
    widths = [
        np.ptp(bootstrap_validation(ruled, [1], seeds=by_seeds)) for by_seeds in (True, False)
    ]
    assert widths[0] > 1.8 * widths[1]  # 6 values and not 36


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
