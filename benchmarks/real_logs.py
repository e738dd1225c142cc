"""The diagnosis against real logs of public repositories, which were not written by us.

Run with `python -m benchmarks.real_logs FOLDER`; FOLDER holds the logs and `labels.csv`: what each
is, how many training losses it holds, how long its epochs are where its content says it, and
whether there are teeth, judged by eye and by the drop at boundaries against the drop at other
phases. The logs are not part of this repository; what is found is written to
`results/real_logs.csv`, which chapter 8 shows.
"""

import csv
import sys
from pathlib import Path

from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.logs.read import LogError, read_log
from esp_lib.records.store import results_folder

FIELDS = (
    "kind", "repository", "truth", "points", "read", "steps_per_epoch", "found", "epochs",
    "verdict", "cause",
)  # fmt: skip


def outcome(folder: Path, row: dict[str, str]) -> dict[str, object]:
    """What is read of a log, and its diagnosis."""
    known = {name: row[name] for name in ("kind", "repository", "truth", "points")}
    known["steps_per_epoch"] = row["steps_per_epoch"]
    try:
        d = diagnose(read_log(folder / row["file"]))
    except LogError:
        return {**known, "read": 0, "verdict": "unread"}
    length = "" if d.steps_per_epoch != d.steps_per_epoch else f"{d.steps_per_epoch:.6g}"
    epochs = "" if not length else f"{d.epochs:.4g}"
    return {
        **known, "read": d.log.loss.size, "found": length, "epochs": epochs, "verdict": d.verdict,
        "cause": d.cause or "",
    }  # fmt: skip


def main(folder: Path) -> None:
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = [outcome(folder, row) for row in csv.DictReader(file) if row["kind"] != "excerpt"]
    out = results_folder() / "real_logs.csv"
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(Path(sys.argv[1]))
    else:
        print("FOLDER is missing: the real logs are no part of this repository")
