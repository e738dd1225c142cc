"""What the mechanism chapter's figures draw is the data they were given."""

import numpy as np
import pytest

from esp_lib import figures
from esp_lib.mechanism import batches, two_samples
from esp_lib.mechanism import figures as draw

RUNS = np.random.default_rng(0).normal(size=(9, 20))


def test_mean_band_and_one_run():
    ax = draw.mean_and_one(figures.panel(), np.arange(20), RUNS, figures.GREEN, "mean")
    one, mean = ax.get_lines()
    np.testing.assert_array_equal(one.get_ydata(), RUNS[0])
    np.testing.assert_allclose(mean.get_ydata(), RUNS.mean(axis=0))
    assert one.get_linewidth() < mean.get_linewidth()
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    error = RUNS.std(axis=0, ddof=1) / 3
    assert heights.max() == pytest.approx((RUNS.mean(axis=0) + 2 * error).max())
    alone = draw.mean_and_one(figures.panel(), np.arange(20), RUNS, figures.GREEN, "", one=False)
    assert len(alone.get_lines()) == 1


def test_histograms_count_every_batch():
    ax = draw.histograms(RUNS.ravel(), RUNS[:2].ravel())
    assert sum(bar.get_height() for bar in ax.containers[0]) == RUNS.size
    means = [line.get_xdata()[0] for line in ax.get_lines()]
    np.testing.assert_allclose(means, [RUNS.mean(), RUNS[:2].mean()])
    assert len(draw.histograms(RUNS.ravel(), None).get_lines()) == 1


def test_two_samples_shade_repeated_visits():
    x, loss = two_samples.alternate("ABBAAB")
    ax = draw.two_samples(x, loss, "ABBAAB", "title")
    drawn = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    np.testing.assert_array_equal(drawn["x"], x)
    np.testing.assert_array_equal(drawn["loss"], loss)
    assert [patch.get_x() for patch in ax.patches] == [1, 3]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list("ABBAAB")


def test_the_example_is_drawn_and_its_parts_add_up():
    beta2 = np.linspace(0, 1, 101)
    gradient = batches.EXAMPLE[0]
    steps, cosine = batches.update_similarity(*batches.EXAMPLE, beta2)
    path = draw.trajectory(steps, gradient, beta2, (0.0, 1.0), "title")
    np.testing.assert_allclose(np.stack(path.get_lines()[0].get_data_3d(), axis=1), steps)
    assert {text.get_text() for text in path.texts} == {"∇lᵇ", "β₂ = 0", "β₂ = 1"}
    parts = draw.shares(steps, gradient, beta2, "title").get_lines()
    total = sum(line.get_ydata() for line in parts if line.get_label() != "zero")
    lengths = np.linalg.norm(steps, axis=1) * np.linalg.norm(gradient)
    np.testing.assert_allclose(total / lengths, cosine)
