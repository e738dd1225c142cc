"""The incremental quadratic problem, and training on it.

Source: section "Incremental quadratic optimization" of Liu and Ma (2025). Sample i is the function
l_i(x) = a_i (x[d_i] - c_i)^2 + b_i of one coordinate d_i; a_i, b_i ~ U(0.5, 1), c_i ~ U(-1, 1),
d_i uniform. A batch's loss and gradient are means over its functions; the loss is logged before
the update. Random numbers come from `threefry`, so that a seed means the same everywhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import checks
from esp_lib.curve import Curve
from esp_lib.optimizers import Optimizer
from esp_lib.orders import ORDERS, Order, check_batch_size, check_order, make_order
from esp_lib.threads import CORES, share
from esp_lib.threefry import STREAM_CURVATURE, STREAM_MINIMUM, below, threefry2x32, uniform

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuadraticProblem:
    """Functions a (x[coordinate] - c)^2 + b of one coordinate each; leading axes are problems.

    Attributes:
        a: (..., num_functions) curvatures, positive.
        b: (..., num_functions) floors.
        c: (..., num_functions) minima.
        coordinate: (..., num_functions) integers in [0, dim).
        dim: number of coordinates.

    Raises:
        ValueError: shapes differ, a value is not finite, or a coordinate is out of range.

    Example:
        >>> QuadraticProblem(a=[1.0, 0.5], b=[0, 0], c=[-1, 1], coordinate=[0, 0], dim=1).shape
        ()
        >>> QuadraticProblem.sample(num_functions=200, dim=200, seed=[0, 1, 2]).shape
        (3,)
    """

    a: Array
    b: Array
    c: Array
    coordinate: NDArray[np.int64]
    dim: int

    def __post_init__(self) -> None:
        checks.integer("dim", self.dim, low=1)
        values = {
            "a": checks.real("a", self.a, low=0.0, low_open=True),
            "b": checks.real("b", self.b),
            "c": checks.real("c", self.c),
            "coordinate": np.array(self.coordinate),
        }
        shapes = {array.shape for array in values.values()}
        if len(shapes) > 1 or values["a"].ndim == 0 or values["a"].size == 0:
            given = ", ".join(f"{name} {array.shape}" for name, array in values.items())
            raise ValueError(
                f"a, b, c and coordinate must have one shape (..., num_functions), got {given}"
            )
        d = values["coordinate"]
        if d.dtype.kind not in "iu" or d.min() < 0 or d.max() >= self.dim:
            raise ValueError(
                f"coordinate must be integers from 0 to dim - 1 = {self.dim - 1}, "
                f"got {d.dtype} from {d.min()} to {d.max()}"
            )
        for name, array in values.items():
            object.__setattr__(self, name, array)

    @classmethod
    def sample(cls, num_functions: int = 10_000, dim: int = 10_000, seed: ArrayLike = 0) -> Self:
        """Draw the paper's problem; an array of seeds gives as many problems.

        Args:
            num_functions: number of functions (training samples).
            dim: number of coordinates (parameters).
            seed: integers from 0 to 2**32 - 1, of any shape (...).

        Returns:
            A problem with arrays (..., num_functions).
        """
        checks.integer("num_functions", num_functions, low=1)
        checks.integer("dim", dim, low=1, high=2**32)
        seeds = checks.seeds("seed", seed)
        index = np.arange(num_functions, dtype=np.uint32)
        zero = np.zeros(1, np.uint32)
        drawn = []
        for s in seeds.ravel():
            wa, wb = threefry2x32(int(s), STREAM_CURVATURE, index, zero)
            wc, wd = threefry2x32(int(s), STREAM_MINIMUM, index, zero)
            ab = (uniform(w, 0.5, 1.0) for w in (wa, wb))
            drawn.append((*ab, uniform(wc, -1.0, 1.0), below(wd, dim)))
        shape = (*seeds.shape, num_functions)
        if not drawn:
            raise ValueError(f"seed must be one seed or more, got {seed!r}")
        a, b, c, d = (np.stack(part).reshape(shape) for part in zip(*drawn, strict=True))
        return cls(a, b, c, d, dim)

    @property
    def num_functions(self) -> int:
        """Functions in one problem."""
        return self.a.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """The leading axes: () for a single problem."""
        return self.a.shape[:-1]

    def lanes(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The coordinates that functions of a single problem use, numbered.

        Returns:
            int64 (lanes,), these coordinates, ascending, and int32 (num_functions,), the number
            (lane) of each function's.
        """
        if self.dim > 100 * self.num_functions:  # few functions in a wide space
            coordinates, lane = np.unique(self.coordinate, return_inverse=True)
            return coordinates, lane.astype(np.int32)
        used = np.zeros(self.dim, bool)
        used[self.coordinate] = True
        number = np.cumsum(used, dtype=np.int32) - 1
        return np.flatnonzero(used), number[self.coordinate]

    def __getitem__(self, index: Any) -> "QuadraticProblem":
        """One of the problems."""
        return QuadraticProblem(
            self.a[index], self.b[index], self.c[index], self.coordinate[index], self.dim
        )


