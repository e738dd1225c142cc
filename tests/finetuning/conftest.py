"""Episodes that the tests share."""

import numpy as np
import pytest

from esp_lib.finetuning.glue import score
from esp_lib.finetuning.seed_variance import Episodes


@pytest.fixture
def guessing():
    """Episodes that guess: whatever is chosen is chosen by luck."""
    random = np.random.default_rng(6)
    predicted = random.random((6, 6, 4, 200)) < 0.5
    label = random.integers(2, size=200).astype(np.int32)
    return Episodes(
        task="sst2",
        epochs=2,
        step=np.array([5, 10, 15, 20]),
        score=score("sst2", label, predicted),
        loss=np.broadcast_to(np.array([4.0, 2.0, 1.5, 1.4]), (6, 6, 4)),
        train_loss=np.broadcast_to(np.repeat([3.0, 1.0], 10), (6, 6, 20)),
        predicted=predicted,
        label=label,
    )
