"""Fits against SciPy and known curves; the small examples against closed forms and the paper's."""

import numpy as np
import pytest
from scipy import stats

from esp_lib import Adam, QuadraticProblem, make_order
from esp_lib.mechanism.batches import (
    EXAMPLE,
    around_own_visit,
    batch_gradient,
    update_similarity,
)
from esp_lib.mechanism.fits import fit, line, moment, tooth, tooth_with
from esp_lib.mechanism.two_samples import alternate, steady_swing
from esp_lib.published import cosine_similarity, initial_losses
from esp_lib.quadratic.probes import Probes, probe

T = np.arange(60.0)


def test_one_run_has_the_standard_errors_of_a_regression():
    y = 2 + 0.1 * T + np.random.default_rng(0).normal(size=60)
    found = fit(line, T, y, (0, 0))
    theirs = stats.linregress(T, y)
    np.testing.assert_allclose(found.value, [theirs.intercept, theirs.slope], rtol=1e-6)
    np.testing.assert_allclose(found.error, [theirs.intercept_stderr, theirs.stderr], rtol=1e-6)
    assert found.r_squared == pytest.approx(theirs.rvalue**2)
    np.testing.assert_allclose(found.predicted, theirs.intercept + theirs.slope * T, rtol=1e-6)


def test_errors_over_runs_are_those_of_the_mean_of_each_runs_fit():
    rng = np.random.default_rng(1)
    walks = rng.normal(size=(12, 60)).cumsum(axis=1)  # neighbours far from independent
    found = fit(line, T, walks, (0, 0))
    slopes = np.array([stats.linregress(T, row).slope for row in walks])
    assert found.value[1] == pytest.approx(slopes.mean(), rel=1e-6)
    assert found.error[1] == pytest.approx(stats.sem(slopes), rel=1e-6)


def test_standard_errors_of_a_tooth_cover_its_parameters():
    truth = np.array([1.3, 0.1, 0.007, 0.9])
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(40):
        runs = tooth(T, *truth) + rng.normal(scale=0.02, size=(16, 60))
        found = fit(tooth, T, runs, (1, 0.05, 0.01, 0.85))
        hits.append(np.abs(found.value - truth) < 2 * found.error)
    coverage = np.mean(hits, axis=0)
    assert (coverage > 0.85).all()
    assert (coverage < 1).any()


def test_models_are_what_they_say():
    exact = moment(0.9, 0.8)(T, 3.0, 2.0, 1.0)
    assert exact[0] == 4
    assert exact[10] == pytest.approx(3 * 0.9**10 + 2 * np.sqrt(0.2) * 10 + 1)
    found = fit(moment(0.9, 0.8), T, exact, (1, 1, 1))
    np.testing.assert_allclose(found.value, [3, 2, 1], rtol=1e-6)
    assert found.r_squared == pytest.approx(1)
    assert tooth(T, 5.0, 2.0, 0.5, 0.9)[0] == 5
    assert tooth(T, 5.0, 2.0, 0.5, 0.0)[1] == pytest.approx(5 - 2 + 0.5)


def test_a_search_that_does_not_settle_gives_nan():
    def hopeless(t, a, b):
        return np.sin(1e3 * a * t) * np.exp(b) / (a - a)

    with np.errstate(divide="ignore", invalid="ignore"):
        found = fit(line, T, T, (0, 0))
        lost = fit(tooth, T, np.where(T == 30, 1e6, 0.0), (0, 1, 0, 3.0))
    assert np.isfinite(found.value).all()
    assert np.isnan(lost.value).all() == np.isnan(lost.r_squared)


def test_fit_refuses_what_it_cannot_fit():
    for t, runs in ((T, np.zeros((2, 59))), (T[:2], np.zeros(2)), (T, np.full(60, np.nan))):
        with pytest.raises(ValueError, match="runs must be"):
            fit(line, t, runs, (0, 0))


def test_own_visits_are_aligned_as_a_loop_would():
    loss = np.random.default_rng(3).normal(size=(2, 7, 7))
    lag, mean = around_own_visit(loss)
    for run in range(2):
        for place, k in enumerate(lag):
            values = [loss[run, b + k, b] for b in range(7) if 0 <= b + k < 7]
            assert mean[run, place] == pytest.approx(np.mean(values))
    with pytest.raises(ValueError, match="loss must be"):
        around_own_visit(np.zeros((3, 4)))


