"""What a pre-training run keeps on disk between epochs."""

import json
from pathlib import Path
from typing import Any

import torch

from esp_lib.bert.recorder import Recorder
from esp_lib.bert.trainer import Training
from esp_lib.records.checkpoint import write_state


def save_checkpoint(
    path: Path,
    key: str,
    epoch: int,
    made: dict[str, Any],
    training: Training,
    recorder: Recorder,
) -> None:
    """Write the state of run `key` after `epoch` epochs, and what made it: all or nothing.

    Raises:
        FolderError: the folder cannot be made or written, or its disk is full.
    """
    state = {
        "run": key,
        "epoch": epoch,
        "seconds": made["seconds"],
        "made": json.dumps(made),  # torch reads no other types than its own and plain ones
        "training": training.state(),
        "recorder": recorder.state(),
    }
    write_state(path, state)


def save_weights(path: Path, network: torch.nn.Module) -> None:
    """Write a network's `state_dict`, all of it or nothing."""
    write_state(path, {name: value.cpu() for name, value in network.state_dict().items()})
