"""`simulate` on a GPU: what an H200 could do at most, and what the GPU at hand does.

Run with `python -m benchmarks.gpu`. The limits come from the kernel's machine code, so that they
need Triton but no GPU (`benchmarks/gpu.md`); the measurement needs one (`benchmarks/gpu_measured.md`).
Symbols as in `esp_lib.quadratic_triton`. A run is the paper's: 10,000 functions and coordinates, 10
epochs of 100 steps, Adam.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine_code import (
    BANDWIDTH,
    CLOCK,
    MULTIPROCESSORS,
    RATES,
    MachineCode,
    compile_kernel,
    least_cycles,
)
from benchmarks.simulation import map_rule
from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.chapter import commit, device_name, versions
from esp_lib.quadratic import make_plan

DTYPES = {"float64": 8, "float32": 4}  # bytes
GOALS = {"float64": 5_000, "float32": 30_000}  # runs a second
ROUNDS = 5
EPOCHS, BATCH = 10, 100
BETA2 = np.linspace(0.75, 0.999, 64)
MAP = Adam(lr=0.06, beta2=BETA2[:, None], eps=np.logspace(-10, -2, 64))  # one order, 4,096 settings
ORDERS_SEEDS = np.arange(512)  # as many orders, one setting
WORK = {"map": (MAP, 0, MAP.lr * 0 + MAP.shape[0] * MAP.shape[1]), "seeds": None}


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


def limits(problem: QuadraticProblem, code: MachineCode, dtype: str, runs: int) -> dict[str, float]:
    """Runs a second that an H200 cannot exceed, by what limits them."""
    steps, visited = program_steps(problem, runs)
    arithmetic = 32 * code.step[dtype] / RATES[dtype]  # cycles of a multiprocessor
    second = MULTIPROCESSORS * CLOCK
    return {
        "arithmetic": second / (steps * arithmetic),
        "instructions": second
        / (steps * least_cycles(code.step) + visited * least_cycles(code.visit)),
        "memory": BANDWIDTH / bytes_of_run(problem, runs, DTYPES[dtype]),
    }


def limit_table(problem: QuadraticProblem) -> list[str]:
    """One row a type and kind of work."""
    lines = [
        "| type | runs of a program | registers, spilled bytes | instructions of a coordinate's step: "
        "all, arithmetic | arithmetic alone | all instructions | memory | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for dtype in DTYPES:
        for runs in (64, 1):
            code = compile_kernel(dtype, runs)
            most = limits(problem, code, dtype, runs)
            lines.append(
                f"| {dtype} | {runs} | {code.registers}, {code.spilled} | {code.step['any'] / 2:.1f}, "
                f"{code.step[dtype] / 2:.0f} | {most['arithmetic']:,.0f} | "
                f"{most['instructions']:,.0f} | {most['memory']:,.0f} | {GOALS[dtype]:,} |"
            )
    return [
        *lines,
        "",
        "Runs a second that an H200 cannot exceed, from the kernel's machine code for sm_90: if its "
        f"arithmetic in the given type did nothing but run at the data sheet's peak; if every one of "
        f"{RATES['any']} threads a cycle and multiprocessor started an instruction, with visits; if "
        "memory moved 4.8 TB/s. 64 runs of a program: a map of settings with one order; 1: one "
        "setting with many orders. A coordinate's step has one division, of "
        "which the hardware gives a first guess and the rest are multiplications and additions; the "
        "square root is taken at visits alone. Not counted: waiting for loads, and the host.",
    ]
