"""Explorer of recorded training runs: average and smooth their curves again, live.

"Plot every" and the smoothing are those of the script that Liu and Ma (2025) published with their
paper: the mean of each window of n steps; then c times it plus 1 - c times the last drawn point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.bert.curves import curve, smoothed, validation
from esp_lib.figures import COLORS, drawable, epoch_lines, label_lines
from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import Sawtooth, measure
from esp_lib.widgets.base import Explorer, static_axes
from esp_lib.widgets.fields import Choice, Field, Number, Settings, Switch
from esp_lib.widgets.packing import PackedRun, Recording, Runs, pack_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAPER_EVERY = 50 / 1323  # of an epoch: the paper's window for its small network
LEAST_SMOOTHING = 0.05


def recording(records: Sequence[RunRecord]) -> Recording:
    """The first run of a setting: both training losses, and the MLM validation loss."""
    one = records[:1]
    losses = {"MLM loss (nats)": curve(one), "NSP loss (nats)": curve(one, "nsp_loss")}
    return Recording(losses, {"MLM loss (nats)": validation(one)})


class RecordedExplorer(Explorer):
    """Curves of recorded runs, averaged over as many steps as the reader asks for.

    The losses travel with the page as 16-bit integers, 2.7 bytes a loss: those of an epoch that
    lie within 4 nats at a resolution of 2**-14 nats, which is that of the run records; see
    `recorded_data`. Beyond 50,000 losses in all (133 kB), means of two or more steps travel, and
    "plot every" is a multiple of their number.

    Args:
        runs: one to six runs: a mapping of labels to curves or recordings, or a list of (label,
            curve or recording, colour); colours are "blue", "orange", "green", "purple", "grey" and
            "ink". A bare curve is a recording of the series "training loss".
        shown: labels of the runs that are shown at the start; by default all.
        marks: numbers of steps to mark at the slider of "plot every".
        **settings: `every` (steps in a window, up to an epoch; by default the paper's 50 of 1,323,
            scaled), `smoothing` (c, at most 1, which is none), `start` (epochs at the start that
            are not drawn; by default 1 of five or more), `series`, `validation` (whether it is
            shown), `run1`, `run2`, … (whether that run is shown).

    Raises:
        ValueError: runs that are not as above, an unknown setting, or a value that is not allowed.

    Example:
        >>> runs = {"flat": Curve(np.ones(100), steps_per_epoch=10)}
        >>> RecordedExplorer(runs, every=5).drawn["flat"].shape
        (20,)
    """

    name = "recorded"
    script = "recorded"
    caption = (
        "Loss of recorded training runs, in means of windows of steps, against epochs. With "
        "JavaScript this figure is live."
    )

    def __init__(
        self,
        runs: Runs,
        *,
        shown: Sequence[str] | None = None,
        marks: Sequence[int] = (),
        **settings: Any,
    ) -> None:
        self.series, self.group, self.runs = pack_runs(runs)
        self.field_list = tuple(self._make_fields(marks))
        self.defaults = self._make_defaults(shown)
        self.data = {
            "group": self.group,
            "series": list(self.series),
            "runs": [run.as_json() for run in self.runs],
        }
        super().__init__(**settings)

    @property
    def shown(self) -> tuple[PackedRun, ...]:
        """The runs that are shown."""
        return tuple(run for k, run in enumerate(self.runs, 1) if self.settings[f"run{k}"])

    @property
    def drawn(self) -> dict[str, NDArray[np.float64]]:
        """What is drawn of each shown run, by label: (points,) smoothed means of windows."""
        return {run.label: self._smoothed(run) for run in self.shown}

    @property
    def teeth(self) -> dict[str, Sawtooth]:
        """The tooth of each shown run, by label, measured in the means before smoothing.

        Of the second half of a run of five epochs or more; a run whose epoch is shorter than a
        window is left out.
        """
        now: dict[str, Any] = self.settings
        every = now["every"]
        found = {}
        for run in self.shown:
            if every <= run.steps_per_epoch:
                means = self._means(run)
                steps = every * np.arange(1, means.size + 1)
                found[run.label] = measure(
                    means,
                    run.steps_per_epoch,
                    steps=steps,
                    window=every,
                    skip_epochs=self._first_half(run),
                )
        return found

    @property
    def falls(self) -> dict[str, float]:
        """How far each shown run falls at a boundary as it is drawn, by label; see `drawn_fall`."""
        every: Any = self.settings["every"]
        return {
            run.label: drawn_fall(
                self._smoothed(run), every, run.steps_per_epoch, self._first_half(run)
            )
            for run in self.shown
        }

    def draw_static(self) -> Axes:
        """Loss of the chosen runs against epochs."""
        now: dict[str, Any] = self.settings
        ax, last = static_axes("epoch", self.series[self._at]), 0.0
        for run in self.shown or self.runs:
            y = self._smoothed(run)
            x = now["every"] / run.steps_per_epoch * np.arange(1, y.size + 1)
            last = max(last, x[-1])
            values = run.validation[self._at]
            if now.get("validation") and values:
                where = run.steps / run.steps_per_epoch
                late = where > now["start"]
                ax.plot(
                    where[late],
                    drawable(values.values[late]),
                    color=COLORS[run.color],
                    alpha=0.55,
                    label=f"{run.label}, validation",
                )
            late = x > now["start"]
            ax.plot(x[late], drawable(y[late]), color=COLORS[run.color], label=run.label)
        epoch_lines(ax, math.ceil(last))
        ax.set_xlim(now["start"], math.ceil(last))
        label_lines(ax)
        return ax

    @property
    def _at(self) -> int:
        """Index of the series in force."""
        return self.series.index(str(self.settings.get("series", self.series[0])))

    def _first_half(self, run: PackedRun) -> int:
        epochs = run.losses[self._at].codes.size * self.group // run.steps_per_epoch
        return epochs // 2 if epochs >= 5 else 0

    def _means(self, run: PackedRun) -> NDArray[np.float64]:
        now: dict[str, Any] = self.settings
        return Curve(run.losses[self._at].values, 1).every(now["every"] // self.group)

    def _smoothed(self, run: PackedRun) -> NDArray[np.float64]:
        now: dict[str, Any] = self.settings
        return smoothed(self._means(run), now["smoothing"])

    def _control(self, field: Field) -> Any:
        """A control; a run's check box has the colour of its curve."""
        box = super()._control(field)
        for k, run in enumerate(self.runs, 1):
            if field.name == f"run{k}":
                box.add_class(f"esp-color-{run.color}")
        return box

    def _make_fields(self, marks: Sequence[int]) -> list[Field]:
        g = self.group
        steps = min(run.losses[0].codes.size * g for run in self.runs)
        high = min(max(run.steps_per_epoch for run in self.runs), steps) // g * g
        marked = tuple(float(_checks.integer("marks", mark, low=1, high=high)) for mark in marks)
        epochs = min(run.losses[0].codes.size * g // run.steps_per_epoch for run in self.runs)
        fields: list[Field] = [
            Number(
                "every",
                "Plot every",
                g,
                high,
                step=g,
                integer=True,
                multiple=g,
                marks=marked,
            ),
            Number("smoothing", "Smoothing c", LEAST_SMOOTHING, 1, step=0.01, marks=(0.75,)),
            Number("start", "From epoch", 0, epochs - 1, step=1, integer=True),
        ]
        if len(self.series) > 1:
            fields.append(Choice("series", "Series", self.series))
        fields += [Switch(f"run{k}", run.label) for k, run in enumerate(self.runs, 1)]
        if any(run.steps.size for run in self.runs):
            fields.append(Switch("validation", "Validation (fainter)"))
        return fields

    def _make_defaults(self, shown: Sequence[str] | None) -> Settings:
        labels = [run.label for run in self.runs]
        chosen = labels if shown is None else list(shown)
        for label in chosen:
            _checks.choice("shown", label, labels)
        epoch = max(run.steps_per_epoch for run in self.runs)
        epochs = min(
            run.losses[0].codes.size * self.group / run.steps_per_epoch for run in self.runs
        )
        defaults: Settings = {
            "every": max(1, round(PAPER_EVERY * epoch / self.group)) * self.group,
            "smoothing": 1.0,
            "start": int(epochs >= 5),
        }
        for field in self.field_list[3:]:
            if isinstance(field, Choice):
                defaults[field.name] = field.options[0]
            elif field.name != "validation":
                defaults[field.name] = field.label in chosen
            else:
                defaults[field.name] = False
        return defaults


def drawn_fall(y: NDArray[np.float64], every: int, steps_per_epoch: int, skip_epochs: int) -> float:
    """Mean fall of a drawn curve at the boundaries after the first `skip_epochs` epochs.

    From the last point inside an epoch to the first inside the next.

    `y` (points,) are means of consecutive windows of `every` steps, smoothed or not.

    Returns:
        In the unit of the loss; NaN where there is no such pair of points.
    """
    T = steps_per_epoch
    boundaries = np.arange(skip_epochs + 1, y.size * every // T + 1) * T
    before, after = boundaries // every - 1, -(-boundaries // every)
    there = (after < y.size) & (before >= 0)
    falls = y[before[there]] - y[after[there]]
    falls = falls[np.isfinite(falls)]
    return float(falls.mean()) if falls.size else math.nan
