"""BERT-tiny at the paper's size: our runs beside the published curves, boundary by boundary.

Source: Figs. 2 (b) and 4 of Liu and Ma (2025); the published curves were read off the vector
graphic of their repository (`published.bert_tiny`). Both sides are drawn and measured in the same
way: means over 50 steps, smoothed as in the published script. Shown in chapters 2 and 3.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import figures, published
from esp_lib.bert.corpus import SPECIAL
from esp_lib.bert.curves import curve, smoothed, validation
from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.measurement import Sawtooth, measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

SMOOTHING = 0.75  # of the published script, for BERT-tiny
# Our arrays, by the names of the published curves.
SERIES = {
    "mlm_train_loss": "mlm_loss",
    "nsp_train_loss": "nsp_loss",
    "mlm_val_loss": "valid_mlm_loss",
    "nsp_val_loss": "valid_nsp_loss",
    "mlm_val_acc": "valid_mlm_accuracy",
    "nsp_val_acc": "valid_nsp_accuracy",
}


class Drawn(NamedTuple):
    """A curve as it is drawn."""

    step: NDArray[np.int64]  # (points,) updates before each point
    value: Array  # (points,)
    steps_per_epoch: int

    @property
    def epoch(self) -> Array:
        """(points,) epochs before each point."""
        return self.step / self.steps_per_epoch

    def tooth(self, skip_epochs: int = 0) -> Sawtooth:
        """The tooth of a training curve, its points being means over 50 steps."""
        return measure(
            self.value, self.steps_per_epoch, steps=self.step,
            window=published.BERT_TINY_EVERY, skip_epochs=skip_epochs,
        )  # fmt: skip

    def until(self, epochs: int) -> "Drawn":
        """The points of the first epochs."""
        kept = self.step <= epochs * self.steps_per_epoch
        return self._replace(step=self.step[kept], value=self.value[kept])


def complete_epochs(record: RunRecord) -> int:
    """Epochs that a record holds; a stopped run has fewer than its config says."""
    return len(record.arrays["mlm_loss"]) // int(record.config["steps_per_epoch"])


def how_far(records: Sequence[RunRecord]) -> str:
    """How much of a run there is: "30 epochs", or "the first 7 of 30 epochs"."""
    found, planned = complete_epochs(records[0]), int(records[0].config["epochs"])
    return f"{found} epochs" if found == planned else f"the first {found} of {planned} epochs"


def frequencies_alone(record: RunRecord) -> float:
    """MLM loss, in nats, of a network that knows only how often each sub-word occurs.

    That is the entropy of the sub-words of the training text, special ones aside.
    """
    count = record.arrays["token_count"][len(SPECIAL) :].astype(np.float64)
    share = count[count > 0] / count.sum()
    return float(-(share * np.log(share)).sum())


def ours(record: RunRecord, series: str) -> Drawn:
    """A curve of a run of ours, as the published script would have drawn it.

    The record is of profile "paper", the series a key of `SERIES`.
    """
    name, per_epoch = SERIES[series], int(record.config["steps_per_epoch"])
    if name.startswith("valid_"):
        found = validation([record], name)
        step, value = found.steps, found.values[0]
    else:
        every = published.BERT_TINY_EVERY
        value = curve([record], name).every(every)[0]
        step = every * np.arange(1, len(value) + 1)
    return Drawn(step, smoothed(value, SMOOTHING), per_epoch)


def theirs(series: str) -> Drawn:
    """The published curve, whole."""
    step, value = published.bert_tiny(series)
    return Drawn(step, value, published.BERT_TINY_STEPS)


def beside_published(
    record: RunRecord, title: str, pairs: Sequence[tuple[str, str, str]], ylabel: str
) -> "Axes":
    """Curves of a run with the published ones over them, as far as the run goes.

    `pairs` are the name of a published curve, the label and the colour of each pair of curves.
    """
    ax, epochs = figures.panel(title, xlabel="epoch", ylabel=ylabel), complete_epochs(record)
    for series, label, color in pairs:
        mine, published_one = ours(record, series), theirs(series).until(epochs)
        ax.plot(mine.epoch, mine.value, color=color, label=label)
        ax.plot(
            published_one.epoch, published_one.value, color=figures.INK, linestyle=":",
            linewidth=1.1, label=f"{label}, paper",
        )  # fmt: skip
    figures.epoch_lines(ax, epochs)
    ax.set_xlim(0, epochs)
    figures.label_lines(ax)
    return ax


def drop_by_drop(
    runs: Sequence[tuple[RunRecord, str, str]], title: str, epochs: int | None = None
) -> "Axes":
    """The drop at each boundary of some runs, and of the published run (hollow).

    `runs` are record, label and colour of each; `epochs` limits how many epochs are drawn.
    """
    ax = figures.panel(title, xlabel="epochs completed", ylabel="drop of the MLM loss in nats")
    last = epochs or max(complete_epochs(record) for record, *_ in runs)
    for record, label, color in runs:
        found = ours(record, "mlm_train_loss").until(last).tooth()
        ax.plot(found.boundaries, found.drops, "o-", color=color, markersize=3.5, label=label)
    found = theirs("mlm_train_loss").until(last).tooth()
    ax.plot(
        found.boundaries, found.drops, "o:", color=figures.INK, markerfacecolor="none",
        markersize=4.5, linewidth=1, label="paper",
    )  # fmt: skip
    ax.axhline(0, color=figures.SOFT, linewidth=0.8, label="none")
    ax.locator_params(axis="x", integer=True)
    figures.label_lines(ax)
    return ax


def compared(runs: Sequence[tuple[RunRecord, str, str]], epochs: int) -> "list[Axes]":
    """Three panels: training loss, validation loss and drops of some runs (Fig. 4).

    `runs` are record, label and colour of each.
    """
    panels = []
    for series, title, ylabel in (
        ("mlm_train_loss", "(a) training", "MLM training loss in nats"),
        ("mlm_val_loss", "(b) validation", "MLM validation loss in nats"),
    ):
        ax = figures.panel(title, xlabel="epoch", ylabel=ylabel)
        for record, label, color in runs:
            drawn = ours(record, series).until(epochs)
            ax.plot(drawn.epoch, drawn.value, color=color, label=label)
        figures.epoch_lines(ax, epochs)
        ax.set_xlim(0, epochs)
        figures.label_lines(ax)
        panels.append(ax)
    return [*panels, drop_by_drop(runs, "(c) each boundary", epochs)]
