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
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from esp_lib import checks
from esp_lib.bert import BertConfig
from esp_lib.corpus import CorpusConfig, make_corpus
from esp_lib.orders import ORDERS, check_batch_size
from esp_lib.processes import join
from esp_lib.recorder import Recorder
from esp_lib.runs import RunRecord, config_key, made_by
from esp_lib.training import Training

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "linear")
MASKINGS = ("static", "dynamic")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class PretrainConfig:
    """One run; the defaults are the paper's for BERT-tiny."""

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    model: BertConfig = field(default_factory=BertConfig)
    epochs: int = 30
    batch_size: int = 32
    order: str = "reshuffle"  # as in `orders.make_order`
    masking: str = "static"  # masks drawn once, or "dynamic": afresh each epoch
    optimizer: str = "adam"  # "rmsprop" has no momentum, "sgd" has beta1 as heavy-ball momentum
    lr: float = 1e-4
    schedule: str = "constant"  # or "linear": towards zero, reached after the last step
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-5  # added to the gradient (L2), decoupled with "adamw"
    precision: str = "float32"  # of matrix products; weights and losses are float32. "auto" is
    # bfloat16 on a GPU and float32 on a CPU
    validate_every: int = 50  # steps
    validation_pairs: int = 320  # the same ones each time
    probe_epochs: tuple[int, ...] = ()  # epochs in which single pairs are followed
    probe_pairs: int = 1024  # training pairs that are followed
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("order", ORDERS),
            ("masking", MASKINGS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            checks.choice(name, getattr(self, name), allowed)
        checks.integer("epochs", self.epochs, low=1)
        check_batch_size(self.batch_size, self.corpus.pairs)
        checks.integer("validate_every", self.validate_every, low=1, high=self.steps_per_epoch)
        valid = self.corpus.valid_pairs
        checks.integer("validation_pairs", self.validation_pairs, low=1, high=valid)
        checks.integer("probe_pairs", self.probe_pairs, low=1)
        for epoch in self.probe_epochs:
            checks.integer("probe_epochs", epoch, low=0, high=self.epochs - 1)
        if len(set(self.probe_epochs)) < len(self.probe_epochs):
            raise ValueError(f"probe_epochs must be distinct, got {self.probe_epochs}")
        checks.real("lr", self.lr, low=0)
        checks.real("beta1", self.beta1, low=0, high=1, high_open=True)
        checks.real("beta2", self.beta2, low=0, high=1, high_open=True)
        checks.real("eps", self.eps, low=0)
        checks.real("weight_decay", self.weight_decay, low=0)
        checks.seeds("seed", [self.seed])
        if self.model.vocabulary != self.corpus.vocabulary:
            raise ValueError(
                f"model.vocabulary must be corpus.vocabulary, {self.corpus.vocabulary}, "
                f"got {self.model.vocabulary}"
            )
        if self.model.positions < self.corpus.max_len:
            raise ValueError(
                f"model.positions must be at least corpus.max_len, {self.corpus.max_len}, "
                f"got {self.model.positions}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch."""
        return self.corpus.pairs // self.batch_size

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return self.epochs * self.steps_per_epoch


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
            from it. Deleted at the end.
        weights: file for the trained network, written if the run finishes: the `state_dict` of
            `bert.Bert`, on the CPU.
        as_it_stands: train nothing; return the record of the epochs that the checkpoint holds,
            with status "stopped" and arrays as long as those epochs. The checkpoint stays.
        progress: show a bar with steps a second and the time left.

    Returns:
        A record with the arrays of `recorder.Recorder`. A run whose loss is not finite any more
        ends with status "diverged", one that needs too much memory with "out of memory"; both keep
        what was recorded until then, NaN after it.

    Raises:
        ValueError: no such device here, a checkpoint of another run, or none to record.
        FileNotFoundError, ConnectionError: the text cannot be read.
    """
    processes, place = join(check_device(device))
    corpus = make_corpus(config.corpus)
    started = time.perf_counter()
    training = Training(config, corpus, place, processes)
    recorder = Recorder(config, training)
    key = config_key({**asdict(config), "precision": training.precision, "text": corpus.sha256})
    state = load_checkpoint(checkpoint, key) if checkpoint else None
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
    if checkpoint and processes.first:
        checkpoint.unlink(missing_ok=True)
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


def check_device(name: str) -> torch.device:
    """A device that is there; else ValueError."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f'device must be "cpu", "cuda" or "cuda:<number>", got {name!r}') from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            have = f"has {count} GPUs that torch can use" if count else "has no GPU torch can use"
            raise ValueError(f'device must be there, got {name!r}: this machine {have}; use "cpu"')
    elif device.type != "cpu":
        raise ValueError(f'device must be "cpu", "cuda" or "cuda:<number>", got {name!r}')
    return device


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was too small; on a CPU torch says so in a plain RuntimeError."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


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
