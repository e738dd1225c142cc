"""Pre-training small enough for tests: a random corpus, a tiny network, a slow readable twin.

`network_losses` computes the paper's BERT one pair at a time from plain matrix products, on the
pair's own tokens alone, so that nothing has to be masked; `train` is the textbook loop around it.
"""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from esp_lib.bert import pretraining
from esp_lib.bert.config import BertConfig, CorpusConfig, PretrainConfig
from esp_lib.bert.corpus import CLS, PAD, SEP, Corpus, Pairs, mask
from esp_lib.bert.distributed import Processes
from esp_lib.bert.trainer import Training
from esp_lib.sampling.orders import make_order

VOCABULARY = 300


def random_pairs(n: int, max_len: int, seed: int) -> Pairs:
    """Pairs of random sentences: a few frequent tokens, many rare ones."""
    random = np.random.default_rng(seed)
    pairs = Pairs(
        np.full((n, max_len), PAD, np.int32),
        np.zeros((n, max_len), np.int32),
        np.zeros(n, np.int32),
        random.integers(2, size=n).astype(np.int32),
    )
    for i in range(n):
        first, second = random.integers(1, (max_len - 3) // 2 + 1, size=2)
        words = 5 + (random.random(first + second) ** 3 * (VOCABULARY - 5)).astype(int)
        ids = [CLS, *words[:first], SEP, *words[first:], SEP]
        pairs.tokens[i, : len(ids)] = ids
        pairs.segments[i, first + 2 : len(ids)] = 1
        pairs.lengths[i] = len(ids)
    return pairs


def random_corpus(config: CorpusConfig) -> Corpus:
    """Stands in for `make_corpus`: the same everywhere, at once."""
    train = random_pairs(config.pairs, config.max_len, config.seed)
    valid = random_pairs(config.valid_pairs, config.max_len, config.seed + 1)
    digest = hashlib.sha256(b"".join(field.tobytes() for field in train + valid)).hexdigest()
    return Corpus(train, valid, tuple(f"word{i}" for i in range(VOCABULARY)), digest)


def use_random_corpus(monkeypatch: Any) -> None:
    monkeypatch.setattr(pretraining, "make_corpus", random_corpus)
    torch.set_num_threads(1)


TINY = PretrainConfig(
    corpus=CorpusConfig(vocabulary=VOCABULARY, max_len=16, pairs=48, valid_pairs=20),
    model=BertConfig(VOCABULARY, hidden=8, feed_forward=12, heads=2, positions=20, dropout=0.0),
    epochs=3,
    batch_size=4,
    lr=3e-3,
    validate_every=5,
    validation_pairs=13,
    probe_epochs=(1,),
    probe_pairs=7,
    seed=3,
)


def tiny(*, dropout: float = 0.0, **changes: Any) -> PretrainConfig:
    return replace(TINY, model=replace(TINY.model, dropout=dropout), **changes)


# ------------------------------------------------------------------------------------------ twin


def linear(p: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def normalize(p: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    scale = ((centred**2).mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    return centred / scale * p[f"{name}.weight"] + p[f"{name}.bias"]


def softmax(x: torch.Tensor) -> torch.Tensor:
    e = (x - x.max(dim=-1, keepdim=True).values).exp()
    return e / e.sum(dim=-1, keepdim=True)


def network_outputs(
    p: dict[str, torch.Tensor], heads: int, tokens: list[int], segments: list[int], asked: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of one pair without padding: (asked, V) of its hidden words, (2,) of "is next"."""
    x = p["token.weight"][tokens] + p["segment.weight"][segments] + p["position"][0, : len(tokens)]
    H = x.shape[1]
    block = 0
    while f"blocks.{block}.out.weight" in p:
        name = f"blocks.{block}"
        q, k, v = linear(p, f"{name}.qkv", x).split(H, dim=1)
        columns = [range(h * H // heads, (h + 1) * H // heads) for h in range(heads)]
        parts = [
            softmax(q[:, c] @ k[:, c].T / (H / heads) ** 0.5) @ v[:, c] for c in map(list, columns)
        ]
        x = normalize(p, f"{name}.norm1", x + linear(p, f"{name}.out", torch.cat(parts, dim=1)))
        hidden = linear(p, f"{name}.feed_forward.0", x).clamp(min=0)
        x = normalize(p, f"{name}.norm2", x + linear(p, f"{name}.feed_forward.2", hidden))
        block += 1
    words = normalize(p, "mlm.2", linear(p, "mlm.0", x[asked]).clamp(min=0))
    following = linear(p, "nsp.2", torch.tanh(linear(p, "nsp.0", x[0])))
    return linear(p, "mlm.3", words), following


def network_losses(
    p: dict[str, torch.Tensor], heads: int, pairs: Pairs, masks: Any, i: int
) -> tuple[list[torch.Tensor], torch.Tensor, list[bool], bool]:
    """Of pair i: loss of each hidden word, loss of "is next", and whether each was told right."""
    length, hidden = int(pairs.lengths[i]), int(masks.weights[i].sum())
    words, following = network_outputs(
        p,
        heads,
        masks.tokens[i, :length].tolist(),
        pairs.segments[i, :length].tolist(),
        masks.positions[i, :hidden].tolist(),
    )
    labels, is_next = masks.labels[i, :hidden].tolist(), int(pairs.is_next[i])
    each = [-softmax(row)[label].log() for row, label in zip(words, labels, strict=True)]
    right = [int(row.argmax()) == label for row, label in zip(words, labels, strict=True)]
    said = int(following.argmax()) == is_next
    return each, -softmax(following)[is_next].log(), right, said


def train(config: PretrainConfig, initial: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The run that a configuration describes, in float64 and without dropout.

    Returns:
        mlm_loss and nsp_loss of each step; pair_loss[epoch][step] of each pair; valid, the four
        numbers after each `validate_every` steps; rows, the token embedding after each step.
    """
    corpus = random_corpus(config.corpus)
    p = {name: value.double().requires_grad_() for name, value in initial.items()}
    optimizer = make_optimizer(config, list(p.values()))
    order = make_order(
        config.order,
        num_functions=config.corpus.pairs,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    out: dict[str, Any] = {"mlm_loss": [], "nsp_loss": [], "valid": [], "rows": [], "pair_loss": []}
    for epoch in range(config.epochs):
        drawn = epoch if config.masking == "dynamic" else 0
        masks = mask(corpus.train, VOCABULARY, [config.seed, 1, drawn])
        for start in range(0, config.corpus.pairs, config.batch_size):
            batch = order[epoch, start : start + config.batch_size]
            heads = config.model.heads
            told = [network_losses(p, heads, corpus.train, masks, i) for i in batch]
            words = [loss for each, *_ in told for loss in each]
            mlm = torch.stack(words).mean()
            nsp = torch.stack([loss for _, loss, *_ in told]).mean()
            step = len(out["mlm_loss"])
            if config.schedule == "linear":
                total = config.epochs * config.corpus.pairs // config.batch_size
                for group in optimizer.param_groups:
                    group["lr"] = config.lr * (total - step) / total
            optimizer.zero_grad()
            (mlm + nsp).backward()
            optimizer.step()
            out["mlm_loss"].append(mlm.item())
            out["nsp_loss"].append(nsp.item())
            out["pair_loss"].append([torch.stack(each).mean().item() for each, *_ in told])
            out["rows"].append(p["token.weight"].detach().numpy().copy())
            if (step + 1) % config.validate_every == 0:
                out["valid"].append(validate(config, p, corpus.valid))
    out["parameters"] = {name: value.detach() for name, value in p.items()}
    return out


@torch.no_grad()
def validate(config: PretrainConfig, p: dict[str, torch.Tensor], valid: Pairs) -> list[float]:
    first = Pairs(*(field[: config.validation_pairs] for field in valid))
    masks = mask(first, VOCABULARY, [0])
    told = [
        network_losses(p, config.model.heads, first, masks, i)
        for i in range(config.validation_pairs)
    ]
    words = [float(loss) for each, *_ in told for loss in each]
    return [
        float(np.mean(words)),
        float(np.mean([float(loss) for _, loss, *_ in told])),
        float(np.mean([r for _, _, right, _ in told for r in right])),
        float(np.mean([said for *_, said in told])),
    ]


class Simple:
    """RMSProp and heavy-ball SGD as their formulas say, with L2 weight decay."""

    def __init__(self, parameters: list[torch.Tensor], config: PretrainConfig) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": config.lr}]
        self.config, self.parameters = config, parameters
        self.moments = [torch.zeros_like(x) for x in parameters]

    def zero_grad(self) -> None:
        for x in self.parameters:
            x.grad = None

    @torch.no_grad()
    def step(self) -> None:
        c, lr = self.config, self.param_groups[0]["lr"]
        for x, moment in zip(self.parameters, self.moments, strict=True):
            assert x.grad is not None
            g = x.grad + c.weight_decay * x
            if c.optimizer == "sgd":
                moment.copy_(c.beta1 * moment + g)
                x -= lr * moment
            else:
                moment.copy_(c.beta2 * moment + (1 - c.beta2) * g**2)
                x -= lr * g / (moment.sqrt() + c.eps)


def make_optimizer(config: PretrainConfig, parameters: list[torch.Tensor]) -> Any:
    if config.optimizer in ("rmsprop", "sgd"):
        return Simple(parameters, config)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    betas = (config.beta1, config.beta2)
    return kind(parameters, config.lr, betas, config.eps, config.weight_decay, foreach=False)


def initial_parameters(config: PretrainConfig) -> dict[str, torch.Tensor]:
    """Those that `pretrain` starts from."""

    made = Training(config, random_corpus(config.corpus), torch.device("cpu"), Processes())
    return {name: value.detach().clone() for name, value in made.network.named_parameters()}


RESUMED = tiny(
    dropout=0.1,
    masking="dynamic",
    schedule="linear",
    epochs=4,
    probe_epochs=(0, 3),
    order="reverse",
)
