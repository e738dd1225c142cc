"""How often the diagnosis is right: labelled synthetic logs, diagnosed, counted and recorded.

`run_trial` diagnoses each log twice, with its epoch length given and with it withheld. The record
of the full trial is `diagnosis.npz` beside the recorded runs, in the format of `npz.py`; it is
written by `python -m benchmarks.diagnosis`. Chapter 8 shows it and repeats a part of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.trial.synthetic import RIGHT, as_log, draw
from esp_lib.diagnosis.verdict import CAUSES, VERDICTS
from esp_lib.records import npz
from esp_lib.records.store import results_folder

LABELS = tuple(RIGHT)
FIRST = 600_000  # seed: of the runs that judge, on which no limit was set
EACH = 300  # runs of a label in the full trial
TUNED = ((90_000, 130), (300_000, 150), (310_000, 100))  # first seeds and how many: limits were set
MIN_PER_EPOCH, MIN_EPOCHS, MIN_POINTS = 12, 4, 400  # what a log needs to be sure of a tooth

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Trial:
    """Diagnoses of labelled logs, one entry each; all arrays are (diagnoses,)."""

    label: NDArray[np.int8]  # index of `LABELS`
    seed: NDArray[np.int64]
    given: Mask  # the epoch length was given, not withheld
    verdict: NDArray[np.int8]  # index of `VERDICTS`
    cause: NDArray[np.int8]  # index of `CAUSES`, -1: none named
    p_value: NDArray[np.float64]
    length: NDArray[np.float64]  # steps of an epoch, found over true; NaN: not found
    size: NDArray[np.float64]  # of tooth, step or spike, in the noise of a logged point
    per_epoch: NDArray[np.float64]  # logged points an epoch
    epochs: NDArray[np.int16]

    @property
    def measured(self) -> NDArray[np.float64]:
        """Points that are measured: those from the second epoch on, in five epochs or more."""
        return self.per_epoch * (self.epochs - (self.epochs >= 5))

    @property
    def dense(self) -> Mask:
        """Logs with at least 12 points an epoch and 4 epochs."""
        return (self.per_epoch >= MIN_PER_EPOCH) & (self.epochs >= MIN_EPOCHS)

    @property
    def teeth(self) -> Mask:
        """Logs that have a sawtooth."""
        return self.label == LABELS.index("sawtooth")

    @property
    def alarms(self) -> Mask:
        """Logs with neither a sawtooth nor a staircase that were said to have one."""
        stairs = VERDICTS.index("staircase")
        return self.nothing & (self.found | (self.verdict == stairs))

    @property
    def nothing(self) -> Mask:
        """Logs that have neither a sawtooth nor a staircase."""
        return ~self.teeth & (self.label != LABELS.index("staircase"))

    @property
    def found(self) -> Mask:
        """Logs that were said to have a sawtooth."""
        return self.verdict == VERDICTS.index("sawtooth")

    def of(self, entries: Mask) -> "Trial":
        """Some of the diagnoses."""
        return Trial(**{name: getattr(self, name)[entries] for name in _NAMES})

    def counts(self, what: str) -> NDArray[np.int64]:
        """Confusion matrix: (labels, verdicts), or (labels, causes + 1) with "no cause" last."""
        if what == "verdict":
            return _count(self.label, self.verdict, len(VERDICTS))
        found = np.where(self.cause < 0, len(CAUSES), self.cause)
        return _count(self.label, found, len(CAUSES) + 1)

    def causes_right(self) -> Mask:
        """Whether the cause is that of the label; False where none was named."""
        right = [CAUSES.index(c) if c else -2 for _, c in RIGHT.values()]
        return np.asarray(self.cause == np.array(right)[self.label])


_NAMES = tuple(Trial.__dataclass_fields__)


def _count(row: NDArray[Any], column: NDArray[Any], columns: int) -> NDArray[np.int64]:
    found = np.zeros((len(LABELS), columns), np.int64)
    np.add.at(found, (row, column), 1)
    return found


def diagnose_one(job: tuple[str, int, bool]) -> tuple[float, ...]:
    """The entries of one diagnosis: of a label and a seed, with the epoch length given or not."""
    label, seed, given = job
    run, settings = draw(label, seed)
    d = diagnose(as_log(run, settings["every"]), run.steps_per_epoch if given else None)
    return (
        LABELS.index(label), seed, given, VERDICTS.index(d.verdict),
        -1 if d.cause is None else CAUSES.index(d.cause), d.p_value,
        d.steps_per_epoch / run.steps_per_epoch, settings["size"],
        run.steps_per_epoch / settings["every"], settings["epochs"],
    )  # fmt: skip


def run_trial(seeds: Iterable[int]) -> Trial:
    """Diagnose one log of each label and seed, with its epoch length given and withheld."""
    jobs = [(label, seed, given) for seed in seeds for label in LABELS for given in (True, False)]
    rows = [diagnose_one(job) for job in jobs]
    dtypes = (np.int8, np.int64, np.bool_, np.int8, np.int8, float, float, float, float, np.int16)
    columns = zip(*rows, strict=True)
    values: Any = [np.array(c, d) for c, d in zip(columns, dtypes, strict=True)]
    return Trial(*values)


def share(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> tuple[float, str]:
    """The share of hits among some logs, as a number and in words; both (logs,)."""
    count, total = int(hits[of].sum()), int(of.sum())
    return count / total, f"{count} of {total} ({count / total:.2%})"


def rates(trial: Trial) -> dict[str, dict[str, int]]:
    """Wrong answers and what they are counted among, for `esp_lib/diagnosis/rates.json`."""
    none, open_ = VERDICTS.index("none"), VERDICTS.index("cannot tell")
    out = {}
    for name, part in (("known", trial.of(trial.given)), ("estimated", trial.of(~trial.given))):
        counts = {
            "nothing": part.nothing, "alarms": part.alarms,
            "present": ~part.nothing, "denied": ~part.nothing & (part.verdict == none),
            "teeth": part.teeth, "missed": part.teeth & (part.verdict == open_),
        }  # fmt: skip
        out[name] = {key: int(logs.sum()) for key, logs in counts.items()}
    return out


def trial_path() -> Path:
    """Where the record of the full trial lies: beside the recorded runs."""
    return results_folder() / "diagnosis.npz"


def save_trial(trial: Trial, made: dict[str, Any], path: Path) -> None:
    """Write a trial and what made it to a file."""
    arrays = {name: getattr(trial, name) for name in _NAMES}
    path.write_bytes(npz.pack({"made": made}, npz.as_arrays(arrays)))


def load_trial(path: Path) -> tuple[Trial, dict[str, Any]]:
    """A recorded trial and what made it, checked whole.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"no trial at {path}: ESP_RESULTS names the folder of records")
    content = path.read_bytes()
    try:
        fields, arrays = npz.unpack(content)
        return Trial(**arrays), fields["made"]
    except Exception as error:  # of any type, as `unpack` says
        raise ValueError(f"{path} is damaged or no trial: {error}") from error
