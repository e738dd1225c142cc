"""What probes cost: `simulate` alone, `probe`, and the slow twin, at the paper's setting.

Run with `python -m benchmarks.probes` in the repository's root. One core: a single run at a time.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib._device import device_name
from esp_lib._environment import commit
from esp_lib.quadratic.probes import Probes, probe
from tests.quadratic.slow_probe import slow_probe

EPOCHS = 7
PROBES = {
    "norms over epochs 4 to 6": Probes(epochs=(4, 5, 6), norms=("g", "m", "v", "update")),
    "and products with batch 100": Probes(
        epochs=(4, 5, 6),
        norms=("g", "m", "v", "update"),
        products=("g", "m", "update"),
        batches=(99,),
        batch_loss=True,
    ),
    "losses of all batches, epochs 4 to 6": Probes(
        epochs=(4, 5, 6), batches=tuple(range(100)), batch_loss=True
    ),
}


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, after one that compiles."""
    run()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Print the table and write it beside this file."""
    lines = ["| what | time | times faster than the slow twin |", "|---|---|---|"]
    problem, rule = QuadraticProblem.sample(), Adam(lr=0.06, beta2=0.8)
    order = make_order("reshuffle", num_functions=10_000, epochs=EPOCHS, batch_size=100)
    alone = seconds(lambda: simulate(problem, rule, order=order, epochs=EPOCHS), 11)
    probes = PROBES["and products with batch 100"]
    began = time.perf_counter()
    slow_probe(problem, rule, order, 100, probes)
    slow = time.perf_counter() - began
    lines.append(f"| slow twin, norms and products with batch 100 | {1e3 * slow:.0f} ms | 1 |")
    lines.append(f"| `simulate`, no probes, both cores | {1e3 * alone:.1f} ms | |")
    for name, chosen in PROBES.items():
        fast = seconds(partial(probe, problem, rule, chosen, order=order), 11)
        ratio = f"{slow / fast:.0f}" if chosen is probes else ""
        lines.append(f"| `probe`, one core: {name} | {1e3 * fast:.1f} ms | {ratio} |")
    note = (
        f"{EPOCHS} epochs of the paper's problem, medians of 11, on {device_name('cpu')}, "
        f"{datetime.now(UTC):%Y-%m-%d}, {commit()}."
    )
    text = "\n".join([*lines, "", note]) + "\n"
    print(text)
    head = "# Probes against their twin\n\nRepeat with `python -m benchmarks.probes`.\n\n"
    Path(__file__).with_suffix(".md").write_text(head + text, encoding="utf8")


if __name__ == "__main__":
    main()
