"""Fine-tune the upper layers of a published encoder, many times.

Source: Dodge et al. (arXiv 2002.06305, 2020) for the episodes, whose two seeds are those of the new
head and of the data order; Lee, Tang and Lin (arXiv 1911.03090, 2019) for freezing lower layers.
Reduced so that an episode takes seconds: all layers but the last are frozen, and what they make of
the sentences is computed once. Of the last layer only `[CLS]` is needed, from which BERT's head
reads. There is no dropout, so the two seeds determine an episode. More than one layer can be
trained; then `[CLS]` attends in each to the other tokens as the pre-trained network leaves them.

Dimensions: B examples in a batch, L tokens in an example, H hidden units.
"""

import functools
import hashlib
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn

from esp_lib._device import check_device
from esp_lib.finetuning.config import UpperLayersConfig
from esp_lib.finetuning.encoder import Encoder, States, SummaryLayer, frozen_states, load_encoder
from esp_lib.finetuning.glue import read_rows
from esp_lib.finetuning.training import NEW_WEIGHTS, train_episodes
from esp_lib.records.record import RunRecord


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
    """Train all episodes of a run; its record is that of `train_episodes`.

    Raises:
        ValueError: too few examples, or a network that is not BERT.
        ImportError, OSError: the network or the task cannot be read.
    """
    place = check_device(device)
    train, valid, digest = prepare(
        config.model, config.task, config.trained, config.examples, config.max_len
    )
    encoder = _encoder(config.model)
    return train_episodes(
        config,
        lambda: UpperLayers(encoder, config.trained, config.seed).to(place),
        (train.to(place), valid.to(place)),
        range(config.first_order, config.first_order + config.order_seeds),
        device=place,
        name=name,
        profile=profile,
        made={
            "versions": {"transformers": version("transformers")},
            "task": digest,
            "weights": encoder.sha256,
        },
    )
