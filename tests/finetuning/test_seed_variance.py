"""What two seeds do: against brute force, simulation and SciPy."""

import itertools

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from esp_lib.finetuning import seed_variance
from esp_lib.finetuning.glue import score
from esp_lib.finetuning.seed_variance import (
    Episodes,
    anova,
    at_boundary,
    best_seen,
    bootstrap_validation,
    expected_validation,
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


def test_variance_is_that_of_a_two_way_table():
    table = np.random.default_rng(3).normal(size=(5, 7)) + np.arange(5)[:, None]
    found = anova(table)
    # by regression on dummy variables
    rows, columns = np.indices(table.shape).reshape(2, -1)
    y = table.ravel()

    def residual(*factors):
        dummies = [np.ones((y.size, 1)), *(np.eye(f.max() + 1)[f] for f in factors)]
        design = np.concatenate(dummies, axis=1)
        return ((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum()

    from scipy.stats import f

    rest, free = residual(rows, columns), 24
    for p, other, dof in ((found.p_init, columns, 4), (found.p_order, rows, 6)):
        ratio = ((residual(other) - rest) / dof) / (rest / free)
        assert p == pytest.approx(f.sf(ratio, dof, free), rel=1e-9)
    assert found.p_init < 1e-6 < found.p_order
    assert found.init + found.order + found.rest == pytest.approx(1)


def test_variance_without_effects_gives_uniform_p_values():
    random = np.random.default_rng(4)
    p = np.array([(a.p_init, a.p_order) for a in map(anova, random.normal(size=(400, 6, 6)))])
    assert (np.abs((p < 0.1).mean(axis=0) - 0.1) < 0.05).all()


def test_variance_of_constant_scores_and_of_one_row():
    assert anova(np.full((3, 3), 0.5)) == seed_variance.Variance(1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="both at least 2"):
        anova(np.ones((1, 4)))


def test_best_against_worst_looks_different_where_nothing_is():
    """The article's test rejects too often, the permutation test as often as it says."""
    random = np.random.default_rng(5)
    found = [
        seed_variance.extremes(random.normal(size=(10, 8)), permutations=199, seed=i)
        for i in range(100)
    ]
    naive = np.mean([one.p_naive < 0.05 for one in found])
    permuted = np.mean([one.p_permuted < 0.05 for one in found])
    assert naive > 0.5
    assert permuted <= 0.13
    shifted = random.normal(size=(10, 8)) + 3 * np.arange(10)[:, None]
    one = seed_variance.extremes(shifted)
    assert (one.best, one.worst) == (9, 0)
    assert one.p_permuted < 0.001
    assert seed_variance.extremes(np.ones((3, 4))).p_naive == 1.0


def test_density_is_none_for_a_constant():
    at = np.linspace(-1, 1, 5)
    assert seed_variance.density([0.5, 0.5], at) is None
    np.testing.assert_allclose(
        seed_variance.density([0.0, 0.5, 1], at), gaussian_kde([0.0, 0.5, 1])(at)
    )


def test_agreement_of_two_tasks():
    first = np.arange(6.0)[:, None] + np.zeros((6, 4))
    assert seed_variance.agreement(first, np.exp(first)).rho == pytest.approx(1)
    assert seed_variance.agreement(first, -first).rho == pytest.approx(-1)
    assert np.isnan(seed_variance.agreement(first, np.ones((6, 4))).rho)


def test_best_seen_by_fewer_evaluations():
    scores = np.array([0.1, 0.9, 0.3, 0.4, 0.2, 0.5, 0.1, 0.35])  # 2 epochs of 4
    assert best_seen(scores, 4, 4) == 0.9
    assert best_seen(scores, 4, 2) == 0.9
    assert best_seen(scores, 4, 1) == 0.4
    assert best_seen(scores, 4, 0) == 0.35
    with pytest.raises(ValueError, match="evaluations must divide 4"):
        best_seen(scores, 4, 3)


@pytest.fixture
def guessing():
    """Episodes that guess: whatever is chosen is chosen by luck."""
    random = np.random.default_rng(6)
    predicted = random.random((6, 6, 4, 200)) < 0.5
    label = random.integers(2, size=200).astype(np.int32)
    return Episodes(
        task="sst2",
        epochs=2,
        step=np.array([5, 10, 15, 20]),
        score=score("sst2", label, predicted),
        loss=np.broadcast_to(np.array([4.0, 2.0, 1.5, 1.4]), (6, 6, 4)),
        train_loss=np.broadcast_to(np.repeat([3.0, 1.0], 10), (6, 6, 20)),
        predicted=predicted,
        label=label,
    )


def test_the_best_of_guesses_is_no_better_on_other_examples(guessing):
    chosen = seed_variance.choose_best(guessing, [1, 4, 36], draws=200)
    assert (np.diff(chosen.reported) > 0.005).all()
    assert chosen.reported[-1] > 0.57
    np.testing.assert_allclose(chosen.honest, guessing.score.mean(), atol=0.02)


def test_boundary(guessing):
    found = at_boundary(guessing, 1)
    assert np.allclose(found.logged, -2)
    assert found.logged.shape == (36,)
    assert np.allclose(found.validation, -0.5)
    assert np.allclose(found.before, -2)
    with pytest.raises(ValueError, match="epoch"):
        at_boundary(guessing, 2)