def simulate(
    problem: QuadraticProblem,
    optimizer: Optimizer,
    *,
    order: str | ArrayLike = "reshuffle",
    epochs: int = 10,
    batch_size: int = 100,
    seed: ArrayLike = 0,
    x0: ArrayLike = 3.0,
    device: str = "cpu",
    dtype: str = "float64",
) -> Curve:
    """Train on the problem and return the loss of each batch before its update.

    The shapes of the problem, of the optimizer's hyper-parameters and of `seed` broadcast as in
    NumPy; the result leads `Curve.loss`. So 16 problems with their orders against 6 values of
    beta2 are `problem.shape == seed.shape == (16, 1)` and `beta2.shape == (6,)`.

    Args:
        problem: the functions.
        optimizer: the update rule with its hyper-parameters.
        order: "reshuffle", "fixed", "reverse", "replacement" (see `make_order`), or the order
            itself as integers (epochs, num_functions), each row a permutation.
        epochs: passes over the functions.
        batch_size: functions a step; divides the number of functions.
        seed: seed of the order, integers from 0 to 2**32 - 1.
        x0: the starting point, a number or (dim,).
        device: "cpu" (compiled loops, all cores), or "cuda", "cuda:1", … (one launch for all runs
            on that GPU through Triton; where Triton is missing, step by step through torch).
            Rules of `optimizers_other` run step by step in NumPy, on the CPU.
        dtype: "float64", or on a GPU "float32": faster, and right to about six digits as long as
            the run is stable.

    Returns:
        A curve with loss (..., steps), float64. Where a run diverges, its loss is inf or NaN from
        that step on.

    Raises:
        ValueError: an argument out of its range, shapes that don't broadcast, a missing device.

    Example:
        >>> from esp_lib import Adam
        >>> problem = QuadraticProblem.sample(num_functions=200, dim=200)
        >>> curve = simulate(problem, Adam(lr=0.06, beta2=[0.999, 0.8]), epochs=3, batch_size=20)
        >>> curve.loss.shape
        (2, 30)
    """
    run_plan = _runner(device, dtype, optimizer)
    plan = make_plan(
        problem, optimizer, order=order, epochs=epochs, batch_size=batch_size, seed=seed, x0=x0
    )
    loss = run_plan(plan)
    return make_curve(
        loss.reshape(*plan.shape, plan.steps), problem, optimizer, order, batch_size, device
    )


def make_curve(
    loss: Array,
    problem: QuadraticProblem,
    optimizer: Optimizer,
    order: str | ArrayLike,
    batch_size: int,
    device: str,
) -> Curve:
    """The runs' losses (..., steps) as a curve; once a run is not finite it stays so."""
    loss[np.maximum.accumulate(~np.isfinite(loss), axis=-1) & np.isfinite(loss)] = np.nan
    source = {
        "problem": f"quadratic, {problem.num_functions} functions, {problem.dim} coordinates",
        "optimizer": optimizer.name,
        "order": order if isinstance(order, str) else "explicit",
        "batch_size": batch_size,
        "device": device,
    }
    return Curve(loss, problem.num_functions // batch_size, source)


class Group(NamedTuple):
    """Runs on one problem and order, which share a layout."""

    runs: list[int]  # their places in the flattened shape of the plan
    problem: QuadraticProblem
    seed: int  # of the order
    rules: list[Any]  # one a run: its table, or its setting where the rule has no table


class Plan(NamedTuple):
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
            self.order, num_functions=group.problem.num_functions, epochs=self.epochs,
            batch_size=self.batch_size, seed=group.seed,
        )  # fmt: skip


def make_plan(
    problem: QuadraticProblem,
    optimizer: Optimizer,
    *,
    order: str | ArrayLike,
    epochs: int,
    batch_size: int,
    seed: ArrayLike,
    x0: ArrayLike,
) -> Plan:
    """Check the arguments of `simulate` and sort its runs into groups.

    Raises:
        ValueError: an argument out of its range, or shapes that don't broadcast.
    """
    epochs = checks.integer("epochs", epochs, low=1)
    batch_size = check_batch_size(batch_size, problem.num_functions)
    seeds = checks.seeds("seed", seed)
    start = checks.real("x0", x0)
    if start.shape not in ((), (problem.dim,)):
        raise ValueError(f"x0 must be a number or have shape ({problem.dim},), got {start.shape}")
    start = np.broadcast_to(start, (problem.dim,))
    if isinstance(order, str):
        checks.choice("order", order, ORDERS)
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
    return Plan(shape, epochs, batch_size, steps, start, order, groups)


def _index_of(part: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """For each run of `shape`, in C order, the flat index of its entry in the broadcast `part`."""
    size = int(np.prod(part, dtype=np.int64))
    return np.broadcast_to(np.arange(size).reshape(part), shape).ravel()


def _runner(device: str, dtype: str, optimizer: Optimizer) -> Callable[[Plan], Array]:
    """What runs a plan on `device` and returns the losses (runs, steps)."""
    checks.choice("dtype", dtype, ("float64", "float32"))
    if device == "cpu" and dtype != "float64":
        raise ValueError(f'dtype must be "float64" where device is "cpu", got {dtype!r}')
    if not optimizer.two_moment_form:
        if device != "cpu":
            raise ValueError(f'device must be "cpu" for {optimizer.name}, got {device!r}')
        from esp_lib.quadratic_textbook import run_textbook

        return partial(_run_groups, run_textbook)
    if device == "cpu":
        from esp_lib.kernel import run_on_cpu

        return partial(_run_groups, run_on_cpu)
    from esp_lib.quadratic_torch import check_gpu, run_on_torch

    check_gpu(device)
    try:
        from esp_lib.quadratic_triton import run_on_triton
    except ImportError:
        return partial(_run_groups, partial(run_on_torch, device=device, dtype=dtype))
    return partial(run_on_triton, device=device, dtype=dtype)


def _run_groups(run_group: Callable[..., Array], plan: Plan) -> Array:
    """The losses of a plan, one group after the other."""
    loss = np.empty((math.prod(plan.shape), plan.steps))
    for k in range(0, len(plan.groups), CORES):  # so many orders at a time
        part = plan.groups[k : k + CORES]
        for group, order in zip(part, share(plan.draw, part), strict=True):
            loss[group.runs] = run_group(
                group.problem, plan.start, order, plan.batch_size, group.rules
            )
    return loss
