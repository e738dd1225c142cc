"""All cores for the compiled loops, which let go of Python's lock while they run.

The threads are kept between calls, and the calling thread takes its share: to start or wake one
takes up to a millisecond, and a run of the paper's problem a few.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any

CORES = os.cpu_count() or 1


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, CORES - 1), thread_name_prefix="esp_lib")


if hasattr(os, "register_at_fork"):  # a forked process has the pool's locks, but no threads
    os.register_at_fork(after_in_child=_helpers.cache_clear)


def share(function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
    """`[function(task) for task in tasks]` on all cores, this thread's among them.

    A task may share tasks of its own. The first error ends the call, after tasks in progress.
    """
    results: dict[int, Any] = {}
    waiting = iter(enumerate(tasks))

    def work() -> None:
        try:
            for k, task in waiting:
                results[k] = function(task)
        except BaseException:
            for _ in waiting:  # so that nobody begins another
                pass
            raise

    helpers = [_helpers().submit(work) for _ in range(min(CORES, len(tasks)) - 1)]
    try:
        work()
    finally:  # a helper that has not begun is not needed any more
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()
    return [results[k] for k in range(len(tasks))]
