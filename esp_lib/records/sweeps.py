"""Sweeps: train many runs, each saved as it ends, and none that is on disk already.

A sweep takes any executor of Python's `concurrent.futures`
(https://docs.python.org/3/library/concurrent.futures.html): none, and the runs go one after the
other in this process; `process_pool`, for the cores or GPUs of this machine; or a cluster's, e.g.
`Client.get_executor()` of dask.distributed. Workers only train: what they return is saved by the
process that called `sweep`, so each file has one writer, and workers need not share a disk.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esp_lib import _checks
from esp_lib.records.checkpoint import drop_old, settle
from esp_lib.records.npz import as_mapping
from esp_lib.records.record import RunRecord, config_key, make_label
from esp_lib.records.store import (
    DamagedRecord,
    FolderError,
    check_folder,
    checkpoint_path,
    load,
    record_path,
)
from esp_lib.records.workers import process_pool, results_of

__all__ = ["Job", "SweepError", "choose", "missing", "process_pool", "same_config", "sweep"]


@dataclass(frozen=True)
class Job:
    """A run to be trained.

    Raises:
        ValueError: a field is not as above, or the config holds what JSON cannot say.
    """

    name: str  # what is run, e.g. "beta2-0.8": letters, digits and "._-"
    profile: str  # "quick", "cpu" or "paper"
    seed: int  # from 0 to 2**32 - 1
    config: Any  # everything that determines the run: a mapping, or a frozen dataclass

    def __post_init__(self) -> None:
        self.path("")
        as_mapping("config", self.config)

    @property
    def label(self) -> str:
        """The label of the job's record."""
        return make_label(self.name, self.seed)

    def path(self, folder: str | Path) -> Path:
        """Where the job's record lies in a folder of records."""
        return record_path(folder, self.profile, self.label)

    def checkpoint(self, folder: str | Path) -> Path:
        """Where the job's checkpoint lies until its record is there."""
        return checkpoint_path(folder, self.profile, self.label)


class SweepError(RuntimeError):
    """Some runs of a sweep failed; the records of the others are on disk.

    Attributes:
        failures: why, for each failed run, "<profile>/<label>".
    """

    def __init__(self, failures: Mapping[str, str]) -> None:
        super().__init__(failures)
        self.failures = dict(failures)

    def __str__(self) -> str:
        lines = [f"  {run}: {reason}" for run, reason in self.failures.items()]
        return "\n".join([f"failed runs: {len(lines)}; all others are on disk", *lines])


def sweep(
    jobs: Sequence[Job],
    train: Callable[[Job], RunRecord],
    folder: str | Path,
    *,
    executor: Executor | None = None,
    again: bool = False,
    write: bool = True,
    report: Callable[[str], object] = print,
) -> list[RunRecord]:
    """Train the runs that are not on disk, and return all of them.

    A run is on disk if its intact record lies in the folder, is of a whole run and agrees with the
    job's config; else it is replaced. A run's checkpoint goes when its record is on disk and was
    read back. Ctrl-C stops the sweep: what has ended is saved, and what has not started is
    cancelled. The same call goes on later.

    Args:
        jobs: the runs, no two with the same profile and label.
        train: trains one job and returns its record, with the job's name, profile, seed and config.
            An executor may need to pickle it: a function of a module, not a lambda.
        folder: the folder of records, made if missing.
        executor: what trains; by default this process, one run after the other. Closing it is the
            caller's.
        again: train also what is on disk.
        write: save the records; of several processes that train one run together, only one does.
        report: takes a line of text on each run that ends.

    Returns:
        The records, in the order of the jobs.

    Raises:
        ValueError: two jobs have one file.
        FolderError: the folder cannot be written: before any run is trained if that shows, else at
            the first record that cannot be saved. What is on disk stays.
        SweepError: at the end, if runs failed.
    """
    jobs = list(jobs)
    places = [_place(job) for job in jobs]
    if twice := sorted(place for place, count in Counter(places).items() if count > 1):
        raise ValueError(f"jobs must be of different profile or label, got two {', '.join(twice)}")
    held = _on_disk(jobs, folder, _nothing if again else report)
    records = {} if again else dict(held)
    todo = [job for job in jobs if _place(job) not in records]
    if write:
        check_folder(folder, {job.profile for job in todo})
        for job in jobs:
            if record := held.get(_place(job)):
                drop_old(record, job.path(folder), folder)
    report(f"{len(jobs)} runs: {len(records)} on disk already, {len(todo)} to train")

    failures: dict[str, str] = {}
    futures: dict[Future[tuple[RunRecord, float]], Job] = {}
    start = time.perf_counter()
    try:
        results = results_of(todo, train, executor, futures)
        for done, (job, result) in enumerate(results, start=1):
            place = _place(job)
            try:
                record, seconds = result()
                _check_record(record, job)
                if write:
                    settle(record, folder)
            except FolderError as error:  # no other record could be saved either, or few
                on_disk = len(records) + (_save_ended(futures, folder) if write else 0)
                raise FolderError(
                    f"{place}: {error}; {on_disk} of {len(jobs)} runs are on disk, the sweep is "
                    "stopped"
                ) from error
            except Exception as error:  # one failed run must not stop the others
                failures[place] = f"{type(error).__name__}: {error}"
                outcome = f"failed: {failures[place]}"
            else:
                records[place] = record
                outcome = f"{record.status} in {_duration(seconds)}"
            left = len(todo) - done
            rest = (time.perf_counter() - start) / done * left
            remaining = f"; {left} left, about {_duration(rest)}" if left else ""
            report(f"{place}: {outcome}{remaining}")
    finally:  # also when the sweep is stopped
        for future in futures:
            future.cancel()
        if write:
            _save_ended(futures, folder)
    if failures:
        raise SweepError(failures)
    return [records[_place(job)] for job in jobs]


