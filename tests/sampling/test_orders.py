"""Orders: what each kind promises, uniformity, and the refusal of broken tables."""

import itertools

import numpy as np
import pytest
from scipy import stats

from esp_lib import make_order
from esp_lib.sampling.orders import ORDERS, check_order
from esp_lib.sampling.threefry import STREAM_ORDER
from tests import reference

SIZE = {"num_functions": 60, "epochs": 5, "batch_size": 20}


@pytest.mark.parametrize("kind", ORDERS)
def test_shape_and_reproducibility(kind):
    order = make_order(kind, **SIZE, seed=4)
    assert order.shape == (5, 60)
    assert np.array_equal(order, make_order(kind, **SIZE, seed=4))


@pytest.mark.parametrize("kind", ["reshuffle", "fixed", "reverse"])
def test_every_epoch_visits_each_function_once(kind):
    for row in make_order(kind, **SIZE, seed=1):
        assert np.array_equal(np.sort(row), np.arange(60))


def test_reshuffle_differs_between_epochs_and_seeds():
    a, b = (make_order("reshuffle", **SIZE, seed=seed) for seed in (0, 1))
    rows = {tuple(row) for row in np.concatenate([a, b])}
    assert len(rows) == 10


def test_reshuffle_against_twin():
    order = make_order("reshuffle", **SIZE, seed=9)
    words = reference.word_rows(9, STREAM_ORDER, 5, 60)
    for epoch in range(5):
        assert order[epoch].tolist() == reference.shuffle(words[epoch].tolist(), 60)


def test_replacement_against_twin_and_distinct_within_a_batch():
    batches = make_order("replacement", **SIZE, seed=9).reshape(-1, 20)
    words = reference.word_rows(9, STREAM_ORDER, 15, 20)
    for step, batch in enumerate(batches):
        assert batch.tolist() == reference.shuffle(words[step].tolist(), 60)
        assert np.unique(batch).size == 20
    assert any(np.unique(epoch).size < 60 for epoch in batches.reshape(5, 60))


def test_fixed_and_reverse():
    assert (np.diff(make_order("fixed", **SIZE), axis=0) == 0).all()
    reverse = make_order("reverse", **SIZE)
    assert np.array_equal(reverse[1:], reverse[:-1, ::-1])


def test_shuffles_are_uniform_over_permutations():
    order = make_order("reshuffle", num_functions=4, epochs=24_000, batch_size=4, seed=2)
    place = {p: i for i, p in enumerate(itertools.permutations(range(4)))}
    counts = np.bincount([place[tuple(row)] for row in order.tolist()], minlength=24)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_replacement_is_uniform_over_functions():
    order = make_order("replacement", num_functions=50, epochs=2_000, batch_size=10, seed=2)
    assert stats.chisquare(np.bincount(order.ravel(), minlength=50)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "shuffle"}, ["order", "'reshuffle'", "'shuffle'"]),
        ({"batch_size": 7}, ["batch_size", "divide", "60", "7"]),
        ({"batch_size": 0}, ["batch_size", "at least 1", "0"]),
        ({"epochs": 1.5}, ["epochs", "integer", "1.5"]),
        ({"seed": -1}, ["seed", "2**32 - 1", "-1"]),
        ({"num_functions": True}, ["num_functions", "integer", "True"]),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = {"kind": "reshuffle", **SIZE, "seed": 0, **change}
    with pytest.raises(ValueError, match=r".") as error:
        make_order(**arguments)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "table",
    [
        [[0, 1, 1], [0, 1, 2]],  # repeats 1, misses 2
        [[0, 1, 3], [0, 1, 2]],  # out of range
        [[0, 1, 2]],  # an epoch short
        [[0.0, 1.0, 2.0], [0, 1, 2]],  # not integers
    ],
)
def test_explicit_orders_are_checked(table):
    with pytest.raises(ValueError, match="order must"):
        check_order(table, num_functions=3, epochs=2)
