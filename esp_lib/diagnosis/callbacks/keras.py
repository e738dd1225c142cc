"""The diagnosis while Keras trains.

    model.fit(..., callbacks=[SawtoothCallback()])

Keras hands over the mean of the loss since the epoch began; here it is taken apart into the loss of
each step. Source of the events: `callbacks/callback.py` of github.com/keras-team/keras.
"""

import math
from collections.abc import Callable
from typing import Any

from keras.callbacks import Callback

from esp_lib.diagnosis.callbacks.watch import NAMES, PROBE, Watch


class SawtoothCallback(Callback):
    """Says from the third epoch on whether the loss drops at epoch boundaries.

    Args:
        probe: takes the model and returns its loss on a fixed batch; it is logged after each epoch.
            It must not call `evaluate`, which makes the mean of the loss begin anew.
        tell: takes what is said; by default it is printed.
    """

    def __init__(
        self, probe: Callable[[Any], float] | None = None, tell: Callable[[str], None] = print
    ) -> None:
        super().__init__()
        self.watch = Watch(probe, tell)
        self.step = self.begun = self.done = 0  # steps, before this epoch, and in it
        self.sum = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """The mean begins anew."""
        self.begun, self.done, self.sum = self.step, 0, 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A step is over, or several (`steps_per_execution`)."""
        total = (batch + 1) * float((logs or {})["loss"])
        self.step = self.begun + batch + 1
        self.watch.point(self.step, (total - self.sum) / (batch + 1 - self.done), self.model)
        self.done, self.sum = batch + 1, total

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch is over; what is added to `logs` reaches the loggers that come later."""
        values = self.watch.end_of_epoch(epoch + 1, self.step / (epoch + 1))
        if logs is not None:  # a CSVLogger writes only what it saw after the first epoch
            logs.update(dict.fromkeys(NAMES, math.nan) | values)
            if self.watch.probed:
                logs[PROBE] = self.watch.probed[-1]
