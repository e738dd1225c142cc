"""`simulate` on a GPU: what an H200 could do at most, and what the GPU at hand does.

Run with `python -m benchmarks.gpu`. The limits come from the kernel's machine code: they need
Triton, but no GPU (`benchmarks/gpu.md`). The measurement needs one (`benchmarks/gpu_measured.md`).
A run is the paper's: 10,000 functions and coordinates, 10 epochs of 100 steps, Adam.
"""

import importlib.util
import math
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._machine_code import (
    BANDWIDTH,
    CLOCK,
    MULTIPROCESSORS,
    RATES,
    StepCode,
    compile_steps,
    least_cycles,
)
from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.chapter import commit, device_name, versions
from esp_lib.quadratic import Plan, make_plan
from esp_lib.quadratic_torch import run_on_torch

if TYPE_CHECKING:
    from esp_lib.quadratic_triton import Launch

DTYPES = {"float64": 8, "float32": 4}  # bytes
GOALS = {"float64": 5_000, "float32": 30_000}  # runs a second
CLOSE = {"float64": 1e-9, "float32": 1e-4}  # what half of a map's settings must stay below
ROUNDS = 5
EPOCHS, BATCH = 10, 100


def map_of(side: int) -> Adam:
    """Adam over a map of (beta2, eps), all with one order."""
    beta2 = np.linspace(0.75, 0.999, side)[:, None]
    return Adam(lr=0.06, beta2=beta2, eps=np.logspace(-10, -2, side))


FEW: dict[str, Any] = {"optimizer": map_of(16), "seed": 0}
WORK: dict[str, dict[str, Any]] = {
    "settings": {"optimizer": map_of(64), "seed": 0},
    "orders": {"optimizer": Adam(lr=0.06, beta2=0.8), "seed": np.arange(512)},
}
RUNS = {"settings": 64, "orders": 1}  # of a program


# ------------------------------------------------------------------------------- limits, on paper


