"""Explorer of start many, stop early, continue some, over recorded fine-tuning episodes.

Source: Dodge et al. (arXiv 2002.06305, 2020), section 5;
`esp_lib.finetuning.early_stopping` has the exact means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib.figures import BLUE, GREY, PURPLE, epoch_lines, label_lines
from esp_lib.finetuning.early_stopping import Outcome, StoppingPlan, best_plan, compare
from esp_lib.sampling.orders import shuffles
from esp_lib.widgets.base import static_axes
from esp_lib.widgets.fields import Field, Number, Settings, rounded
from esp_lib.widgets.finetuning.episodes import EpisodesExplorer, check_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BUDGETS = 30  # fully trained episodes: the largest budget, that of the article
START = 10  # the budget at the start
STOP = 0.25  # f at the start: the article recommends 0.2 to 0.3


class BudgetExplorer(EpisodesExplorer):
    """Plans (t, f, p) for recorded episodes: what they find on average, what they cost.

    Scores travel as 16-bit integers: 5.4 bytes an evaluation with the order of the episodes.

    Args:
        episodes: for each task its (score, loss), both (N, P): validation scores, at most 1, and
            losses of N episodes at P equally spaced evaluations, the last at the end. All tasks
            have the same N, 2 to 1,000, and P.
        epochs: of an episode.
        metric: what the score of a task is, by default "accuracy".
        others: for each task episodes of other seeds, likewise, on which a plan is judged that was
            chosen on `episodes`; all have the same N. By default there are none.
        **settings: `task`, `t`, `f` (the nearest evaluation is taken), `p`, `budget` (in fully
            trained episodes), `draw` (the seed of the example).

    Raises:
        ValueError: episodes that are not as above, an unknown setting, or a value that is not
            allowed.
    """

    name = "budget"
    script = "finetuning/budget"
    caption = (
        "Validation score of fine-tuning episodes against epochs, for one draw: some are stopped "
        "early (grey), the best of them are continued. With JavaScript this figure is live."
    )

    def __init__(
        self,
        episodes: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        epochs: float = 3,
        metric: Mapping[str, str] | None = None,
        others: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        **settings: Any,
    ) -> None:
        self.take(episodes, epochs, metric)
        self.others = check_tasks(others, metric or {}) if others else ()
        if self.others and [one.label for one in self.others] != [one.label for one in self.tasks]:
            raise ValueError(f"others must be of {list(episodes)}, got {list(others or {})}")
        self.field_list = self._make_fields()
        self.defaults = self._make_defaults()
        self.data = {**self.data, "others": [one.as_json() for one in self.others]}
        super().__init__(**settings)

    @property
    def plan(self) -> StoppingPlan:
        """The plan in force: f is that of an evaluation, and p at most t."""
        now: dict[str, Any] = self.settings
        points = self.task.loss.shape[1]
        point = max(1, math.floor(now["f"] * points + 0.5))
        return StoppingPlan(now["t"], point / points, min(now["p"], now["t"]))

    @property
    def outcome(self) -> Outcome:
        """The plan beside full training for the budget, or for what the plan costs if more."""
        paid = max(float(self.settings["budget"]), self.plan.cost)  # type: ignore[arg-type]
        return compare(self.task.score, self.task.loss, self.plan, paid)

    @property
    def held_out(self) -> Outcome | None:
        """The same plan and budget on the task's other episodes; None if there are none."""
        if not self.others:
            return None
        other = self.others[self.tasks.index(self.task)]
        return compare(other.score, other.loss, self.plan, self.outcome.budget)

    @property
    def example(self) -> NDArray[np.intp]:
        """Episodes of the example (t,), from the best to the worst where they may be stopped."""
        now: dict[str, Any] = self.settings
        size, points = self.task.loss.shape
        order = self.task.order(round(self.plan.f * points))
        return order[np.isin(order, shuffles(now["draw"], 1, now["t"], size)[0])]

    def take_best_plan(self) -> Outcome:
        """Set t, f and p to the plan that finds most for the budget, as the button does."""
        budget: Any = self.settings["budget"]
        best = best_plan(self.task.score, self.task.loss, budget)
        self.set(t=best.plan.t, f=best.plan.f, p=best.plan.p)
        return best

    def draw_static(self) -> Axes:
        """Score of the episodes of one example draw, as far as they were trained."""
        score, plan, drawn = self.task.score, self.plan, self.example
        points = score.shape[1]
        x = np.arange(1, points + 1) / points * self.epochs
        stop = round(plan.f * points)
        seen = [points if rank < plan.p else stop for rank in range(plan.t)]
        best = max(range(plan.t), key=lambda rank: score[drawn[rank], : seen[rank]].max())
        ax = static_axes("epoch", self.task.metric)
        looks = {
            "stopped early": (GREY, range(plan.p, plan.t), 0.55),
            "continued": (BLUE, range(plan.p), 0.55),
            "best found": (PURPLE, [best], 1.0),
        }
        for label, (color, ranks, alpha) in looks.items():
            for rank in ranks:
                y = score[drawn[rank], : seen[rank]]
                ax.plot(x[: seen[rank]], y, color=color, alpha=alpha, label=label)
        epoch_lines(ax, math.ceil(self.epochs))
        label_lines(ax, "best found")
        return ax

    @property
    def _most(self) -> int:
        """Episodes that a plan can start: those of the smaller set."""
        return min(len(one.loss) for one in (*self.tasks[:1], *self.others[:1]))

    def _make_fields(self) -> tuple[Field, ...]:
        points = self.tasks[0].loss.shape[1]
        size = self._most
        most = min(BUDGETS, size)
        return (
            *self.choice_of_task,
            Number("t", "t, started", 1, size, step=1, integer=True),
            Number("f", "f, stop at", rounded(1 / points), 1, step=1 / points),
            Number("p", "p, continued", 1, most, step=1, integer=True),
            Number("budget", "Budget", 1, most, step=1),
            Number("draw", "Example draw", 0, 2**32 - 1, integer=True),
        )

    def _make_defaults(self) -> Settings:
        points, size = self.tasks[0].loss.shape[1], self._most
        budget = max(1, min(START, size // 2))
        f = max(1, round(STOP * points)) / points
        p = max(1, budget // 2)  # half the budget, as the article recommends
        t = min(size, math.floor((budget - p * (1 - f)) / f + 1e-9))
        start: Settings = {"t": t, "f": rounded(f), "p": p, "budget": float(budget), "draw": 0}
        return {**self.first_task, **start}
