"""Figures of the chapter on the mechanism: data in, axes out, in the language of `figures`.

Many seeds as their mean with a band of two standard errors, since inner products of sparse vectors
are skewed and mostly near zero; the single run that the paper would show as a thin line.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.figures.style import COLORS, GREEN, GREY, INK, KINDS, PURPLE, SOFT, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


def mean_and_one(
    ax: "Axes", t: ArrayLike, runs: Array, color: str, label: str, *, one: bool = True
) -> "Axes":
    """Mean over runs with two standard errors, and the first run as a thin line.

    `t` is (points,), `runs` (runs, points). The label is of mean and band; the first run is
    named so too, with ", one run".
    """
    mean = runs.mean(axis=0)
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    if one:
        ax.plot(t, runs[0], color=color, linewidth=0.6, alpha=0.55, label=f"{label}, one run")
    low, high = mean - 2 * error, mean + 2 * error
    ax.fill_between(t, low, high, color=color, alpha=0.25, linewidth=0, label=label)
    ax.plot(t, mean, color=color, label=label)
    return ax


def zero_line(ax: "Axes") -> "Axes":
    """A thin line at zero, behind the data."""
    ax.axhline(0, color=SOFT, linewidth=0.8, zorder=0.5, label="zero")
    return ax


def histograms(ours: Array, published: Array | None, ax: "Axes | None" = None) -> "Axes":
    """One run's batch losses as filled bars, the published ones as an outline on the same bins."""
    ax = panel() if ax is None else ax
    together = ours if published is None else np.concatenate([ours, published])
    bins = np.linspace(together.min(), together.max(), 13).tolist()
    bars: Any = ax.hist(ours, bins, color=GREEN, alpha=0.35)[2]
    bars.set_label("ours")  # of all bars; `hist` names the first alone
    ax.axvline(float(ours.mean()), color=GREEN, linewidth=1.2, label="mean of ours")
    if published is not None:
        ax.hist(published, bins, histtype="step", color=INK, linewidth=1, label="published")
        mean = float(published.mean())
        ax.axvline(mean, color=INK, linewidth=1, linestyle="--", label="mean of the published")
    ax.set(xlabel="loss of a batch", ylabel="batches")
    return ax


def two_samples(x: Array, loss: Array, sequence: str, title: str) -> "Axes":
    """Draw x and the visited sample's loss in the two-sample example, visits named on the axis."""
    ax = zero_line(panel(title))
    visits = np.arange(len(sequence))
    ax.plot(visits, x, color=GREY, linestyle="--", linewidth=1.1, label="x")
    ax.plot(visits, loss, color=PURPLE, marker="o", markersize=4, label="loss")
    for visit in visits[1:]:
        if sequence[visit] == sequence[visit - 1]:  # shown twice in a row
            ax.axvspan(
                visit - 1,
                visit,
                color=PURPLE,
                alpha=0.12,
                linewidth=0,
                label="shown twice in a row",
            )
    ax.set_xticks(visits, list(sequence))
    ax.set(xlabel="visited sample", ylim=(-1.3, 2.0))
    return ax


def trajectory(
    direction: Array, gradient: Array, beta2: Array, marks: Sequence[float], title: str
) -> "Axes":
    """The tip of the step in three dimensions as beta2 runs from 0 to 1, and the gradient.

    `direction` (n, 3) is the step at each `beta2` (n,), `gradient` (3,) that of the batch,
    drawn longer since only its direction matters; `marks` are values of beta2 to mark and name.
    """
    from matplotlib.ticker import MaxNLocator
    from mpl_toolkits.mplot3d.proj3d import proj_transform  # type: ignore[import-untyped]

    ax: Any = panel(title, size=(3.7, 3.3), projection="3d")
    arrow = gradient / np.linalg.norm(gradient) * 0.8 * np.abs(direction).max()
    points = np.concatenate([direction, arrow[None], np.zeros((1, 3))])
    ax.plot(*direction.T, color=PURPLE, linewidth=1.3, label="tip of the step")
    ax.plot(*np.stack([np.zeros(3), arrow]).T, color=GREEN, linewidth=1.3, label="∇lᵇ")
    ax.plot([0], [0], [0], marker="o", color=INK, markersize=3, label="origin")
    for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), "123", strict=True):
        axis.set_pane_color((1, 1, 1, 0))
        axis.set_label_text(f"dim {name}")
        axis.set_major_locator(MaxNLocator(3))
    middle, reach = (points.max(axis=0) + points.min(axis=0)) / 2, np.ptp(points, axis=0).max() / 2
    ax.set(**{f"{n}lim": (c - reach, c + reach) for n, c in zip("xyz", middle, strict=True)})
    ax.view_init(elev=15, azim=-60)
    ax.set_box_aspect(None, zoom=0.85)
    named = [(arrow, "∇lᵇ", GREEN)]
    named += [(direction[int(np.abs(beta2 - m).argmin())], f"β₂ = {m:g}", PURPLE) for m in marks]
    for tip, label, color in named:
        ax.plot(*tip[:, None], marker="o", color=color, markersize=4, label=label)
        x, y, _ = proj_transform(*tip, ax.get_proj())
        left = tip[1] < -0.2 * np.abs(direction).max()  # dim 2 points away from the reader
        ax.annotate(
            label,
            (x, y),
            xytext=(-6 if left else 7, 6 if tip is arrow else -6),
            textcoords="offset points",
            ha="right" if left else "left",
            color=color,
            fontsize=8.5,
            bbox={"facecolor": COLORS["paper"], "edgecolor": "none", "pad": 0.3},
        )
    return ax


def shares(direction: Array, gradient: Array, beta2: Array, title: str) -> "Axes":
    """Each coordinate's part of the inner product of step and gradient, against beta2."""
    ax = zero_line(panel(title))
    for part, name, color in zip((direction * gradient).T, "123", KINDS, strict=False):
        ax.plot(beta2, part, color=color, label=f"dim {name}")
    ax.set_yscale("symlog", linthresh=10)
    ax.set(xlabel="β₂ of this one step", ylabel="part of the inner product")
    return ax
