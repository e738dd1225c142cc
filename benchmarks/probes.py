"""What probes cost: `simulate` alone, `probe`, and the slow twin, at the paper's setting.

Run with `python -m benchmarks.probes` in the repository's root. One core: a single run at a time.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.probes import Probes, probe
from tests.test_probes import slow_probe

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
    problem, rule = QuadraticProblem.sample(), Adam(lr=0.06, beta2=0.8)
    order = make_order("reshuffle", num_functions=10_000, epochs=EPOCHS, batch_size=100)
    alone = seconds(lambda: simulate(problem, rule, order=order, epochs=EPOCHS), 11)
    print(f"{'simulate, no probes':38s} {1e3 * alone:8.1f} ms (its steps shared by all cores)")
    for name, probes in PROBES.items():
        fast = seconds(partial(probe, problem, rule, probes, order=order), 11)
        print(f"{name:38s} {1e3 * fast:8.1f} ms")
    probes = PROBES["and products with batch 100"]
    fast = seconds(lambda: probe(problem, rule, probes, order=order), 11)
    began = time.perf_counter()
    slow_probe(problem, rule, order, 100, probes)
    slow = time.perf_counter() - began
    print(f"{'the slow twin of the same':38s} {1e3 * slow:8.1f} ms, {slow / fast:.0f} times slower")


if __name__ == "__main__":
    main()
