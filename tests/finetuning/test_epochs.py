"""What another epoch does."""

from dataclasses import replace

import numpy as np
import pytest

from esp_lib.finetuning.epochs import at_boundary, same_first_epoch, turn
from esp_lib.records.record import RunRecord


def record(digest):
    return RunRecord("x", "quick", 0, {}, {"digest": digest}, {}, "finished")


def test_first_epochs_are_compared_bit_by_bit():
    two = np.zeros((3, 2, 32), np.uint8)
    one = two[:, :1].copy()
    assert same_first_epoch(record(one), record(two)) == (3, 3)
    one[1, 0, 31] = 1
    two[2, 1, 0] = 1  # the second epoch
    assert same_first_epoch(record(one), record(two)) == (2, 3)


def test_the_validation_loss_turns_where_it_is_lowest(guessing):
    loss = guessing.loss.copy()
    loss[0] = 0.7
    loss[0, :, 2] = 0.5
    found = turn(replace(guessing, loss=loss))
    orders = loss.shape[1]
    assert found.epoch.tolist() == [3 / guessing.per_epoch] * orders
    assert found.step.tolist() == [guessing.step[2]] * orders
    assert found.rise == pytest.approx(0.2)
    assert found.lowest == pytest.approx(0.5)
    steps = guessing.train_loss.shape[-1] // guessing.epochs
    assert found.train_loss == pytest.approx(guessing.train_loss[0][:, -steps:].mean(axis=1))


def test_boundary(guessing):
    found = at_boundary(guessing, 1)
    assert np.allclose(found.logged, -2)
    assert found.logged.shape == (36,)
    assert np.allclose(found.validation, -0.5)
    assert np.allclose(found.before, -2)
    with pytest.raises(ValueError, match="epoch"):
        at_boundary(guessing, 2)
