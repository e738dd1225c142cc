"""Explorer of early scores against final ones, with a stopping line.

Source: Dodge et al. (arXiv 2002.06305, 2020), section 5; `esp_lib.finetuning.early_scores`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.figures import BLUE, GREY, PURPLE, label_lines
from esp_lib.finetuning.early_scores import Early, early_and_final
from esp_lib.widgets.base import static_axes
from esp_lib.widgets.fields import Field, Number, rounded
from esp_lib.widgets.finetuning.episodes import EpisodesExplorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK = 0.3  # f at the start: the article recommends 0.2 to 0.3
KEEP = 0.3  # share of the episodes that is continued, at the start


class EarlyExplorer(EpisodesExplorer):
    """Each recorded episode's final score against its score when it is looked at.

    Args:
        episodes: for each task its (score, loss), both (N, P), as of `BudgetExplorer`.
        epochs: of an episode.
        metric: what the score of a task is, by default "accuracy".
        **settings: `task`, `f` (when the episodes are looked at, as a share of their steps), `p`
            (how many are continued: the stopping line lies at the worst of them).

    Raises:
        ValueError: episodes that are not as above, an unknown setting, or a value that is not
            allowed.
    """

    name = "early"
    script = "finetuning/early"
    caption = (
        "Final score of fine-tuning episodes against their score early in training; those left of "
        "the line are stopped. With JavaScript this figure is live."
    )

    def __init__(
        self,
        episodes: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        epochs: float = 3,
        metric: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.take(episodes, epochs, metric)
        size, points = self.tasks[0].loss.shape
        self.field_list: tuple[Field, ...] = (
            *self.choice_of_task,
            Number("f", "f, look at", rounded(1 / points), 1, step=1 / points),
            Number("p", "p, continued", 1, size, step=1, integer=True),
        )
        look = max(1, round(LOOK * points)) / points
        self.defaults = {
            **self.first_task, "f": rounded(look), "p": max(1, round(KEEP * size)),
        }  # fmt: skip
        super().__init__(**settings)

    @property
    def point(self) -> int:
        """The evaluation, counted from 1, at which the episodes are looked at."""
        f: Any = self.settings["f"]
        return max(1, math.floor(f * self.task.loss.shape[1] + 0.5))

    @property
    def found(self) -> Early:
        """What the early scores say about the final ones."""
        p: Any = self.settings["p"]
        share = self.point / self.task.loss.shape[1]
        return early_and_final(self.task.score, self.task.loss, share, p)

    def draw_static(self) -> Axes:
        """Final against early score, and the stopping line."""
        score, found = self.task.score, self.found
        early, final = score[:, self.point - 1], score[:, -1]
        epoch = f"{self.point / score.shape[1] * self.epochs:g}"
        ax = static_axes(f"{self.task.metric} after {epoch} epochs", f"final {self.task.metric}")
        kept = np.isin(np.arange(len(score)), found.kept)
        for label, rows, color in (("stopped", ~kept, GREY), ("continued", kept, BLUE)):
            ax.plot(early[rows], final[rows], "o", color=color, markersize=4, label=label)
        ax.axvline(found.line, color=PURPLE, linewidth=1.2, label="stopping line")
        label_lines(ax)
        return ax
