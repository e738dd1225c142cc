"""Predict the loss curve of a setting from its hyper-parameters: nothing fitted, nothing trained.

Ours, not the paper's. Given the order, the coordinates of the incremental quadratic problem are
independent of each other, so the expected loss of a step is an average over single coordinates:

    E loss(t) = E b + sum over k of share(k) E[ a (x_t - c)^2 | k functions share the coordinate ].

* share(k), the share of functions that live on a coordinate with k functions, is binomial and
  close to Poisson(1): 1 + Binomial(num_functions - 1, 1 / dim).
* A coordinate is three numbers, (x, m, v). A visit with gradient g changes them by Adam's formula.
  Between visits they move without any input: m <- beta1 m, v <- beta2 v, x <- x - lr m / (sqrt(v)
  + eps). That is the *visit map*.
* What is random is small and known: a and c of the k functions, and when each is visited. The
  average over it is an integral over the unit cube, taken with Sobol points (quasi-Monte Carlo).

The function whose loss is averaged is *withheld* where the order allows it: under reshuffling, what
happened before an epoch says nothing about where in it a function comes. So its coordinate is
followed through the epoch without it, and one coordinate tells the loss at every step of the epoch.
In the fixed and reverse orders a function tells the loss of its own step only, once an epoch. Where
a class has fewer than four points a step, neighbouring steps share theirs.

Each ingredient can be left out, to see what it explains: `groups` (which k), `carry` (m and v kept
from visit to visit), `bias_correction`.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib._checks import scalar
from esp_lib._threads import share
from esp_lib.optimizers.base import Optimizer, TwoMoment
from esp_lib.sampling.orders import ORDERS, check_batch_size
from esp_lib.sawtooth.curve import Curve
from esp_lib.theory._numba import ALWAYS, AT_VISITS, WITHHELD, follow

Array = NDArray[np.float64]
Times = NDArray[np.int32]

MEAN_FLOOR = 0.75  # E b for b ~ U(0.5, 1)
LONG_AFTER = 20_000  # steps after which bias correction is over at any beta2 up to 0.999
POINTS = 1024  # Sobol points of the two most frequent classes
LEAST_POINTS = 64  # of the rarest
MOST_GROUPS = 8  # one function in 10^5 lives with more, where there are as many coordinates


class Visits(NamedTuple):
    """Followed coordinates of one class: who they are and when each function visits.

    Visits are sorted by time; places that are not used hold the time `steps`.
    """

    a: Array  # (points, k) curvatures
    c: Array  # (points, k) minima
    when: Times  # (points, visits) step of each visit
    who: Times  # (points, visits) which of the k functions


def predict(
    optimizer: Optimizer,
    *,
    order: str = "reshuffle",
    epochs: int = 10,
    batch_size: int = 100,
    num_functions: int = 10_000,
    dim: int = 10_000,
    x0: float = 3.0,
    groups: Iterable[int] | None = None,
    carry: bool = True,
    bias_correction: bool = True,
    points: int = POINTS,
    scramble: int = 0,
) -> Curve:
    """The expected loss of each step of `simulate`, over problems and orders.

    Args:
        optimizer: the update rule; hyper-parameter arrays broadcast and lead `Curve.loss`.
        order: "reshuffle", "fixed", "reverse" or "replacement".
        epochs: passes over the functions.
        batch_size: functions a step; divides `num_functions`.
        num_functions: number of functions of the problems that are averaged over.
        dim: number of their coordinates.
        x0: the starting point of every coordinate.
        groups: the k whose classes are counted, their shares scaled to add up to one; if not given,
            1 … 8, or 1 … `num_functions` where that is less.
        carry: keep m and v from visit to visit; if not, each visit finds them at zero.
        bias_correction: correct for the start at m = v = 0; if not, take the long-run coefficients.
        points: Sobol points of the classes k = 1 and 2, a power of two; rarer classes take fewer
            (64 or more), fixed and reverse orders four times as many. There an epoch of more steps
            than a quarter of a class's points is cut into that many windows of steps, and the class
            is interpolated between their means.
        scramble: seed of the points' scrambling; how far two differ tells the integration error.

    Returns:
        A curve with loss (..., steps), float64; not finite after divergence.

    Raises:
        ValueError: an argument out of its range, more epochs than Sobol points have dimensions for,
            groups that no function is in, or AMSGrad, whose maximum of v is not followed.

    Example:
        >>> from esp_lib import Adam
        >>> predict(Adam(lr=0.06, beta2=[0.999, 0.8]), epochs=3, points=64).loss.shape
        (2, 300)
    """
    _checks.instance("optimizer", optimizer, Optimizer)
    _checks.choice("order", order, ORDERS)
    epochs = _checks.integer("epochs", epochs, low=1)
    num_functions = _checks.integer("num_functions", num_functions, low=1)
    batch_size = check_batch_size(batch_size, num_functions)
    start = scalar("x0", x0)
    scramble = _checks.integer("scramble", scramble, low=0)
    points = _checks.integer("points", points, low=2)
    if points & (points - 1):
        raise ValueError(f"points must be a power of two, got {points}")
    sizes = _sizes(groups, num_functions)
    shares = class_shares(sizes, num_functions, dim)
    epoch_steps = num_functions // batch_size
    steps = epochs * epoch_steps
    check_draws(order, max(sizes), epochs, epoch_steps)

    rules = [_rule(setting, steps, bias_correction) for setting in optimizer.settings()]
    observe = {"reshuffle": WITHHELD, "replacement": ALWAYS}.get(order, AT_VISITS)
    most = points * (4 if observe == AT_VISITS else 1)  # a visit tells the loss of one step only
    classes = draw_classes(order, sizes, epochs, epoch_steps, most, scramble)

    def excess(task: tuple[TwoMoment, Visits]) -> Array:
        rule, visits = task
        total = follow(*visits, start, steps, epoch_steps, observe, carry, 1.0 / batch_size, rule)
        if observe != AT_VISITS:
            return np.asarray(total / len(visits.a))
        count = np.bincount(visits.when.ravel(), minlength=steps)
        return window_means(total, count, epoch_steps, len(visits.a) // 4)

    tasks = [(rule, visits) for rule in rules for visits in classes]
    parts = np.array(share(excess, tasks)).reshape(len(rules), len(sizes), steps)
    loss = MEAN_FLOOR + np.einsum("k,rkt->rt", shares, parts)
    source = {
        "problem": f"theory, {num_functions} functions, {dim} coordinates",
        "optimizer": optimizer.name,
        "order": order,
        "batch_size": batch_size,
        "groups": sizes,
        "carry": carry,
        "bias_correction": bias_correction,
    }
    return Curve(loss.reshape(*optimizer.shape, steps), epoch_steps, source)


def class_shares(sizes: Iterable[int], num_functions: int, dim: int) -> Array:
    """Share of functions whose coordinate carries k functions, for each k of `sizes`, summing to 1.

    share(k) ~ P(1 + Binomial(num_functions - 1, 1 / dim) = k): a given function, and how many of
    the others picked its coordinate.

    Returns:
        (len(sizes),) float64.

    Raises:
        ValueError: no size, `dim` below 1, or sizes so rare that their shares are all zero.
    """
    from scipy.stats import binom  # a second to import, and every explorer imports this module

    k = np.array(list(sizes))
    dim = _checks.integer("dim", dim, low=1)
    if k.size == 0:
        raise ValueError("groups must name at least one size, got none")
    share = binom.pmf(k - 1, num_functions - 1, 1 / dim)
    if not share.sum() > 0:
        raise ValueError(
            f"groups must hold a size that occurs with {num_functions} functions on dim = {dim} "
            f"coordinates, about {num_functions / dim:.3g} on each, got {k.tolist()}"
        )
    return np.asarray(share / share.sum(), dtype=np.float64)


def window_means(total: Array, count: NDArray[np.int64], epoch_steps: int, windows: int) -> Array:
    """Mean at each step; steps share a window, and lie between the means of two, where T > windows.

    `total` (steps,) is the sum of what was told about each step, `count` (steps,) how often
    something was; T is `epoch_steps`. With T windows or more each step is its own.

    Returns:
        (steps,) float64; a step before the middle of the epoch's first window or after that of the
        last takes that window's mean.
    """
    T = epoch_steps
    first = -(-np.arange(min(windows, T)) * T // min(windows, T))  # of each window
    middle = (first + np.append(first[1:], T) - 1) / 2
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is a result
        mean = np.add.reduceat(total.reshape(-1, T), first, axis=1)
        mean = mean / np.add.reduceat(count.reshape(-1, T), first, axis=1)
    return np.concatenate([np.interp(np.arange(T), middle, epoch) for epoch in mean])


def draw_visits(
    order: str, k: int, epochs: int, epoch_steps: int, points: int, scramble: int = 0
) -> Visits:
    """Sobol points of everything that is random about a coordinate with k functions.

    T is `epoch_steps`; `points`, how many coordinates, is a power of two.

    Returns:
        `Visits` with `points` rows.

    Raises:
        ValueError: more epochs, or a larger k, than Sobol points have dimensions for.
    """
    from scipy.stats import qmc

    T, steps = epoch_steps, epochs * epoch_steps
    draws = check_draws(order, k, epochs, T)
    sobol = qmc.Sobol(k * (2 + draws), scramble=True, rng=np.random.default_rng([scramble, k]))
    cube = sobol.random(points).reshape(points, 2 + draws, k)
    a, c, z = 0.5 + 0.5 * cube[:, 0], 2.0 * cube[:, 1] - 1.0, cube[:, 2:]  # z (points, draws, k)

    if order == "replacement":
        gap = 1 + np.floor(np.log1p(-z) / np.log1p(-1.0 / T)) if T > 1 else np.ones_like(z)
        time = np.minimum(np.cumsum(gap, axis=1) - 1, steps)
    else:
        place = np.floor(z * T)  # step within the epoch
        if order != "reshuffle":
            place = np.repeat(place, epochs, axis=1)
        if order == "reverse":
            place[:, 1::2] = T - 1 - place[:, 1::2]
        time = place + T * np.arange(epochs)[:, None]
    when = time.reshape(points, -1).astype(np.int32)
    sort = np.argsort(when, axis=1, kind="stable")
    return Visits(a, c, np.take_along_axis(when, sort, axis=1), (sort % k).astype(np.int32))


def draw_classes(
    order: str, sizes: Iterable[int], epochs: int, epoch_steps: int, points: int, scramble: int = 0
) -> list[Visits]:
    """`draw_visits` of each class: `points` rows for k = 1 and 2, fewer for the rarer ones."""
    return [
        draw_visits(
            order, k, epochs, epoch_steps, max(LEAST_POINTS, points >> max(0, k - 1) // 2), scramble
        )
        for k in sizes
    ]


def check_draws(order: str, k: int, epochs: int, epoch_steps: int) -> int:
    """How many random numbers say when a function is visited; ValueError if too many for Sobol."""
    from scipy.stats import binom, qmc

    def draws(epochs: int) -> int:
        if order == "replacement":  # gaps are geometric; enough to last, but for one in 10^9
            return int(binom.isf(1e-9, epochs * epoch_steps, 1 / epoch_steps)) + 1
        return epochs if order == "reshuffle" else 1

    most = qmc.Sobol.MAXDIM // k - 2  # and two for a and c
    if draws(epochs) <= most:
        return draws(epochs)
    high = bisect_right(range(1, epochs), most, key=draws)
    if high == 0:
        largest = qmc.Sobol.MAXDIM // (2 + draws(1))
        raise ValueError(f"groups must be of at most {largest} functions, got {k}")
    raise ValueError(
        f"epochs must be at most {high} in order {order!r} with groups up to {k}, got {epochs}"
    )


def _sizes(groups: Iterable[int] | None, num_functions: int) -> list[int]:
    """The classes to count, largest k checked against `num_functions`."""
    if groups is None:
        return list(range(1, min(MOST_GROUPS, num_functions) + 1))
    entries = _checks.several("groups", groups, "integers")
    sizes = [_checks.integer("groups", k, low=1, high=num_functions) for k in entries]
    if len(set(sizes)) < len(sizes):
        raise ValueError(f"groups must name each size once, got {sizes}")
    return sizes


def _rule(setting: Optimizer, steps: int, bias_correction: bool) -> TwoMoment:
    """The setting's coefficients; without bias correction, those of a run that began long ago."""
    rule = setting.two_moment(steps)
    if rule.use_max:
        raise ValueError("optimizer must not be AMSGrad, whose maximum of v is not followed")
    if bias_correction:
        return rule
    late = setting.two_moment(LONG_AFTER)
    return rule._replace(
        scale_m=np.full(steps, late.scale_m[-1]),
        scale_g=np.full(steps, late.scale_g[-1]),
        root=np.full(steps, late.root[-1]),
    )
