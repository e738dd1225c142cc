"""What probes cost: `simulate` alone, `probe`, and the slow twin, at the paper's setting.

Run with `python -m benchmarks.probes` in the repository's root. One core: a single run at a time.
"""

from functools import partial

from benchmarks._page import made, median_seconds, seconds, table, write
from esp_lib import Adam, QuadraticProblem, make_order, simulate
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


def main() -> None:
    problem, rule = QuadraticProblem.sample(), Adam(lr=0.06, beta2=0.8)
    order = make_order("reshuffle", num_functions=10_000, epochs=EPOCHS, batch_size=100)
    alone = median_seconds(lambda: simulate(problem, rule, order=order, epochs=EPOCHS), 11)
    probes = PROBES["and products with batch 100"]
    slow = seconds(partial(slow_probe, problem, rule, order, 100, probes))
    rows = [
        ["slow twin, norms and products with batch 100", f"{1e3 * slow:.0f} ms", "1"],
        ["`simulate`, no probes, both cores", f"{1e3 * alone:.1f} ms", ""],
    ]
    for name, chosen in PROBES.items():
        fast = median_seconds(partial(probe, problem, rule, chosen, order=order), 11)
        ratio = f"{slow / fast:.0f}" if chosen is probes else ""
        rows.append([f"`probe`, one core: {name}", f"{1e3 * fast:.1f} ms", ratio])
    note = f"{EPOCHS} epochs of the paper's problem, medians of 11. {made()}"
    head = ["what", "time", "times faster than the slow twin"]
    write(__file__, "Probes against their twin", [*table(head, rows), note])


if __name__ == "__main__":
    main()
