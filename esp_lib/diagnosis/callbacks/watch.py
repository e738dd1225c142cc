"""The diagnosis while training: what the callbacks of all frameworks have in common.

A callback hands over each logged loss and says when an epoch is over; from the third epoch on, what
is seen so far is said and returned as numbers for the logger. The loss on a fixed probe batch, if
there is one, is recorded beside the training loss: where the training loss drops at a boundary and
the probe's does not, the cliff is in the log and not in the network (chapter 4).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from esp_lib.diagnosis.diagnosis import Diagnosis, diagnose
from esp_lib.diagnosis.report import answer
from esp_lib.logs.formats import LogError

FIRST = 3  # epochs after which something is said
PREFIX = "epochal_sawtooth/"  # of the names in the logger
PROBE = PREFIX + "probe_loss"
NAMES = tuple(PREFIX + name for name in ("drop", "climb", "p_value"))


class Watch:
    """The losses of a run so far, and their diagnosis.

    Args:
        probe: takes the model and returns its loss on a fixed batch, as a number.
        tell: takes what is said, a few lines; by default it is printed.
    """

    def __init__(
        self, probe: Callable[[Any], float] | None = None, tell: Callable[[str], None] = print
    ) -> None:
        self.probe, self.tell = probe, tell
        self.steps: list[float] = []
        self.losses: list[float] = []
        self.probed: list[float] = []
        self.diagnosis: Diagnosis | None = None

    def point(self, step: float, loss: float, model: Any) -> dict[str, float]:
        """Take a training loss; returns the probe's, for the logger, if there is a probe."""
        if self.steps and step <= self.steps[-1]:
            return {}
        self.steps.append(float(step))
        self.losses.append(float(loss))
        if self.probe is None:
            return {}
        self.probed.append(float(self.probe(model)))
        return {PROBE: self.probed[-1]}

    def end_of_epoch(self, epoch: int, steps_per_epoch: float) -> dict[str, float]:
        """Say what is seen; returns it as numbers for the logger.

        Args:
            epoch: how many epochs are over.
            steps_per_epoch: optimizer steps in one.
        """
        if epoch < FIRST or len(self.losses) < 2:
            return {}
        try:
            found = diagnose(self.losses, steps_per_epoch, steps=self.steps)
        except LogError as error:  # training goes on
            self.tell(f"After epoch {epoch}. Cannot tell: {error}.")
            return {}
        self.diagnosis = found
        lines = [f"After epoch {epoch}. {line}" if i == 0 else line
                 for i, line in enumerate(answer(found))]  # fmt: skip
        values = {"drop": found.drop, "climb": found.climb, "p_value": found.p_value}
        if np.isfinite(self.probed).any():
            still = diagnose(self.probed, steps_per_epoch, steps=self.steps)
            values["probe_drop"] = still.drop
            if math.isfinite(still.drop):
                lines.append(f"On the probe batch the loss drops by {still.drop:.2g} there.")
        self.tell("\n".join(lines))
        return {PREFIX + name: value for name, value in values.items() if math.isfinite(value)}


def torch_probe(
    probe: Callable[[Any], Any] | None,
) -> Callable[[Any], float] | None:
    """A probe of a PyTorch model, in evaluation mode and without gradients."""
    if probe is None:
        return None

    def quiet(model: Any) -> float:
        import torch

        was = model.training
        model.eval()
        try:
            with torch.no_grad():
                return float(probe(model))
        finally:
            model.train(was)

    return quiet
