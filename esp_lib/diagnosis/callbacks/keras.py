"""The diagnosis while Keras trains.

    model.fit(..., callbacks=[SawtoothCallback()])

Keras hands over the mean of the loss since the epoch began; here it is taken apart into the loss of
each step. Source of the events: `callbacks/callback.py` of github.com/keras-team/keras.
"""

from collections.abc import Callable
from typing import Any

from keras.callbacks import Callback

from esp_lib.diagnosis.callbacks.watch import Watch


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
        self.step = 0
        self.sum = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """The mean begins anew."""
        self.sum = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A step is over."""
        self.step += 1
        total = (batch + 1) * float((logs or {})["loss"])
        self.watch.point(self.step, total - self.sum, self.model)
        self.sum = total

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch is over; what is added to `logs` reaches the loggers that come later."""
        values = self.watch.end_of_epoch(epoch + 1, self.step / (epoch + 1))
        if logs is not None:
            logs.update(values)
            if self.watch.probed:
                logs["epochal_sawtooth/probe_loss"] = self.watch.probed[-1]
