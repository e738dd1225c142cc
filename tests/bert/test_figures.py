"""Figures of recorded runs: what the artists hold."""

import numpy as np
import pytest

from esp_lib.bert import figures as draw
from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.statistics import Estimate

PER_EPOCH, EPOCHS = 18, 4


def record(seed, height):
    steps = PER_EPOCH * EPOCHS
    config = {"steps_per_epoch": PER_EPOCH, "epochs": EPOCHS}
    arrays = {
        "mlm_loss": np.full(steps, height, np.float32),
        "valid_step": np.array([9, 36, 72], np.int32),
        "valid_mlm_loss": np.array([3, 2, height], np.float32),
    }
    return RunRecord("made", "quick", seed, config, arrays, {}, "finished")


RUNS = {"low": [record(0, 1.0), record(1, 3.0)], "high": [record(0, 5.0)]}


def lines(ax):
    guides = ("end of an epoch", "end of a group", "zero")
    return {line.get_label(): line for line in ax.get_lines() if line.get_label() not in guides}


def test_training_draws_the_median_of_the_seeds_in_nine_points_an_epoch():
    ax = draw.training(RUNS, "(a)")
    drawn = lines(ax)
    assert list(drawn) == ["low", "high"]
    assert drawn["low"].get_xdata() == pytest.approx(np.arange(1, 37) / 9)
    assert drawn["low"].get_ydata() == pytest.approx(2)
    assert drawn["high"].get_ydata() == pytest.approx(5)
    assert ax.get_xlim() == (0, EPOCHS)


def test_checks_stand_where_the_runs_were_validated():
    drawn = lines(draw.validated(RUNS))
    assert drawn["low"].get_xdata() == pytest.approx([0.5, 2, 4])
    assert drawn["low"].get_ydata() == pytest.approx([3, 2, 2])


def test_dots_and_amplitudes_have_intervals_of_95_per_cent():
    ax = draw.amplitudes(
        {"baseline": (Estimate(0.3, 0.1), Estimate(0.1, 0.05)), "other": (Estimate(0, 1),) * 2},
        groups=[1],
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["baseline", "other"]
    drop, rise = (container.lines for container in ax.containers)
    assert drop[0].get_xdata() == pytest.approx([0.3, 0])
    assert rise[0].get_xdata() == pytest.approx([0.1, 0])
    (bars,) = drop[2]
    (low, _), (high, _) = bars.get_segments()[0]
    assert (low, high) == pytest.approx((0.3 - 0.196, 0.3 + 0.196))

    x, y, error = np.arange(3.0), np.ones(3), np.full(3, 0.5)
    draw.dots(ax, x, y, error, "blue", "dots")
    assert lines(ax)["dots"].get_ydata() == pytest.approx(y)
    (low, high) = ax.containers[-1].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((0.02, 1.98))


def test_published_losses_have_their_last_epochs_enlarged():
    ax = draw.published_losses("mlm", "(b)")
    (inset,) = ax.child_axes
    assert inset.get_xlim() == (30 - draw.ENLARGED, 30)
    whole = next(line for line in ax.get_lines() if line.get_label() == "training")
    part = next(line for line in inset.get_lines() if "enlarged" in line.get_label())
    assert set(part.get_ydata()) < set(whole.get_ydata())
