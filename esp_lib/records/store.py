"""Run records on disk: one checked file a run, written in one step, verified when it is read."""

import os
import tempfile
import uuid
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

from esp_lib import _checks
from esp_lib.records import npz
from esp_lib.records.record import PROFILES, RunRecord


class DamagedRecord(ValueError):  # noqa: N818 - named after what it is
    """A file that should be a run record and is not, or not any more.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is damaged or no run record: {self.reason}"


class FolderError(OSError):
    """A folder of records that cannot be made or written, or whose disk is full."""


@dataclass(frozen=True)
class Records:
    """What a folder holds."""

    records: tuple[RunRecord, ...]  # sorted by profile, name and seed
    damaged: tuple[DamagedRecord, ...]  # sorted by path


def record_path(folder: str | Path, profile: str, label: str) -> Path:
    """Where the record of a run lies in a folder of records."""
    return Path(folder) / _checks.choice("profile", profile, PROFILES) / f"{label}.npz"


def results_folder() -> Path:
    """The folder of run records: $ESP_RESULTS, by default `results/` beside this package."""
    given = os.environ.get("ESP_RESULTS")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "results"


def check_folder(folder: str | Path, profiles: Collection[str]) -> None:
    """Make a folder of records if it is missing, and try to write where records will be saved.

    Raises:
        FolderError: that is not possible.
    """
    for profile in sorted(profiles):
        path = record_path(folder, profile, "try")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent) as file:
                file.write(bytes(2**16))
        except OSError as error:
            raise FolderError(f"records cannot be written to {path.parent}: {error}") from error


def save(record: RunRecord, folder: str | Path) -> Path:
    """Write a record to its file; it replaces an older one in one step, or not at all.

    Args:
        record: the run.
        folder: the folder of records, made if missing.

    Returns:
        The file, `<folder>/<profile>/<label>.npz`.

    Raises:
        FolderError: the folder cannot be made or written.
        IsADirectoryError: the file's place is taken by a folder.
    """
    path = record_path(folder, record.profile, record.label)
    names = {field.name for field in fields(record)} - {"arrays"}
    content = npz.pack({name: getattr(record, name) for name in names}, record.arrays)
    try:
        _write(path, content)
    except IsADirectoryError:
        raise
    except OSError as error:
        raise FolderError(f"{path.name} cannot be written to {path.parent}: {error}") from error
    return path


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, or not at all, so that it survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # make the new name itself survive a power cut
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def load(path: str | Path) -> RunRecord:
    """Read a record and check all of it.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedRecord: the file is not exactly what `save` wrote.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no run record {path.name} in {path.parent}")
    if not path.is_file():
        raise DamagedRecord(path, "not a file")
    if (size := path.stat().st_size) > npz.MAX_BYTES:
        raise DamagedRecord(path, f"has {size} bytes, a record at most {npz.MAX_BYTES}")
    content = path.read_bytes()
    try:
        scalars, arrays = npz.unpack(content)
        record = RunRecord(**scalars, arrays=arrays)
    except Exception as error:  # of any type, as `unpack` says
        raise DamagedRecord(path, str(error) or type(error).__name__) from error
    place = record_path("", record.profile, record.label)
    if path.absolute().parts[-2:] != place.parts:
        raise DamagedRecord(path, f"holds the run that belongs at {place}")
    return record


def load_folder(folder: str | Path, profile: str | None = None) -> Records:
    """Read all records of a folder, or those of one profile; damaged ones are set apart.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: there is no such profile.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of run records at {folder}")
    pattern = "*" if profile is None else _checks.choice("profile", profile, PROFILES)
    records: list[RunRecord] = []
    damaged: list[DamagedRecord] = []
    for path in sorted(folder.glob(f"{pattern}/*.npz")):
        try:
            records.append(load(path))
        except DamagedRecord as error:
            damaged.append(error)
    records.sort(key=lambda record: (record.profile, record.name, record.seed))
    return Records(tuple(records), tuple(damaged))
