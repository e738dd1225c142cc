"""Experiments: the runs that belong together, by profile, and their records.

`bert.ablations`, `finetuning.studies` and `maps.recorded` say which runs there are.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from esp_lib import _checks
from esp_lib.records.record import RunRecord
from esp_lib.records.store import is_of_user, load, results_folder
from esp_lib.records.sweeps import Job, choose, process_pool, same_config, sweep

TRAIN = ("auto", "no", "missing", "all")  # which recorded runs a chapter trains


@dataclass(frozen=True)
class Experiment:
    """Runs that are recorded and read together.

    Attributes:
        jobs: all runs of a profile, in their order.
        train: trains one of them: a function of a module that takes a job, `device`, `progress` and
            `folder`, of the records.
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
            train: "no" reads records only, "missing" trains those that are not on disk, "all"
                trains all of them; "auto" is "no" for profile "cpu", whose records come with the
                book, and "missing" for the others.
            device: where to train.
            workers: runs at once; 0 is one for each core, and one on a GPU.
            folder: of the records, by default `results_folder()`.
            report: takes a line on each run that ends.

        Raises:
            ValueError: an unknown name.
            FileNotFoundError: records are missing and are not to be trained.
            DamagedRecord: a record is damaged and is not to be trained again.
            SweepError: at the end, if runs failed.
        """
        _checks.choice("train", train, TRAIN)
        wanted = choose(self.jobs(profile), names)
        if self.prepare:
            self.prepare(wanted, train=train, device=device, folder=folder, report=report)
        run = partial(self.train, device=device, folder=folder)
        folder = folder or results_folder()
        if is_of_user(folder):
            report(f"no folder of records was named, so it is {folder}")
        again = train == "all"
        if train == "no" or (train == "auto" and all(job.profile == "cpu" for job in wanted)):
            records = [_read(job, folder) for job in wanted]
        elif int(os.environ.get("WORLD_SIZE", "1")) > 1:  # torchrun: all processes train one run
            first = os.environ.get("RANK") == "0"
            run = partial(run, progress=first)
            tell = report if first else lambda _: None
            records = sweep(wanted, run, folder, again=again, write=first, report=tell)
        else:
            workers = workers or ((os.cpu_count() or 1) if device == "cpu" else 1)
            run = partial(run, progress=workers == 1)
            with process_pool(min(workers, len(wanted) or 1)) as pool:
                records = sweep(wanted, run, folder, executor=pool, again=again, report=report)
        found: dict[str, list[RunRecord]] = {}
        for record in records:
            found.setdefault(record.name, []).append(record)
        return found

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


def _read(job: Job, folder: Path) -> RunRecord:
    try:
        record = load(job.path(folder))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no record of {job.label} in {folder / job.profile}: set ESP_RESULTS to the "
            "folder of records, e.g. results/ in a clone of the repository; or train what is "
            f"missing, which may take hours: python -m esp_lib runs train --profile {job.profile}"
        ) from None
    if not same_config(record, job):
        raise FileNotFoundError(
            f"the record of {job.label} in {folder / job.profile} was made with other settings; "
            f"python -m esp_lib runs train --profile {job.profile} trains it again"
        )
    return record
