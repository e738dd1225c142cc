"""Sweeps: every run once, none lost, whoever trains and whatever is killed."""

import dataclasses
import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from esp_lib.records.record import RunRecord
from esp_lib.records.store import FolderError, load, load_folder, save
from esp_lib.records.sweeps import Job, SweepError, process_pool, sweep
from tests.conftest import ROOT
from tests.records.jobs import make_jobs, record_of, train, trained


def kill_worker(job: Job) -> RunRecord:
    os.kill(os.getpid(), signal.SIGKILL)
    return record_of(job)


@pytest.mark.parametrize("workers", [None, "threads", "processes"])
def test_every_run_is_trained_once_and_saved(tmp_path, workers):
    jobs = make_jobs(tmp_path, 4)
    labels = [job.label for job in jobs]
    lines: list[str] = []
    if workers is None:
        records = sweep(jobs, train, tmp_path, report=lines.append)
    else:
        with ThreadPoolExecutor(2) if workers == "threads" else process_pool(2) as executor:
            records = sweep(jobs, train, tmp_path, executor=executor, report=lines.append)
    assert sorted(trained(tmp_path)) == labels
    assert [record.label for record in records] == labels
    assert [r.arrays["mlm_loss"].tolist() for r in records] == [[0], [1], [2], [3]]
    assert [r.label for r in load_folder(tmp_path).records] == labels
    assert (records[0].made["pid"] == os.getpid()) == (workers != "processes")

    assert lines[0] == "4 runs: 0 on disk already, 4 to train"
    assert sorted(line.split(": ")[0] for line in lines[1:]) == [f"quick/{x}" for x in labels]
    assert re.search(r"finished in \d+\.\d s; 3 left, about ", lines[1])
    assert "left" not in lines[-1]

    again = sweep(jobs, train, tmp_path, report=lines.append)
    assert [vars(r)["made"] for r in again] == [vars(r)["made"] for r in records]
    assert len(trained(tmp_path)) == 4
    assert lines[-1] == "4 runs: 4 on disk already, 0 to train"
    sweep(jobs, train, tmp_path, again=True, report=lines.append)
    assert len(trained(tmp_path)) == 8


def test_a_run_is_trained_again_if_its_record_is_damaged_or_of_another_config(tmp_path):
    jobs = make_jobs(tmp_path, 3)
    for job in jobs:
        save(record_of(job), tmp_path)
    jobs[0].path(tmp_path).write_bytes(b"")
    jobs[1] = dataclasses.replace(jobs[1], config={**jobs[1].config, "lr": 0.1})
    lines: list[str] = []
    records = sweep(jobs, train, tmp_path, report=lines.append)
    assert trained(tmp_path) == ["a-seed0", "a-seed1"]
    assert "quick/a-seed0: to be trained again, since" in lines[0]
    assert "another config" in lines[1]
    assert records[1].config["lr"] == 0.1
    assert len(load_folder(tmp_path).records) == 3


@dataclasses.dataclass(frozen=True)
class Config:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.8)


def train_dataclass(job: Job) -> RunRecord:
    return record_of(job, config={**dataclasses.asdict(job.config), "steps_per_epoch": 4})


def test_a_config_may_be_a_dataclass_and_a_record_say_what_follows_from_it(tmp_path):
    jobs = [Job("a", "quick", 0, Config()), Job("b", "quick", 0, Config(lr=1.0))]
    first, second = sweep(jobs, train_dataclass, tmp_path)
    assert first.config == {"lr": 0.1, "betas": [0.9, 0.8], "steps_per_epoch": 4}
    assert second.config["lr"] == 1.0

    def never(job: Job) -> RunRecord:
        raise AssertionError(job)

    sweep(jobs, never, tmp_path)


@pytest.mark.parametrize("parallel", [False, True])
def test_failed_runs_are_named_and_the_others_saved(tmp_path, parallel):
    jobs = make_jobs(tmp_path, 4)
    jobs[1] = dataclasses.replace(jobs[1], config={**jobs[1].config, "fails": True})
    lines: list[str] = []
    with process_pool(2) as pool, pytest.raises(SweepError) as caught:
        sweep(jobs, train, tmp_path, executor=pool if parallel else None, report=lines.append)
    assert caught.value.failures == {"quick/a-seed1": "RuntimeError: no luck with a-seed1"}
    assert "quick/a-seed1: RuntimeError: no luck with a-seed1" in str(caught.value)
    assert any("quick/a-seed1: failed: RuntimeError: no luck" in line for line in lines)
    assert [r.seed for r in load_folder(tmp_path).records] == [0, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 9}, "must return the record of its job, got quick/a-seed9"),
        ({"profile": "paper"}, "must return the record of its job, got paper/a-seed0"),
        ({"config": {"lr": 1}}, "must return a record with its job's config"),
        (None, "must return a RunRecord, got NoneType"),
    ],
)
def test_a_record_of_another_run_is_refused(tmp_path, change, message):
    with pytest.raises(SweepError, match=message):
        sweep(
            make_jobs(tmp_path, 1),
            lambda job: record_of(job, **change) if change else None,
            tmp_path,
        )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_worker_that_dies_fails_its_runs_and_loses_none(tmp_path):
    jobs = make_jobs(tmp_path, 3)
    save(record_of(jobs[0]), tmp_path)
    with process_pool(1) as pool, pytest.raises(SweepError) as caught:
        sweep(jobs, kill_worker, tmp_path, executor=pool)
    assert set(caught.value.failures) == {"quick/a-seed1", "quick/a-seed2"}
    assert "BrokenProcessPool" in caught.value.failures["quick/a-seed1"]
    assert [record.seed for record in load_folder(tmp_path).records] == [0]


