"""Sharing out tasks: their order, nested calls, errors, and processes that are forked."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest

from esp_lib import Adam, QuadraticProblem, _threads, simulate
from esp_lib._threads import share


@pytest.fixture(autouse=True)
def _four_threads(monkeypatch):
    """As on four cores, wherever the tests run."""
    monkeypatch.setattr(_threads, "CORES", 4)
    _threads._helpers.cache_clear()
    yield
    _threads._helpers.cache_clear()


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_results_are_in_the_order_of_the_tasks(count):
    def late(task):
        time.sleep(0.001 * (task % 3))
        return task**2

    assert share(late, range(count)) == [task**2 for task in range(count)]


def test_tasks_run_at_the_same_time_here_and_in_other_threads():
    together = threading.Barrier(4, timeout=60)

    def meet(_):
        together.wait()
        return threading.current_thread()

    found = share(meet, range(4))
    assert len(set(found)) == 4
    assert threading.current_thread() in found


def test_a_task_may_share_tasks():
    assert share(lambda n: sum(share(lambda k: n * k, range(20))), range(20)) == [
        190 * n for n in range(20)
    ]


@pytest.mark.parametrize("bad", [0, 7, 99])
def test_an_error_ends_the_call(bad):
    begun = []

    def fail(task):
        begun.append(task)
        if task == bad:
            raise ValueError(f"task {task}")
        time.sleep(0.1 if task > bad else 0.0)  # time enough for the error

    with pytest.raises(ValueError, match=f"task {bad}"):
        share(fail, range(100))
    assert len(begun) <= bad + 5  # what was in progress, and no more
    assert share(abs, [-1, 2]) == [1, 2]


def _losses(answer):
    problem = QuadraticProblem.sample(200, 200)
    answer.put(simulate(problem, Adam(0.06, beta2=[0.999, 0.8]), batch_size=20, epochs=2).loss)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    share(abs, range(20))  # there are helpers before the fork
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    process = context.Process(target=_losses, args=(answer,))
    process.start()
    losses = answer.get(timeout=60)
    process.join(timeout=60)
    assert process.exitcode == 0
    assert losses.shape == (2, 20)
    assert np.isfinite(losses).all()
