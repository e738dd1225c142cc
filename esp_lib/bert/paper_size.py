"""BERT-tiny at the paper's size: our runs beside the published curves, boundary by boundary.

Source: Figs. 2 (b) and 4 of Liu and Ma (2025); the published curves were read off the vector
graphic of their repository (`published.bert_tiny`). Both sides are drawn and measured in the same
way: means over 50 steps, smoothed as in the published script. Two runs of ours are compared step by
step (`difference`). Shown in chapters 2 and 3.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import figures, published
from esp_lib.bert.ablations import PRETRAINING
from esp_lib.bert.corpus import SPECIAL
from esp_lib.bert.curves import curve, smoothed, validation
from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.measurement import Sawtooth, measure
from esp_lib.sawtooth.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

FEWEST = 4  # epochs of a run that is compared with others
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
            self.value,
            self.steps_per_epoch,
            steps=self.step,
            window=published.BERT_TINY_EVERY,
            skip_epochs=skip_epochs,
        )

    def until(self, epochs: int) -> "Drawn":
        """The points of the first epochs."""
        kept = self.step <= epochs * self.steps_per_epoch
        return self._replace(step=self.step[kept], value=self.value[kept])


def recorded(names: Collection[str]) -> dict[str, RunRecord]:
    """The recorded runs of profile "paper" of some names, one each, but for very short ones.

    Raises:
        ValueError: an unknown name.
    """
    found = PRETRAINING.on_disk("paper", names)
    return {name: run for name, (run, *_) in found.items() if complete_epochs(run) >= FEWEST}


def complete_epochs(record: RunRecord) -> int:
    """Epochs that a record holds; a stopped run has fewer than its config says."""
    return len(record.arrays["mlm_loss"]) // int(record.config["steps_per_epoch"])


def how_far(record: RunRecord) -> str:
    """How much of a run there is: "30 epochs", or "the first 7 of 30 epochs"."""
    found, planned = complete_epochs(record), int(record.config["epochs"])
    return f"{found} epochs" if found == planned else f"the first {found} of {planned} epochs"


def how_far_each(runs: Mapping[str, RunRecord]) -> str:
    """How much there is of runs by their labels: "30 epochs", or for each what there is of it."""
    each = {label: how_far(record) for label, record in runs.items()}
    if len(set(each.values())) == 1:
        return next(iter(each.values()))
    return ", ".join(f"{there} ({label})" for label, there in each.items())


def shared_epochs(runs: Iterable[RunRecord]) -> int:
    """Epochs that all of some runs have."""
    return min(map(complete_epochs, runs))


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


def drop_and_rise(record: RunRecord, skip: int, epochs: int) -> tuple[Estimate, Estimate]:
    """Drop and rise in nats, with standard errors, in a run's first epochs but for some of them.

    In a fixed order all epochs have the same batches, and so the same noise: the error is that of
    one epoch.
    """
    found = ours(record, "mlm_train_loss").until(epochs).tooth(skip)
    widened = np.sqrt(found.drops.size) if record.config["order"] == "fixed" else 1.0
    return (
        Estimate(float(found.drop), float(found.drop_error * widened)),
        Estimate(float(found.rise), float(found.rise_error * widened)),
    )


def difference(record: RunRecord, other: RunRecord, skip: int = 1) -> Sawtooth:
    """The tooth of a run's loss less another's, step by step, but for the first epochs.

    Over the epochs that both have. Runs of one seed in a new order every epoch see the same
    batches, whatever their optimizer and size, and so the batches' noise cancels.
    """
    steps = shared_epochs((record, other)) * int(record.config["steps_per_epoch"])
    loss, others = (run.arrays["mlm_loss"][:steps].astype(np.float64) for run in (record, other))
    return measure(loss - others, record.config["steps_per_epoch"], skip_epochs=skip)


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
            published_one.epoch,
            published_one.value,
            color=figures.INK,
            linestyle=":",
            linewidth=1.1,
            label=f"{label}, paper",
        )
    figures.epoch_lines(ax, epochs)
    ax.set_xlim(0, epochs)
    figures.label_lines(ax)
    return ax


def drop_by_drop(runs: Sequence[tuple[RunRecord, str, str]], title: str) -> "Axes":
    """The drop at each boundary of some runs, and of the published run (hollow).

    `runs` are record, label and colour of each.
    """
    ax = figures.panel(title, xlabel="epochs completed", ylabel="drop of the MLM loss in nats")
    for record, label, color in runs:
        found = ours(record, "mlm_train_loss").tooth()
        ax.plot(found.boundaries, found.drops, "o-", color=color, markersize=3.5, label=label)
    last = max(complete_epochs(record) for record, *_ in runs)
    found = theirs("mlm_train_loss").until(last).tooth()
    ax.plot(
        found.boundaries,
        found.drops,
        "o:",
        color=figures.INK,
        markerfacecolor="none",
        markersize=4.5,
        linewidth=1,
        label="paper",
    )
    ax.axhline(0, color=figures.SOFT, linewidth=0.8, label="none")
    ax.locator_params(axis="x", integer=True)
    _name_lines(ax, runs, "paper", offset=(10, 75), lower=(-24, 92))
    return ax


def _name_lines(
    ax: "Axes",
    runs: Sequence[tuple[RunRecord, str, str]],
    *others: str,
    offset: tuple[float, float] = (8, 18),
    lower: tuple[float, float] = (8, -22),
) -> None:
    """Names beside the lines: at the right, or near the end of a run that does not get so far.

    `offset` of such a name is in points, `lower` where another run ends just above.
    """
    last = max(complete_epochs(record) for record, *_ in runs)
    lines: Any = {line.get_label(): line.get_xydata() for line in ax.get_lines()}
    short = [label for record, label, _ in runs if complete_epochs(record) < last]
    for _, label, color in runs:
        if label in short:
            x, y = lines[label][-1]
            above = any(lines[one][-1][0] == x and lines[one][-1][1] > y for one in short)
            ax.annotate(
                label,
                (x, y),
                lower if above else offset,
                textcoords="offset points",
                color=color,
                fontsize=8.5,
                arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.7},
            )
    whole = [label for _, label, _ in runs if label not in short]
    figures.label_lines(ax, *whole, *others)


def compared(runs: Sequence[tuple[RunRecord, str, str]]) -> "list[Axes]":
    """Three panels: training loss, validation loss and drops of some runs (Fig. 4).

    `runs` are record, label and colour of each, which is drawn as far as it goes.
    """
    panels = []
    last = max(complete_epochs(record) for record, *_ in runs)
    for series, title, ylabel in (
        ("mlm_train_loss", "(a) training", "MLM training loss in nats"),
        ("mlm_val_loss", "(b) validation", "MLM validation loss in nats"),
    ):
        ax = figures.panel(title, xlabel="epoch", ylabel=ylabel)
        for record, label, color in runs:
            drawn = ours(record, series)
            ax.plot(drawn.epoch, drawn.value, color=color, label=label)
        figures.epoch_lines(ax, last)
        ax.set_xlim(0, last)
        _name_lines(ax, runs)
        panels.append(ax)
    return [*panels, drop_by_drop(runs, "(c) each boundary")]
