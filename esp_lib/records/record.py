"""Run records: one training run on disk, in one file that is checked whenever it is read.

The record of a run is the file `<folder>/<profile>/<name>-seed<seed>.npz`; `npz.py` says what
is in it. `unzip -p FILE record.json` shows all but the arrays, and `numpy.load(FILE)["name"]` reads
an array. Besides its numbers a record holds config, seed, versions, device and commit, after Keller
Jordan's logs of training runs (https://github.com/KellerJordan/modded-nanogpt).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib._device import device_name
from esp_lib._environment import commit, versions
from esp_lib.records import npz

STATUSES = ("finished", "stopped", "diverged", "out of memory")


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
        _checks.choice("profile", self.profile, PROFILES)
        _checks.choice("status", self.status, STATUSES)
        if not isinstance(self.message, str):
            raise ValueError(f"message must be text, got {self.message!r}")
        object.__setattr__(self, "config", npz.as_mapping("config", self.config))
        object.__setattr__(self, "made", npz.as_mapping("made", self.made))
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "message", npz.as_json("message", self.message))
        object.__setattr__(self, "arrays", npz.as_arrays(self.arrays))

    @property
    def label(self) -> str:
        """The run's name with its seed, which is its file's name."""
        return make_label(self.name, self.seed)


def make_label(name: str, seed: int) -> str:
    """The label of a run, `<name>-seed<seed>`.

    Raises:
        ValueError: the name is no safe file name, or the seed no seed.
    """
    npz.check_name("name", name)
    return f"{name}-seed{_checks.integer('seed', seed, low=0, high=_checks.SEED_LIMIT - 1)}"


def made_by(device: str, seconds: float) -> dict[str, Any]:
    """What made a run, for `RunRecord.made`: date, duration, device, versions and commit.

    The device is "cpu", or a GPU as PyTorch names it, e.g. "cuda:0".
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(float(seconds), 3),
        "device": device_name(device),
        "versions": versions(),
        "commit": commit(),
    }


def config_key(config: object) -> str:
    """A short SHA-256 of a config, a mapping or a dataclass; equal for equal configs alone.

    Raises:
        ValueError: the config holds something that JSON cannot say.
    """
    return hashlib.sha256(npz.dump(npz.as_mapping("config", config)).encode()).hexdigest()[:16]


PROFILES = ("quick", "cpu", "paper")
