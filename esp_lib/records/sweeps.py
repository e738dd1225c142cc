"""Sweeps: train many runs, each saved as it ends, and none that is on disk already.

A sweep takes any executor of Python's `concurrent.futures`
(https://docs.python.org/3/library/concurrent.futures.html): none, and the runs go one after the
other in this process; `process_pool`, for the cores or GPUs of this machine; or a cluster's, e.g.
`Client.get_executor()` of dask.distributed. Workers only train: what they return is saved by the
process that called `sweep`, so each file has one writer, and workers need not share a disk.
"""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from esp_lib import _checks
from esp_lib.records.npz import as_mapping
from esp_lib.records.record import RunRecord, config_key, make_label
from esp_lib.records.store import (
    DamagedRecord,
    FolderError,
    check_folder,
    load,
    record_path,
    results_folder,
    save,
)
from esp_lib.records.workers import process_pool

__all__ = [
    "Job",
    "SweepError",
    "choose",
    "get_records",
    "missing",
    "process_pool",
    "same_config",
    "sweep",
]


@dataclass(frozen=True)
class Job:
    """A run to be trained.

    Attributes:
        name: what is run, e.g. "beta2-0.8": letters, digits and "._-".
        profile: "quick", "cpu" or "paper".
        seed: from 0 to 2**32 - 1.
        config: everything that determines the run: a mapping, or a frozen dataclass.

    Raises:
        ValueError: a field is not as above, or the config holds what JSON cannot say.
    """

    name: str
    profile: str
    seed: int
    config: Any

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
    job's config; else it is replaced. Ctrl-C stops the sweep: what is saved stays, and what has not
    started is cancelled. The same call goes on later.

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
    records = {} if again else _on_disk(jobs, folder, report)
    todo = [job for job in jobs if _place(job) not in records]
    if write:
        check_folder(folder, {job.profile for job in todo})
    report(f"{len(jobs)} runs: {len(records)} on disk already, {len(todo)} to train")

    failures: dict[str, str] = {}
    start = time.perf_counter()
    with contextlib.closing(_results(todo, train, executor)) as results:
        for done, (job, result) in enumerate(results, start=1):
            place = _place(job)
            try:
                record, seconds = result()
                _check_record(record, job)
                if write:
                    save(record, folder)
            except FolderError as error:  # no other record could be saved either
                on_disk = f"{len(records)} of {len(jobs)} runs are on disk"
                raise FolderError(f"{place}: {error}; {on_disk}, the sweep is stopped") from error
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


def get_records(
    jobs: Sequence[Job],
    train_job: Callable[..., RunRecord],
    *,
    train: str = "auto",
    device: str = "cpu",
    workers: int = 0,
    folder: Path | None = None,
    report: Callable[[str], object] = print,
) -> dict[str, list[RunRecord]]:
    """The records of some jobs, by name; each list has one record a seed.

    Args:
        jobs: the runs, all of one profile.
        train_job: a function of a module that takes a job, `device` and `progress`, and trains it.
        train: "no" reads records only, "missing" trains those that are not on disk, "all" trains
            all of them; "auto" is "no" for profile "cpu", whose records come with the book, and
            "missing" for the others.
        device: where to train.
        workers: runs at once; 0 is one for each core, and one on a GPU.
        folder: of the records, by default `runs.results_folder()`.
        report: takes a line on each run that ends.

    Raises:
        FileNotFoundError: records are missing and are not to be trained.
        DamagedRecord: a record is damaged and is not to be trained again.
        SweepError: at the end, if runs failed.
    """
    _checks.choice("train", train, TRAIN)
    folder = folder or results_folder()
    if train == "no" or (train == "auto" and all(job.profile == "cpu" for job in jobs)):
        records = [_read(job, folder) for job in jobs]
    elif int(os.environ.get("WORLD_SIZE", "1")) > 1:  # torchrun: all processes train one run
        first = os.environ.get("RANK") == "0"
        run = partial(train_job, device=device, progress=first)
        tell = report if first else _nothing
        records = sweep(jobs, run, folder, again=train == "all", write=first, report=tell)
    else:
        workers = workers or ((os.cpu_count() or 1) if device == "cpu" else 1)
        run = partial(train_job, device=device, progress=workers == 1)
        with process_pool(min(workers, len(jobs) or 1)) as pool:
            records = sweep(jobs, run, folder, executor=pool, again=train == "all", report=report)
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault(record.name, []).append(record)
    return found


def missing(jobs: Sequence[Job], folder: str | Path) -> list[Job]:
    """The jobs without an intact record of their config in a folder of records."""
    found = _on_disk(jobs, folder, _nothing)
    return [job for job in jobs if _place(job) not in found]


def _nothing(line: str) -> None:
    """A report that nobody reads."""


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
            report(f"{place}: to be trained again, since {error}")
            continue
        if record.status == "stopped":
            report(f"{place}: to go on, since its record has only {record.message}")
        elif same_config(record, job):
            found[place] = record
        else:
            report(f"{place}: to be trained again, since its record has another config")
    return found


def _results(
    todo: Sequence[Job], train: Callable[[Job], RunRecord], executor: Executor | None
) -> Generator[tuple[Job, Callable[[], tuple[RunRecord, float]]]]:
    """Each job when it has ended, with a function that returns its result or raises its error."""
    if executor is None:
        for job in todo:
            yield job, partial(_timed, train, job)
        return
    futures = {_submit(executor, train, job): job for job in todo}
    try:
        for future in as_completed(futures):
            yield futures.pop(future), future.result  # so that a cluster may forget the result
    finally:  # also when the sweep is interrupted
        for future in futures:
            future.cancel()


def _submit(
    executor: Executor, train: Callable[[Job], RunRecord], job: Job
) -> "Future[tuple[RunRecord, float]]":
    """The job's future; a failed one if the executor takes no job any more."""
    try:
        return executor.submit(_timed, train, job)
    except RuntimeError as error:  # e.g. BrokenProcessPool: a worker died
        failed: Future[tuple[RunRecord, float]] = Future()
        failed.set_exception(error)
        return failed


def _timed(train: Callable[[Job], RunRecord], job: Job) -> tuple[RunRecord, float]:
    """A run's record, and the seconds that it took."""
    start = time.perf_counter()
    return train(job), time.perf_counter() - start


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


TRAIN = ("auto", "no", "missing", "all")  # which recorded runs a chapter trains
