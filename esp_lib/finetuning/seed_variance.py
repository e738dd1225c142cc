"""What two seeds do to fine-tuning: how much, which, and what choosing the best of many reports.

Source: Dodge et al., "Fine-Tuning Pretrained Language Models: Weight Initializations, Data Orders,
and Early Stopping" (arXiv 2002.06305, 2020), and Dodge et al., "Show Your Work: Improved Reporting
of Experimental Results" (EMNLP 2019) for the expected best of n. Ours: the analysis of variance
over all seeds instead of the best and the worst, the test with permuted scores beside the
article's, the interval that resamples seeds and not episodes, and the score of what was chosen on
other examples.

Dimensions: I initializations (seeds of the new layer's weights), O data orders, P evaluations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.finetuning.glue import score
from esp_lib.records.record import RunRecord

Array = NDArray[np.float64]


# ---------------------------------------------------------------------------------- the episodes


@dataclass(frozen=True, eq=False)
class Episodes:
    """All episodes of a task."""

    task: str  # one of `glue.TASKS`
    epochs: int
    step: NDArray[np.int64]  # (P,) updates before each evaluation
    score: Array  # (I, O, P) on the validation examples
    loss: Array  # (I, O, P) validation loss in nats
    train_loss: Array  # (I, O, steps) of each batch before its update, in nats
    predicted: NDArray[np.bool_]  # (I, O, P, n) which validation examples were called 1
    label: NDArray[np.int32]  # (n,) what they are

    @property
    def per_epoch(self) -> int:
        """Evaluations in an epoch."""
        return len(self.step) // self.epochs


def episodes_of(records: Sequence[RunRecord]) -> Episodes:
    """The episodes of one study; each record has one initialization."""
    first = records[0]
    label = first.arrays["label"].astype(np.int32)
    predicted = np.stack([unpack(record) for record in records])
    task = str(first.config["task"])
    return Episodes(
        task=task,
        epochs=int(first.config["epochs"]),
        step=first.arrays["valid_step"].astype(np.int64),
        score=score(task, label, predicted),
        loss=np.stack([r.arrays["valid_loss"] for r in records]).astype(float),
        train_loss=np.stack([r.arrays["train_loss"] for r in records]).astype(float),
        predicted=predicted,
        label=label,
    )


def best_seen(scores: Array, per_epoch: int, evaluations: int) -> Array:
    """The best score of each episode if it is evaluated so many times an epoch.

    Args:
        scores: (..., P), evaluated `per_epoch` times an epoch.
        per_epoch: evaluations an epoch in `scores`.
        evaluations: of them, how many are made: a divisor of `per_epoch`; 0 is only one, at the
            end of training.

    Returns:
        (...).
    """
    if evaluations == 0:
        return scores[..., -1]
    if evaluations < 0 or per_epoch % evaluations:
        raise ValueError(f"evaluations must divide {per_epoch}, or be 0, got {evaluations}")
    every = per_epoch // evaluations
    return np.asarray(scores[..., every - 1 :: every].max(axis=-1))


# --------------------------------------------------------------------- expected best of n episodes


def expected_validation(values: ArrayLike, n: ArrayLike) -> Array:
    r"""Expected validation performance: the mean of the best of n episodes drawn with replacement.

    $\\sum_i v_{(i)} [(i/N)^n - ((i - 1)/N)^n]$ over the sorted values (Dodge et al., 2019).

    Args:
        values: (..., N) what each episode reached.
        n: (k,) numbers of episodes, at least 1.

    Returns:
        (..., k).
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=-1)
    draws = np.atleast_1d(np.asarray(n, dtype=float))
    if (draws < 1).any():
        raise ValueError(f"n must be at least 1, got {draws.min():g}")
    share = np.arange(ordered.shape[-1] + 1) / ordered.shape[-1]
    weight = np.diff(share[:, None] ** draws, axis=0)  # (N, k)
    return np.asarray(ordered @ weight)


class Interval(NamedTuple):
    """Limits of a 95 % interval, each (k,)."""

    low: Array
    high: Array


def bootstrap_validation(
    values: Array, n: ArrayLike, *, resamples: int = 1000, seeds: bool = True, seed: int = 0
) -> Interval:
    """The bootstrap interval of `expected_validation`.

    Args:
        values: (I, O) what each episode reached.
        n: (k,) numbers of episodes.
        resamples: how many.
        seeds: draw initializations and orders, each with replacement, and take the episodes where
            they cross; else draw episodes as if each had seeds of its own, as the article does.
        seed: of the resampling.
    """
    random = np.random.default_rng(seed)
    I, O = values.shape  # noqa: E741 - the dimensions' names
    if seeds:
        rows = random.integers(I, size=(resamples, I))
        columns = random.integers(O, size=(resamples, O))
        drawn = values[rows[:, :, None], columns[:, None, :]].reshape(resamples, -1)
    else:
        drawn = values.ravel()[random.integers(values.size, size=(resamples, values.size))]
    low, high = np.quantile(expected_validation(drawn, n), [0.025, 0.975], axis=0)
    return Interval(low, high)


# ----------------------------------------------------------------------------- analysis of variance


@dataclass(frozen=True)
class Variance:
    """Two-way analysis of variance of episodes, one in each cell.

    `rest` is what the two seeds do together, which with one episode a cell cannot be told from
    chance; with no other randomness in an episode it is all their interaction.
    """

    p_init: float  # that the initialization does nothing
    p_order: float  # that the data order does nothing
    init: float  # share of the variance, estimated without bias; may be below 0
    order: float
    rest: float
    sd: float  # of the score of one episode


