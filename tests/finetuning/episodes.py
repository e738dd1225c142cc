"""Fine-tuning episodes made up, for the tests of early stopping and its explorer."""

import numpy as np


def synthetic(size=100, points=30, *, examples=872, seed=0, failing=0.2):
    """Scores and losses (size, points) like those of fine-tuning; some episodes learn nothing.

    Scores are shares of `examples`, so that there are ties. The pace, which decides early scores,
    has nothing to do with what is reached.
    """
    rng = np.random.default_rng(seed)
    done = np.arange(1, points + 1) / points
    top = rng.normal(0.8, 0.02, size=(size, 1))
    pace = rng.uniform(3, 12, size=(size, 1))
    score = top - 0.3 * np.exp(-pace * done) + rng.normal(0, 0.006, size=(size, points))
    lost = rng.random(size) < failing
    score[lost] = 0.5 + rng.normal(0, 0.01, size=(lost.sum(), points))
    loss = 1.2 - score + rng.normal(0, 0.02, size=score.shape)
    return np.round(score * examples) / examples, loss


def tasks(size=100, points=30):
    """Episodes of three tasks: few ties, many, and scores that may be negative."""
    cola, loss = synthetic(size, points, examples=10**6, seed=2)
    return {
        "SST-2": synthetic(size, points, seed=1),
        "RTE": synthetic(size, points, examples=70, seed=3),
        "CoLA": (2.5 * cola - 1.3, loss),
    }
