"""Pre-train the paper's BERT and record every step: one loop for CPU, GPU and several GPUs.

Source: section on BERT of Liu and Ma (2025) and the published `bert.py`. Each step logs the loss of
its batch before its update. Nothing waits for the device between plotted points: losses stay on the
device, the batch of a step is looked up there, and on a GPU the whole step (forward, backward,
update) is captured once as a CUDA graph and replayed. A checkpoint is written after every epoch;
dropout is seeded anew for each, so that a run that was killed and started again gives the same
curve, bit for bit on a CPU. Under `torchrun` each process takes its share of every batch.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from esp_lib._device import check_device, is_out_of_memory
from esp_lib.bert.checkpoint import save_checkpoint, save_weights
from esp_lib.bert.config import PretrainConfig
from esp_lib.bert.corpus import make_corpus
from esp_lib.bert.distributed import Processes, join
from esp_lib.bert.recorder import Recorder
from esp_lib.bert.trainer import Training
from esp_lib.records.checkpoint import locked, read_state
from esp_lib.records.record import RunRecord, config_key, made_by


def pretrain(
    config: PretrainConfig,
    device: str = "cpu",
    *,
    name: str = "run",
    profile: str = "cpu",
    checkpoint: Path | None = None,
    weights: Path | None = None,
    as_it_stands: bool = False,
    progress: bool = False,
) -> RunRecord:
    """Train once and return what was recorded.

    Args:
        config: the run.
        device: "cpu", "cuda" or "cuda:<number>".
        name: of the record.
        profile: of the record.
        checkpoint: file that keeps the state after each epoch; if it is there, the run goes on
            from it. It stays: delete it when the record is on disk, as `sweep` does.
        weights: file for the trained network, written if the run finishes: the `state_dict` of
            `model.Bert`, on the CPU.
        as_it_stands: train nothing; return the record of the epochs that the checkpoint holds,
            with status "stopped" and arrays as long as those epochs. The checkpoint stays.
        progress: show a bar with steps a second and the time left.

    Returns:
        A record with the arrays of `recorder.Recorder`. A run whose loss is not finite any more
        ends with status "diverged", one that needs too much memory with "out of memory"; both keep
        what was recorded until then, NaN after it.

    Raises:
        ValueError: no such device here, a checkpoint of another run, or none to record.
        RuntimeError: another process trains with this checkpoint.
        FolderError: the checkpoint or the weights cannot be written, e.g. since the disk is full.
        FileNotFoundError, ConnectionError: the text cannot be read.
    """
    processes, place = join(check_device(device))
    with locked(checkpoint if processes.first and not as_it_stands else None):
        return _pretrain(
            config, processes, place, name, profile, checkpoint, weights, as_it_stands, progress
        )


def _pretrain(
    config: PretrainConfig,
    processes: Processes,
    place: torch.device,
    name: str,
    profile: str,
    checkpoint: Path | None,
    weights: Path | None,
    as_it_stands: bool,
    progress: bool,
) -> RunRecord:
    corpus = make_corpus(config.corpus)
    started = time.perf_counter()
    training = Training(config, corpus, place, processes)
    recorder = Recorder(config, training)
    key = config_key({**asdict(config), "precision": training.precision, "text": corpus.sha256})
    state = read_state(checkpoint, key) if checkpoint else None
    if state:
        training.load_state(state["training"])
        recorder.load_state(state["recorder"])
    first, before = (state["epoch"], state["seconds"]) if state else (0, 0.0)
    if as_it_stands:
        if not state:
            raise ValueError(f"checkpoint must be there to be recorded, got {checkpoint}")
        recorder.shorten(first)
        message = f"the first {first} of {config.epochs} epochs"
        return _record(
            config, name, profile, recorder, json.loads(state["made"]), "stopped", message
        )

    def made_so_far() -> dict[str, Any]:
        return {
            **made_by(str(place), before + time.perf_counter() - started),
            "corpus": corpus.sha256,
            "processes": processes.count,
            "precision": training.precision,
        }

    status, message = "finished", ""
    bar = tqdm(
        total=config.steps,
        initial=first * config.steps_per_epoch,
        unit="step",
        desc=f"{name}, seed {config.seed}",
        disable=not (progress and processes.first),
        mininterval=1.0,
    )
    with bar:
        try:
            for epoch in range(first, config.epochs):
                _run_epoch(epoch, config, training, recorder, bar)
                if recorder.diverged:
                    status = "diverged"
                    message = f"the loss was not finite any more in epoch {epoch + 1}"
                    break
                if checkpoint and processes.first:
                    made = made_so_far()
                    save_checkpoint(checkpoint, key, epoch + 1, made, training, recorder)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            status = "out of memory"
            message = f"{error}; a smaller batch_size or model needs less"
    if weights and processes.first and status == "finished":
        save_weights(weights, training.network)
    return _record(config, name, profile, recorder, made_so_far(), status, message)


def _record(
    config: PretrainConfig,
    name: str,
    profile: str,
    recorder: Recorder,
    made: dict[str, Any],
    status: str,
    message: str,
) -> RunRecord:
    return RunRecord(
        name=name,
        profile=profile,
        seed=config.seed,
        config={**asdict(config), "steps_per_epoch": config.steps_per_epoch},
        arrays=recorder.arrays(),
        made=made,
        status=status,
        message=message,
    )


def _run_epoch(
    epoch: int, config: PretrainConfig, training: Training, recorder: Recorder, bar: tqdm
) -> None:
    training.begin(epoch)
    recorder.begin(epoch)
    for at in range(1, config.steps_per_epoch + 1):
        training.step(learning_rate(config, epoch * config.steps_per_epoch + at - 1))
        recorder.after(epoch, at)
        bar.update()
        if recorder.diverged:
            return
    recorder.end(epoch)


def learning_rate(config: PretrainConfig, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    if config.schedule == "linear":
        return config.lr * (1 - step / config.steps)
    return config.lr
