"""Seconds of one run of every update rule, against the slow, readable twin.

Run with `python -m benchmarks.optimizers`; it prints the table and writes it to
`benchmarks/optimizers.md`. The measure is processor time of one process, so that other programs on
the machine count little. Rules of the two-moment form run in compiled loops on all cores (their
time is added up), the others in NumPy on one. Medians; rule and twin take turns.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks._page import made, table, write
from esp_lib import QuadraticProblem, make_order, simulate
from esp_lib.comparison.contenders import CONTENDERS
from tests import reference

ROUNDS = 3
RATES = np.full(4, 0.01)  # four settings at a time, as in a search for the learning rate


def processor_seconds(call: Callable[[], object]) -> float:
    """Processor time of one call, over all threads of this process."""
    began = time.process_time()
    call()
    return time.process_time() - began


def main() -> None:
    problem = QuadraticProblem.sample()
    order = make_order("reshuffle", num_functions=10_000, epochs=10, batch_size=100)
    rows = []
    for contender in CONTENDERS:
        rule = contender.rule
        several = type(rule)(**{**vars(rule), "lr": RATES})
        simulate(problem, rule, order=order)  # compiles, or loads what was compiled
        fast, slow = [], []
        for _ in range(ROUNDS):
            fast.append(processor_seconds(partial(simulate, problem, several, order=order)))
            slow.append(processor_seconds(partial(reference.train, problem, rule, order, 100)))
        ms, twin = 1e3 * statistics.median(fast) / RATES.size, 1e3 * statistics.median(slow)
        how = "compiled" if rule.two_moment_form else "NumPy"
        rows.append([contender.name, how, f"{ms:.1f} ms", f"{twin:.0f} ms", f"{twin / ms:.0f}"])
    lines = [
        *table(["rule", "how", "processor time of one run", "of its twin", "ratio"], rows),
        "Paper's setting: 10,000 functions and coordinates, 10 epochs of 100 steps, float64, "
        f"{RATES.size} learning rates in one call. Medians of {ROUNDS} rounds. {made()}",
    ]
    write(__file__, "Every update rule against its twin", lines)


if __name__ == "__main__":
    main()
