"""Sweeps on a real cluster of processes: dask's scheduler, two workers, one of them killed."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from esp_lib.records import checkpoint
from esp_lib.records.record import RunRecord
from esp_lib.records.store import load_folder
from esp_lib.records.sweeps import Job, SweepError, sweep
from tests.records.jobs import make_jobs, record_of, train, trained

distributed = pytest.importorskip(
    "distributed", reason="no dask.distributed: pip install 'esp_lib[dask]'"
)
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")

DOOMED = "a-seed3"  # the run whose first attempt takes its worker with it
HELD = "a-seed6"  # the run whose worker is killed from outside


def train_or_die(job: Job) -> RunRecord:
    """Trains; but the first attempt at one run kills its worker when it is all but done."""
    record = train(job)
    note = Path(job.config["log"]).with_name("killed")
    if job.label == DOOMED and not note.exists():
        note.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def train_and_die(job: Job) -> RunRecord:
    """Trains; but every attempt at one run kills its worker."""
    if job.label == DOOMED:
        os.kill(os.getpid(), signal.SIGKILL)
    return record_of(job)


def train_or_wait(job: Job) -> RunRecord:
    """Trains; but the first attempt at one run says which process it is in, and never ends."""
    note = Path(job.config["log"]).with_name("victim")
    if job.label == HELD and not note.exists():
        note.with_suffix(".draft").write_text(str(os.getpid()))
        note.with_suffix(".draft").rename(note)
        time.sleep(3600)
    time.sleep(0.02)
    return train(job)


@pytest.fixture
def client(tmp_path):
    """A client of a scheduler with two workers, each a process with one thread."""
    import dask

    config = {
        "distributed.scheduler.allowed-failures": 1,  # deaths of workers that a run may survive
        "distributed.comm.timeouts.connect": "5s",  # to a worker that is dead
        "temporary-directory": str(tmp_path / "workers"),
    }
    with (
        dask.config.set(config),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def saves(monkeypatch):
    """The labels of the records that are written, in turn."""
    labels: list[str] = []
    save = checkpoint.save

    def note_and_save(record, folder):
        labels.append(record.label)
        return save(record, folder)

    monkeypatch.setattr(checkpoint, "save", note_and_save)
    return labels


def check_records(folder, records, jobs, saves):
    """Nothing lost, nothing twice in the records, and every record from a worker."""
    labels = [job.label for job in jobs]
    assert sorted(saves) == labels
    saved = load_folder(folder)
    assert not saved.damaged
    assert [record.label for record in saved.records] == labels
    assert [record.label for record in records] == labels
    assert os.getpid() not in {record.made["pid"] for record in saved.records}


def test_a_worker_that_dies_in_a_run_loses_none_and_doubles_no_record(client, tmp_path, saves):
    jobs = make_jobs(tmp_path, 8)
    workers = set(client.run(os.getpid).values())
    executor = client.get_executor(pure=False)
    records = sweep(jobs, train_or_die, tmp_path, executor=executor)
    check_records(tmp_path, records, jobs, saves)

    killed = int((tmp_path / "killed").read_text())
    assert killed in workers
    assert killed not in client.run(os.getpid).values()
    assert records[3].made["pid"] != killed
    assert trained(tmp_path).count(DOOMED) >= 2  # dask ran it again

    before = trained(tmp_path)
    lines: list[str] = []
    sweep(jobs, train_or_die, tmp_path, executor=executor, report=lines.append)
    assert lines == ["8 runs: 8 on disk already, 0 to train"]
    assert trained(tmp_path) == before


def test_a_worker_killed_in_the_middle_costs_no_run_that_is_saved(client, tmp_path, saves):
    jobs = make_jobs(tmp_path, 10)
    note = tmp_path / "victim"
    settled: list[str] = []

    def kill_after_five(line: str) -> None:
        if len(saves) == 5 and not settled:
            deadline = time.monotonic() + 20
            while not note.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            settled.extend(saves[:4])  # the cluster may still hold the result of the fifth
            os.kill(int(note.read_text()), signal.SIGKILL)

    executor = client.get_executor(pure=False)
    records = sweep(jobs, train_or_wait, tmp_path, executor=executor, report=kill_after_five)
    check_records(tmp_path, records, jobs, saves)
    assert len(settled) == 4
    assert records[6].made["pid"] != int(note.read_text())
    attempts = Counter(trained(tmp_path))
    assert {label: attempts[label] for label in settled} == dict.fromkeys(settled, 1)


def test_a_run_that_kills_every_worker_fails_and_the_sweep_goes_on_later(client, tmp_path):
    jobs = make_jobs(tmp_path, 5)
    executor = client.get_executor(pure=False)
    with pytest.raises(SweepError) as caught:
        sweep(jobs, train_and_die, tmp_path, executor=executor)
    failures = caught.value.failures
    assert "KilledWorker" in failures[f"quick/{DOOMED}"]
    # dask cannot tell which of the runs that waited on a worker killed it: neighbours may fail too
    kept = [record.label for record in load_folder(tmp_path).records]
    assert sorted([*kept, *(place.removeprefix("quick/") for place in failures)]) == [
        job.label for job in jobs
    ]
    sweep(jobs, train, tmp_path, executor=executor)
    assert sorted(trained(tmp_path)) == sorted({job.label for job in jobs} - {*kept})
    assert len(load_folder(tmp_path).records) == 5
