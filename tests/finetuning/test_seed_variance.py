"""What two seeds do: against brute force, simulation and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from esp_lib.finetuning import seed_variance
from esp_lib.finetuning.seed_variance import anova, best_seen, crossed_error, learning, p_unimodal


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


def test_error_of_crossed_seeds_is_that_of_means_drawn_again():
    random = np.random.default_rng(0)

    def draw():
        init, order = 0.3 * random.normal(size=(6, 1)), 0.2 * random.normal(size=4)
        return init + order + 0.1 * random.normal(size=(6, 4))

    truth = np.std([draw().mean() for _ in range(4000)])
    found = np.sqrt(np.mean([crossed_error(draw()) ** 2 for _ in range(4000)]))
    assert found == pytest.approx(truth, rel=0.05)


def test_guessing_is_not_learning(guessing):
    found = learning(guessing, resamples=50)
    assert found.score == pytest.approx(guessing.score[..., -1].mean())
    assert not found.learnt
    truth = guessing.label.astype(bool)
    predicted = guessing.predicted.copy()
    predicted[..., :100] = truth[:100]
    better = replace(guessing, predicted=predicted, score=(predicted == truth).mean(axis=-1))
    assert learning(better, resamples=50).learnt
    assert found.guess == pytest.approx(max(truth.mean(), 1 - truth.mean()))
    assert 0 < learning(better, resamples=50).example_error < 0.2


def test_two_humps_are_told_from_one():
    random = np.random.default_rng(0)
    assert p_unimodal(np.r_[random.normal(0, 1, 15), random.normal(6, 1, 15)]) < 0.05
    many = [p_unimodal(random.normal(size=25), resamples=100) for _ in range(40)]
    assert np.mean(np.array(many) < 0.05) < 0.15
    assert p_unimodal([0.5] * 5) == 1.0
