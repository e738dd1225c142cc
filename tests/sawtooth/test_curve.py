"""`Curve`: windows, epochs, divergence."""

import numpy as np
import pytest

from esp_lib import Curve

CURVE = Curve(np.arange(24.0).reshape(2, 12), steps_per_epoch=4)


def test_every_is_the_mean_of_windows():
    assert CURVE.every(3).tolist() == [[1, 4, 7, 10], [13, 16, 19, 22]]
    assert CURVE.every(5).shape == (2, 2)  # the incomplete window is dropped
    assert CURVE.epochs(3).tolist() == [0.75, 1.5, 2.25, 3.0]


def test_by_epoch_and_epoch_end():
    assert CURVE.by_epoch().shape == (2, 3, 4)
    assert CURVE.epoch_end(2)[0].tolist() == [2.5, 6.5, 10.5]


def test_indexing_keeps_the_epochs():
    assert CURVE[1].loss.tolist() == list(range(12, 24))
    assert CURVE[1].steps_per_epoch == 4


@pytest.mark.parametrize(
    ("loss", "diverged"),
    [
        ([4, 3, 2, 1], False),
        ([4, 3, 2, np.nan], True),
        ([4, 3, np.inf, np.inf], True),
        ([4, np.nan, 2, 1], False),  # a gap
        ([4, 3, 8, 9], True),
        ([4, 3, 4, 4], False),  # flat
    ],
)
def test_diverged(loss, diverged):
    assert Curve(np.array(loss), steps_per_epoch=2).diverged == diverged


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Curve(np.array(1.0), 4), ["loss", "at least one step"]),
        (lambda: Curve(np.ones(3), 0), ["steps_per_epoch", "at least 1", "0"]),
        (lambda: CURVE.epochs(0), ["n must", "at least 1", "0"]),
        (lambda: CURVE.every(13), ["n must", "at most 12", "13"]),
        (lambda: CURVE.epoch_end(5), ["n must", "at most 4", "5"]),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=r".") as error:
        call()
    for word in words:
        assert word in str(error.value)


def test_masked_points_are_gaps():
    loss = np.ma.masked_greater(np.array([1.0, 2.0, 9.0, 2.0]), 5)
    assert np.isnan(Curve(loss, 2).loss).tolist() == [False, False, True, False]
