"""`simulate` on a GPU: runs a second of its two paths, Triton and torch, in both types.

Run with `python -m benchmarks.gpu` where torch finds a GPU; elsewhere it says so and measures
nothing. A run is the paper's: 10,000 functions and coordinates, 10 epochs of 100 steps, Adam. It
writes `benchmarks/gpu.md`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._page import made, median_seconds, table, write
from esp_lib import Adam, QuadraticProblem, simulate
from esp_lib._device import device_name
from esp_lib.quadratic._torch import run_on_torch
from esp_lib.quadratic.plan import SimulationPlan, make_plan

SIDE = 64  # of the (beta2, eps) map
ROUNDS = 5
DTYPES = ("float64", "float32")
ABOUT = """\
 on a machine with a GPU: a map of 64 × 64 settings, Adam, one
order, the paper's 10,000 functions and 10 epochs. *Difference*: relative, from the compiled loops
in float64, the largest of a run's steps. Settings at the edge of the map are barely stable.

Two paths run on a GPU. Triton takes all runs in one launch that keeps each coordinate in registers;
torch takes them step by step, in 94 lines. Triton's path stays if it is at least 3 times as fast as
torch's, and goes if it is not."""


def map_of(side: int) -> Adam:
    """Adam over a map of (beta2, eps), all with one order."""
    beta2 = np.linspace(0.75, 0.999, side)[:, None]
    return Adam(lr=0.06, beta2=beta2, eps=np.logspace(-10, -2, side))


def through_torch(plan: SimulationPlan, device: str, dtype: str) -> NDArray[np.float64]:
    """The losses (runs, steps) of a plan with one order, step by step in torch."""
    (group,) = plan.groups
    order = plan.draw(group)
    return run_on_torch(
        group.problem, plan.start, order, plan.batch_size, group.rules, device, dtype
    )


def measure_paths(
    paths: dict[str, Callable[..., NDArray[np.float64]]], device: str, side: int = SIDE
) -> list[str]:
    """Lines of a table: runs a second of each path and type, and how far it is from the CPU."""
    problem = QuadraticProblem.sample()
    size: dict[str, Any] = {"order": "reshuffle", "epochs": 10, "batch_size": 100, "seed": 0}
    expected = simulate(problem, map_of(side), **size).loss.reshape(side * side, -1)
    plan = make_plan(problem, map_of(side), **size, x0=3.0)
    on_cpu = side * side / median_seconds(partial(simulate, problem, map_of(side), **size), ROUNDS)
    rows = [[f"compiled loops, {device_name('cpu')}", "float64", f"{on_cpu:,.0f}", "1", ""]]
    for name, path in paths.items():
        for dtype in DTYPES:
            call = partial(path, plan, device, dtype)  # its losses are on the CPU: it is done
            away = np.max(np.abs(call() / expected - 1), axis=-1)  # of each setting
            rate = side * side / median_seconds(call, ROUNDS)
            far = f"{np.median(away):.1e}, {np.max(away):.1e}"
            rows.append([name, dtype, f"{rate:,.0f}", f"{rate / on_cpu:.1f}", far])
    head = ["path", "type", "runs a second", "times the CPU", "difference, median and most"]
    return table(head, rows)


def main() -> None:
    import torch

    if not torch.cuda.is_available():
        print("torch finds no GPU: nothing was measured.")
        return
    from esp_lib.quadratic._triton import run_on_triton

    paths = {"Triton": run_on_triton, "torch": through_torch}
    lines = [*measure_paths(paths, "cuda"), made("cuda")]
    write(__file__, "`simulate` on a GPU", lines, about=ABOUT)


if __name__ == "__main__":
    main()
