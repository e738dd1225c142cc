"""A published encoder, loaded by name, and what its lower layers make of a task's sentences.

Source: BERT's architecture (Devlin et al., NAACL 2019) as Hugging Face's `transformers` loads it
(https://huggingface.co/docs/transformers). The network comes from the folder that the environment
variable ESP_MODEL names, else it is downloaded by its name. Frozen layers never change, so their
states are computed once and kept; Lee, Tang and Lin, "What Would Elsa Do? Freezing Layers During
Transformer Fine-Tuning" (arXiv 1911.03090, 2019), measure what freezing costs.

Dimensions: n examples, T tokens in all of them together, H hidden units.
"""

import hashlib
import os
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from esp_lib._environment import what_installs
from esp_lib.finetuning.glue import Row

AT_ONCE = 64  # examples that the frozen layers read together


class Encoder(NamedTuple):
    """A pre-trained network of BERT's architecture."""

    network: Any  # `transformers.BertModel`
    tokenizer: Any
    sha256: str  # of all weights

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return len(self.network.encoder.layer)


class States(NamedTuple):
    """What trained layers read of n examples, one after the other without padding."""

    layers: tuple[Tensor, ...]  # (T, H) float16 each: the states below a trained layer
    lengths: Tensor  # (n,) int64, tokens of each example
    label: Tensor  # (n,) int64, 0 or 1

    def to(self, device: torch.device) -> "States":
        """The same on a device."""
        layers = tuple(states.to(device) for states in self.layers)
        return States(layers, self.lengths.to(device), self.label.to(device))

    def take(self, rows: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Some examples: layers' states (B, L, H) float32, filled places (B, L), labels (B,)."""
        lengths = self.lengths[rows]
        starts = (self.lengths.cumsum(0) - self.lengths)[rows]
        place = torch.arange(int(lengths.max()), device=rows.device)  # (L,)
        filled = place < lengths[:, None]  # (B, L)
        index = torch.where(filled, starts[:, None] + place, 0)
        return [states[index].float() for states in self.layers], filled, self.label[rows]


def load_encoder(name: str) -> Encoder:
    """The network from the folder ESP_MODEL, or downloaded by its name.

    Raises:
        ImportError: `transformers` is not installed.
        OSError: it is in neither place.
        ValueError: its architecture is not BERT's.
    """
    try:
        from transformers import AutoModel, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ImportError(what_installs(error)) from None

    place = os.environ.get("ESP_MODEL") or name
    network = AutoModel.from_pretrained(place).eval().requires_grad_(False)
    if network.config.model_type != "bert":
        raise ValueError(f"model must be of BERT's architecture, got {network.config.model_type}")
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode() + value.numpy().tobytes())
    return Encoder(network, AutoTokenizer.from_pretrained(place), digest.hexdigest())


@torch.no_grad()
def frozen_states(
    encoder: Encoder, rows: list[Row], trained: int, max_len: int
) -> tuple[States, str]:
    """What the `trained` uppermost layers read of some examples, and the SHA-256 of their tokens.

    `rows` are one or two sentences each, and the label. Of more than `max_len` tokens the
    longest sentence loses its end.
    """
    sentences = [list(parts) for parts in zip(*(parts for parts, _ in rows), strict=True)]
    encoded = encoder.tokenizer(*sentences, truncation=True, max_length=max_len)
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    starts = lengths.cumsum() - lengths
    digest = hashlib.sha256(np.array([label for _, label in rows], "<i4").tobytes())
    for ids in encoded["input_ids"]:
        digest.update(np.array(ids, "<i4").tobytes())
    lowest = encoder.layers - trained  # layers that are frozen
    size = (int(lengths.sum()), encoder.network.config.hidden_size)
    kept = [torch.empty(size, dtype=torch.float16) for _ in range(trained)]
    for some in np.split(lengths.argsort(kind="stable"), range(AT_ONCE, len(rows), AT_ONCE)):
        batch = encoder.tokenizer.pad(
            {key: [values[row] for row in some] for key, values in encoded.items()},
            return_tensors="pt",
        )
        states = encoder.network(**batch, output_hidden_states=True).hidden_states
        filled = batch["attention_mask"].bool()
        place = torch.from_numpy(starts[some])[:, None] + torch.arange(filled.shape[1])
        for layer, into in enumerate(kept):
            into[place[filled]] = states[lowest + layer][filled].half()
    label = torch.tensor([label for _, label in rows])
    return States(tuple(kept), torch.from_numpy(lengths), label), digest.hexdigest()


class SummaryLayer(nn.Module):
    """One layer of BERT for a single token that attends to the tokens of its example.

    Equals the full layer's output at that token. Keys and values of the other tokens are never
    formed: the query goes through the key's weights instead, and the value's weights come after
    the mean, which is the same sum in another order. The key's bias adds the same to all scores.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention
        self.heads = attention.self.num_attention_heads
        self.query, self.key, self.value = (
            _copy(part) for part in (attention.self.query, attention.self.key, attention.self.value)
        )
        self.mix, self.norm = _copy(attention.output.dense), _copy(attention.output.LayerNorm)
        self.rise, self.fall = _copy(layer.intermediate.dense), _copy(layer.output.dense)
        self.last_norm = _copy(layer.output.LayerNorm)
        self.key.bias = None

    def forward(self, token: Tensor, states: Tensor, filled: Tensor) -> Tensor:
        """(B, H), (B, L, H), (B, L) -> (B, H)."""
        B, H = token.shape
        query = self.query(token).view(B, self.heads, -1)  # (B, heads, H / heads)
        key, value = (w.weight.view(self.heads, -1, H) for w in (self.key, self.value))
        asked = torch.einsum("bhd,hdi->bhi", query, key)  # (B, heads, H)
        scores = asked @ states.mT / query.shape[-1] ** 0.5  # (B, heads, L)
        weight = scores.masked_fill(~filled[:, None], -torch.inf).softmax(dim=-1)
        mean = torch.einsum("bhi,hdi->bhd", weight @ states, value).reshape(B, H)
        token = self.norm(token + self.mix(mean + self.value.bias))
        return self.last_norm(token + self.fall(nn.functional.gelu(self.rise(token))))


def _copy(part: nn.Module) -> Any:
    """A part of the network with weights of its own, to be trained."""
    if isinstance(part, nn.Linear):
        made: nn.Module = nn.Linear(part.in_features, part.out_features)
    elif isinstance(part, nn.LayerNorm):
        made = nn.LayerNorm(part.normalized_shape, eps=part.eps)
    else:
        raise ValueError(f"model must have linear and normalizing layers, got {part}")
    made.load_state_dict(part.state_dict())
    return made
