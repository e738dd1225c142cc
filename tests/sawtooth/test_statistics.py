"""A mean and its standard error, against SciPy."""

import numpy as np
import pytest
from scipy import stats

from esp_lib.notebook.page import rounded, rounded_mean
from esp_lib.sawtooth.statistics import mean_error


def test_mean_error_against_scipy():
    runs = np.random.default_rng(0).normal(size=(5, 3))
    found = mean_error(runs)
    np.testing.assert_array_equal(found.mean, runs.mean(axis=0))
    np.testing.assert_allclose(found.error, stats.sem(runs, axis=0), rtol=1e-14)
    assert np.isnan(mean_error([1.0]).error)
    assert np.isnan(mean_error(np.ones((1, 2))).error).all()


def test_means_are_written_in_their_unit():
    runs = np.array([0.001, 0.002, 0.006])
    assert rounded_mean(runs, 1e-3) == rounded(3.0, float(stats.sem(runs)) / 1e-3)
    assert rounded_mean(runs) == rounded(0.003, float(stats.sem(runs)))


def test_a_mean_of_nothing_is_no_mean():
    with pytest.raises(TypeError):
        mean_error(1.0)