def choose(jobs: Sequence[Job], names: Collection[str] | None) -> tuple[Job, ...]:
    """The jobs of some names, by default all; ValueError for a name that none of them has."""
    if names is None:
        return tuple(jobs)
    known = list(dict.fromkeys(job.name for job in jobs))
    for name in names:
        _checks.choice("names", name, known)
    return tuple(job for job in jobs if job.name in names)


def missing(jobs: Sequence[Job], folder: str | Path) -> list[Job]:
    """The jobs without an intact record of their config in a folder of records."""
    found = _on_disk(jobs, folder, _nothing)
    return [job for job in jobs if _place(job) not in found]


def _nothing(line: str) -> None:
    """A report that nobody reads."""


def _place(job: Job) -> str:
    return f"{job.profile}/{job.label}"


def _on_disk(
    jobs: Sequence[Job],
    folder: str | Path,
    report: Callable[[str], object],
) -> dict[str, RunRecord]:
    """The records of those jobs that need no training."""
    found = {}
    for job in jobs:
        place = _place(job)
        try:
            record = load(job.path(folder))
        except FileNotFoundError:
            continue
        except DamagedRecord as error:
            if isinstance(error.__cause__, PermissionError):  # it may be whole: leave it alone
                raise FolderError(str(error)) from error
            report(f"{place}: to be trained again, since {error}")
            continue
        if record.status == "stopped":
            report(f"{place}: to go on, since its record has only {record.message}")
        elif same_config(record, job):
            found[place] = record
        else:
            report(f"{place}: to be trained again, since its record has another config")
    return found


def _save_ended(futures: "dict[Future[tuple[RunRecord, float]], Job]", folder: str | Path) -> int:
    """Save the runs that have ended and were not handed out yet; how many could be saved."""
    saved = 0
    for future in [future for future in futures if future.done()]:
        job = futures.pop(future)
        with contextlib.suppress(Exception):  # cancelled, failed, or not to be saved
            record, _ = future.result()
            _check_record(record, job)
            settle(record, folder)
            saved += 1
    return saved


def same_config(record: RunRecord, job: Job) -> bool:
    """Whether the record's config has all that the job's has; it may say what follows from it."""
    asked = as_mapping("config", job.config)
    held = {name: value for name, value in record.config.items() if name in asked}
    return config_key(held) == config_key(asked)


def _check_record(record: object, job: Job) -> None:
    """Refuse what is not the job's own record: it would be saved in a wrong place or trained on."""
    if not isinstance(record, RunRecord):
        raise ValueError(f"train must return a RunRecord, got {type(record).__name__}")
    if (record.name, record.profile, record.seed) != (job.name, job.profile, job.seed):
        raise ValueError(
            f"train must return the record of its job, got {record.profile}/{record.label}"
        )
    if not same_config(record, job):
        raise ValueError(
            f"train must return a record with its job's config, got {record.config!r}, "
            f"asked for was {job.config!r}"
        )


def _duration(seconds: float) -> str:
    """`seconds` for reading: "8.1 s", "12 min", "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
