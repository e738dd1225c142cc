"""The diagnosis while Lightning trains.

    Trainer(callbacks=[SawtoothCallback()])

Source of the events: `callbacks/callback.py` of github.com/Lightning-AI/pytorch-lightning.
"""

from collections.abc import Callable
from typing import Any

from lightning.pytorch.callbacks import Callback

from esp_lib.diagnosis.callbacks.watch import Watch, torch_probe


class SawtoothCallback(Callback):
    """Says from the third epoch on whether the loss drops at epoch boundaries.

    Args:
        probe: takes the module and returns its loss on a fixed batch; it is logged beside the loss.
        tell: takes what is said; by default it is printed.
        every: steps from one loss that is taken to the next.
    """

    def __init__(
        self,
        probe: Callable[[Any], Any] | None = None,
        tell: Callable[[str], None] = print,
        every: int = 1,
    ) -> None:
        self.watch = Watch(torch_probe(probe), tell)
        self.every = every

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A step is over."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is not None and trainer.global_step % self.every == 0:
            values = self.watch.point(trainer.global_step, float(loss), pl_module)
            pl_module.log_dict(values)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """An epoch is over."""
        epoch = trainer.current_epoch + 1
        pl_module.log_dict(self.watch.end_of_epoch(epoch, trainer.global_step / epoch))
