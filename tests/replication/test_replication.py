"""The paper's experiments: settings broadcast over problems, and its printed losses are found."""

import numpy as np
import pytest

from esp_lib import Adam, QuadraticProblem, simulate
from esp_lib.published import quadratic_runs
from esp_lib.replication.figures import along_epoch, at_start, by_decay, settled_curves
from esp_lib.replication.study import Replication, in_windows

SEEDS = np.arange(2)
ADAM = Adam(lr=0.06, beta2=[0.999, 0.8])


def test_every_problem_has_its_own_order():
    study = Replication(SEEDS, epochs=2, batch_size=500, plot_every=5)
    curve = study.train(ADAM, "fixed", epochs=1)
    assert curve.loss.shape == (2, 2, 20)
    one = simulate(
        QuadraticProblem.sample(seed=1), ADAM, order="fixed", epochs=1, batch_size=500, seed=1
    )
    np.testing.assert_array_equal(curve.loss[1], one.loss)
    assert study.continued(ADAM).steps == 12 * 20
    assert study.settled(ADAM).drops.shape == (2, 2, 3)  # of the last four epochs of twelve


def test_published_losses_are_those_of_the_setting():
    study = Replication(SEEDS)
    run = quadratic_runs()[0]
    setting = {k: getattr(run, k) for k in ("beta1", "beta2", "eps", "order")}
    assert study.published(**setting) == run.loss
    assert study.published(beta2=0.123) is None
    assert Replication(SEEDS, epochs=9).published(**setting) is None


def test_more_steps_than_an_epoch_has_cannot_be_averaged():
    with pytest.raises(ValueError, match=r"plot_every must be at most 100, .* got 101"):
        Replication(SEEDS, plot_every=101)


def test_windows_keep_the_axis():
    found = in_windows(np.arange(8.0), 3)
    assert found.tolist() == [1, 1, 1, 4, 4, 4]


def test_panels_draw_what_was_trained():
    study = Replication(SEEDS, epochs=2, batch_size=500, plot_every=5)
    decays = {"β₂ = 0.999": 0.999, "β₂ = 0.8": 0.8}
    curve = study.train(ADAM)
    lines = {line.get_label(): line for line in by_decay(study, curve, decays, "a").get_lines()}
    for i, label in enumerate(decays):
        expected = np.median(curve[:, i].every(5), axis=0)
        np.testing.assert_allclose(lines[label].get_ydata(), expected)
    late = settled_curves(study, curve, list(decays), "b", ("red", "blue"), epochs=1)
    assert late.get_lines()[0].get_xdata().min() > 1
    values = np.random.default_rng(0).normal(size=(2, 2, 20))
    means = along_epoch(values, (0.999, 0.8), "c", "step", log=False).get_lines()
    np.testing.assert_allclose(means[1].get_ydata(), values[:, 1].mean(axis=0))
    (bars,) = at_start(np.exp(values), (0.999, 0.8), "d").containers
    np.testing.assert_allclose(bars.lines[0].get_ydata(), np.exp(values).mean(axis=(0, 2)))
