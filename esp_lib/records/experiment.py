"""Experiments: the runs that belong together, by profile, and their records.

`bert.ablations`, `finetuning.studies` and `maps.recorded` say which runs there are.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from esp_lib.records.record import RunRecord
from esp_lib.records.store import load, results_folder
from esp_lib.records.sweeps import Job, choose, get_records, same_config


@dataclass(frozen=True)
class Experiment:
    """Runs that are recorded and read together.

    Attributes:
        jobs: all runs of a profile, in their order.
        train: trains one of them: a function of a module, as `get_records` takes it, that takes
            `folder`, of the records, as well.
        prepare: makes what the runs start from, called before them with the jobs and with the
            options `train`, `device`, `folder` and `report` of `records`.
    """

    jobs: Callable[[str], tuple[Job, ...]]
    train: Callable[..., RunRecord]
    prepare: Callable[..., None] | None = None

    def records(
        self,
        profile: str,
        names: Collection[str] | None = None,
        *,
        train: str = "auto",
        device: str = "cpu",
        workers: int = 0,
        folder: Path | None = None,
        report: Callable[[str], object] = print,
    ) -> dict[str, list[RunRecord]]:
        """The records of a profile's runs, by name; each list has one record a seed.

        Args:
            profile: "quick", "cpu" or "paper".
            names: of the runs, by default all of the profile.
            train: which are trained, as of `get_records`.
            device: where.
            workers: runs at once; 0 is one for each core, and one on a GPU.
            folder: of the records, by default `results_folder()`.
            report: takes a line on each run that ends.

        Raises:
            ValueError: an unknown name.
            FileNotFoundError, DamagedRecord, SweepError: as of `get_records`.
        """
        wanted = choose(self.jobs(profile), names)
        options: dict[str, Any] = {
            "train": train, "device": device, "folder": folder, "report": report,
        }  # fmt: skip
        if self.prepare:
            self.prepare(wanted, **options)
        run = partial(self.train, folder=folder)
        return get_records(wanted, run, workers=workers, **options)

    def on_disk(
        self, profile: str, names: Collection[str] | None = None, folder: Path | None = None
    ) -> dict[str, list[RunRecord]]:
        """The records that there are, by name, also of runs that were stopped.

        Of some names, by default all of the profile's; the folder is `results_folder()` by
        default.

        Returns:
            name -> its records, one a seed; a name without a record is left out.

        Raises:
            ValueError: an unknown name.
            DamagedRecord: a record is damaged.
        """
        found: dict[str, list[RunRecord]] = {}
        for job in choose(self.jobs(profile), names):
            path = job.path(folder or results_folder())
            if path.exists() and same_config(record := load(path), job):
                found.setdefault(job.name, []).append(record)
        return found
