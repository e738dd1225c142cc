"""The diagnosis against labelled synthetic logs: what it gets right, what it misses, how fast.

Run with `python -m benchmarks.diagnosis`; it prints the tables and writes them to
`benchmarks/diagnosis.md`. The logs are those of `esp_lib.synthetic_logs.draw`: 6 to 200 points an
epoch, 3 to 40 epochs, five kinds of noise, six trends, logging intervals that need not divide the
epoch, points that are means or single steps. Every log is diagnosed twice, with its epoch length
given and with it withheld.
"""

import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from esp_lib.chapter import commit, device_name, versions
from esp_lib.diagnose import VERDICTS, Diagnosis, diagnose
from esp_lib.diagnose_causes import CAUSES
from esp_lib.logs import parse_log
from esp_lib.synthetic_logs import RIGHT, as_log, draw

EACH = 300  # runs of a label
FIRST = 90_000  # seed: far from those of the tests, and of the runs on which limits were set
ROWS = 1_000_000
ENOUGH = 400  # points that are measured


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)] + [""]


def confusion(found: dict[str, list[Diagnosis]]) -> list[str]:
    verdicts = [
        [label, *(str(sum(d.verdict == v for d in ds)) for v in VERDICTS)]
        for label, ds in found.items()
    ]
    causes = [
        [label, *(str(Counter(d.cause for d in ds)[c]) for c in (*CAUSES, None))]
        for label, ds in found.items()
    ]
    return [
        "Verdict:", "", *table(["label", *VERDICTS], verdicts),
        "Cause:", "", *table(["label", *CAUSES, "none named"], causes),
    ]  # fmt: skip


def alarms(found: dict[str, list[Diagnosis]], labels: list[str]) -> str:
    wrong = sum(d.verdict == "sawtooth" for label in labels for d in found[label])
    total = sum(len(found[label]) for label in labels)
    return f"{wrong} of {total} ({wrong / total:.2%})"


def detection(cases: list[tuple[dict[str, Any], Diagnosis]]) -> list[str]:
    """Share of teeth found, by size and by how many points there are."""
    rows = []
    bounds = [0, 100, 200, 400, 800, 1_000_000]
    for size in (1.0, 1.5, 2.0, 4.0, 8.0):
        cells = []
        for low, high in pairwise(bounds):
            hits = [
                d.verdict == "sawtooth"
                for s, d in cases
                if s["size"] == size and low <= points(s) < high and in_region(s)
            ]
            cells.append(f"{sum(hits)}/{len(hits)}")
        rows.append([f"{size:g}", *cells])
    names = [f"{low} to {high}" for low, high in pairwise(bounds[:-1])]
    return table(["tooth in noise", *names, f"from {bounds[-2]}"], rows)


def points(settings: dict[str, Any]) -> float:
    """Points from the second epoch on, which are those that are measured."""
    epochs = settings["epochs"] - (settings["epochs"] >= 5)
    return epochs * settings["steps_per_epoch"] / settings["every"]


def in_region(settings: dict[str, Any]) -> bool:
    """At least twelve points an epoch, and four epochs."""
    return settings["steps_per_epoch"] / settings["every"] >= 12 and settings["epochs"] >= 4


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
    lines: list[str] = []
    for known in (True, False):
        found: dict[str, list[Diagnosis]] = {}
        teeth = []
        lengths: Counter[str] = Counter()
        for label in RIGHT:
            found[label] = []
            for seed in range(FIRST, FIRST + each):
                run, settings = draw(label, seed)
                d = diagnose(as_log(run, settings["every"]), run.steps_per_epoch if known else None)
                found[label].append(d)
                if label == "sawtooth":
                    teeth.append((settings, d))
                    if not np.isfinite(d.steps_per_epoch):
                        lengths["not found"] += 1
                    else:
                        off = abs(d.steps_per_epoch / run.steps_per_epoch - 1)
                        lengths["right within 2 %" if off < 0.02 else "wrong"] += 1
        clean, all_others = (
            ["smooth", "smoothed"],
            [label for label in RIGHT if label != "sawtooth"],
        )
        lines += [
            f"## Epoch length {'given' if known else 'withheld'}", "",
            f"{each} runs of each label.", "", *confusion(found),
            f"Called a sawtooth: of smooth losses {alarms(found, clean)}, of everything that is "
            f"none {alarms(found, all_others)}.", "",
            "Teeth found, of logs with at least 12 points an epoch and 4 epochs, by the number of "
            "points that are measured:", "", *detection(teeth),
        ]  # fmt: skip
        enough = [d for s, d in teeth if in_region(s) and points(s) >= ENOUGH]
        hits = sum(d.verdict == "sawtooth" for d in enough)
        lines += [
            f"With at least {ENOUGH} points, all sizes: {hits} of {len(enough)} "
            f"({hits / len(enough):.1%}; goal: 95 %).", "",
        ]  # fmt: skip
        if not known:
            lines += ["Epoch lengths of the teeth: " + ", ".join(
                f"{name} {lengths[name]}" for name in ("right within 2 %", "not found", "wrong")
            ) + ".", ""]  # fmt: skip
    read, total = speed()
    lines += [
        "## Speed", "",
        f"A CSV file of {ROWS:,} rows: read in {read:.2f} s, read and diagnosed, epoch length "
        f"searched, in {total:.2f} s of one core (goal: 3 s).", "",
        f"{device_name('cpu')}, {datetime.now(UTC):%Y-%m-%d}, {commit()}, "
        + ", ".join(f"{name} {version}" for name, version in versions().items()) + ".",
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    print(text)
    if each == EACH:
        Path(__file__).with_suffix(".md").write_text(
            "# The diagnosis against labelled logs\n\nRepeat with "
            "`python -m benchmarks.diagnosis`.\n\n" + text,
            encoding="utf8",
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
