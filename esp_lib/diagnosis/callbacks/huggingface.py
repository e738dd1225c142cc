"""The diagnosis while Hugging Face's Trainer trains.

    trainer.add_callback(SawtoothCallback(trainer))

Source of the events: `trainer_callback.py` of github.com/huggingface/transformers.
"""

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from esp_lib.diagnosis.callbacks.watch import Watch, torch_probe


class SawtoothCallback(TrainerCallback):
    """Says from the third epoch on whether the loss drops at epoch boundaries.

    Args:
        trainer: whose loss is watched, and through which is logged.
        probe: takes the model and returns its loss on a fixed batch; it is logged beside the loss.
        tell: takes what is said; by default it is printed.
    """

    def __init__(
        self,
        trainer: Any,
        probe: Callable[[Any], Any] | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.trainer = trainer
        self.watch = Watch(torch_probe(probe), tell)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """A training loss was logged: the mean since the last."""
        if logs and "loss" in logs and state.is_world_process_zero:
            values = self.watch.point(state.global_step, logs["loss"], self.trainer.model)
            if values:
                self.trainer.log(values)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """An epoch is over."""
        epoch = round(state.epoch or 0)
        if epoch and state.is_world_process_zero:
            values = self.watch.end_of_epoch(epoch, state.global_step / state.epoch)
            if values:
                self.trainer.log(values)
