"""Five small logs to try the diagnosis on, in formats that training scripts write.

They are labelled synthetic runs (`synthetic.py`), always the same. The explorer of chapter 8 offers
them, and the chapter runs the command on one.
"""

from dataclasses import dataclass
from functools import cache

from esp_lib.diagnosis.trial import synthetic_files as formats
from esp_lib.diagnosis.trial.synthetic import LabelledRun, make


@dataclass(frozen=True, eq=False)
class Example:
    """A log as it would lie in a folder."""

    title: str
    file: str  # its name
    text: str
    run: LabelledRun  # what is in it
    steps_per_epoch: int | None = None  # to be given, where the log does not say it


def _table(run: LabelledRun, delimiter: str) -> str:
    """Step, epoch counted from 0, loss and, where it was logged, the learning rate."""
    columns = {"step": run.steps, "epoch": (run.steps - 1) // run.steps_per_epoch,
               "train_loss": run.loss.round(4)}  # fmt: skip
    if run.learning_rate is not None:
        columns["lr"] = run.learning_rate
    return formats.csv_text(columns, delimiter)


@cache
def example_logs() -> tuple[Example, ...]:
    """The examples: sawtooth, none, shuffling bug, step schedule, running-average reset."""
    tooth = make("sawtooth", 1, steps_per_epoch=400, epochs=7, every=10, averaged=True, size=4)
    smooth = make("smooth", 3, steps_per_epoch=120, epochs=7)
    fixed = make("fixed order", 4, steps_per_epoch=100, epochs=8, sigma=0.1)
    schedule = make("schedule", 5, steps_per_epoch=100, epochs=12, size=12, detail=1)
    running = make("running average", 6, steps_per_epoch=100, epochs=7)
    return (
        Example("Sawtooth", "trainer_state.json", formats.trainer_state(tooth), tooth),
        Example("None", "metrics.csv", _table(smooth, ","), smooth),
        Example("Shuffling bug", "train.log", formats.printed(fixed, "plain"), fixed, 100),
        Example("Step schedule", "history.tsv", _table(schedule, "\t"), schedule),
        Example("Running-average reset", "progress.log", formats.printed(running, "tqdm"), running),
    )
