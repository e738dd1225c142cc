"""What two seeds do to fine-tuning: how much, and which.

Source: Dodge et al., "Fine-Tuning Pretrained Language Models: Weight Initializations, Data Orders,
and Early Stopping" (arXiv 2002.06305, 2020). Ours: the analysis of variance over all seeds instead
of the best and the worst, and the test with permuted scores beside the article's.

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

    `scores` (..., P) were evaluated `per_epoch` times an epoch; `evaluations` of them, a
    divisor, are made, or with 0 only one, at the end of training.

    Returns:
        (...).
    """
    if evaluations == 0:
        return scores[..., -1]
    if evaluations < 0 or per_epoch % evaluations:
        raise ValueError(f"evaluations must divide {per_epoch}, or be 0, got {evaluations}")
    every = per_epoch // evaluations
    return np.asarray(scores[..., every - 1 :: every].max(axis=-1))


class Learning(NamedTuple):
    """Whether the episodes of a task have learnt it: their mean final score beside guessing's."""

    score: float  # mean over episodes, at the end
    error: float  # its standard error, over both seeds
    example_error: float  # standard error of its lead over guessing, over validation examples
    guess: float  # score of always giving the commoner answer

    @property
    def learnt(self) -> bool:
        """Three standard errors (of seeds) above guessing."""
        return self.score - self.guess > 3 * self.error


def learning(episodes: Episodes, *, resamples: int = 200) -> Learning:
    """How well the episodes of a task do at the end of training.

    `resamples` are of the validation examples, for `example_error`.
    """
    task, label = episodes.task, episodes.label
    common = np.full(label.shape, label.mean() >= 0.5)
    guess = float(score(task, label, common))
    final = episodes.predicted[:, :, -1]  # (I, O, n)
    leads = []
    random = np.random.default_rng(0)
    for drawn in random.integers(label.size, size=(resamples, label.size)):
        ours = score(task, label[drawn], final[..., drawn]).mean()
        leads.append(ours - score(task, label[drawn], common[drawn]))
    values = episodes.score[..., -1]
    return Learning(float(values.mean()), crossed_error(values), float(np.std(leads)), guess)


def crossed_error(values: Array) -> float:
    """Standard error of the mean of (I, O) episodes whose seeds are both drawn at random."""
    mean = values.mean()
    rows, columns = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    rest = values - mean - rows[:, None] - columns
    I, O = values.shape  # noqa: E741
    ms = [O * (rows**2).sum() / (I - 1), I * (columns**2).sum() / (O - 1)]
    ms_rest = (rest**2).sum() / ((I - 1) * (O - 1))
    return float(np.sqrt(max(sum(ms) - ms_rest, ms_rest) / values.size))


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


def p_unimodal(values: ArrayLike, *, resamples: int = 500) -> float:
    """Silverman's test: how often one hump looks as little like one as these values do.

    The narrowest Gaussian kernel whose density has one hump is found; samples of that density are
    drawn, shrunk to the values' variance, and the share of them that has more humps under the same
    kernel is the p-value (B. W. Silverman, J. R. Statist. Soc. B 43, 97-99, 1981).

    Of (n,) values, at least 3.

    Returns:
        1 where all values are the same.
    """
    each = np.asarray(values, dtype=float).ravel()
    _checks.integer("number of values", each.size, low=3)
    sd = each.std()
    if sd == 0:
        return 1.0
    each = (each - each.mean()) / sd
    low, high = 0.01, 4.0  # widths of the kernel, in standard deviations: one hump at the upper
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _humps(each, middle) > 1 else (low, middle)
    random = np.random.default_rng(0)
    drawn = random.choice(each, (resamples, each.size))
    drawn = (drawn + high * random.standard_normal(drawn.shape)) / np.sqrt(1 + high**2)
    return float(np.mean([_humps(one, high) > 1 for one in drawn]))


def _humps(values: Array, width: float) -> int:
    """Maxima of the density of a Gaussian kernel."""
    at = np.linspace(values.min() - 3 * width, values.max() + 3 * width, 400)
    heights = np.exp(-0.5 * ((at[:, None] - values) / width) ** 2).sum(axis=1)
    rising = np.diff(heights) > 0
    return int((rising[:-1] & ~rising[1:]).sum())


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


def unpack(record: RunRecord) -> NDArray[np.bool_]:
    """(order_seeds, points, examples) which validation examples a run's episodes called 1."""
    label = record.arrays["label"]
    bits = np.unpackbits(record.arrays["predicted"], axis=-1, count=len(label))
    return bits.astype(bool)
