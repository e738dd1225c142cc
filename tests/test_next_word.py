"""The small network of chapter 1: what it reads, and that its curves are what they are called."""

import re
from collections import Counter
from dataclasses import replace
from pydoc_data.topics import topics

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from esp_lib.next_word import NetworkConfig, examples, train  # noqa: E402 - torch may be missing

SMALL = NetworkConfig(
    vocabulary=50, examples=320, held_out=320, embedding=8, hidden=16, batch_size=32, epochs=3
)


@pytest.fixture(scope="module")
def run():
    return train(SMALL)


def test_examples_are_places_of_the_text():
    text = " ".join(topics[name] for name in sorted(topics)).lower()
    words = re.findall(r"[a-z_]+|[^\sa-z_]", text)
    ranked = [word for word, _ in Counter(words).most_common(50)]
    numbers = [ranked.index(word) + 1 if word in ranked else 0 for word in words]
    places = {tuple(numbers[i : i + 5]) for i in range(len(numbers) - 4)}
    contexts, following = examples(SMALL)
    assert contexts.shape == (640, 4)
    found = torch.column_stack([contexts, following]).tolist()
    assert {tuple(row) for row in found} <= places
    assert len({tuple(row) for row in found}) > 300  # not one place again and again


def test_a_loss_for_each_step_and_each_validation(run):
    assert run.training.loss.shape == (30,)
    assert run.validation.loss.shape == run.seen.loss.shape == (3,)
    assert (run.training.steps_per_epoch, run.validation.steps_per_epoch) == (10, 1)
    assert run.training.loss[0] == pytest.approx(np.log(51), abs=0.2)  # knows nothing yet
    assert run.training.loss[-10:].mean() < run.training.loss[:10].mean() - 0.3


def test_at_rate_zero_an_epoch_of_batches_is_the_loss_of_what_is_seen():
    """As many held out as trained on, so `seen` is the whole training set, batch by batch."""
    still = train(replace(SMALL, lr=0.0))
    for epoch in still.training.loss.reshape(3, 10):
        assert epoch.mean() == pytest.approx(still.seen.loss[0], rel=1e-5)
    assert np.ptp(still.validation.loss) == 0
    assert still.validation.loss[0] != pytest.approx(still.seen.loss[0], rel=1e-4)
    epochs = np.sort(still.training.loss.reshape(3, 10), axis=1)
    assert not np.allclose(epochs[0], epochs[1])  # other batches: reshuffled


def test_the_seed_says_all(run):
    state = torch.get_rng_state()
    assert np.allclose(train(SMALL).training.loss, run.training.loss, rtol=1e-4)
    assert torch.equal(torch.get_rng_state(), state)
    other = train(replace(SMALL, seed=1))
    assert not np.allclose(other.training.loss, run.training.loss, rtol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 33}, "batch_size must divide the examples, 320, got 33"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"held_out": 10**9}, r"examples \+ held_out must be at most \d+, got 1000000320"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        train(replace(SMALL, **change))
