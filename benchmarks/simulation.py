"""The fast simulation against its slow, readable twin, in one run on one machine.

Run with `python -m benchmarks.simulation`; it prints the table and writes it to
`benchmarks/simulation.md`. The twin (`tests/reference.py`) loops over functions in Python and
allocates a gradient for each, as the published script does. Compilation is not counted (it is
cached on disk). Times are medians; fast and slow take turns, so that a machine that changes speed
changes both.

The least time that the machine allows is that of the divisions and square roots of a run, at the
rate of compiled loops that do nothing else on numbers in the first-level cache, or that of reading
the order and the functions once at the rate of a copy, whichever is longer.
"""

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from benchmarks._page import made, seconds, table, write
from benchmarks.gpu import map_of
from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.quadratic._numba import BLOCK
from tests import reference

ROUNDS = 5
SIDE = 16  # of the (beta2, eps) map
RULE = Adam(lr=0.06, beta1=0.9, beta2=0.8)
MAP = map_of(SIDE)


def map_memory() -> float:
    """Peak memory in MiB of a fresh process that runs the map."""
    code = (
        "import resource; from benchmarks.simulation import MAP\n"
        "from esp_lib import QuadraticProblem, simulate\n"
        "simulate(QuadraticProblem.sample(), MAP)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1024 if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss else 1
    return int(done.stdout) / unit


@numba.njit(nogil=True, error_model="numpy")
def divide(x, y, rounds):
    for _ in range(rounds):
        for d in range(x.size):
            x[d] = y[d] / x[d]


@numba.njit(nogil=True, error_model="numpy")
def root(x, y, rounds):
    for _ in range(rounds):
        for d in range(x.size):
            x[d] = np.sqrt(x[d] + y[d])


def rate(loop: Callable[..., None], rounds: int = 20_000) -> float:
    """Operations a second of `loop` on all cores, each on its own block; the best of five."""
    cores = os.cpu_count() or 1
    blocks = [(np.full(BLOCK, 1.5), np.full(BLOCK, 1.2)) for _ in range(cores)]
    loop(*blocks[0], 1)  # compiles
    with ThreadPoolExecutor(cores) as pool:

        def call() -> None:
            list(pool.map(lambda block: loop(*block, rounds), blocks))

        return cores * BLOCK * rounds / min(seconds(call) for _ in range(5))


def least_seconds(problem: QuadraticProblem, steps: int, batch_size: int) -> float:
    """What one of many runs takes at the least, on all cores; see the top of this file."""
    visits = steps * batch_size
    lanes = np.unique(problem.coordinate).size
    arithmetic = steps * lanes / rate(divide) + visits / rate(root)
    source = np.ones(2**24)
    target = np.empty_like(source)
    copied = min(seconds(lambda: np.copyto(target, source)) for _ in range(5))
    read = 8 * visits + 16 * problem.num_functions  # visit: function and lane; a and c
    return max(arithmetic, read * copied / (2 * source.nbytes))


def main() -> None:
    memory = map_memory()  # first: a new process is charged with the size of this one
    problem = QuadraticProblem.sample()
    order = make_order("reshuffle", num_functions=10_000, epochs=10, batch_size=100)
    simulate(problem, RULE, order=order)  # compiles, or loads what was compiled
    runs: dict[str, list[float]] = {"slow": [], "one": [], "map": [], "least": []}
    for _ in range(ROUNDS):
        runs["slow"].append(seconds(lambda: reference.train(problem, RULE, order, 100)))
        runs["one"].append(
            statistics.median(seconds(lambda: simulate(problem, RULE)) for _ in range(9))
        )
        runs["map"].append(seconds(lambda: simulate(problem, MAP)) / SIDE**2)
        runs["least"].append(least_seconds(problem, 1_000, 100))
    slow, one, each, least = (statistics.median(runs[name]) for name in runs)
    ratio_one = statistics.median(s / f for s, f in zip(runs["slow"], runs["one"], strict=True))
    ratio_map = statistics.median(s / f for s, f in zip(runs["slow"], runs["map"], strict=True))
    above = statistics.median(s / f for s, f in zip(runs["map"], runs["least"], strict=True))
    rows = [
        ("slow twin, one run", f"{1e3 * slow:.0f} ms", "1", ""),
        ("`simulate`, one run, order included", f"{1e3 * one:.1f} ms", f"{ratio_one:.0f}", "60"),
        (
            f"`simulate`, {SIDE} x {SIDE} map of (beta2, eps)",
            f"{1e3 * each:.2f} ms", f"{ratio_map:.0f}", "120",
        ),
        (
            "least time that division, square root and memory allow",
            f"{1e3 * least:.2f} ms", f"{slow / least:.0f}", "",
        ),
    ]  # fmt: skip
    lines = [
        *table(["what", "time of one run", "times faster than the twin", "goal"], rows),
        f"A run of the map takes {above:.2f} times the least time (goal: 2).",
        "",
        f"Peak memory of the {SIDE**2}-run map, the whole process: {memory:.0f} MiB (goal: 2048).",
        "",
        "Paper's setting: 10,000 functions and coordinates, 10 epochs of 100 steps, Adam, float64. "
        f"Medians of {ROUNDS} rounds. {made()}",
    ]
    write(__file__, "Simulation against its twin", lines)


if __name__ == "__main__":
    main()
