"""Maps as recorded runs: which there are, how one is computed, and where it is found."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from esp_lib import _checks
from esp_lib.maps.grid import MAPS, HyperMap, MapConfig, compute, config_of
from esp_lib.records.experiment import Experiment
from esp_lib.records.record import PROFILES, RunRecord, made_by
from esp_lib.records.store import load, results_folder
from esp_lib.records.sweeps import Job, missing


def jobs(profile: str) -> tuple[Job, ...]:
    """The maps that are recorded: 128 values of each setting, 8 problems, in profile "paper"."""
    _checks.choice("profile", profile, PROFILES)
    if profile != "paper":
        return ()
    return tuple(Job(name, profile, 0, config_of(name, side=128, seeds=8)) for name in MAPS)


def train_job(
    job: Job, *, device: str = "cpu", progress: bool = False, folder: Path | None = None
) -> RunRecord:
    """Compute a map as a run record with arrays x, y, amplitude, loss and error, in float32.

    A map has no checkpoint, so `folder` is not used.
    """
    start = time.perf_counter()

    def show(done: int, cells: int) -> None:
        print(f"{job.label}: {done} of {cells} cells", flush=True)

    found = compute(job.config, device, show if progress else None)
    kinds = {"x": np.float64, "y": np.float64}
    return RunRecord(
        name=job.name,
        profile=job.profile,
        seed=job.seed,
        config=job.config,
        arrays={k: v.astype(kinds.get(k, np.float32)) for k, v in found._asdict().items()},
        made=made_by(device, time.perf_counter() - start),
        status="finished",
    )


RECORDED_MAPS = Experiment(jobs, train_job)


def find_map(
    name: str, *, device: str = "cpu", folder: Path | None = None, **changes: Any
) -> tuple[HyperMap, MapConfig, RunRecord | None]:
    """The recorded map of a name, or one computed now.

    Args:
        name: of the map, in `MAPS`.
        device: where it is computed if it is not recorded.
        folder: of the records, by default `runs.results_folder()`.
        **changes: side and seeds of the map that is computed; see `MapConfig`.

    Returns:
        The map, its config, and its record if it has one.
    """
    folder = folder or results_folder()
    job = next(job for job in jobs("paper") if job.name == _checks.choice("name", name, MAPS))
    if missing([job], folder):
        config = config_of(name, **changes)
        return compute(config, device), config, None
    record = load(job.path(folder))
    arrays = {key: np.asarray(value, float) for key, value in record.arrays.items()}
    return HyperMap(**arrays), job.config, record