@pytest.mark.parametrize("taken", [".", "quick"])
def test_nothing_is_trained_for_a_folder_that_cannot_be_written(tmp_path, taken):
    jobs = make_jobs(tmp_path, 3)
    folder = tmp_path / "records"
    (folder / taken).parent.mkdir(parents=True, exist_ok=True)
    (folder / taken).write_text("a file")
    with pytest.raises(FolderError, match=f"records cannot be written to {folder / 'quick'}: "):
        sweep(jobs, train, folder)
    assert trained(tmp_path) == []
    assert (folder / taken).read_text() == "a file"


@pytest.mark.parametrize("parallel", [False, True])
def test_a_sweep_stops_when_the_disk_is_full(tmp_path, monkeypatch, parallel):
    synced = os.fsync
    release = threading.Event()

    def full(handle: int) -> None:
        if len(list(tmp_path.glob("quick/*.npz"))) == 2 and list(tmp_path.glob("quick/.*.tmp")):
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(handle)

    def train_the_first(job: Job) -> RunRecord:
        if parallel and job.seed > 3:
            release.wait(10)
        return train(job)

    jobs = make_jobs(tmp_path, 20)
    monkeypatch.setattr(os, "fsync", full)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(FolderError) as caught:
            sweep(jobs, train_the_first, tmp_path, executor=pool if parallel else None)
        release.set()
    said = str(caught.value)
    assert re.match(r"quick/a-seed[0-3]: .*No space left on device; 2 of 20 runs are on disk", said)
    assert len(trained(tmp_path)) <= 5  # the third, or those that had started until it failed
    assert [path.name for path in (tmp_path / "quick").iterdir() if path.suffix != ".npz"] == []

    monkeypatch.undo()
    assert len(sweep(jobs, train, tmp_path)) == 20  # goes on
    assert len(load_folder(tmp_path).records) == 20


def test_a_record_whose_place_is_taken_fails_alone(tmp_path):
    jobs = make_jobs(tmp_path, 3)
    jobs[1].path(tmp_path).mkdir(parents=True)
    with pytest.raises(SweepError) as caught:
        sweep(jobs, train, tmp_path)
    assert list(caught.value.failures) == ["quick/a-seed1"]
    assert len(trained(tmp_path)) == 3


def test_bad_jobs_are_refused_before_any_is_trained(tmp_path):
    jobs = make_jobs(tmp_path, 2)
    with pytest.raises(ValueError, match="got two quick/a-seed0"):
        sweep([*jobs, jobs[0]], train, tmp_path)
    assert trained(tmp_path) == []
    for change, message in (
        ({"name": "../a"}, "name must be"),
        ({"profile": "huge"}, "profile must be one of"),
        ({"seed": -1}, "seed must be"),
        ({"config": {"lr": float("nan")}}, r"config\['lr'\] must be"),
        ({"config": 3}, "config must be a mapping or a dataclass"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(jobs[0], **change)
    with pytest.raises(ValueError, match="workers must be an integer of at least 1"):
        process_pool(0)


# -------------------------------------------------------------------------------- interrupted


def test_an_interrupt_keeps_what_is_saved_and_cancels_the_rest(tmp_path):
    release = threading.Event()

    def interrupted(job: Job) -> RunRecord:
        if job.seed == 1:
            raise KeyboardInterrupt
        if job.seed == 2:
            release.wait(10)
        return train(job)

    jobs = make_jobs(tmp_path, 20)
    with pytest.raises(KeyboardInterrupt):
        sweep(jobs, interrupted, tmp_path)
    assert [record.seed for record in load_folder(tmp_path).records] == [0]

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            sweep(jobs, interrupted, tmp_path, executor=pool)
        release.set()
    assert len(trained(tmp_path)) <= 2  # the run that had started, of twenty


def interrupt_this_process() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)


def test_ctrl_c_ends_a_worker_so_that_it_starts_nothing_more():
    with process_pool(1) as pool, pytest.raises(BrokenProcessPool):
        pool.submit(interrupt_this_process).result()


SCRIPT = """
import sys
from pathlib import Path
from esp_lib.records.sweeps import process_pool, sweep
from tests.records.jobs import make_jobs, train_slowly
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with process_pool(2) as pool:
        sweep(make_jobs(folder, 40), train_slowly, folder, executor=pool)
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    """A sweep in a process of its own, once two of its runs are saved."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while len(list(folder.glob("quick/*.npz"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def wait_for_quiet(process: "subprocess.Popen[str]") -> None:
    """Until no process of the sweep is left: its standard error, which all share, is closed."""
    process.communicate(timeout=10)


@pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")
@pytest.mark.parametrize("how", ["the sweep is killed", "Ctrl-C"])
def test_a_sweep_goes_on_where_it_was_killed(tmp_path, how):
    process = start(tmp_path)
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.SIGKILL)
    wait_for_quiet(process)  # workers end as well, and train no more
    kept = {path.stem for path in tmp_path.glob("quick/*.npz")}
    before = trained(tmp_path)
    assert 2 <= len(kept) < 40
    assert not load_folder(tmp_path).damaged
    time.sleep(0.3)
    assert trained(tmp_path) == before

    jobs = make_jobs(tmp_path, 40)
    stamps = {label: (tmp_path / "quick" / f"{label}.npz").stat().st_mtime_ns for label in kept}
    sweep(jobs, train, tmp_path)
    after = trained(tmp_path)[len(before) :]
    assert sorted(after) == sorted({job.label for job in jobs} - kept)
    for label, stamp in stamps.items():
        assert (tmp_path / "quick" / f"{label}.npz").stat().st_mtime_ns == stamp
    assert [load(job.path(tmp_path)).seed for job in jobs] == list(range(40))
