"""Figures of the paper's experiments on the quadratic problem, in the language of `figures`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import figures
from esp_lib.replication.study import FUNCTIONS, Replication
from esp_lib.sawtooth.curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def by_decay(
    study: Replication,
    curve: Curve,
    decays: Mapping[str, float],
    title: str,
    *,
    colors: Sequence[str] = (),
    log: bool = False,
    **setting: Any,
) -> "Axes":
    """Loss against epochs, a band for each decay of the second moment, with the paper's values.

    `curve` is loss (seeds, decays, steps), `decays` are label -> the decay, beta2 or RMSProp's
    beta; `setting` has fields of `published.PublishedRun`, to find what the paper printed.
    """
    per_point = study.plot_every * curve.steps_per_epoch * study.batch_size // FUNCTIONS
    return figures.loss_curves(
        {label: curve[:, i] for i, label in enumerate(decays)},
        every=max(1, per_point),
        colors=colors or [figures.beta2_color(b) for b in decays.values()],
        published={
            label: ends
            for label, b in decays.items()
            if (ends := study.published(beta2=b, **setting)) is not None
        },
        log=log,
        ax=figures.panel(title),
    )


def settled_curves(
    study: Replication,
    curve: Curve,
    labels: Sequence[str],
    title: str,
    colors: Sequence[str],
    epochs: int = 5,
) -> "Axes":
    """The last epochs of a long run: a band for each setting, (seeds, settings, steps)."""
    ax = figures.panel(title, xlabel="epoch", ylabel="training loss")
    shown = slice(-epochs * curve.steps_per_epoch // study.plot_every, None)
    at, loss = curve.epochs(study.plot_every)[shown], curve.every(study.plot_every)[..., shown]
    for i, label in enumerate(labels):
        figures.band(ax, at, loss[:, i], colors[i], label, linestyle=("-", "--")[i % 2])
    last = curve.steps // curve.steps_per_epoch
    for epoch in range(last - epochs + 1, last):
        ax.axvline(epoch, color=figures.GRID, linewidth=0.8, zorder=0, label="end of an epoch")
    figures.label_lines(ax)
    return ax


def along_epoch(
    values: NDArray[np.float64], betas: Sequence[float], title: str, xlabel: str, *, log: bool
) -> "Axes":
    """One quantity along an epoch: mean over seeds, a line a beta2.

    `values` are (seeds, betas, steps), the usual beta2 first. `log` is for lengths; otherwise
    the axis is logarithmic beyond what the first beta2 reaches.
    """
    ax = figures.panel(title, xlabel=xlabel)
    means = figures.drawable(values.mean(axis=0))  # (betas, steps)
    step = np.arange(1, means.shape[-1] + 1)
    for b, mean in zip(betas, means, strict=True):
        ax.plot(step, mean, color=figures.beta2_color(b), label=f"{b:g}", linewidth=1.1)
    if log:
        ax.set_yscale("log")
    else:
        figures.signed_log(ax, np.nanmax(np.abs(means[0]), initial=0.0) or 1.0)
    figures.label_lines(ax, size=8)
    return ax


def at_start(losses: ArrayLike, betas: Sequence[float], title: str) -> "Axes":
    """Losses of all batches when an epoch starts: mean and spread over batches, by beta2.

    `losses` are (seeds, betas, batches).
    """
    ax = figures.panel(title, xlabel="β₂")
    spread = np.asarray(losses, dtype=np.float64)
    place = np.arange(len(betas))
    ax.errorbar(
        place,
        figures.drawable(spread.mean(axis=(0, 2))),
        yerr=figures.drawable(spread.std(axis=-1).mean(axis=0)),
        fmt="o",
        color=figures.INK,
        capsize=3,
        markersize=4,
        label="loss of all batches",
    )
    ax.set_yscale("log")
    ax.set_xticks(place, [f"{b:g}" for b in betas])
    return ax
