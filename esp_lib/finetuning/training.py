"""Fine-tune a network many times: one set of first weights, many orders of the data.

Source: Dodge et al., "Fine-Tuning Pretrained Language Models: Weight Initializations, Data Orders,
and Early Stopping" (arXiv 2002.06305, 2020). An episode is one fine-tuning; two seeds determine it:
that of the new layer's first weights and that of the order of the data. There is no dropout, so
nothing else is random. One run has one seed of the first weights and several data orders, trained
one after the other, so that each is the same whatever others there are.

Dimensions: O data orders, B examples in a batch, L tokens in an example.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from esp_lib._device import check_device
from esp_lib.bert.config import BertConfig
from esp_lib.bert.model import Bert
from esp_lib.finetuning.config import EpisodesConfig, FinetuneConfig
from esp_lib.finetuning.glue import Examples, sentence_order
from esp_lib.records.record import RunRecord, made_by
from esp_lib.sampling.orders import make_order

RESOLUTION = 2.0**-14  # nats: logged losses are rounded to it, so that records stay small
NEW_WEIGHTS = 0.02  # standard deviation, as in BERT
EVALUATION_BATCH = 128  # examples

ModelInputs = Sequence[Any]  # what a network is called with, and last the labels, (B,)


class Source(Protocol):
    """Examples that batches are taken from."""

    @property
    def lengths(self) -> Tensor:
        """(n,) tokens of each."""

    def take(self, rows: Tensor) -> ModelInputs:
        """Some of them."""


class Classifier(nn.Module):
    """The pre-trained encoder, the mean over tokens, a tanh layer, a linear layer to two classes.

    BERT reads `<cls>` instead of the mean; a network as small as ours has hardly learned to gather
    a sentence there.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = Bert(replace(config, dropout=0.0))
        self.bert.mlm = nn.Identity()  # type: ignore[assignment]  # not needed here

    def forward(self, tokens: Tensor, segments: Tensor, lengths: Tensor) -> Tensor:
        """(B, L), (B, L), (B,) -> (B, 2)."""
        x = self.bert.encode(tokens, segments, lengths)  # (B, L, H)
        filled = torch.arange(x.size(1), device=x.device) < lengths[:, None]  # (B, L)
        mean = (x * filled[..., None]).sum(dim=1) / lengths[:, None]  # (B, H)
        scores: Tensor = self.bert.nsp(mean)
        return scores


class Inputs(NamedTuple):
    """`glue.Examples` on a device."""

    tokens: Tensor  # (..., L) int64
    segments: Tensor  # (..., L) int64
    lengths: Tensor  # (...,) int64
    label: Tensor  # (...,) int64

    def take(self, rows: Tensor) -> "Inputs":
        """Some examples, without the padding that all of them have."""
        longest = int(self.lengths[rows].max())
        tokens, segments = (part[rows][..., :longest] for part in self[:2])
        return Inputs(tokens, segments, self.lengths[rows], self.label[rows])


def finetune(
    config: FinetuneConfig,
    weights: dict[str, Tensor],
    device: str = "cpu",
    *,
    name: str = "run",
    profile: str = "cpu",
) -> RunRecord:
    """Train all episodes of a run of a network of ours; its record is that of `train_episodes`.

    The weights are those of the pre-trained network, from `load_weights`.

    Raises:
        ValueError: no such device here, too few examples, or weights of another network.
    """
    place = check_device(device)
    task = sentence_order(config.pretraining.corpus, config.max_len)
    if len(task.train.label) < config.examples:
        raise ValueError(
            f"examples must be at most {len(task.train.label)} for {config.task}, "
            f"got {config.examples}"
        )
    train, valid = (_on_device(examples, place) for examples in (task.train, task.valid))
    return train_episodes(
        config,
        lambda: new_classifier(config, weights).to(place),
        (train, valid),
        range(config.order_seeds),
        device=place,
        name=name,
        profile=profile,
        made={"task": task.sha256, "weights": digest_of(weights).hex()},
    )


def train_episodes(
    config: EpisodesConfig,
    new_network: Callable[[], nn.Module],
    data: tuple[Source, Source],
    seeds: range,
    *,
    device: torch.device,
    name: str,
    profile: str,
    made: dict[str, Any],
) -> RunRecord:
    """Train one episode for each seed of the data order.

    Args:
        config: the run.
        new_network: makes the network that each episode starts from, always the same.
        data: examples to train on and to validate with, on the device.
        seeds: of the data orders.
        device: where to train.
        name: of the record.
        profile: of the record.
        made: what the record says of task and weights, beside date, machine and versions.

    Returns:
        A record with the arrays

        - train_loss: (O, steps) float32, of each batch before its update, in nats.
        - valid_step: (points,) int32, updates before each evaluation.
        - valid_loss: (O, points) float32, mean over all validation examples, in nats.
        - predicted: (O, points, bytes) uint8, which examples were called 1, by `numpy.packbits`;
          `unpack` reads it.
        - label: (examples,) uint8, what the validation examples are, shorter ones first.
        - digest: (O, epochs, 32) uint8, SHA-256 of all weights after each epoch.

        Its status is "diverged" if a loss is not finite.
    """
    started = time.perf_counter()
    train, valid = data
    by_length = torch.split(valid.lengths.argsort(), EVALUATION_BATCH)
    batches = [valid.take(rows) for rows in by_length]
    parts = [_episode(config, new_network(), train, batches, seed) for seed in seeds]
    arrays = {key: np.stack([part[key] for part in parts]) for key in parts[0]}
    bad = ~np.isfinite(arrays["train_loss"]).all(axis=1)
    by = made_by(str(device), time.perf_counter() - started)
    versions = {**by["versions"], **made.pop("versions", {})}
    return RunRecord(
        name=name,
        profile=profile,
        seed=config.seed,
        config={**asdict(config), "steps_per_epoch": config.steps_per_epoch},
        arrays={
            **arrays,
            "valid_step": np.array(evaluation_steps(config), np.int32),
            "label": torch.cat([label for *_, label in batches]).cpu().numpy().astype(np.uint8),
        },
        made={**by, **made, "versions": versions},
        status="diverged" if bad.any() else "finished",
        message=f"not finite for data orders {np.flatnonzero(bad).tolist()}" if bad.any() else "",
    )


