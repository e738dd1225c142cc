"""The page against Python: the same diagnosis of the same log, and no log that breaks either.

Run with `python -m benchmarks.diagnosis_page`; it prints the table and writes it to
`benchmarks/diagnosis_page.md`. The page's worker runs in Node, as it is shipped. Logs: labelled
runs as CSV files with their epoch length given and withheld; one file of every format; and files of
all formats with bytes cut out, flipped, doubled, inserted, spliced, or all random. An answer counts
as the same if both refuse the log, or if verdict, cause, words and all numbers (to 1e-9) are alike.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._page import made, table, write
from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.report import as_json
from esp_lib.diagnosis.trial.synthetic import RIGHT, draw
from esp_lib.diagnosis.trial.synthetic_files import corpus, csv_text
from esp_lib.logs.read import LogError, parse_log
from tests.diagnosis.page_worker import close, page_answers
from tests.logs.in_node import mangled

EACH, MANGLED = 100, 5_000  # labelled runs of a label, mangled files
FIRST = 70_000  # seed
PART = 250  # logs that one Node process takes

Job = tuple[bytes | str, dict[str, Any], float | None]


def python_answer(job: Job) -> dict[str, Any]:
    """What Python says; anything but a diagnosis or a refusal ends the benchmark."""
    data, read, steps = job
    names = {"logEvery": "log_every", "column": "column", "pattern": "pattern"}
    try:
        log = parse_log(data, **{names[name]: v for name, v in read.items()}, voice="page")
    except LogError as error:
        return {"refused": str(error)}
    found: dict[str, Any] = json.loads(as_json(diagnose(log, steps), "page"))
    return {"found": found}


def labelled(each: int) -> list[Job]:
    jobs: list[Job] = []
    for label in RIGHT:
        for seed in range(FIRST, FIRST + each):
            run, _ = draw(label, seed)
            columns = {"step": run.steps, "loss": run.loss}
            if run.learning_rate is not None:
                columns["lr"] = run.learning_rate
            text = csv_text(columns)
            jobs += [(text, {}, run.steps_per_epoch), (text, {}, None)]
    return jobs


def formats() -> tuple[list[Job], list[bytes]]:
    """One file of every format, and the files alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = corpus(folder)
        contents = {file: (folder / file).read_bytes() for file in files}
    every = {"log_every": "logEvery"}
    jobs: list[Job] = [
        (contents[file], {every[key]: value for key, value in read.items()}, None)
        for file, (_, read) in files.items()
    ]
    return jobs, list(contents.values())


def compare(node: str, jobs: list[Job], folder: Path) -> dict[str, Any]:
    """Counts over some logs, and the longest time that one of them took on each side."""
    counts = {"logs": len(jobs), "diagnosed": 0, "refused by both": 0, "different": 0}
    longest = [0.0, 0.0]
    for start in range(0, len(jobs), PART):
        part = jobs[start : start + PART]
        for job, answer in zip(part, page_answers(node, folder, part), strict=True):
            began = time.process_time()
            expected = python_answer(job)
            longest[0] = max(longest[0], time.process_time() - began)
            longest[1] = max(longest[1], answer["seconds"])
            if "refused" in expected and "refused" in answer:
                counts["refused by both"] += 1
            elif "found" in answer and close(
                json.loads(answer["found"]["json"]), expected.get("found")
            ):
                counts["diagnosed"] += 1
            else:
                counts["different"] += 1
                print("different:", expected, answer.get("refused"), job[0][:300], file=sys.stderr)
    return {**counts, "longest": longest}


def million(node: str, folder: Path) -> float:
    """Seconds of the page for a CSV file of a million rows, epoch length searched."""
    rng = np.random.default_rng(0)
    step = np.arange(1, 1_000_001)
    loss = 2 + 0.1 * ((step - 1) % 10_000) / 1e4 + 0.1 * rng.normal(size=step.size)
    text = "step,loss\n" + "\n".join(f"{s},{v:.5f}" for s, v in enumerate(loss, 1))
    (answer,) = page_answers(node, folder, [(text, {}, None)])
    found = answer["found"]["diagnosis"]
    assert found["verdict"] == "sawtooth", found
    seconds: float = answer["seconds"]
    return seconds


def main(each: int = EACH, count: int = MANGLED) -> None:
    node = shutil.which("node")
    if node is None:
        print("the page's side needs Node; nothing was measured", file=sys.stderr)
        return
    in_formats, contents = formats()
    sets: dict[str, list[Job]] = {
        "labelled runs": labelled(each),
        "one file of every format": in_formats,
        "mangled files": [(data, {}, None) for data in mangled(contents, count, seed=FIRST)],
    }
    head = ("logs", "how many", "diagnosed alike", "refused by both", "different",
            "longest, Python", "longest, page")  # fmt: skip
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for title, jobs in sets.items():
            found = compare(node, jobs, Path(name))
            python, page = found.pop("longest")
            rows.append([title, *map(str, found.values()), f"{python:.2f} s", f"{page:.2f} s"])
        seconds = million(node, Path(name))
    lines = [
        *table(head, rows),
        f"A CSV file of 1,000,000 rows: read and diagnosed by the page's worker in "
        f"{seconds:.1f} s, epoch length searched. Times are of one core.", "",
        made(),
    ]  # fmt: skip
    if (each, count) == (EACH, MANGLED):
        write(__file__, "The page against Python", lines)
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