def program_steps(problem: QuadraticProblem, runs: int) -> tuple[float, float]:
    """Steps that programs take for one run, and how many of them have a visit."""
    from esp_lib.quadratic_triton import LANES

    order = make_order("reshuffle", num_functions=10_000, epochs=EPOCHS, batch_size=BATCH)
    used, lane = np.unique(problem.coordinate, return_inverse=True)
    coordinates = LANES // runs
    blocks, steps = -(-used.size // coordinates), order.size // BATCH
    block = lane[order.reshape(-1)] // coordinates
    visited = np.unique(np.arange(order.size) // BATCH * blocks + block).size
    return blocks * steps / runs, visited / runs


def bytes_of_run(problem: QuadraticProblem, runs: int, item: int) -> float:
    """Memory traffic of a run: terms out and in, tables, losses; the order is read once a tile."""
    visits = EPOCHS * problem.num_functions
    steps = visits // BATCH
    return item * (2 * visits + 4 * steps) + (8 * visits + 3 * item * problem.num_functions) / runs


def limits(problem: QuadraticProblem, code: StepCode, dtype: str, runs: int) -> dict[str, float]:
    """The runs a second that an H200 cannot exceed, by what limits them."""
    steps, visited = program_steps(problem, runs)
    arithmetic = steps * 32 * code.step[dtype] / RATES[dtype]  # cycles of a multiprocessor
    all_of_it = steps * least_cycles(code.step) + visited * least_cycles(code.visit)
    return {
        "arithmetic": MULTIPROCESSORS * CLOCK / arithmetic,
        "instructions": MULTIPROCESSORS * CLOCK / all_of_it,
        "memory": BANDWIDTH / bytes_of_run(problem, runs, DTYPES[dtype]),
    }


def limit_table(problem: QuadraticProblem) -> list[str]:
    """What an H200 could do at most: one row a type and kind of work."""
    lines = [
        "| type | many | instructions, of them arithmetic | limit of arithmetic "
        "| of all instructions | of memory | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    used: dict[str, tuple[int, int]] = {}  # registers and spilled bytes, the most
    for dtype in DTYPES:
        for work, runs in RUNS.items():
            machine, code = compile_steps(dtype, runs)
            most = limits(problem, code, dtype, runs)
            used[dtype] = max(used.get(dtype, (0, 0)), (machine.registers, machine.spilled))
            lines.append(
                f"| {dtype} | {work} | {code.step['any'] / 2:.1f}, {code.step[dtype] / 2:.0f} | "
                + " | ".join(f"{rate:,.0f}" for rate in most.values())
                + f" | {GOALS[dtype]:,} |"
            )
    taken = " and ".join(
        f"{registers} registers, {spilled} spilled bytes in {dtype}"
        for dtype, (registers, spilled) in used.items()
    )
    return [
        *lines,
        "",
        "Runs a second that an H200 cannot exceed, from the kernel's machine code (sm_90), and the "
        "instructions of a coordinate's step without a visit. *Arithmetic*: only what the type's "
        "own units do, at the data sheet's peak. *All instructions*: visits and everything else "
        f"too, {RATES['any']} threads' a cycle and multiprocessor. *Memory*: 4.8 TB/s. A step "
        "divides once, for which the hardware guesses 1 / x and multiplies and adds; square roots "
        "are for visits alone. Not in the limits: waiting for loads, the host, the copies to and "
        "from it. *Settings*: a map with one order, 64 runs of a coordinate in one program; "
        f"*orders*: one setting, 64 coordinates of one run. A thread takes {taken}.",
    ]


# ------------------------------------------------------------------------------------ measurements


def seconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median wall-clock seconds of a call."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def count(work: dict[str, Any]) -> int:
    """Runs of some work."""
    return math.prod(np.broadcast_shapes(work["optimizer"].shape, np.shape(work["seed"])))


def make(problem: QuadraticProblem, work: dict[str, Any]) -> Plan:
    """The plan of some work."""
    return make_plan(problem, **work, order="reshuffle", epochs=EPOCHS, batch_size=BATCH, x0=3.0)


def lay_out_all(
    problem: QuadraticProblem, work: dict[str, Any], device: str, dtype: str
) -> "list[Launch]":
    """All launches of some work, ready to run."""
    from esp_lib.quadratic_triton import MEMORY, chunks, lay_out

    plan = make(problem, work)
    return [lay_out(plan, chunk, device, dtype) for chunk in chunks(plan, MEMORY)]


def kernel_seconds(launches: "list[Launch]") -> float:
    """Medians that Triton's own benchmark finds for the launches alone, added up."""
    from triton.testing import do_bench

    return sum(do_bench(launch.run, return_mode="median") for launch in launches) / 1e3


def measured_table(problem: QuadraticProblem, device: str) -> list[str]:
    """Runs a second on a GPU, and how far its losses are from the CPU's."""
    expected, on_cpu = from_cpu(problem)
    lines = [
        "| type | many | runs a second, whole call | goal | times the CPU path | kernel alone "
        "| of its limits: arithmetic, all instructions, memory | difference, median and most |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for dtype in DTYPES:
        loss = simulate(problem, **FEW, device=device, dtype=dtype).loss
        again = simulate(problem, **FEW, device=device, dtype=dtype).loss
        assert np.array_equal(loss, again, equal_nan=True), "two calls differ"
        away = np.max(np.abs(loss / expected - 1), axis=-1)  # of each setting
        assert np.median(away) < CLOSE[dtype], f"{dtype} is {np.median(away)} from the CPU path"
        for name, work in WORK.items():
            call = partial(simulate, problem, **work, device=device, dtype=dtype)
            call()  # compiles
            whole = count(work) / seconds(call)
            kernel = count(work) / kernel_seconds(lay_out_all(problem, work, device, dtype))
            _, code = compile_steps(dtype, RUNS[name])
            most = limits(problem, code, dtype, RUNS[name])
            shares = ", ".join(f"{100 * kernel / limit:.0f} %" for limit in most.values())
            times = f"{whole / on_cpu:.0f}" if on_cpu else "not measured"
            lines.append(
                f"| {dtype} | {count(work):,} {name} | {whole:,.0f} | {GOALS[dtype]:,} | "
                f"{times} | {kernel:,.0f} | {shares} | {np.median(away):.1e}, {np.max(away):.1e} |"
            )
    path = (
        f"The CPU path, all cores, takes {on_cpu:,.0f} runs of a map a second "
        f"({device_name('cpu')})."
        if on_cpu
        else "The CPU path needs Numba, which is missing here; torch on the CPU took its place."
    )
    return [
        *lines,
        "",
        f"Medians of {ROUNDS} calls. {path} Difference: relative, from that in float64, the "
        f"largest of a run's steps; over a map of {count(FEW)} settings, some of them barely "
        "stable. Limits are an H200's.",
    ]


def from_cpu(problem: QuadraticProblem) -> tuple[NDArray[np.float64], float | None]:
    """Losses of the small map without a GPU, and runs a second; None where Numba is missing."""
    try:
        loss = simulate(problem, **FEW).loss
    except ImportError:
        plan = make(problem, FEW)
        (group,) = plan.groups
        loss = run_on_torch(problem, plan.start, plan.draw(group), BATCH, group.rules, "cpu")
        return loss.reshape(*plan.shape, plan.steps), None
    return loss, count(FEW) / seconds(lambda: simulate(problem, **FEW))


def host_line(problem: QuadraticProblem) -> str:
    """How fast this machine prepares runs."""
    small = {"settings": FEW, "orders": WORK["orders"]}
    rates = {
        name: count(work) / seconds(partial(make, problem, work)) for name, work in small.items()
    }
    found = " or ".join(f"{rate:,.0f} {name}" for name, rate in rates.items())
    return (
        f"Before a launch the host checks arguments and computes tables: {found} a second on "
        f"{device_name('cpu')}. Reshuffled orders are drawn on the GPU, other kinds on the host."
    )


def write(name: str, title: str, lines: list[str]) -> None:
    """Print a table and keep it beside this file."""
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_name(name).write_text(
        f"# {title}\n\nRepeat with `python -m benchmarks.gpu`.\n\n{text}", encoding="utf8"
    )


def main() -> None:
    if importlib.util.find_spec("triton") is None:
        print("Triton is not installed: neither limits nor measurements.")
        return
    import torch

    problem = QuadraticProblem.sample()
    made = f"{datetime.now(UTC):%Y-%m-%d}, {commit()}, " + ", ".join(
        f"{name} {version}" for name, version in versions().items()
    )
    title = "`simulate` on a GPU"
    on_paper = [*limit_table(problem), "", host_line(problem), "", f"{made}."]
    write("gpu.md", f"{title}: limits on paper", on_paper)
    if not torch.cuda.is_available():
        print("torch finds no GPU: nothing was measured on one.")
        return
    name = f"{device_name('cuda')}, {made}."
    write("gpu_measured.md", f"{title}: measured", [*measured_table(problem, "cuda"), "", name])


if __name__ == "__main__":
    main()
