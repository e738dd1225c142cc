"""`simulate` on a GPU: runs a second of its two paths, Triton and torch, in both types.

Run with `python -m benchmarks.gpu` where torch finds a GPU; elsewhere it says so and measures
nothing. A run is the paper's: 10,000 functions and coordinates, 10 epochs of 100 steps, Adam. It
writes `benchmarks/gpu.md`.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._roofline import synchronize
from esp_lib import Adam, QuadraticProblem, simulate
from esp_lib._device import device_name
from esp_lib._environment import commit, versions
from esp_lib.quadratic._torch import run_on_torch
from esp_lib.quadratic.plan import Plan, make_plan

PAGE = Path(__file__).with_name("gpu.md")
SIDE = 64  # of the (beta2, eps) map
ROUNDS = 5
DTYPES = ("float64", "float32")
ABOUT = """\
# `simulate` on a GPU

Repeat with `python -m benchmarks.gpu` on a machine with a GPU: a map of 64 × 64 settings, Adam, one
order, the paper's 10,000 functions and 10 epochs. *Difference*: relative, from the compiled loops
in float64, the largest of a run's steps. Settings at the edge of the map are barely stable.

Two paths run on a GPU. Triton takes all runs in one launch that keeps each coordinate in registers;
torch takes them step by step, in 94 lines. Triton's path stays if it is at least 3 times as fast as
torch's, and goes if it is not.

"""


def map_of(side: int) -> Adam:
    """Adam over a map of (beta2, eps), all with one order."""
    beta2 = np.linspace(0.75, 0.999, side)[:, None]
    return Adam(lr=0.06, beta2=beta2, eps=np.logspace(-10, -2, side))


def through_torch(plan: Plan, device: str, dtype: str) -> NDArray[np.float64]:
    """The losses (runs, steps) of a plan with one order, step by step in torch."""
    (group,) = plan.groups
    order = plan.draw(group)
    return run_on_torch(
        group.problem, plan.start, order, plan.batch_size, group.rules, device, dtype
    )


def seconds(call: Callable[[], object], device: str) -> float:
    """Median wall-clock seconds of a call, after one that compiles."""
    import torch

    call()
    taken = []
    for _ in range(ROUNDS):
        synchronize(torch.device(device))
        began = time.perf_counter()
        call()
        synchronize(torch.device(device))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure_paths(
    paths: dict[str, Callable[..., NDArray[np.float64]]], device: str, side: int = SIDE
) -> list[str]:
    """Lines of a table: runs a second of each path and type, and how far it is from the CPU."""
    problem = QuadraticProblem.sample()
    size: dict[str, Any] = {"order": "reshuffle", "epochs": 10, "batch_size": 100, "seed": 0}
    expected = simulate(problem, map_of(side), **size).loss.reshape(side * side, -1)
    plan = make_plan(problem, map_of(side), **size, x0=3.0)
    on_cpu = side * side / seconds(partial(simulate, problem, map_of(side), **size), "cpu")
    lines = [
        "| path | type | runs a second | times the CPU | difference, median and most |",
        "|---|---|---|---|---|",
        f"| compiled loops, {device_name('cpu')} | float64 | {on_cpu:,.0f} | 1 | |",
    ]
    for name, path in paths.items():
        for dtype in DTYPES:
            call = partial(path, plan, device, dtype)
            away = np.max(np.abs(call() / expected - 1), axis=-1)  # of each setting
            rate = side * side / seconds(call, device)
            lines.append(
                f"| {name} | {dtype} | {rate:,.0f} | {rate / on_cpu:.1f} "
                f"| {np.median(away):.1e}, {np.max(away):.1e} |"
            )
    return lines


def main() -> None:
    import torch

    if not torch.cuda.is_available():
        print("torch finds no GPU: nothing was measured.")
        return
    from esp_lib.quadratic._triton import run_on_triton

    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        *measure_paths({"Triton": run_on_triton, "torch": through_torch}, "cuda"),
        "",
        f"{device_name('cuda')}, {datetime.now(UTC):%Y-%m-%d}, {commit()}, {made}.",
    ]
    print("\n".join(lines))
    PAGE.write_text(ABOUT + "\n".join(lines) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
