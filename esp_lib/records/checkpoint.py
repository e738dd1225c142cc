"""What a run keeps on disk until its record is there: all of it, or nothing; one process at a time.

A checkpoint is a file of `torch.save` with the key of its run. It is written in one step, beside
drafts of unique names, and goes when the run's record is on disk and was read back: `sweeps.sweep`
sees to that. A lock (https://py-filelock.readthedocs.io) keeps two processes from training one run
in one folder at once; it ends with the process that holds it.
"""

import contextlib
import io
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from esp_lib.records.record import RunRecord
from esp_lib.records.store import FolderError, checkpoint_path, load, save, write


def settle(record: RunRecord, folder: str | Path) -> None:
    """Save a record, read it back, and only then remove the checkpoint of its run.

    Raises:
        FolderError: the folder cannot be made or written, or its disk is full.
        DamagedRecord: what was read is not what was written.
    """
    load(save(record, folder))
    checkpoint_path(folder, record.profile, record.label).unlink(missing_ok=True)


def drop_old(record: RunRecord, path: Path, folder: str | Path) -> None:
    """Remove the checkpoint of a run that was saved at `path` and killed before this was done.

    A checkpoint that is newer than the record is of a run that is trained again, and stays.
    """
    checkpoint = checkpoint_path(folder, record.profile, record.label)
    with contextlib.suppress(FileNotFoundError):
        if checkpoint.stat().st_mtime_ns < path.stat().st_mtime_ns:
            checkpoint.unlink()


@contextlib.contextmanager
def locked(path: Path | None) -> Generator[None]:
    """Hold the lock of a checkpoint, None for no checkpoint.

    Raises:
        RuntimeError: another process holds it.
        FolderError: the folder cannot be made or written.
    """
    if path is None:
        yield
        return
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
        lock.acquire()
    except Timeout:
        raise RuntimeError(
            f"checkpoint {path} is in use: another process trains this run in this folder; name "
            "another folder, or wait for it"
        ) from None
    except OSError as error:
        raise FolderError(f"checkpoint {path} cannot be written: {error}") from error
    try:
        for draft in path.parent.glob(f".{path.stem}.*.tmp"):  # of a process that was killed
            draft.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write what `torch.save` can, all or nothing.

    Raises:
        FolderError: the folder cannot be made or written, or its disk is full.
    """
    import torch

    content = io.BytesIO()
    torch.save(state, content)
    write(path, content.getvalue())


def read_state(path: Path, key: str) -> dict[str, Any] | None:
    """What `write_state` wrote of run `key`, None if there is no such file; else ValueError."""
    import torch

    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if bad := archive.testzip():  # torch does not compare the checksums
                raise ValueError(f"{bad} has a wrong checksum")
        state = torch.load(path, map_location="cpu", weights_only=True)  # runs no code
        found = state["run"]
    except Exception as error:  # of many kinds for a damaged file
        raise ValueError(f"checkpoint {path} is damaged: delete it to start anew") from error
    if found != key:
        raise ValueError(
            f"checkpoint {path} is of a run with other settings or another text: delete or move it"
        )
    return dict(state)
