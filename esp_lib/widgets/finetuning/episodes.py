"""Recorded fine-tuning episodes as they travel with the page, for the explorers of chapter 7."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.finetuning.early_stopping import check_episodes
from esp_lib.widgets.base import Explorer
from esp_lib.widgets.fields import Choice, Field
from esp_lib.widgets.packing import Packed, pack


@dataclass(frozen=True, eq=False)
class TaskEpisodes:
    """Recorded episodes of one task, as they travel with the page."""

    label: str
    metric: str
    packed: Packed  # scores, episode after episode
    loss: NDArray[np.float64]  # (N, P)

    @property
    def score(self) -> NDArray[np.float64]:
        """(N, P), rounded to 16 bits of the task's range."""
        return self.packed.values.reshape(self.loss.shape)

    def order(self, point: int) -> NDArray[np.intp]:
        """Episodes from the best to the worst at evaluation `point`, counted from 1."""
        return check_episodes(self.score, self.loss).order(point)

    def as_json(self) -> dict[str, Any]:
        """The same in JSON's types, for the front end; of the losses only what they decide."""
        size, points = self.loss.shape
        order = np.array([self.order(point) for point in range(1, points + 1)], "<u2")
        return {
            "label": self.label,
            "metric": self.metric,
            "size": size,
            "points": points,
            "score": self.packed.as_json(),
            "order": base64.b64encode(order.tobytes()).decode("ascii"),
        }


class EpisodesExplorer(Explorer):
    """Base of the explorers of recorded episodes: their tasks, and the one in force."""

    epochs: float  # of an episode
    tasks: tuple[TaskEpisodes, ...]

    def take(
        self,
        episodes: Mapping[str, tuple[ArrayLike, ArrayLike]],
        epochs: float,
        metric: Mapping[str, str] | None,
    ) -> None:
        """Check and keep what the explorer is about; ValueError if it is not as it should be."""
        self.epochs = float(_checks.real("epochs", epochs, low=0, low_open=True))
        self.tasks = check_tasks(episodes, metric or {})
        self.data = {"epochs": self.epochs, "tasks": [one.as_json() for one in self.tasks]}

    @property
    def task(self) -> TaskEpisodes:
        """The task in force."""
        chosen = self.settings.get("task", self.tasks[0].label)
        return next(one for one in self.tasks if one.label == chosen)

    @property
    def choice_of_task(self) -> tuple[Field, ...]:
        """The field to choose a task with; none where there is one task."""
        labels = tuple(one.label for one in self.tasks)
        return (Choice("task", "Task", labels),) if len(labels) > 1 else ()

    @property
    def first_task(self) -> dict[str, str]:
        """What that field is set to at the start."""
        return {field.name: self.tasks[0].label for field in self.choice_of_task}


def check_tasks(
    episodes: Mapping[str, tuple[ArrayLike, ArrayLike]], metric: Mapping[str, str]
) -> tuple[TaskEpisodes, ...]:
    """The tasks, all of one shape (N, P) with N at least 2; ValueError if they are not."""
    if not isinstance(episodes, Mapping) or not episodes:
        raise ValueError(f"episodes must be one task or more, got {episodes!r}")
    if unknown := set(metric) - set(episodes):
        raise ValueError(f"metric must be of {list(episodes)}, got {sorted(unknown)}")
    tasks = []
    for label, records in episodes.items():
        if not isinstance(label, str) or not label.strip():
            raise ValueError(f"episodes must have labels of text, got {label!r}")
        try:
            score, loss = records
            checked = check_episodes(score, loss)
        except (TypeError, ValueError) as error:
            raise ValueError(f"episodes[{label!r}] must be (score, loss): {error}") from None
        packed = pack(checked.score.ravel(), checked.score.size)
        tasks.append(TaskEpisodes(label, metric.get(label, "accuracy"), packed, checked.loss))
    shapes = {one.loss.shape for one in tasks}
    if len(shapes) > 1 or tasks[0].loss.shape[0] < 2:
        raise ValueError(
            f"episodes must have one shape for all tasks, of 2 episodes or more, "
            f"got {sorted(shapes)}"
        )
    return tuple(tasks)
