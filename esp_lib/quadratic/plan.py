"""What a call of `simulate` is split into: groups of runs that one loop can compute together."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.sampling.orders import ORDERS, Order, check_batch_size, check_order, make_order

Array = NDArray[np.float64]


class Group(NamedTuple):
    """Runs on one problem and order, which share a layout."""

    runs: list[int]  # their places in the flattened shape of the plan
    problem: QuadraticProblem
    seed: int  # of the order
    rules: list[Any]  # one a run: its table, or its setting where the rule has no table


class SimulationPlan(NamedTuple):
    """What `simulate` was asked for, checked and sorted into groups."""

    shape: tuple[int, ...]  # of the broadcast arguments
    epochs: int
    batch_size: int  # functions a step
    steps: int  # of one run
    start: Array  # (dim,) the starting point
    order: str | Order  # the kind of all orders, or the one order
    groups: list[Group]

    def draw(self, group: Group) -> Order:
        """The order of a group, int32 (epochs, num_functions)."""
        if not isinstance(self.order, str):
            return self.order
        return make_order(
            self.order,
            num_functions=group.problem.num_functions,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=group.seed,
        )


def make_plan(
    problem: QuadraticProblem,
    optimizer: Optimizer,
    *,
    order: str | ArrayLike,
    epochs: int,
    batch_size: int,
    seed: ArrayLike,
    x0: ArrayLike,
) -> SimulationPlan:
    """Check the arguments of `simulate` and sort its runs into groups.

    Raises:
        ValueError: an argument out of its range, or shapes that don't broadcast.
    """
    _checks.instance("problem", problem, QuadraticProblem)
    epochs = _checks.integer("epochs", epochs, low=1)
    batch_size = check_batch_size(batch_size, problem.num_functions)
    seeds = _checks.seeds("seed", seed)
    start = _checks.real("x0", x0)
    if start.shape not in ((), (problem.dim,)):
        raise ValueError(f"x0 must be a number or have shape ({problem.dim},), got {start.shape}")
    start = np.broadcast_to(start, (problem.dim,))
    if isinstance(order, str):
        _checks.choice("order", order, ORDERS)
        seeded = order in ("reshuffle", "replacement")
    else:
        seeded = False
        order = check_order(order, num_functions=problem.num_functions, epochs=epochs)
    try:
        shape = np.broadcast_shapes(problem.shape, optimizer.shape, seeds.shape)
    except ValueError:
        raise ValueError(
            f"shapes of problem, hyper-parameters and seed must broadcast, "
            f"got {problem.shape}, {optimizer.shape} and {seeds.shape}"
        ) from None

    problem_of = _index_of(problem.shape, shape)
    setting_of = _index_of(optimizer.shape, shape)
    seed_of = np.broadcast_to(seeds, shape).ravel() * seeded
    places: dict[tuple[int, int], list[int]] = {}
    for run, key in enumerate(zip(problem_of.tolist(), seed_of.tolist(), strict=True)):
        places.setdefault(key, []).append(run)

    steps = epochs * (problem.num_functions // batch_size)
    with np.errstate(over="ignore", invalid="ignore"):  # rates beyond all reason: a result too
        two_moment = optimizer.two_moment_form
        rules = optimizer.tables(steps) if two_moment else list(optimizer.settings())

    single = {
        p: problem[np.unravel_index(p, problem.shape)] if problem.shape else problem
        for p in {p for p, _ in places}
    }
    groups = [
        Group(runs, single[p], s, [rules[setting_of[r]] for r in runs])
        for (p, s), runs in places.items()
    ]
    return SimulationPlan(shape, epochs, batch_size, steps, start, order, groups)


def _index_of(part: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """For each run of `shape`, in C order, the flat index of its entry in the broadcast `part`."""
    size = int(np.prod(part, dtype=np.int64))
    return np.broadcast_to(np.arange(size).reshape(part), shape).ravel()
