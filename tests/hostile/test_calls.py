"""Wrong calls of the library: refused in words, naming the argument, quickly, in little memory."""

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from esp_lib import SGD, Adam, Curve, QuadraticProblem, make_order, measure, simulate
from esp_lib.mechanism.batches import around_own_visit
from tests.hostile.calls import CALLS, attack, broken

NOISE = np.random.default_rng(0).normal(size=400)
PROBLEM = QuadraticProblem.sample(num_functions=20, dim=20)


def test_hostile_calls_are_refused_in_words():
    assert broken(600, seed=1) == []


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.function.__qualname__)
def test_the_calls_that_are_attacked_are_good_ones(call):
    call.function(**call.arguments)


def test_an_attack_notices_what_breaks():
    def careless(number):
        return number.real + 1

    call = CALLS[0]._replace(function=careless, arguments={"number": 1})
    assert attack(call, {"number": 2}) is None
    assert "AttributeError" in attack(call, {"number": "a"})

    def nameless(number):
        raise ValueError("wrong")

    assert "names none of" in attack(call._replace(function=nameless), {"number": "a"})


def test_masked_losses_are_gaps():
    tooth = np.tile(np.linspace(0, 0.5, 40), 10) + NOISE
    masked = np.ma.masked_array(np.where(NOISE > 1, -1e3, tooth), NOISE > 1)
    gaps = measure(np.where(NOISE > 1, np.nan, tooth), 40)
    for found in (measure(masked, 40), measure(Curve(masked, 40))):
        assert found.p_value == gaps.p_value
        assert found.drop == gaps.drop


TWO = np.ones(2)
MASKED: Any = np.ma.masked_array([1, 2], [False, True])


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("lr", lambda: SGD(lr=MASKED)),
        ("seed", lambda: QuadraticProblem.sample(20, 20, seed=MASKED)),
        ("steps", lambda: measure([1.0, 2.0], 1, steps=MASKED)),
        ("x0", lambda: simulate(
            PROBLEM, SGD(), batch_size=5, x0=np.ma.masked_less(np.arange(20), 1)
        )),
        ("order", lambda: simulate(
            PROBLEM, SGD(), batch_size=5, epochs=1, order=np.ma.masked_less([np.arange(20)], 1)
        )),
        ("coordinate", lambda: QuadraticProblem(TWO, TWO, TWO, MASKED, 3)),
        ("a", lambda: QuadraticProblem(MASKED, TWO, TWO, TWO.astype(int), 3)),
        ("loss", lambda: around_own_visit(np.ma.masked_less(np.ones((2, 2)), 2))),
    ],
)  # fmt: skip
def test_a_mask_anywhere_else_is_refused(name, call):
    with pytest.raises(ValueError, match=rf"^{name} must.*masked"):
        call()


@pytest.mark.parametrize(
    "value", [True, b"3", "3", 1j, np.datetime64("2020-01-01"), np.timedelta64(3, "s"), object()]
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^lr must be a number or an array of numbers, got"):
        Adam(lr=value)
    with pytest.raises(ValueError, match=r"^loss must be a number or an array of numbers, got"):
        Curve([value, value], 1)
    if not isinstance(value, str):
        with pytest.raises(ValueError, match=r"^epochs must be an integer"):
            make_order("fixed", num_functions=4, epochs=value, batch_size=2)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int8, np.int64])
def test_steps_per_epoch_may_be_any_integer(kind):
    loss = [*np.linspace(1, 2, 50), *np.linspace(2, 4, 50)]
    assert Curve(loss, kind(50)).diverged == Curve(loss, 50).diverged
    assert type(Curve(loss, kind(50)).steps_per_epoch) is int


@pytest.mark.parametrize("steps_per_epoch", [10**7, 2**31, 2**53])
def test_long_epochs_take_little(steps_per_epoch):
    tracemalloc.start()
    started = time.process_time()
    found = measure(NOISE, steps_per_epoch)
    seconds = time.process_time() - started
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.isnan(found.p_value)
    assert seconds < 5
    assert most < 2**27


def test_steps_far_apart_are_refused():
    with pytest.raises(ValueError, match=r"^steps must have points in most epochs, got"):
        measure([1.0, 2.0, 3.0], 1, steps=[1, 2, 1e15])


def test_the_profile_of_a_long_sparse_log_is_that_of_its_points():
    at = np.arange(1, 200_001, 40)
    tooth = measure(np.sin(at) + (at % 50_000) / 1e4, 50_000, steps=at)
    assert tooth.profile.size == 10_000
    assert tooth.phase[0] == 0.5 / 10_000
    assert np.isfinite(tooth.profile).sum() <= at.size


def test_long_values_are_cut_in_messages():
    with pytest.raises(ValueError, match="lr must") as caught:
        Adam(lr=["x"] * 10**6)
    assert len(str(caught.value)) < 400
