"""The best of many episodes: what is to be expected of it, and what choosing it reports.

Source: Dodge et al., "Show Your Work: Improved Reporting of Experimental Results" (EMNLP 2019) for
the expected best of n. Ours: its standard deviation, the interval that resamples seeds and not
episodes, and the score of what was chosen on other examples.

Dimensions: I initializations (seeds of the new layers' weights), O data orders, P evaluations.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.finetuning.glue import score
from esp_lib.finetuning.seed_variance import Episodes

Array = NDArray[np.float64]


def expected_validation(values: ArrayLike, n: ArrayLike) -> Array:
    r"""Expected validation performance: the mean of the best of n episodes drawn with replacement.

    $\\sum_i v_{(i)} [(i/N)^n - ((i - 1)/N)^n]$ over the sorted values (Dodge et al., 2019).

    `values` (..., N) are what each episode reached, `n` (k,) numbers of episodes, at least 1.

    Returns:
        (..., k).
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=-1)
    return np.asarray(ordered @ _weights(ordered.shape[-1], n))


def _weights(size: int, n: ArrayLike) -> Array:
    """(N, k) probability that the best of n draws is the i-th of N sorted values."""
    draws = np.atleast_1d(np.asarray(n, dtype=float))
    if (draws < 1).any():
        raise ValueError(f"n must be at least 1, got {draws.min():g}")
    share = np.arange(size + 1) / size
    return np.diff(share[:, None] ** draws, axis=0)


def spread_of_best(values: ArrayLike, n: ArrayLike) -> Array:
    """Standard deviation of the best of n episodes drawn with replacement.

    `values` (N,) are what each episode reached, `n` (k,) numbers of episodes, at least 1.

    Returns:
        (k,).
    """
    ordered = np.sort(np.asarray(values, dtype=float).ravel())
    weight = _weights(ordered.size, n)
    mean = ordered @ weight
    return np.asarray(np.sqrt((weight * (ordered[:, None] - mean) ** 2).sum(axis=0)))


class Interval(NamedTuple):
    """Limits of a 95 % interval, each (k,)."""

    low: Array
    high: Array


def bootstrap_validation(
    values: Array, n: ArrayLike, *, resamples: int = 1000, seed: int = 0
) -> Interval:
    """The bootstrap interval of `expected_validation`.

    Initializations and orders are drawn, each with replacement, and the episodes taken where they
    cross. (The article draws episodes as if each had seeds of its own.)

    Args:
        values: (I, O) what each episode reached.
        n: (k,) numbers of episodes.
        resamples: how many.
        seed: of the resampling.
    """
    random = np.random.default_rng(seed)
    I, O = values.shape  # noqa: E741 - the dimensions' names
    rows = random.integers(I, size=(resamples, I))
    columns = random.integers(O, size=(resamples, O))
    drawn = values[rows[:, :, None], columns[:, None, :]].reshape(resamples, -1)
    low, high = np.quantile(expected_validation(drawn, n), [0.025, 0.975], axis=0)
    return Interval(low, high)


class Chosen(NamedTuple):
    """The best of n episodes, chosen on some validation examples: its score there and elsewhere."""

    reported: Array  # (k,) on the examples that it was chosen on
    honest: Array  # (k,) on the others


def choose_best(episodes: Episodes, n: Sequence[int], *, draws: int = 400) -> Chosen:
    """Choose the best evaluation of n random episodes on half of the validation examples.

    Halves and episodes are drawn anew each time.

    `n` are numbers of episodes, at most all; each is drawn `draws` times.
    """
    random = np.random.default_rng(0)
    I, O, P, examples = episodes.predicted.shape  # noqa: E741
    flat = episodes.predicted.reshape(I * O, P, examples)
    reported, honest = np.empty((draws, len(n))), np.empty((draws, len(n)))
    for draw in range(draws):
        mixed = random.permutation(examples)
        halves = mixed[: examples // 2], mixed[examples // 2 :]
        mine, other = (
            score(episodes.task, episodes.label[half], flat[..., half]) for half in halves
        )  # each (I O, P)
        point = mine.argmax(axis=1)  # of each episode, the first of the best
        each = np.arange(I * O)
        best, there = mine[each, point], other[each, point]
        turn = random.permutation(I * O)
        for column, number in enumerate(n):
            taken = turn[:number]
            winner = taken[best[taken].argmax()]
            reported[draw, column], honest[draw, column] = best[winner], there[winner]
    return Chosen(reported.mean(axis=0), honest.mean(axis=0))
