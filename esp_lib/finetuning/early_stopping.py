"""Start many, stop early, continue some: what a plan finds on average, exactly.

Source: Dodge et al. (arXiv 2002.06305, 2020), section 5. A plan (t, f, p) starts t fine-tuning
episodes, trains each to the fraction f of its steps, and continues the p that are best there. It
costs t f + p (1 - f) fully trained episodes. The t are drawn from N recorded episodes without
replacement, each subset equally likely, and what a plan finds is the mean over all subsets of the
best score seen: that of a continued episode at any of its evaluations, or of a stopped one until it
was stopped. Whoever keeps the best checkpoint has that one too. Nothing is sampled:

    P(best <= v) = sum over j with a_j <= v of C(g_j - 1, p - 1) C(h_j, t - p) / C(N, t),

where episodes are sorted by their score at f, a_j is what episode j reaches when continued, and
b_j when stopped. Episode j is the last one that is continued: of the g_j episodes up to j with
a <= v, itself and p - 1 others are chosen, and of the h_j after it with b <= v, t - p.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks

Array = NDArray[np.float64]

MOST = 1000  # episodes: binomial coefficients of more do not fit a float64
SNAP = 1e-3  # evaluations: f may be this far from one of them
ROUNDING = 1e-9  # episodes: a budget holds what exceeds it by no more


@dataclass(frozen=True)
class StoppingPlan:
    """Start t episodes, stop them at the fraction f, continue the p best."""

    t: int
    f: float
    p: int

    def __post_init__(self) -> None:
        _checks.integer("p", self.p, low=1)
        _checks.integer("t", self.t, low=self.p)
        _checks.real("f", self.f, low=0, low_open=True, high=1)

    @property
    def cost(self) -> float:
        """In fully trained episodes: t f + p (1 - f)."""
        return self.t * self.f + self.p * (1 - self.f)


@dataclass(frozen=True)
class Outcome:
    """A plan beside full training for the same budget; scores are means over all subsets."""

    plan: StoppingPlan
    budget: float  # in fully trained episodes
    expected: float  # best score of the plan
    full: float  # best score of as many episodes trained fully as the budget allows

    @property
    def reduction(self) -> float:
        """Share of the error of full training that the plan saves."""
        return error_reduction(self.expected, self.full)


@dataclass(frozen=True)
class HeldOut:
    """Plans chosen on one half of the initializations and judged on the other half."""

    chosen: tuple[Outcome, ...]  # on the half where each was chosen
    judged: tuple[Outcome, ...]  # the same plans on the other half

    @property
    def reductions(self) -> tuple[float, float]:
        """Mean error reduction where the plans were chosen, and on the other half."""
        first, second = (
            float(np.mean([one.reduction for one in half])) for half in (self.chosen, self.judged)
        )
        return first, second


class Scores(NamedTuple):
    """Checked records."""

    score: Array  # (N, P) at equally spaced evaluations, higher is better, at most 1
    loss: Array  # (N, P) validation loss, which decides between equal scores

    def until(self, point: int) -> Array:
        """The best of each episode by evaluation `point`, counted from 1: (N,)."""
        return np.asarray(self.score[:, :point].max(axis=1))

    def order(self, point: int) -> NDArray[np.intp]:
        """Episodes from the best to the worst at evaluation `point`: (N,)."""
        loss, score = self.loss[:, point - 1], self.score[:, point - 1]
        return np.lexsort((np.where(np.isfinite(loss), loss, np.inf), -score))  # stable


def check_episodes(score: ArrayLike, loss: ArrayLike) -> Scores:
    """The records of N episodes at P evaluations; ValueError if they are not (N, P) both."""
    points = _checks.real("score", score, high=1)
    losses = np.asarray(loss, np.float64)
    if points.ndim != 2 or not points.size or len(points) > MOST:
        raise ValueError(
            f"score must have the shape (episodes, evaluations) with 1 to {MOST:,} episodes, "
            f"got {points.shape}"
        )
    if losses.shape != points.shape:
        raise ValueError(f"loss must have the shape of score, {points.shape}, got {losses.shape}")
    return Scores(points, losses)


def error_reduction(many: float, full: float) -> float:
    """(err_full - err_many) / err_full with err = 1 - score; NaN if full training makes none."""
    return (many - full) / (1 - full) if full < 1 else np.nan


def expected_best(reached: ArrayLike, n: int) -> float:
    """Mean best of `n` of the N numbers `reached`, drawn without replacement.

    n is 1 to N.
    """
    values = np.sort(_checks.real("reached", reached).ravel())
    n = _checks.integer("n", n, low=1, high=values.size)
    ways = binomials(values.size, n)  # C(i - 1, n - 1) of C(N, n) subsets have the i-th as best
    return float(values @ binomials(values.size - 1, n - 1) / ways[-1])


def expected_full(reached: ArrayLike, budget: float) -> float:
    """Mean best of as many episodes, trained fully, as a budget allows; at most all N.

    Args:
        reached: (N,) what each episode reaches.
        budget: fully trained episodes, at least 1; the rest of a number that is not whole buys
            nothing.
    """
    whole = min(float(_checks.real("budget", budget, low=1)), np.size(reached))
    return expected_best(reached, int(whole + ROUNDING))


def compare(
    score: ArrayLike,
    loss: ArrayLike,
    plan: StoppingPlan,
    budget: float | None = None,
) -> Outcome:
    """What a plan finds, over all subsets of t of the recorded episodes, beside full training.

    Args:
        score: (N, P) validation scores of N episodes at P equally spaced evaluations, the last at
            the end; at most 1, higher is better.
        loss: (N, P) validation losses. Of equal scores at f the lower loss is continued, of equal
            losses the lower index; one that is not finite comes last.
        plan: its f is k / P for a whole k.
        budget: of full training, in fully trained episodes; by default the plan's cost.

    Raises:
        ValueError: arrays of other shapes, or a plan that the records do not allow.
    """
    episodes = check_episodes(score, loss)
    size, points = episodes.score.shape
    _checks.integer("t", plan.t, low=1, high=size)
    found = expected(law(episodes, point_of(plan.f, points)), plan.t, plan.p)
    paid = plan.cost if budget is None else budget
    return Outcome(plan, paid, found, expected_full(episodes.until(points), paid))


def best_plan(score: ArrayLike, loss: ArrayLike, budget: float) -> Outcome:
    """The plan that finds most for a budget: all f and p are tried, with the largest t that fits.

    Chosen and judged on the same episodes it looks better than it is; see `split_half`.

    Score and loss are as in `compare`; the budget is in fully trained episodes, at least 1.

    Returns:
        Of equal plans the one with the smaller f, then the smaller p.
    """
    episodes = check_episodes(score, loss)
    size, points = episodes.score.shape
    paid = float(_checks.real("budget", budget, low=1))
    best, chosen = -np.inf, None
    for point in range(1, points + 1):
        found = law(episodes, point)
        for t, p in plans(paid, point, points, size):
            value = expected(found, t, p)
            if value > best + ROUNDING:
                best, chosen = value, StoppingPlan(t, point / points, p)
    assert chosen is not None  # training one episode fully is always among them
    return Outcome(chosen, paid, best, expected_full(episodes.until(points), paid))


def split_half(score: ArrayLike, loss: ArrayLike, budget: float, *, splits: int = 10) -> HeldOut:
    """The best plan of one half of the initializations, judged on the other half.

    Score and loss are (initializations, data orders, P), the budget is in fully trained episodes.
    Each half of each of the `splits` chooses once and judges once.

    Returns:
        2 `splits` plans. Where the number of initializations is odd, each split leaves one out.
    """
    points, losses = _checks.real("score", score, high=1), np.asarray(loss, np.float64)
    if points.ndim != 3 or len(points) < 2 or losses.shape != points.shape:
        raise ValueError(
            "score and loss must have one shape (initializations, data orders, evaluations) with "
            f"at least 2 initializations, got {points.shape} and {losses.shape}"
        )
    splits = _checks.integer("splits", splits, low=1)
    rng = np.random.default_rng(0)
    half = len(points) // 2
    chosen, judged = [], []
    for _ in range(splits):
        order = rng.permutation(len(points))
        halves = order[:half], order[half : 2 * half]
        for own, other in (halves, halves[::-1]):
            found = best_plan(_flat(points[own]), _flat(losses[own]), budget)
            chosen.append(found)
            judged.append(compare(_flat(points[other]), _flat(losses[other]), found.plan, budget))
    return HeldOut(tuple(chosen), tuple(judged))


# ------------------------------------------------------------------------ the law of the best score


class Law(NamedTuple):
    """What decides the best score of a plan that stops at one evaluation, whatever its t and p.

    Attributes:
        values: (V,) scores that may be the best one, increasing.
        after: (V, N) integers. Of the episodes with a <= values[v] the one with index g, counted
            from 0 in the order at f, has after[v, g] episodes with b <= values[v] behind it; N
            where there are no g + 1 such episodes.
    """

    values: Array
    after: NDArray[np.int32]


def law(episodes: Scores, point: int) -> Law:
    """What plans that stop at evaluation `point`, counted from 1, find."""
    size, points = episodes.score.shape
    order = episodes.order(point)
    a, b = episodes.until(points)[order], episodes.until(point)[order]
    values = np.unique(np.concatenate([a, b]))
    continued, stopped = a <= values[:, None], b <= values[:, None]  # (V, N)
    upto = stopped.cumsum(axis=1, dtype=np.int32)
    behind = upto[:, -1:] - upto
    filled = np.arange(size) < continued.sum(axis=1)[:, None]
    after = np.full(continued.shape, size, np.int32)
    after[filled] = behind[continued]  # both row by row
    return Law(values, after)


def expected(found: Law, t: int, p: int) -> float:
    """Mean best score of a plan that starts `t` and continues `p`."""
    size = found.after.shape[1]
    among = binomials(size - 1, p - 1)  # C(g, p - 1) for g = 0, 1, ...
    rest = np.append(binomials(size - 1, t - p) / binomials(size, t)[-1], 0.0)
    below = rest[found.after] @ among  # P(best <= values)
    return float(found.values[-1] - np.diff(found.values) @ below[:-1])


def plans(budget: float, point: int, points: int, size: int) -> Iterator[tuple[int, int]]:
    """(t, p) for each p: the largest t, at most `size`, that fits if stopped at `point`.

    At the last evaluation nothing is stopped, so all that are started are continued.
    """
    most = min(int(budget + ROUNDING), size)
    for p in range(1 if point < points else most, most + 1):
        t = (budget * points - p * (points - point)) / point
        yield min(int(t + ROUNDING), size), p


def binomials(n: int, k: int) -> Array:
    """C(m, k) for m = 0, ..., n: (n + 1,)."""
    out = np.zeros(n + 1)
    if k <= n:
        m = np.arange(k + 1, n + 1)
        out[k:] = np.append(1.0, np.cumprod(m / (m - k)))
    return out


def _flat(records: Array) -> Array:
    """(initializations, data orders, P) -> (episodes, P)."""
    return records.reshape(-1, records.shape[-1])


def point_of(f: float, points: int) -> int:
    """The evaluation, counted from 1, at the fraction `f`; else ValueError."""
    point = round(f * points)
    if point < 1 or abs(f * points - point) > SNAP:
        raise ValueError(f"f must be k / {points} for a whole k from 1 to {points}, got {f}")
    return point
