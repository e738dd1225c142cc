"""Pictures of a diagnosed log: its loss with the epoch boundaries, and its epochs folded into one.

The folded tooth is the mean over epochs at each phase, after the trend is taken out: see
`esp_lib/sawtooth/measurement.py`.
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import figures
from esp_lib.diagnosis.signs.grid import arrange, tooth_of
from esp_lib.logs.log import Log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 60  # epochs of which each boundary is drawn
COMPACT = (3.7, 2.0)  # inches


def thin(x: ArrayLike, y: ArrayLike, parts: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fewer points that look the same: of each of `parts` stretches, the lowest and highest.

    Args:
        x: (points,).
        y: (points,) finite.
        parts: how many stretches; curves of up to twice as many points stay whole.
    """
    x, y = np.asarray(x), np.asarray(y)
    if y.size <= 2 * parts:
        return x, y
    cuts = np.arange(parts + 1) * y.size // parts
    keep = [
        at
        for low, high in pairwise(cuts.tolist())
        for at in sorted({low + int(y[low:high].argmin()), low + int(y[low:high].argmax())})
    ]
    return x[keep], y[keep]


def draw_loss(ax: "Axes", log: Log, steps_per_epoch: float, last: float = math.inf) -> "Axes":
    """The loss against epochs, or against steps where the length of an epoch is not known.

    Args:
        ax: axes to draw on.
        log: what was read.
        steps_per_epoch: NaN if not known.
        last: epochs from the end that are drawn.
    """
    known = math.isfinite(steps_per_epoch)
    x = log.steps / steps_per_epoch if known else log.steps
    here = x > x[-1] - last
    start = max(0.0, x[-1] - last) if known else float(x[0])
    if known and x[-1] - start <= LINES:
        for at in range(math.floor(start) + 1, math.ceil(x[-1])):
            ax.axvline(at, color=figures.GRID, linewidth=0.8, zorder=0, label="end of an epoch")
        ax.locator_params(axis="x", integer=True)
    ax.plot(*thin(x[here], log.loss[here], 1_000), color=figures.BLUE, linewidth=0.8, label="loss")
    ax.set(xlabel="epoch" if known else "step", ylabel="training loss")
    if x[-1] > start:
        ax.set_xlim(start, x[-1])
    return ax


def draw_tooth(ax: "Axes", phase: ArrayLike, profile: ArrayLike) -> "Axes":
    """The folded tooth against the phase of the epoch; empty axes where there is none."""
    phase, profile = np.asarray(phase), np.asarray(profile)
    here = np.isfinite(profile)
    ax.axhline(0.0, color=figures.GRID, linewidth=0.8, label="zero")
    ax.plot(phase[here], profile[here], color=figures.PURPLE, linewidth=1.2, label="tooth")
    ax.set(xlabel="phase of the epoch", xlim=(0, 1))
    return ax


def draw_both(
    log: Log, steps_per_epoch: float, phase: ArrayLike, profile: ArrayLike, title: str
) -> "Figure":
    """A figure of its own, for a file: the loss, and the folded tooth beside it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=figures.WIDE)
        left, right = figure.subplots(1, 2, width_ratios=[2, 1])
        draw_loss(left, log, steps_per_epoch).set_title(title)
        draw_tooth(right, phase, profile).set_title("epochs folded, trend taken out")
    return figure


def svg(log: Log, steps_per_epoch: float, phase: ArrayLike, profile: ArrayLike) -> str:
    """`draw_both` as SVG, for a notebook."""
    from io import StringIO

    out = StringIO()
    figure = draw_both(log, steps_per_epoch, phase, profile, "")
    figure.savefig(out, format="svg", bbox_inches="tight")
    return out.getvalue().partition("<svg")[2].join(["<svg", ""])


def compact(log: Log, steps_per_epoch: float, title: str, last: float = 3) -> "Axes":
    """A small panel for comparing logs: the last epochs, and all of them as logged, folded.

    Unlike the diagnosis's own, this tooth is folded before anything in the log is undone.

    Args:
        log: what was read.
        steps_per_epoch: as it is known.
        title: above the panel.
        last: how many epochs are drawn.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    seen = tooth_of(arrange(log.steps, log.loss, steps_per_epoch, log.interval))
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=COMPACT)
        left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
        draw_loss(left, log, steps_per_epoch, last).set_title(title)
        draw_tooth(right, seen.phase, seen.profile).set(xlabel="phase", xticks=[0, 1])
        for ax in (left, right):
            ax.locator_params(axis="y", nbins=4)
            ax.tick_params(labelsize=7.5)
    axes: Axes = left
    return axes