def anova(values: Array) -> Variance:
    """Two-way analysis of variance: (I, O) what each episode reached.

    Raises:
        ValueError: fewer than two initializations or orders.
    """
    from scipy.stats import f as f_distribution

    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"values must be (I, O) with both at least 2, got {values.shape}")
    I, O = values.shape  # noqa: E741
    mean = values.mean()
    rows, columns = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    rest = values - mean - rows[:, None] - columns
    ms_init = O * (rows**2).sum() / (I - 1)
    ms_order = I * (columns**2).sum() / (O - 1)
    ms_rest = (rest**2).sum() / ((I - 1) * (O - 1))
    parts = np.array([(ms_init - ms_rest) / O, (ms_order - ms_rest) / I, ms_rest])
    total = parts.sum()
    if not total > 0:  # every episode has the same score
        return Variance(1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    free = (I - 1) * (O - 1)
    p_init, p_order = (
        float(f_distribution.sf(ms / ms_rest, ms_free, free)) if ms_rest > 0 else 0.0
        for ms, ms_free in ((ms_init, I - 1), (ms_order, O - 1))
    )
    init, order, left = (parts / total).tolist()
    return Variance(p_init, p_order, init, order, left, float(np.sqrt(total)))


@dataclass(frozen=True, eq=False)
class Extremes:
    """The episodes of the best and of the worst seed, by their mean."""

    best: int
    worst: int
    best_values: Array
    worst_values: Array
    p_naive: float  # one-way analysis of variance of these two groups, as the article has it
    p_permuted: float  # share of permuted scores whose best and worst lie as far apart


def extremes(values: Array, *, permutations: int = 2000, seed: int = 0) -> Extremes:
    """Compare the best with the worst row of `values`, (seeds, episodes).

    The best and the worst of many groups differ even where all groups are alike, so a test that
    takes them for two groups chosen beforehand finds too much. The permutation test mixes all
    episodes and chooses best and worst anew each time.
    """
    from scipy.stats import f_oneway

    means = values.mean(axis=1)
    best, worst = int(means.argmax()), int(means.argmin())
    gap = means[best] - means[worst]
    constant = np.ptp(values[[best, worst]]) == 0
    random = np.random.default_rng(seed)
    mixed = random.permuted(np.tile(values.ravel(), (permutations, 1)), axis=1)
    means = mixed.reshape(permutations, *values.shape).mean(axis=-1)
    reached = (np.ptp(means, axis=1) >= gap - 1e-12).sum()
    return Extremes(
        best,
        worst,
        values[best],
        values[worst],
        1.0 if constant else float(f_oneway(values[best], values[worst]).pvalue),
        float((1 + reached) / (1 + permutations)),
    )


def density(values: ArrayLike, at: Array) -> Array | None:
    """A Gaussian kernel density (Scott's width); None if all values are the same."""
    from scipy.stats import gaussian_kde

    values = np.asarray(values, dtype=float)
    return None if np.ptp(values) == 0 else np.asarray(gaussian_kde(values)(at))


class Agreement(NamedTuple):
    """Whether the initializations that are good for one task are good for another."""

    rho: float  # rank correlation of their mean scores; NaN if a task's are all the same
    p_value: float


def agreement(first: Array, second: Array) -> Agreement:
    """Spearman's correlation of two tasks' (I, O) scores, over the mean of each initialization."""
    from scipy.stats import spearmanr

    _checks.integer("initializations", len(first), low=3)
    a, b = first.mean(axis=1), second.mean(axis=1)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return Agreement(float("nan"), float("nan"))
    found = spearmanr(a, b)
    return Agreement(float(found.statistic), float(found.pvalue))


# ------------------------------------------------------------------- what choosing the best reports


class Chosen(NamedTuple):
    """The best of n episodes, chosen on some validation examples: its score there and elsewhere."""

    reported: Array  # (k,) on the examples that it was chosen on
    honest: Array  # (k,) on the others


def choose_best(episodes: Episodes, n: Sequence[int], *, draws: int = 400, seed: int = 0) -> Chosen:
    """Choose the best evaluation of n random episodes on half of the validation examples.

    Halves and episodes are drawn anew each time.

    Args:
        episodes: of one task.
        n: numbers of episodes, at most all.
        draws: how often.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
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


# ---------------------------------------------------------------------- epochs and their boundaries


class Boundary(NamedTuple):
    """What happens to some episodes at the end of an epoch, in nats; each (episodes,)."""

    logged: Array  # logged training loss: first tenth of the next epoch minus last tenth
    validation: Array  # validation loss: a tenth of an epoch after the boundary minus at it
    before: Array  # validation loss: at the boundary minus a tenth of an epoch before it


def at_boundary(episodes: Episodes, epoch: int) -> Boundary:
    """What the logs say around the end of an epoch, counted from 1."""
    _checks.integer("epoch", epoch, low=1, high=episodes.epochs - 1)
    steps = episodes.train_loss.shape[-1] // episodes.epochs
    tenth = max(1, steps // 10)
    train = episodes.train_loss.reshape(-1, episodes.train_loss.shape[-1])
    loss = episodes.loss.reshape(-1, episodes.loss.shape[-1])
    end, point = epoch * steps, epoch * episodes.per_epoch
    return Boundary(
        train[:, end : end + tenth].mean(axis=1) - train[:, end - tenth : end].mean(axis=1),
        loss[:, point] - loss[:, point - 1],
        loss[:, point - 1] - loss[:, point - 2],
    )


def unpack(record: RunRecord) -> NDArray[np.bool_]:
    """(order_seeds, points, examples) which validation examples a run's episodes called 1."""
    label = record.arrays["label"]
    bits = np.unpackbits(record.arrays["predicted"], axis=-1, count=len(label))
    return bits.astype(bool)
