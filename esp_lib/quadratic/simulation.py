"""The incremental quadratic problem, and training on it.

Source: section "Incremental quadratic optimization" of Liu and Ma (2025). Sample i is the function
l_i(x) = a_i (x[d_i] - c_i)^2 + b_i of one coordinate d_i; a_i, b_i ~ U(0.5, 1), c_i ~ U(-1, 1),
d_i uniform. A batch's loss and gradient are means over its functions; the loss is logged before
the update. Random numbers come from `threefry`, so that a seed means the same everywhere.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib._device import check_device
from esp_lib._threads import CORES, share
from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic._numpy import run_textbook
from esp_lib.quadratic._torch import run_on_torch
from esp_lib.quadratic.plan import SimulationPlan, make_plan
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.sawtooth.curve import Curve

Array = NDArray[np.float64]


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
            Rules of another form run step by step in NumPy, on the CPU.
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


def _runner(device: str, dtype: str, optimizer: Optimizer) -> Callable[[SimulationPlan], Array]:
    """What runs a plan on `device` and returns the losses (runs, steps)."""
    _checks.instance("optimizer", optimizer, Optimizer)
    _checks.instance("device", device, str)
    _checks.choice("dtype", dtype, ("float64", "float32"))
    if device == "cpu" and dtype != "float64":
        raise ValueError(f'dtype must be "float64" where device is "cpu", got {dtype!r}')
    if not optimizer.two_moment_form:
        if device != "cpu":
            raise ValueError(f'device must be "cpu" for {optimizer.name}, got {device!r}')
        return partial(_run_groups, run_textbook)
    if device == "cpu":
        from esp_lib.quadratic._numba import run_on_cpu

        return partial(_run_groups, run_on_cpu)
    check_device(device)
    try:
        from esp_lib.quadratic._triton import run_on_triton
    except ImportError:
        return partial(_run_groups, partial(run_on_torch, device=device, dtype=dtype))
    return partial(run_on_triton, device=device, dtype=dtype)


def _run_groups(run_group: Callable[..., Array], plan: SimulationPlan) -> Array:
    """The losses of a plan, one group after the other."""
    loss = np.empty((math.prod(plan.shape), plan.steps))
    for k in range(0, len(plan.groups), CORES):  # so many orders at a time
        part = plan.groups[k : k + CORES]
        for group, order in zip(part, share(plan.draw, part), strict=True):
            loss[group.runs] = run_group(
                group.problem, plan.start, order, plan.batch_size, group.rules
            )
    return loss
