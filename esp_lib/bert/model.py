"""The BERT of the paper: a transformer that fills in hidden words and judges sentence pairs.

Source: section on BERT of Liu and Ma (2025) and their published `bert.py`; architecture of Devlin
et al. (NAACL 2019) with the paper's choices: learned token, segment and position embeddings, blocks
with layer normalization after each sum, ReLU in the feed-forward layers, biases everywhere. Hidden
words are told by Linear-ReLU-LayerNorm-Linear over the vocabulary, not tied to the embedding; the
next sentence by Linear-Tanh-Linear on `<cls>`.

Dimensions: B pairs in a batch, L tokens in a pair, P predictions a pair, H hidden units, V tokens
in the vocabulary.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from esp_lib.bert.config import BertConfig


class Batch(NamedTuple):
    """Masked pairs as a network reads them; `corpus.Pairs` and `corpus.Masks` on a device."""

    tokens: Tensor  # (B, L) int64
    segments: Tensor  # (B, L) int64
    lengths: Tensor  # (B,) int64
    is_next: Tensor  # (B,) int64
    positions: Tensor  # (B, P) int64
    labels: Tensor  # (B, P) int64
    weights: Tensor  # (B, P) float32, 0 where a pair has fewer predictions


class Outputs(NamedTuple):
    """Scores of a batch's K predictions and B pairs; K = B P on a GPU, fewer on a CPU."""

    words: Tensor  # (K, V)
    labels: Tensor  # (K,) int64, the hidden words
    weights: Tensor  # (K,) float32
    rows: Tensor  # (K,) int64, the pair that each prediction belongs to
    following: Tensor  # (B, 2)


class Block(nn.Module):
    """Self-attention and a feed-forward layer, each added to its input and then normalized."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        H = config.hidden
        self.heads = config.heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(H, 3 * H)
        self.out = nn.Linear(H, H)
        self.feed_forward = nn.Sequential(
            nn.Linear(H, config.feed_forward), nn.ReLU(), nn.Linear(config.feed_forward, H)
        )
        self.norm1, self.norm2 = nn.LayerNorm(H), nn.LayerNorm(H)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, places: "Places") -> Tensor:
        """(N, H) -> (N, H), of the tokens that `places` keeps."""
        B, L, H = places.B, places.L, x.size(1)
        qkv = places.spread(self.qkv(x)).view(B, L, 3, self.heads, H // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, L, H / heads)
        dropout = self.dropout if self.training else 0.0
        y = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=places.visible, dropout_p=dropout
        )
        y = places.keep(y.transpose(1, 2).reshape(B, L, H))
        x = self.norm1(x + self.drop(self.out(y)))
        return self.norm2(x + self.drop(self.feed_forward(x)))


class Places:
    """Where the tokens of B pairs lie among their B L places.

    Attributes:
        visible: (B, 1, 1, L), false on padding.
        rows: (N,) int64, the places that are not padding; None to keep all, N = B L.
    """

    def __init__(self, lengths: Tensor, L: int, packed: bool) -> None:
        self.B, self.L = lengths.size(0), L
        visible = torch.arange(L, device=lengths.device) < lengths[:, None]  # (B, L)
        self.visible = visible[:, None, None, :]
        self.rows = visible.flatten().nonzero()[:, 0] if packed else None

    def keep(self, x: Tensor) -> Tensor:
        """(B, L, K) -> (N, K)."""
        x = x.flatten(0, 1)
        return x if self.rows is None else x.index_select(0, self.rows)

    def spread(self, x: Tensor) -> Tensor:
        """(N, K) -> (B, L, K), 0 on padding that was left out."""
        if self.rows is not None:
            x = x.new_zeros(self.B * self.L, x.size(1)).index_copy(0, self.rows, x)
        return x.view(self.B, self.L, -1)


class Bert(nn.Module):
    """Embeddings, blocks and two heads."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        H, V = config.hidden, config.vocabulary
        self.token = nn.Embedding(V, H)  # N(0, 1), as the other two embeddings
        self.segment = nn.Embedding(2, H)
        self.position = nn.Parameter(torch.randn(1, config.positions, H))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.mlm = nn.Sequential(nn.Linear(H, H), nn.ReLU(), nn.LayerNorm(H), nn.Linear(H, V))
        self.nsp = nn.Sequential(nn.Linear(H, H), nn.Tanh(), nn.Linear(H, 2))

    def encode(
        self, tokens: Tensor, segments: Tensor, lengths: Tensor, packed: bool = False
    ) -> Tensor:
        """(B, L), (B, L), (B,) -> (B, L, H); `packed` computes nothing for padding."""
        L = tokens.size(1)
        places = Places(lengths, L, packed)
        x = self.token(tokens) + self.segment(segments) + self.position[:, :L]
        x = places.keep(x)
        for block in self.blocks:
            x = block(x, places)
        return places.spread(x)

    def forward(self, batch: Batch) -> Outputs:
        """Scores of the hidden words and of "the second sentence follows the first"."""
        B, P = batch.positions.size()
        packed = shapes_may_vary(batch.tokens.device)
        x = self.encode(batch.tokens, batch.segments, batch.lengths, packed)
        rows = torch.arange(B, device=x.device)[:, None].expand(B, P)
        asked = x[rows, batch.positions]  # (B, P, H)
        parts = asked, batch.labels, batch.weights, rows
        if packed:  # leave out what has no weight
            chosen = batch.weights > 0
            asked, labels, weights, rows = (part[chosen] for part in parts)
        else:
            asked, labels, weights, rows = (part.flatten(0, 1) for part in parts)
        return Outputs(self.mlm(asked), labels, weights, rows, self.nsp(x[:, 0]))


