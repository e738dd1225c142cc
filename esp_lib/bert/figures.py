"""Figures of recorded pre-training runs: records in, axes out, in the language of `figures`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from esp_lib import figures, published
from esp_lib.bert.curves import Array, curve, validation
from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("-", "--", "-.", ":")
ENLARGED = 6  # epochs at the end of the published run that are shown enlarged
POINTS = 9  # plotted an epoch, each the mean of its steps


def training(
    runs: Mapping[str, Sequence[RunRecord]],
    title: str = "",
    *,
    colors: Sequence[str] = figures.KINDS,
) -> "Axes":
    """Training loss of the hidden words: a line a setting, median and range of its seeds.

    `runs` has the records of each setting by its label, `colors` one colour a setting.
    """
    ax = figures.panel(title)
    epochs = 0
    for i, (label, records) in enumerate(runs.items()):
        loss = curve(records)
        every = max(1, loss.steps_per_epoch // POINTS)
        style = STYLES[i % len(STYLES)]
        color = colors[i]
        figures.band(ax, loss.epochs(every), loss.every(every), color, label, linestyle=style)
        epochs = max(epochs, loss.steps // loss.steps_per_epoch)
    return _finish(ax, epochs, "MLM training loss in nats")


def validated(
    runs: Mapping[str, Sequence[RunRecord]],
    title: str = "",
    *,
    colors: Sequence[str] = figures.KINDS,
) -> "Axes":
    """Validation loss of the hidden words against epochs, a line a setting."""
    ax = figures.panel(title)
    epochs = 0
    for i, (label, records) in enumerate(runs.items()):
        found = validation(records)
        at = found.steps / records[0].config["steps_per_epoch"]
        style = STYLES[i % len(STYLES)]
        figures.band(ax, at, found.values, colors[i], label, linestyle=style)
        epochs = max(epochs, int(records[0].config["epochs"]))
    return _finish(ax, epochs, "MLM validation loss in nats")


def both_losses(records: Sequence[RunRecord], title: str, *, task: str = "mlm") -> "Axes":
    """Training and validation loss of one setting: median and range of its seeds.

    The task is "mlm", the hidden words, or "nsp", the next sentence. A point of the training
    loss is the mean of the steps between two validations.
    """
    ax = figures.panel(title)
    loss, checked = curve(records, f"{task}_loss"), validation(records, f"valid_{task}_loss")
    every = int(records[0].config["validate_every"])
    figures.band(ax, loss.epochs(every), loss.every(every), figures.BLUE, "training")
    at = checked.steps / loss.steps_per_epoch
    figures.band(ax, at, checked.values, figures.VALIDATION, "validation", linestyle="--")
    return _finish(ax, loss.steps // loss.steps_per_epoch, f"{task.upper()} loss in nats")


def published_losses(task: str, title: str) -> "Axes":
    """Training and validation loss of the paper's BERT-tiny, read off its figure (Fig. 2 b).

    An inset enlarges the last epochs of training, whose teeth are small beside the descent.

    The task is "mlm", the hidden words, or "nsp", the next sentence.
    """
    ax = figures.panel(title)
    for label, series, color, style in (
        ("training", "train", figures.BLUE, "-"),
        ("validation", "val", figures.VALIDATION, "--"),
    ):
        step, values = published.bert_tiny(f"{task}_{series}_loss")
        at = step / published.BERT_TINY_STEPS
        ax.plot(at, values, style, color=color, label=label, linewidth=1)
    step, values = published.bert_tiny(f"{task}_train_loss")
    at = step / published.BERT_TINY_STEPS
    epochs = round(at[-1])
    late = at > epochs - ENLARGED
    inset = ax.inset_axes((0.42, 0.56, 0.56, 0.4) if task == "mlm" else (0.16, 0.1, 0.4, 0.25))
    inset.plot(at[late], values[late], color=figures.BLUE, label="training, enlarged", linewidth=1)
    inset.tick_params(labelsize=7, length=2, color=figures.SOFT, labelcolor=figures.INK)
    inset.spines[:].set_color(figures.GRID)
    figures.epoch_lines(inset, epochs)
    inset.set(xlim=(epochs - ENLARGED, epochs), xticks=(epochs - ENLARGED, epochs))
    ax.set(xlabel="epoch", ylabel=f"{task.upper()} loss in nats", xlim=(0, epochs))
    figures.label_lines(ax)
    return ax


def _finish(ax: "Axes", epochs: int, ylabel: str) -> "Axes":
    figures.epoch_lines(ax, epochs)
    ax.set(xlabel="epoch", ylabel=ylabel, xlim=(0, epochs))
    figures.label_lines(ax)
    return ax


def dots(ax: "Axes", x: Array, y: Array, error: Array, color: str, label: str) -> "Axes":
    """Joined dots with 95 % confidence intervals from standard errors; all (points,)."""
    ax.errorbar(x, y, yerr=1.96 * error, fmt="none", color=color, elinewidth=1.2, label=label)
    ax.plot(x, y, "o-", color=color, markersize=3, linewidth=1.2, label=label)
    return ax


def amplitudes(
    rows: Mapping[str, tuple[Estimate, Estimate]],
    groups: Sequence[int] = (),
) -> "Axes":
    """Drop and rise of many settings with 95 % confidence intervals, one row each.

    `rows` are label -> drop and rise in nats; the first is the baseline, drawn down through
    all. Thin lines stand before the rows that `groups` numbers.
    """
    ax = figures.panel(size=(figures.WIDE[0], 0.7 + 0.22 * len(rows)))
    heights = -np.arange(len(rows))
    marks = []
    for offset, kind, color, marker, face in (
        (0.13, 0, figures.INK, "o", figures.INK),
        (-0.13, 1, figures.PURPLE, "s", "none"),
    ):
        values = np.array([row[kind].mean for row in rows.values()])
        errors = 1.96 * np.array([row[kind].error for row in rows.values()])
        name = ("drop", "rise")[kind]
        mark = ax.errorbar(
            values,
            heights + offset,
            xerr=errors,
            fmt=marker,
            color=color,
            markersize=4.5,
            markerfacecolor=face,
            elinewidth=1.2,
            label=name,
        )
        marks.append(mark)
        ax.axvline(
            values[0],
            color=color,
            linewidth=0.7,
            linestyle=":",
            zorder=0,
            label=f"{name}, baseline",
        )
    for row in groups:
        ax.axhline(0.5 - row, color=figures.GRID, linewidth=0.8, label="end of a group")
    ax.axvline(0, color=figures.SOFT, linewidth=0.8, label="zero")
    ax.set_yticks(heights, list(rows))
    ax.set_ylim(0.6 - len(rows), 0.6)
    ax.set_xlabel("nats")
    figures.legend(ax, handles=marks, loc="upper right", fontsize=8.5)
    return ax
