"""What trains the runs of a sweep: worker processes, or any executor, or this process."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import connection
from typing import Any

from esp_lib import _checks
from esp_lib.records.record import RunRecord


def process_pool(workers: int) -> ProcessPoolExecutor:
    """An executor of `workers` fresh processes, which end with this one and at Ctrl-C."""
    return ProcessPoolExecutor(
        _checks.integer("workers", workers, low=1),
        mp_context=multiprocessing.get_context("spawn"),  # fork and CUDA or threads do not mix
        initializer=_start_worker,
    )


def _start_worker() -> None:
    """Tie this worker to its parent, which alone saves: without it nothing here is of use."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it in the middle of a run
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        connection.wait([parent.sentinel])
        os._exit(1)


def results_of(
    todo: Sequence[Any],
    train: Callable[[Any], RunRecord],
    executor: Executor | None,
    futures: "dict[Future[tuple[RunRecord, float]], Any]",
) -> Generator[tuple[Any, Callable[[], tuple[RunRecord, float]]]]:
    """Each job when it has ended, with a function that returns its result or raises its error.

    No executor is this process, one job after the other. `futures` is filled with the jobs that
    were not handed out yet.

    Returns:
        A job, and what returns its record and the seconds that it took.
    """
    if executor is None:
        for job in todo:
            yield job, partial(_timed, train, job)
        return
    futures.update({_submit(executor, train, job): job for job in todo})
    for future in as_completed(futures):
        yield futures.pop(future), future.result  # so that a cluster may forget the result


def _submit(
    executor: Executor, train: Callable[[Any], RunRecord], job: Any
) -> "Future[tuple[RunRecord, float]]":
    """The job's future; a failed one if the executor takes no job any more."""
    try:
        return executor.submit(_timed, train, job)
    except RuntimeError as error:  # e.g. BrokenProcessPool: a worker died
        failed: Future[tuple[RunRecord, float]] = Future()
        failed.set_exception(error)
        return failed


def _timed(train: Callable[[Any], RunRecord], job: Any) -> tuple[RunRecord, float]:
    """A run's record, and the seconds that it took."""
    start = time.perf_counter()
    return train(job), time.perf_counter() - start
