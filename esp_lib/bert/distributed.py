"""The processes of one training run: this one alone, or those that `torchrun` started.

Source: https://docs.pytorch.org/docs/stable/elastic/run.html (the environment of a process). Every
process holds the whole model and takes its share of each batch; gradients and losses are summed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Processes:
    """Which of how many."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes files and shows progress."""
        return self.rank == 0

    def share(self, items: int) -> slice:
        """This process's share of a batch."""
        return slice(self.rank, items, self.count)

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.count == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([t.flatten() for t in tensors])  # one message instead of many
        dist.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()


def join(device: torch.device) -> tuple[Processes, torch.device]:
    """The processes of this run, and this one's device (`cuda` becomes one GPU for each)."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes(), device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(dist.get_rank(), count), device
