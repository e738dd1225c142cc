"""Worker processes of a sweep, which end with the process that started them."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection

from esp_lib import _checks


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