def test_batch_gradient_is_the_slope_of_the_batch_loss():
    rng = np.random.default_rng(4)
    problem = QuadraticProblem.sample(num_functions=30, dim=8, seed=1)
    batch = rng.choice(30, 12, replace=False)
    x = rng.normal(size=8)

    def loss(x):
        return np.mean(problem.a[batch] * (x[problem.coordinate[batch]] - problem.c[batch]) ** 2)

    h = 1e-6
    slopes = [(loss(x + h * e) - loss(x - h * e)) / (2 * h) for e in np.eye(8)]
    np.testing.assert_allclose(batch_gradient(problem, batch, x), slopes, atol=1e-8)


def test_similarity_is_that_of_the_step_taken():
    """From whole vectors, at the run's own beta2, as from the probes of the run."""
    problem = QuadraticProblem.sample(num_functions=2000, dim=2000, seed=5)
    rule = Adam(lr=0.06, beta2=0.8)
    probes = Probes(
        epochs=(6,), norms=("update",), products=("update",), batches=(19,), states=(130,)
    )
    record = probe(problem, rule, probes, seed=5)
    order = make_order("reshuffle", num_functions=2000, epochs=7, batch_size=100, seed=5)
    state = {name: vectors[0] for name, vectors in record.state.items()}
    gradient = batch_gradient(problem, order[6, 1900:], state["x"])
    _, cosine = update_similarity(
        gradient, state["m"], state["v_before"], state["g"] ** 2, [0.8], rule.eps
    )
    of_run = record.product["update"][10, 0] / (
        record.norm["update"][10] * np.linalg.norm(gradient)
    )
    assert cosine[0] == pytest.approx(of_run, rel=1e-6)


def test_example_in_three_dimensions_is_the_papers():
    beta2 = np.linspace(0, 1, 101)
    direction, cosine = update_similarity(*EXAMPLE, beta2)
    np.testing.assert_allclose(direction[0], [8, -0.5, -200])  # printed in the paper's notebook
    np.testing.assert_allclose(direction[-1], [8, -100, -2])
    assert cosine[0] == pytest.approx(-384.5 / (3 * np.linalg.norm([8, -0.5, -200])))
    signs = np.sign(cosine)
    assert signs[0] == signs[-1] == -1
    assert np.flatnonzero(np.diff(signs)).size == 2


def test_re_exposure_lowers_the_second_loss():
    x, loss = alternate("ABABAB")
    assert loss.tolist() == [0.5] * 6
    x, loss = alternate("ABBAABBA")
    assert loss.tolist() == [0.5, 0.5, -0.5, 1.5, 0.5, 0.5, -0.5, 1.5]
    assert x.tolist() == [0.5, -0.5, 0.5, 1.5, 0.5, -0.5, 0.5, 1.5]
    x, _ = alternate("AB", momentum=0.5)
    assert x.tolist() == [0.5, -0.5]
    x, _ = alternate("ABB", momentum=0.5)
    assert x[2] == pytest.approx(-0.5 - (0.5 - 1))


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("run_length", [1, 2, 3, 8])
def test_steady_swing_is_that_of_a_long_run(run_length, momentum):
    x, _ = alternate(("A" * run_length + "B" * run_length) * 200, momentum=momentum)
    assert steady_swing(run_length, momentum) == pytest.approx(np.ptp(x[-6 * run_length :]))


def test_bad_toys_are_named():
    with pytest.raises(ValueError, match=r"sequence.*'ABC'"):
        alternate("ABC")
    with pytest.raises(ValueError, match=r"momentum.*1\.5"):
        alternate("AB", momentum=1.5)


def test_published_numbers_are_whole():
    losses = initial_losses()
    assert losses.shape == (100,)
    assert losses.mean() == pytest.approx(1.32, abs=0.005)
    beta2, similarity = cosine_similarity()
    np.testing.assert_allclose(beta2, np.arange(101) / 100)
    assert similarity[0] < 0 < similarity[50]
    assert similarity[100] < 0


def test_a_tooth_with_its_rate_given_is_the_tooth():
    t = np.arange(5.0)
    np.testing.assert_array_equal(tooth_with(0.9)(t, 1.3, 0.1, 0.01), tooth(t, 1.3, 0.1, 0.01, 0.9))
