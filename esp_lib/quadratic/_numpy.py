"""`simulate` for rules outside the two-moment form: the textbook `update`, in NumPy.

All settings of a group step together, hyper-parameters of shape (settings, 1) against parameters
(settings, coordinates). Coordinates that no function uses are left out where the rule looks at each
coordinate by itself, and kept where it looks at several, since they count in its means.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.sampling.orders import Order

Indices = NDArray[np.int32] | NDArray[np.int64]

TOGETHER = 4  # settings a pass: enough to hide NumPy's overhead, few enough for the cache


def run_textbook(
    problem: QuadraticProblem,
    x0: NDArray[np.float64],
    order: Order,
    batch_size: int,
    rules: list[Optimizer],
) -> NDArray[np.float64]:
    """Mean batch losses of several settings of one rule on one problem and order.

    `x0` is (dim,), `order` int32 (epochs, num_functions); `rules` are the rule in one single
    setting each.

    Returns:
        float64 (len(rules), steps).
    """
    lane: Indices = problem.coordinate  # of each function, among the coordinates that are followed
    if rules[0].coordinatewise:
        used, lane = problem.lanes()
        x0 = x0[used]
    batches = order.reshape(-1, batch_size)
    parts = [rules[i : i + TOGETHER] for i in range(0, len(rules), TOGETHER)]
    return np.concatenate([_run(problem, lane, x0, batches, stack(part)) for part in parts])


def stack(rules: list[Optimizer]) -> Optimizer:
    """Single settings of one rule as one, with hyper-parameters of shape (len(rules), 1)."""
    columns = {f.name: [[getattr(rule, f.name)] for rule in rules] for f in fields(rules[0])}
    return type(rules[0])(**columns)


def _run(
    problem: QuadraticProblem,
    lane: Indices,
    x0: NDArray[np.float64],
    batches: Order,
    rule: Optimizer,
) -> NDArray[np.float64]:
    x = np.repeat(x0[None], rule.shape[0], axis=0)  # (settings, coordinates)
    state = rule.init(x)
    loss = np.empty((len(x), len(batches)))
    with np.errstate(all="ignore"):  # divergence is a result
        for t, batch in enumerate(batches):
            d = lane[batch]
            u = x[:, d] - problem.c[batch]  # (settings, batch_size)
            au = problem.a[batch] * u
            loss[:, t] = (au * u + problem.b[batch]).mean(axis=1)
            slopes = 2.0 * au / batch.size
            g = np.empty_like(x)
            for row, own in zip(g, slopes, strict=True):
                row[:] = np.bincount(d, own, row.size)  # a batch may visit a coordinate twice
            x, state = rule.update(g, state, x)
    return loss
