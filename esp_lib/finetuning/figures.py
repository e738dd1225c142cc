"""Figures of fine-tuning episodes: episodes in, axes out, in the language of `figures`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from esp_lib import figures
from esp_lib.finetuning.best_of import Chosen, bootstrap_validation, expected_validation
from esp_lib.finetuning.glue import metric
from esp_lib.finetuning.seed_variance import Array, Episodes, best_seen, density, extremes
from esp_lib.records.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TENTH = 10  # points an epoch of a training loss, each the mean of its steps


def training(runs: Mapping[str, RunRecord], title: str, *, order: int = 0) -> "Axes":
    """Training loss of one data order against epochs, a line a run; the first lies on top."""
    ax = figures.panel(title, xlabel="epoch", ylabel="training loss in nats")
    colors, styles = (figures.PURPLE, figures.BLUE), ("--", "-")
    for i, (label, record) in enumerate(runs.items()):
        loss = record.arrays["train_loss"][order].astype(float)
        steps = int(record.config["steps_per_epoch"])
        every = max(1, steps // TENTH)
        points = loss.size // every
        means = loss[: points * every].reshape(points, every).mean(axis=1)
        x = (np.arange(points) + 0.5) * every / steps
        ax.plot(x, means, styles[i], color=colors[i], label=label, zorder=5 - i, linewidth=2 - i)
    epochs = max(int(record.config["epochs"]) for record in runs.values())
    figures.epoch_lines(ax, epochs)
    ax.set_xlim(0, epochs)
    figures.label_lines(ax)
    return ax


def sizes(runs: Mapping[str, Episodes], title: str, *, steps: bool) -> "Axes":
    """Validation loss for training sets of several sizes: mean and error over data orders.

    `runs` are each size's episodes. Against updates (`steps`), which compares at equal cost;
    else against epochs, as far as the largest set went.
    """
    ax = figures.panel(
        title, xlabel="updates" if steps else "epoch", ylabel="validation loss in nats"
    )
    shortest = min(episodes.epochs for episodes in runs.values())
    for i, (label, episodes) in enumerate(runs.items()):
        loss = episodes.loss[0]  # (O, P)
        x = episodes.step if steps else np.arange(1, loss.shape[1] + 1) / episodes.per_epoch
        shown = slice(None) if steps else x <= shortest
        mean, error = loss.mean(axis=0), loss.std(axis=0, ddof=1) / np.sqrt(len(loss))
        color, style = figures.KINDS[i], ("-", "--", "-.", ":")[i % 4]
        low, high = (mean - error)[shown], (mean + error)[shown]
        ax.fill_between(x[shown], low, high, color=color, alpha=0.2, linewidth=0, label=label)
        ax.plot(x[shown], mean[shown], style, color=color, label=label)
    if not steps:
        figures.epoch_lines(ax, shortest)
    ax.set_xlim(left=0)
    figures.label_lines(ax)
    return ax


def learning_curves(episodes: Episodes, title: str) -> "Axes":
    """Validation score of every episode against epochs, and their mean."""
    ax = figures.panel(title, xlabel="epoch", ylabel=metric(episodes.task))
    x = np.arange(1, len(episodes.step) + 1) / episodes.per_epoch
    flat = episodes.score.reshape(-1, len(x))
    for line in flat:
        ax.plot(x, line, color=figures.GREY, linewidth=0.5, alpha=0.5, label="one episode")
    ax.plot(x, flat.mean(axis=0), color=figures.BLUE, linewidth=2, label="mean")
    figures.epoch_lines(ax, episodes.epochs)
    ax.set_xlim(0, episodes.epochs)
    return ax


def densities(values: Array, task: str, title: str) -> "Axes":
    """Kernel densities of what the episodes of the best and of the worst seeds reach.

    `values` are (I, O), of a task of `glue.TASKS`.
    """
    ax = figures.panel(title, xlabel=f"best {metric(task)}", ylabel="density")
    margin = max(0.15 * float(np.ptp(values)), 0.01)
    at = np.linspace(values.min() - margin, values.max() + margin, 200)
    inits, orders = extremes(values, permutations=1), extremes(values.T, permutations=1)
    shown = []
    for label, group, color, style in (
        ("best init", inits.best_values, figures.BLUE, "-"),
        ("worst init", inits.worst_values, figures.PURPLE, "-"),
        ("best order", orders.best_values, figures.BLUE, "--"),
        ("worst order", orders.worst_values, figures.PURPLE, "--"),
    ):
        curve = density(group, at)
        if curve is None:  # all the same: no density
            shown.append(ax.axvline(group[0], color=color, linestyle=style, label=label))
        else:
            shown += ax.plot(at, curve, style, color=color, label=label)
        ax.plot(
            group,
            np.full(group.size, 0.0),
            "|",
            color=color,
            markersize=7,
            clip_on=False,
            label=f"{label}, episodes",
        )
    ax.set_xlim(at[0], at[-1])
    ax.set_ylim(bottom=0)
    figures.legend(ax, handles=shown, fontsize=8)
    return ax


def best_of(episodes: Episodes, title: str) -> "Axes":
    """Expected best score against the number of episodes, by how often they are evaluated."""
    ax = figures.panel(title, xlabel="episodes", ylabel=f"expected best {metric(episodes.task)}")
    n = np.arange(1, episodes.score.shape[0] * episodes.score.shape[1] + 1)
    for label, often, color, style in (
        (f"{episodes.per_epoch} an epoch", episodes.per_epoch, figures.BLUE, "-"),
        ("1 an epoch", 1, figures.PURPLE, "--"),
        ("at the end", 0, figures.GREY, ":"),
    ):
        values = best_seen(episodes.score, episodes.per_epoch, often)
        low, high = bootstrap_validation(values, n)
        ax.fill_between(n, low, high, color=color, alpha=0.15, linewidth=0, label=label)
        ax.plot(n, expected_validation(values.ravel(), n), style, color=color, label=label)
    ax.set_xlim(1, n[-1])
    _count_axis(ax, n[-1])
    figures.label_lines(ax)
    return ax


def chosen(found: Chosen, n: Sequence[int], task: str, title: str) -> "Axes":
    """What the best of n episodes scores on the examples it was chosen on, and on others."""
    ax = figures.panel(title, xlabel="episodes to choose from", ylabel=metric(task))
    ax.plot(n, found.reported, "o-", color=figures.PURPLE, markersize=3, label="reported")
    ax.plot(n, found.honest, "s--", color=figures.BLUE, markersize=3, label="elsewhere")
    _count_axis(ax, n[-1])
    figures.label_lines(ax)
    return ax


def _count_axis(ax: "Axes", last: int) -> None:
    """A logarithmic axis of numbers of episodes, with ticks that are read as numbers."""
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500) if tick < 0.75 * last]
    ax.set_xscale("log")
    ax.set_xticks([*ticks, last], [str(tick) for tick in (*ticks, last)])
    ax.minorticks_off()


def reductions(budgets: Sequence[int], chosen: Array, judged: Array, title: str) -> "Axes":
    """Error reduction of the best plan of each budget, where it was chosen and on other seeds."""
    ax = figures.panel(
        title, xlabel="budget in fully trained episodes", ylabel="error reduction in %"
    )
    ax.axhline(0, color=figures.SOFT, linewidth=0.8, label="zero")
    ax.plot(budgets, 100 * chosen, "o-", color=figures.PURPLE, markersize=3, label="where chosen")
    ax.plot(budgets, 100 * judged, "s--", color=figures.BLUE, markersize=3, label="elsewhere")
    figures.label_lines(ax)
    return ax
