"""Fine-tune the upper layers of a published encoder, many times.

Source: Dodge et al. (arXiv 2002.06305, 2020) for the episodes, whose two seeds are those of the new
head and of the data order; Lee, Tang and Lin (arXiv 1911.03090, 2019) for freezing lower layers.
Reduced so that an episode takes seconds: all layers but the last are frozen, and what they make of
the sentences is computed once. Of the last layer only `[CLS]` is needed, from which BERT's head
reads. There is no dropout, so the two seeds determine an episode. More than one layer can be
trained; then `[CLS]` attends in each to the other tokens as the pre-trained network leaves them.

Dimensions: O data orders, B examples in a batch, H hidden units.
"""

import functools
import hashlib
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from esp_lib._device import check_device
from esp_lib.finetuning.config import UpperLayersConfig
from esp_lib.finetuning.encoder import Encoder, States, SummaryLayer, frozen_states, load_encoder
from esp_lib.finetuning.glue import read_rows
from esp_lib.finetuning.training import RESOLUTION, evaluation_steps, learning_rate
from esp_lib.records.record import RunRecord, made_by
from esp_lib.sampling.orders import make_order

NEW_WEIGHTS = 0.02  # standard deviation, as in BERT
EVALUATION_BATCH = 128  # examples


class UpperLayers(nn.Module):
    """The trained layers on `[CLS]` and a new head: a tanh layer and a linear one, as in BERT."""

    def __init__(self, encoder: Encoder, trained: int, seed: int) -> None:
        super().__init__()
        layers = encoder.network.encoder.layer[encoder.layers - trained :]
        self.layers = nn.ModuleList(map(SummaryLayer, layers))
        H = encoder.network.config.hidden_size
        self.pooler, self.classifier = nn.Linear(H, H), nn.Linear(H, 2)
        random = torch.Generator().manual_seed(seed)
        for part in (self.pooler, self.classifier):
            nn.init.normal_(part.weight, std=NEW_WEIGHTS, generator=random)
            nn.init.zeros_(part.bias)

    def forward(self, states: list[Tensor], filled: Tensor) -> Tensor:
        """States below each trained layer, (B, L, H), and filled places, (B, L) -> (B, 2)."""
        token = states[0][:, 0]  # [CLS]
        for layer, below in zip(self.layers, states, strict=True):
            token = layer(token, below, filled)
        scores: Tensor = self.classifier(self.pooler(token).tanh())
        return scores


@functools.lru_cache(maxsize=1)
def _encoder(name: str) -> Encoder:
    return load_encoder(name)


@functools.lru_cache(maxsize=1)
def prepare(
    model: str, task: str, trained: int, examples: int, max_len: int
) -> tuple[States, States, str]:
    """Frozen states of the examples to train on and to validate with; SHA-256 of their tokens."""
    rows = read_rows(task, "train")
    if len(rows) < examples:
        raise ValueError(f"examples must be at most {len(rows)} for {task}, got {examples}")
    mixed = np.random.default_rng(0).permutation(len(rows))[:examples]
    parts = [[rows[row] for row in mixed], read_rows(task, "valid")]
    (train, first), (valid, second) = (
        frozen_states(_encoder(model), part, trained, max_len) for part in parts
    )
    return train, valid, hashlib.sha256((first + second).encode()).hexdigest()


def finetune_upper_layers(
    config: UpperLayersConfig, device: str = "cpu", *, name: str = "run", profile: str = "cpu"
) -> RunRecord:
    """Train all episodes of a run, one by one; the record's arrays are those of `finetune`.

    Raises:
        ValueError: too few examples, or a network that is not BERT.
        ImportError, OSError: the network or the task cannot be read.
    """
    place = check_device(device)
    started = time.perf_counter()
    train, valid, digest = prepare(
        config.model, config.task, config.trained, config.examples, config.max_len
    )
    train, valid = train.to(place), valid.to(place)
    by_length = torch.split(valid.lengths.argsort(), EVALUATION_BATCH)
    batches = [valid.take(rows) for rows in by_length]
    encoder = _encoder(config.model)
    seeds = range(config.first_order, config.first_order + config.order_seeds)
    parts = [_episode(config, encoder, train, batches, seed) for seed in seeds]
    arrays = {key: np.stack([part[key] for part in parts]) for key in parts[0]}
    bad = ~np.isfinite(arrays["train_loss"]).all(axis=1)
    made = made_by(str(place), time.perf_counter() - started)
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
        made={
            **made,
            "versions": {**made["versions"], "transformers": version("transformers")},
            "task": digest,
            "weights": encoder.sha256,
        },
        status="diverged" if bad.any() else "finished",
        message=f"not finite for data orders {np.flatnonzero(bad).tolist()}" if bad.any() else "",
    )


Batches = list[tuple[list[Tensor], Tensor, Tensor]]


def _episode(
    config: UpperLayersConfig, encoder: Encoder, train: States, valid: Batches, seed: int
) -> dict[str, NDArray[Any]]:
    """The arrays of one data order."""
    network = UpperLayers(encoder, config.trained, config.seed).to(train.label.device)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        config.lr,
        (config.beta1, config.beta2),
        config.eps,
        config.weight_decay,
        fused=True,
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
    for step, rows in enumerate(torch.from_numpy(order.astype(np.int64)).to(train.label.device)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        states, filled, label = train.take(rows)
        loss = cross_entropy(network(states, filled), label)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if step + 1 in asked:
            valid_loss, ones = evaluate(network, valid)
            valid_losses.append(valid_loss)
            predicted.append(np.packbits(ones))
        if (step + 1) % config.steps_per_epoch == 0:
            digests.append(_digest(network))
    return {
        "train_loss": _rounded(losses),
        "valid_loss": _rounded(valid_losses),
        "predicted": np.stack(predicted),
        "digest": np.stack(digests),
    }


@torch.no_grad()
def evaluate(network: UpperLayers, batches: Batches) -> tuple[float, NDArray[np.bool_]]:
    """Mean loss in nats, and which examples are called 1, in the order of the batches."""
    scores = torch.cat([network(states, filled) for states, filled, _ in batches])
    label = torch.cat([label for *_, label in batches])
    return cross_entropy(scores, label).item(), (scores[:, 1] > scores[:, 0]).cpu().numpy()


def _digest(network: nn.Module) -> NDArray[np.uint8]:
    digest = hashlib.sha256()
    for _, value in sorted(network.state_dict().items()):
        digest.update(value.cpu().numpy().tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _rounded(values: list[float]) -> NDArray[np.float32]:
    return (np.round(np.array(values) / RESOLUTION) * RESOLUTION).astype(np.float32)
