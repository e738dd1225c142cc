"""A run that has ended is on disk, as a record or as a checkpoint, whatever is killed or full."""

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from esp_lib.records import store
from esp_lib.records.checkpoint import locked, settle
from esp_lib.records.store import DamagedRecord, FolderError, load, load_folder, save, write
from esp_lib.records.sweeps import Job, sweep
from tests.conftest import ROOT
from tests.records.jobs import make_jobs, record_of, train, trained
from tests.records.records import make_record

# A sweep, killed at its n-th call of what touches the disk, before or after that call; each in a
# child of one process, so that Python starts once. Prints "<n> <when> <what is there>".
KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from esp_lib.records.store import load, write
from esp_lib.records.sweeps import sweep
from tests.records.jobs import make_jobs, record_of

def train(job):
    write(job.checkpoint(folder), b"all of the run")
    arm()
    return record_of(job)

def arm():
    for module, name in ((os, "fsync"), (os, "replace"), (os, "unlink"), (os, "open")):
        setattr(module, name, counted(getattr(module, name)))

def counted(call):
    def counting(*arguments, **options):
        global calls
        calls += 1
        if (calls, when) == (n, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments, **options)
        if (calls, when) == (n, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return counting

for when in ("before", "after"):
    for n in range(1, 100):
        folder, calls = Path(tempfile.mkdtemp(dir=sys.argv[1])), 0
        [job] = make_jobs(folder, 1)
        if not (child := os.fork()):
            sweep([job], train, folder, report=str)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        try:
            there = "record" if load(job.path(folder)).seed == 0 else "other"
        except FileNotFoundError:
            there = "nothing"
        if (checkpoint := job.checkpoint(folder)).exists():
            there += "+checkpoint" if checkpoint.read_bytes() == b"all of the run" else "?"
        print(n, when, there, flush=True)
        if status == 0:
            break
"""


def killed_everywhere(folder: Path) -> dict[tuple[int, str], str]:
    """What is there after each kill, by the number of the call and "before" or "after" it."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
        timeout=300,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    return {(int(n), when): there for n, when, there in lines}


@pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")
def test_nothing_is_lost_wherever_the_sweep_is_killed(tmp_path):
    found = killed_everywhere(tmp_path)
    assert len(found) >= 8
    assert set(found.values()) == {"nothing+checkpoint", "record+checkpoint", "record"}
    last = max(n for n, _ in found)
    assert found[last, "before"] == "record"  # it was not killed


def test_the_checkpoint_goes_when_the_record_was_read_back(tmp_path, monkeypatch):
    record = make_record()
    [checkpoint] = [store.checkpoint_path(tmp_path, record.profile, record.label)]
    write(checkpoint, b"all of the run")
    written = store._write

    def bad(path: Path, content: bytes) -> None:
        written(path, content[:-1] + b"?")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", bad)
        with pytest.raises(DamagedRecord):
            settle(record, tmp_path)
    assert checkpoint.read_bytes() == b"all of the run"
    settle(record, tmp_path)
    assert not checkpoint.exists()


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("parallel", [False, True])
def test_a_full_disk_keeps_the_checkpoints(tmp_path, monkeypatch, parallel):
    """The first record cannot be saved; runs that have ended by then keep their checkpoints."""
    jobs = make_jobs(tmp_path, 3)
    both = threading.Barrier(2) if parallel else None

    def run(job: Job):
        write(job.checkpoint(tmp_path), b"all of the run")
        if both and job.seed < 2:
            both.wait(10)
        monkeypatch.setattr(os, "fsync", no_room)
        return record_of(job)

    with ThreadPoolExecutor(2) as pool, pytest.raises(FolderError, match="No space left on device"):
        sweep(jobs, run, tmp_path, executor=pool if parallel else None)
    monkeypatch.undo()
    kept = sorted(path.stem for path in (tmp_path / "checkpoints" / "quick").glob("*.pt"))
    assert kept[:2] == (["a-seed0", "a-seed1"] if parallel else ["a-seed0"])
    assert not list(tmp_path.glob("quick/*"))


def test_runs_that_have_ended_are_saved_when_a_sweep_stops(tmp_path, monkeypatch):
    """One record does not fit on the disk; another that has ended meanwhile does."""
    jobs = make_jobs(tmp_path, 2)
    ended = threading.Event()
    saved = store._write

    def full_for_the_first(path: Path, content: bytes) -> None:
        if "seed0" in path.name:
            ended.wait(10)
            no_room()
        saved(path, content)

    def run(job: Job):
        if job.seed == 1:
            threading.Timer(0.3, ended.set).start()
        return train(job)

    monkeypatch.setattr(store, "_write", full_for_the_first)
    with ThreadPoolExecutor(1) as pool, pytest.raises(FolderError, match="1 of 2 runs are on disk"):
        sweep(jobs, run, tmp_path, executor=pool)
    assert load(jobs[1].path(tmp_path)).seed == 1


def test_ctrl_c_saves_what_has_ended(tmp_path):
    jobs = make_jobs(tmp_path, 2)
    ended = threading.Event()

    def run(job: Job):
        record = train(job)
        if job.seed == 1:
            ended.set()
        return record

    def interrupt(line: str) -> None:
        if "a-seed0" in line:
            assert ended.wait(10)
            threading.Event().wait(0.2)  # until the second result is with the sweep
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        sweep(jobs, run, tmp_path, executor=pool, report=interrupt)
    assert [record.seed for record in load_folder(tmp_path).records] == [0, 1]


@pytest.mark.parametrize("newer", [False, True])
def test_a_checkpoint_that_outlived_its_record_goes(tmp_path, newer):
    """Killed between the two; a newer one is of a run that is trained again, and stays."""
    [job] = make_jobs(tmp_path, 1)
    path, checkpoint = save(record_of(job), tmp_path), job.checkpoint(tmp_path)
    write(checkpoint, b"all of the run")
    stamp = path.stat().st_mtime_ns + (10**9 if newer else -(10**9))
    os.utime(checkpoint, ns=(stamp, stamp))
    sweep([job], train, tmp_path)
    assert checkpoint.exists() == newer
    assert trained(tmp_path) == []


# ------------------------------------------------------------------------------- one at a time

HOLDER = """
import sys
from pathlib import Path
from esp_lib.records.checkpoint import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_train_one_run_in_one_folder(tmp_path):
    path = tmp_path / "checkpoints" / "quick" / "a-seed0.pt"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RuntimeError, match="in use: another process trains this run"):
            locked(path).__enter__()
        with locked(path.with_name("a-seed1.pt")), locked(tmp_path / "other" / "a-seed0.pt"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    (draft := path.with_name(".a-seed0.123.tmp")).write_bytes(b"half")
    with locked(path):  # a lock ends with its process
        assert not draft.exists()


def test_many_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write(tmp_path / "x.pt", bytes([n]) * 10**5), range(120)))
    assert len(set((tmp_path / "x.pt").read_bytes())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt"]


# -------------------------------------------------------------------------- what cannot be read


def test_one_unreadable_file_hides_no_other(tmp_path):
    save(make_record(), tmp_path)
    folder = tmp_path / "quick"
    (folder / "dangling-seed0.npz").symlink_to("nowhere")
    (folder / "loop-seed0.npz").symlink_to("loop-seed0.npz")
    (folder / "folder-seed0.npz").mkdir()
    os.mkfifo(folder / "pipe-seed0.npz")
    (tmp_path / "paper").symlink_to("paper")
    (tmp_path / "cpu").symlink_to("nowhere")
    (tmp_path / "diagnosis.npz").write_bytes(b"of another kind")
    found = load_folder(tmp_path)
    assert [record.label for record in found.records] == ["beta2-0.8-seed3"]
    reasons = {error.path.name: error.reason for error in found.damaged}
    assert set(reasons) == {
        "cpu", "paper", "dangling-seed0.npz", "loop-seed0.npz", "folder-seed0.npz", "pipe-seed0.npz"
    }  # fmt: skip
    assert reasons["dangling-seed0.npz"] == "a link to what is not there"
    assert reasons["pipe-seed0.npz"] == "not a file"
    assert reasons["loop-seed0.npz"].startswith("cannot be read: ")


def test_a_record_that_may_not_be_read_is_left_alone(tmp_path, monkeypatch):
    [job] = make_jobs(tmp_path, 1)
    path = save(record_of(job), tmp_path)
    content = path.read_bytes()

    def forbidden(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", forbidden)
        assert [error.reason for error in load_folder(tmp_path).damaged] == [
            "cannot be read: Permission denied"
        ]
        with pytest.raises(FolderError, match="Permission denied"):
            sweep([job], train, tmp_path)
    assert path.read_bytes() == content
    assert trained(tmp_path) == []


# ----------------------------------------------------------------------------------- which folder


def test_an_installed_package_writes_to_the_user_s_folder_and_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("ESP_RESULTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(store, "IN_CHECKOUT", False)
    folder = store.results_folder()
    assert not folder.is_relative_to(ROOT)
    assert store.is_of_user(folder)
    assert not store.is_of_user(tmp_path)
    if sys.platform == "linux":
        assert folder == tmp_path / "esp_lib" / "results"
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    assert store.results_folder() == tmp_path
    assert not store.is_of_user(tmp_path)
