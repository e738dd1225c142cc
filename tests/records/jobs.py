"""Jobs that train for no time, and say that they did."""

import os
import time
from pathlib import Path

from esp_lib.records.record import RunRecord
from esp_lib.records.sweeps import Job


def record_of(job: Job, **changes) -> RunRecord:
    fields = {name: getattr(job, name) for name in ("name", "profile", "seed", "config")}
    fields.update(arrays={"mlm_loss": [float(job.seed)]}, made={"pid": os.getpid()})
    return RunRecord(**{**fields, "status": "finished", **changes})


def train(job: Job) -> RunRecord:
    """Notes that it was called, and fails if told to."""
    with Path(job.config["log"]).open("a") as log:
        log.write(f"{job.label}\n")
    if job.config.get("fails"):
        raise RuntimeError(f"no luck with {job.label}")
    return record_of(job)


def train_slowly(job: Job) -> RunRecord:
    record = train(job)
    time.sleep(0.15)
    return record


def make_jobs(folder: Path, count: int, **config) -> list[Job]:
    return [
        Job("a", "quick", seed, {"log": str(folder / "log"), **config}) for seed in range(count)
    ]


def trained(folder: Path) -> list[str]:
    return (folder / "log").read_text().split() if (folder / "log").exists() else []