def _episode(
    config: EpisodesConfig, network: nn.Module, train: Source, valid: list[ModelInputs], seed: int
) -> dict[str, NDArray[Any]]:
    """The arrays of one data order."""
    betas = (config.beta1, config.beta2)
    optimizer = torch.optim.AdamW(
        network.parameters(), config.lr, betas, config.eps, config.weight_decay, fused=True
    )
    order = make_order(
        "reshuffle",
        num_functions=config.examples,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=seed,
    ).reshape(config.steps, config.batch_size)
    asked = set(evaluation_steps(config))
    losses, valid_losses, predicted, digests = [], [], [], []
    for step, rows in enumerate(torch.from_numpy(order.astype(np.int64)).to(train.lengths.device)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        *inputs, label = train.take(rows)
        loss = cross_entropy(network(*inputs), label)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if step + 1 in asked:
            valid_loss, ones = evaluate(network, valid)
            valid_losses.append(valid_loss)
            predicted.append(np.packbits(ones))
        if (step + 1) % config.steps_per_epoch == 0:
            digests.append(np.frombuffer(digest_of(network.state_dict()), np.uint8))
    return {
        "train_loss": _rounded(losses),
        "valid_loss": _rounded(valid_losses),
        "predicted": np.stack(predicted),
        "digest": np.stack(digests),
    }


@torch.no_grad()
def evaluate(network: nn.Module, batches: list[ModelInputs]) -> tuple[float, NDArray[np.bool_]]:
    """Mean loss in nats, and which examples are called 1, in the order of the batches."""
    scores = torch.cat([network(*inputs) for *inputs, _ in batches])
    label = torch.cat([label for *_, label in batches])
    return cross_entropy(scores, label).item(), (scores[:, 1] > scores[:, 0]).cpu().numpy()


def evaluation_steps(config: EpisodesConfig) -> list[int]:
    """Updates before each evaluation: at equal distances, the last at the end of the epoch."""
    places = np.linspace(0, config.steps_per_epoch, config.evaluations + 1)[1:]
    within = np.rint(places).astype(int)
    starts = np.arange(config.epochs) * config.steps_per_epoch
    steps: list[int] = (starts[:, None] + within).ravel().tolist()
    return steps


def learning_rate(config: EpisodesConfig, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    if config.schedule == "constant":
        return config.lr
    rising = config.warm_up * config.steps
    if step + 1 < rising:
        return config.lr * (step + 1) / rising
    return config.lr * (config.steps - step) / (config.steps - max(rising - 1, 0))


def new_classifier(config: FinetuneConfig, weights: dict[str, Tensor]) -> Classifier:
    """What every episode of a run starts from: the pre-trained network, but for a new last layer.

    Raises:
        ValueError: the weights are of another network.
    """
    network = Classifier(config.pretraining.model)
    taken = {f"bert.{name}": v for name, v in weights.items() if not name.startswith("mlm.")}
    try:
        network.load_state_dict(taken)
    except RuntimeError as error:
        raise ValueError(f"weights must be of config.pretraining.model: {error}") from None
    last: Any = network.bert.nsp[-1]
    random = torch.Generator().manual_seed(config.seed)
    nn.init.normal_(last.weight, std=NEW_WEIGHTS, generator=random)
    nn.init.zeros_(last.bias)
    return network


def load_weights(path: Path) -> dict[str, Tensor]:
    """The weights that `pretrain` wrote; FileNotFoundError or ValueError if there are none."""
    if not path.is_file():
        raise FileNotFoundError(f"no weights of a pre-trained network at {path}")
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))  # runs no code
    except Exception as error:  # of many kinds for a damaged file
        raise ValueError(f"{path} holds no weights, or damaged ones: delete it") from error


def digest_of(weights: dict[str, Tensor]) -> bytes:
    """SHA-256 of a network's weights."""
    digest = hashlib.sha256()
    for _, value in sorted(weights.items()):
        digest.update(value.cpu().numpy().tobytes())
    return digest.digest()


def _on_device(examples: Examples, device: torch.device) -> Inputs:
    return Inputs(*(torch.from_numpy(part.astype(np.int64)).to(device) for part in examples))


def _rounded(values: list[float]) -> NDArray[np.float32]:
    return (np.round(np.array(values) / RESOLUTION) * RESOLUTION).astype(np.float32)
