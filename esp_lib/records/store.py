"""Run records on disk: one checked file a run, written in one step, verified when it is read."""

import os
import stat
import tempfile
import uuid
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

from esp_lib import _checks
from esp_lib.records import npz
from esp_lib.records.record import PROFILES, RunRecord

ROOT = Path(__file__).resolve().parents[2]
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()  # of this repository; else an installed package


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


def checkpoint_path(folder: str | Path, profile: str, label: str) -> Path:
    """Where the checkpoint of a run lies that has no record yet."""
    return (
        Path(folder) / "checkpoints" / _checks.choice("profile", profile, PROFILES) / f"{label}.pt"
    )


def results_folder() -> Path:
    """The folder of run records where none is named.

    $ESP_RESULTS; else `results/` in a checkout of this repository; else, where `esp_lib` is
    installed, the user's folder of data for it, see `is_of_user`.
    """
    if given := os.environ.get("ESP_RESULTS"):
        return Path(given)
    if IN_CHECKOUT:
        return ROOT / "results"
    from platformdirs import user_data_path

    return user_data_path("esp_lib", appauthor=False) / "results"


def is_of_user(folder: Path) -> bool:
    """Whether a folder is the one that an installed package takes where none is named."""
    return not (IN_CHECKOUT or os.environ.get("ESP_RESULTS")) and folder == results_folder()


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

    The folder of records is made if missing.

    Returns:
        The file, `<folder>/<profile>/<label>.npz`.

    Raises:
        FolderError: the folder cannot be made or written.
        IsADirectoryError: the file's place is taken by a folder.
    """
    path = record_path(folder, record.profile, record.label)
    names = {field.name for field in fields(record)} - {"arrays"}
    content = npz.pack({name: getattr(record, name) for name in names}, record.arrays)
    write(path, content)
    return path


def write(path: Path, content: bytes) -> None:
    """Write a file in one step, or not at all, so that it survives a power cut.

    Raises:
        FolderError: the folder cannot be made or written, or its disk is full.
        IsADirectoryError: the file's place is taken by a folder.
    """
    try:
        _write(path, content)
    except IsADirectoryError:
        raise
    except OSError as error:
        raise FolderError(f"{path.name} cannot be written to {path.parent}: {error}") from error


def _write(path: Path, content: bytes) -> None:
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
    content = _read(path)
    try:
        scalars, arrays = npz.unpack(content)
        record = RunRecord(**scalars, arrays=arrays)
    except Exception as error:  # of any type, as `unpack` says
        raise DamagedRecord(path, str(error) or type(error).__name__) from error
    place = record_path("", record.profile, record.label)
    if path.absolute().parts[-2:] != place.parts:
        raise DamagedRecord(path, f"holds the run that belongs at {place}")
    return record


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DamagedRecord(path, "not a file")
        return path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise DamagedRecord(path, "a link to what is not there") from None
        raise FileNotFoundError(f"no run record {path.name} in {path.parent}") from None
    except OSError as error:  # a link to itself, no permission, a disk that fails
        raise DamagedRecord(path, f"cannot be read: {error.strerror or error}") from error


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
    for place in sorted(path for path in folder.iterdir() if pattern in ("*", path.name)):
        if not (place.name in PROFILES or place.is_dir()):
            continue
        try:
            files = sorted(path for path in place.iterdir() if path.suffix == ".npz")
        except OSError as error:
            damaged.append(DamagedRecord(place, f"cannot be read: {error.strerror or error}"))
            continue
        for file in files:
            try:
                records.append(load(file))
            except DamagedRecord as error:
                damaged.append(error)
            except FileNotFoundError:  # it has just been removed
                continue
    records.sort(key=lambda record: (record.profile, record.name, record.seed))
    return Records(tuple(records), tuple(damaged))
