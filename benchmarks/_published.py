"""The published script's own training loop, driven over our pairs.

The script, `bert.py` of https://github.com/qiliuchn/training-loss-pattern, is no part of this
repository: it is imported from where it lies. Its `train_bert` trains its `BERTModel` on batches
from a `DataLoader` in its format; its validation, every `plot_every` steps, is left out, as it is
from our steps. It writes progress files into the current folder, so it runs in a temporary one.
"""

import contextlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks._roofline import synchronize
from esp_lib.bert.config import PretrainConfig
from esp_lib.bert.model import Batch


def load_script(path: Path) -> ModuleType:
    """The script as a module: its main block does not run, and nothing is written beside it."""
    if not path.is_file():
        raise ValueError(f"published must be the file bert.py of the paper's script, got {path}")
    spec = importlib.util.spec_from_file_location("published_bert", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


class _Examples(Dataset[tuple[torch.Tensor, ...]]):
    """Pairs as the script's own data set holds them: one tensor each, in a list a field."""

    def __init__(self, pairs: Batch) -> None:
        p = Batch(*(field.cpu() for field in pairs))
        fields = (
            p.tokens, p.segments, p.lengths.float(), p.positions, p.weights, p.labels, p.is_next
        )  # fmt: skip
        self.fields = [list(field) for field in fields]

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        return tuple(field[index] for field in self.fields)

    def __len__(self) -> int:
        return len(self.fields[0])


class _Enough(Exception):  # noqa: N818 - an end, not an error
    """The steps asked for are done."""


class _Timed:
    """Batches of a loader, epoch after epoch, that end training after so many steps."""

    def __init__(
        self, loader: DataLoader[Any], warm_up: int, steps: int, device: torch.device
    ) -> None:
        self.loader, self.warm_up, self.steps, self.device = loader, warm_up, steps, device
        self.seconds = float("nan")

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        began, given = 0.0, 0
        while True:
            for batch in self.loader:
                if given == self.warm_up:
                    synchronize(self.device)
                    began = time.perf_counter()
                elif given == self.warm_up + self.steps:
                    synchronize(self.device)
                    self.seconds = time.perf_counter() - began
                    raise _Enough
                given += 1
                yield batch


def published_rate(
    script: ModuleType,
    config: PretrainConfig,
    pairs: Batch,
    device: torch.device,
    *,
    warm_up: int,
    steps: int,
) -> float:
    """Steps a second of the script's `train_bert`, loading of its batches included.

    Args:
        script: from `load_script`.
        config: sizes of the model and of a batch.
        pairs: the training pairs, all of them.
        device: where to train.
        warm_up: steps before those that are timed.
        steps: steps that are timed.
    """
    workers = min(script.NUM_CPUS, os.cpu_count() or 1)
    loader = DataLoader(
        _Examples(pairs), config.batch_size, shuffle=True, drop_last=True, num_workers=workers
    )
    model = config.model
    net = script.BERTModel(
        model.vocabulary, model.hidden, model.feed_forward, model.heads, model.blocks, model.dropout
    )
    timed = _Timed(loader, warm_up, steps, device)
    vars(script)["plot_every"] = 10**9  # steps: never
    folder = tempfile.TemporaryDirectory()
    with folder as name, contextlib.chdir(name), contextlib.suppress(_Enough):
        script.train_bert(timed, loader, net, script.loss, model.vocabulary, [device], 1)
    return steps / timed.seconds
