"""The diagnosis against labelled synthetic logs: what it gets right, what it misses, how fast.

Run with `python -m benchmarks.diagnosis`; it prints the tables, writes them to
`benchmarks/diagnosis.md`, records each diagnosis in `results/diagnosis.npz`, which chapter 8
shows, and counts the wrong ones in `esp_lib/diagnosis/rates.json`, which every report states. The
logs are those of `esp_lib.diagnosis.trial.synthetic.draw`: 6 to 200 points an epoch, 3 to 40
epochs, five kinds of noise, six trends, logging intervals that need not divide the epoch, points
that are means or single steps. The seeds that judge are not those on which limits were set
(`trial.py`). Every log is diagnosed twice, with its epoch length given and with it withheld.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks._page import made, table, write
from esp_lib.diagnosis import report
from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.trial.trial import (
    EACH,
    FIRST,
    LABELS,
    MIN_POINTS,
    TUNED,
    Trial,
    rates,
    run_trial,
    save_trial,
    share,
    trial_path,
)
from esp_lib.diagnosis.verdict import CAUSES, VERDICTS
from esp_lib.logs.read import parse_log
from esp_lib.records.record import made_by

ROWS = 1_000_000
RATES = Path(report.__file__).with_name("rates.json")  # which every report of a diagnosis states


def confusion(trial: Trial) -> list[str]:
    lines = []
    for what, names in (("verdict", VERDICTS), ("cause", (*CAUSES, "none named"))):
        counts = trial.counts(what)
        rows = [[label, *map(str, row)] for label, row in zip(LABELS, counts.tolist(), strict=True)]
        lines += [f"{what.capitalize()}:", "", *table(["label", *names], rows)]
    return lines


def detection(teeth: Trial) -> list[str]:
    """Share of teeth found, by size and by how many points there are."""
    bounds = [0, 100, 200, 400, 800, 1_000_000]
    rows = []
    for size in (1.0, 1.5, 2.0, 4.0, 8.0):
        cells = []
        for low, high in pairwise(bounds):
            here = (teeth.size == size) & (low <= teeth.measured) & (teeth.measured < high)
            cells.append(f"{teeth.found[here].sum()}/{here.sum()}")
        rows.append([f"{size:g}", *cells])
    names = [f"{low} to {high}" for low, high in pairwise(bounds[:-1])]
    return table(["tooth in noise", *names, f"from {bounds[-2]}"], rows)


def section(trial: Trial) -> list[str]:
    """The tables of one half of the trial: epoch length given, or withheld."""
    given = bool(trial.given[0])
    smooth = np.isin(trial.label, [LABELS.index(name) for name in ("smooth", "smoothed")])
    teeth = trial.of(trial.teeth & trial.dense)
    enough = teeth.measured >= MIN_POINTS
    lines = [
        f"## Epoch length {'given' if given else 'withheld'}", "",
        *confusion(trial),
        f"Called a sawtooth or a staircase: of smooth losses {share(trial.alarms, smooth)[1]}, of "
        f"all logs that have neither {share(trial.alarms, trial.nothing)[1]}. The goal is 1 %.", "",
        "Teeth found, of logs with at least 12 points an epoch and 4 epochs, by the number of "
        "points that are measured:", "", *detection(teeth),
        f"With at least {MIN_POINTS} points, all sizes: {share(teeth.found, enough)[1]}; teeth of "
        f"1.5 times the noise and larger: {share(teeth.found, enough & (teeth.size >= 1.5))[1]}. "
        "The goal is 95 %.", "",
    ]  # fmt: skip
    if not given:
        length = trial.length[trial.teeth]
        right = np.abs(length - 1) < 0.02
        clear = trial.teeth & (trial.per_epoch > 19.9) & (trial.epochs >= 6)
        nearest = np.abs(trial.length - 1) * trial.per_epoch <= 0.5
        lines += [
            f"Epoch lengths of the teeth: right within 2 % {right.sum()}, not found "
            f"{np.isnan(length).sum()}, wrong {(~right & ~np.isnan(length)).sum()}. Of clear teeth "
            "(at least the noise, 20 points an epoch, six epochs) the length is found to the "
            f"nearest point, be it as a guess, in {share(nearest, clear)[1]}. "
            "The goal is 95 %.", "",
        ]  # fmt: skip
    return lines


def speed() -> tuple[float, float]:
    """Seconds of one core to read, and to read and diagnose, a CSV file of a million rows."""
    rng = np.random.default_rng(0)
    step = np.arange(1, ROWS + 1)
    tooth = 0.1 * ((step - 1) % 10_000) / 1e4
    loss = 2 + 100 / (step / 1e4 + 50) + tooth + 0.1 * rng.normal(size=ROWS)
    data = ("step,loss\n" + "\n".join(f"{s},{v:.5f}" for s, v in enumerate(loss, 1))).encode()
    began = time.process_time()
    log = parse_log(data)
    read = time.process_time() - began
    found = diagnose(log)
    total = time.process_time() - began
    assert found.verdict == "sawtooth", found.verdict
    assert found.steps_per_epoch == 10_000, found.steps_per_epoch
    return read, total


def main(each: int = EACH) -> None:
    began = time.perf_counter()
    at_work = time.process_time()
    trial = run_trial(range(FIRST, FIRST + each))
    at_work = time.process_time() - at_work
    record = made_by("cpu", time.perf_counter() - began)
    tuned = "; ".join(f"{first:,} to {first + count - 1:,}" for first, count in TUNED)
    lines = [
        f"{trial.label.size:,} diagnoses of {trial.label.size // 2:,} logs, {each} of each label, "
        f"in {at_work:.0f} s of one core ({1000 * at_work / trial.label.size:.0f} ms each).", "",
        f"Judged on seeds {FIRST:,} to {FIRST + each - 1:,}. Limits were set on others: those of "
        f"the tests, and {tuned}.", "",
    ]  # fmt: skip
    lines += [*section(trial.of(trial.given)), *section(trial.of(~trial.given))]
    read, total = speed()
    lines += [
        "## Speed", "",
        f"A CSV file of {ROWS:,} rows: read in {read:.2f} s, read and diagnosed, epoch length "
        f"searched, in {total:.2f} s of one core (goal: 3 s).", "",
        made(),
    ]  # fmt: skip
    if each == EACH:
        save_trial(trial, record, trial_path())
        RATES.write_text(json.dumps(rates(trial), indent=2) + "\n", encoding="utf8")
        write(__file__, "The diagnosis against labelled logs", lines)
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
