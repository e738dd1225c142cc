"""Run records: one training run on disk, in one file that is checked whenever it is read.

The record of a run is the file `<folder>/<profile>/<name>-seed<seed>.npz`; `runfile.py` says what
is in it. `unzip -p FILE record.json` shows all but the arrays, and `numpy.load(FILE)["name"]` reads
an array. Besides its numbers a record holds config, seed, versions, device and commit, after Keller
Jordan's logs of training runs (https://github.com/KellerJordan/modded-nanogpt).
"""

import hashlib
import os
import tempfile
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from esp_lib import checks, runfile
from esp_lib.parameters import PROFILES

STATUSES = ("finished", "stopped", "diverged", "out of memory")


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


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One training run: what determined it, what came out, and what made it.

    Whatever is given is copied, in the form in which a file holds it: arrays read-only, in C order
    and little-endian; dataclasses as mappings, tuples as lists, NumPy's numbers as Python's.

    Attributes:
        name: what was run, e.g. "beta2-0.8": letters, digits and "._-".
        profile: "quick", "cpu" or "paper".
        seed: from 0 to 2**32 - 1.
        config: everything that determines the run, as JSON can say it; numbers finite. It may say
            what follows from that, e.g. "steps_per_epoch".
        arrays: what was recorded, of any shapes: bool, integer, float or complex numbers.
        made: the run's circumstances, as JSON can say them: see `made_by`.
        status: "finished", "stopped" (a part of its epochs), "diverged" or "out of memory".
        message: a remark, e.g. at which step the loss was last finite.

    Raises:
        ValueError: a field is not as above.
    """

    name: str
    profile: str
    seed: int
    config: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    made: Mapping[str, Any]
    status: str
    message: str = ""

    def __post_init__(self) -> None:
        make_label(self.name, self.seed)
        checks.choice("profile", self.profile, PROFILES)
        checks.choice("status", self.status, STATUSES)
        if not isinstance(self.message, str):
            raise ValueError(f"message must be text, got {self.message!r}")
        object.__setattr__(self, "config", runfile.as_mapping("config", self.config))
        object.__setattr__(self, "made", runfile.as_mapping("made", self.made))
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "message", runfile.as_json("message", self.message))
        object.__setattr__(self, "arrays", runfile.as_arrays(self.arrays))

    @property
    def label(self) -> str:
        """The run's name with its seed, which is its file's name."""
        return make_label(self.name, self.seed)


@dataclass(frozen=True)
class Records:
    """What a folder holds."""

    records: tuple[RunRecord, ...]  # sorted by profile, name and seed
    damaged: tuple[DamagedRecord, ...]  # sorted by path


def make_label(name: str, seed: int) -> str:
    """The label of a run, `<name>-seed<seed>`.

    Raises:
        ValueError: the name is no safe file name, or the seed no seed.
    """
    runfile.check_name("name", name)
    return f"{name}-seed{checks.integer('seed', seed, low=0, high=checks.SEED_LIMIT - 1)}"


def record_path(folder: str | Path, profile: str, label: str) -> Path:
    """Where the record of a run lies in a folder of records."""
    return Path(folder) / checks.choice("profile", profile, PROFILES) / f"{label}.npz"


def results_folder() -> Path:
    """The folder of run records: $ESP_RESULTS, by default `results/` beside this package."""
    given = os.environ.get("ESP_RESULTS")
    return Path(given) if given else Path(__file__).resolve().parents[1] / "results"


def made_by(device: str, seconds: float) -> dict[str, Any]:
    """What made a run, for `RunRecord.made`: date, duration, device, versions and commit.

    Args:
        device: "cpu", or a GPU as PyTorch names it, e.g. "cuda:0".
        seconds: how long the run took.
    """
    from esp_lib import chapter

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(float(seconds), 3),
        "device": chapter.device_name(device),
        "versions": chapter.versions(),
        "commit": chapter.commit(),
    }


def config_key(config: object) -> str:
    """A short SHA-256 of a config, a mapping or a dataclass; equal for equal configs alone.

    Raises:
        ValueError: the config holds something that JSON cannot say.
    """
    return hashlib.sha256(runfile.dump(runfile.as_mapping("config", config)).encode()).hexdigest()[
        :16
    ]


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
    content = runfile.pack({name: getattr(record, name) for name in names}, record.arrays)
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
    if (size := path.stat().st_size) > runfile.MAX_BYTES:
        raise DamagedRecord(path, f"has {size} bytes, a record at most {runfile.MAX_BYTES}")
    content = path.read_bytes()
    try:
        scalars, arrays = runfile.unpack(content)
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
    pattern = "*" if profile is None else checks.choice("profile", profile, PROFILES)
    records: list[RunRecord] = []
    damaged: list[DamagedRecord] = []
    for path in sorted(folder.glob(f"{pattern}/*.npz")):
        try:
            records.append(load(path))
        except DamagedRecord as error:
            damaged.append(error)
    records.sort(key=lambda record: (record.profile, record.name, record.seed))
    return Records(tuple(records), tuple(damaged))