def shapes_may_vary(device: torch.device) -> bool:
    """Whether a step may have another shape than the last: not where it is captured as a graph."""
    return device.type == "cpu"


class InPlaceCrossEntropy(torch.autograd.Function):
    """`functional.cross_entropy` of each row, which overwrites the scores and then their gradient.

    torch makes four arrays of (K, V), 30 MB each at the paper's sizes; on a CPU, filling them takes
    as long as a matrix product.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor) -> Tensor:
        """(K, V), (K,) -> (K,) nats; `scores` must not be read afterwards."""
        highest = scores.amax(dim=1)
        told = scores.gather(1, labels[:, None])[:, 0] - highest
        odds = scores.detach().sub_(highest[:, None]).exp_()
        total = odds.sum(dim=1)
        ctx.save_for_backward(odds, total, labels)
        return total.log() - told

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The softmax minus 1 at the label, times the gradient of each row."""
        odds, total, labels = ctx.saved_tensors
        result = odds.mul_((gradient / total)[:, None])
        result.scatter_add_(1, labels[:, None], -gradient[:, None])
        return result, None


def losses(outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
    """Loss in nats of each pair: (B,) summed over its hidden words, (B,) of its next sentence."""
    words = outputs.words
    if words.requires_grad and shapes_may_vary(words.device) and words.dtype == torch.float32:
        each: Tensor = InPlaceCrossEntropy.apply(words, outputs.labels)  # type: ignore[no-untyped-call]
    else:
        each = functional.cross_entropy(words.float(), outputs.labels, reduction="none")
    mlm = each.new_zeros(batch.is_next.size(0))
    mlm = mlm.index_add(0, outputs.rows, each * outputs.weights)
    return mlm, functional.cross_entropy(outputs.following.float(), batch.is_next, reduction="none")


def right(outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
    """How many hidden words and how many pairs were told right, each ()."""
    words = (outputs.words.argmax(dim=-1) == outputs.labels) * outputs.weights
    return words.sum(), (outputs.following.argmax(dim=-1) == batch.is_next).sum()
