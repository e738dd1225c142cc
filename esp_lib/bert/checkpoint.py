"""What a pre-training run keeps on disk between epochs: all of it, or nothing."""

import json
import zipfile
from pathlib import Path
from typing import Any

import torch

from esp_lib.bert.recorder import Recorder
from esp_lib.bert.trainer import Training


def save_checkpoint(
    path: Path,
    key: str,
    epoch: int,
    made: dict[str, Any],
    training: Training,
    recorder: Recorder,
) -> None:
    """Write the state of run `key` after `epoch` epochs, and what made it: all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {
        "run": key,
        "epoch": epoch,
        "seconds": made["seconds"],
        "made": json.dumps(made),  # torch reads no other types than its own and plain ones
        "training": training.state(),
        "recorder": recorder.state(),
    }
    torch.save(state, partial)
    partial.replace(path)


def save_weights(path: Path, network: torch.nn.Module) -> None:
    """Write a network's `state_dict`, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({name: value.cpu() for name, value in network.state_dict().items()}, partial)
    partial.replace(path)


def load_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """The state that `save_checkpoint` wrote, None if there is no such file; else ValueError."""
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if bad := archive.testzip():  # torch does not compare the checksums
                raise ValueError(f"{bad} has a wrong checksum")
        state = torch.load(path, map_location="cpu", weights_only=True)  # runs no code
        found = state["run"]
    except Exception as error:  # of many kinds for a damaged file
        raise ValueError(f"checkpoint {path} is damaged: delete it to start anew") from error
    if found != key:
        raise ValueError(
            f"checkpoint {path} is of a run with other settings or another text: delete or move it"
        )
    return dict(state)
