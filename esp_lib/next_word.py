"""A network small enough to train while a page is built, and real enough to show the sawtooth.

Predict the next word from the four before it: embedding, one hidden layer, softmax over words
(Bengio et al., "A Neural Probabilistic Language Model", JMLR 3, 2003), trained with
`torch.optim.Adam` on the text of Python's own help topics, which every Python carries. The paper's
BERT is in the chapters on the phenomenon; this is the shortest way to see the pattern in a network.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from esp_lib import _checks
from esp_lib.sawtooth.curve import Curve

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes and settings of one run."""

    vocabulary: int = 2000  # most frequent words; all others are one more word
    context: int = 4  # words that predict the next
    examples: int = 12_800  # training examples
    held_out: int = 2_000  # validation examples
    embedding: int = 64
    hidden: int = 256
    batch_size: int = 128
    epochs: int = 10
    lr: float = 3e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    seed: int = 0
    validate_every: int = 10  # steps


class NetworkRun(NamedTuple):
    """Loss in nats; the last two are evaluated every `validate_every` steps, after the update."""

    training: Curve  # (steps,) of each training batch before its update: what is logged
    validation: Curve  # (steps // validate_every,) of the held-out examples
    seen: Curve  # (steps // validate_every,) of as many training examples, always the same


def word_numbers(vocabulary: int) -> list[int]:
    """The text, word by word: 1 for the most frequent word, and so on; 0 for rare ones."""
    from pydoc_data.topics import topics

    text = " ".join(topics[name] for name in sorted(topics)).lower()
    words = re.findall(r"[a-z_]+|[^\sa-z_]", text)
    number = {w: i + 1 for i, (w, _) in enumerate(Counter(words).most_common(vocabulary))}
    return [number.get(word, 0) for word in words]


def examples(config: NetworkConfig) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Contexts (n, context) and next words (n,), in random order, as word numbers.

    Raises:
        ValueError: the text has fewer places than the configuration asks for.
    """
    import torch

    ids = torch.tensor(word_numbers(config.vocabulary))
    places, wanted = len(ids) - config.context, config.examples + config.held_out
    if wanted > places:
        raise ValueError(f"examples + held_out must be at most {places}, got {wanted}")
    random = torch.Generator().manual_seed(config.seed)
    start = torch.randperm(places, generator=random)[:wanted]
    contexts = torch.stack([ids[start + i] for i in range(config.context)], dim=1)
    return contexts, ids[start + config.context]


def train(config: NetworkConfig, device: str = "cpu") -> NetworkRun:
    """Train once, reshuffling the examples each epoch.

    Args:
        config: sizes and settings.
        device: a torch device.

    Raises:
        ValueError: a batch size that does not divide the examples, too little text.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on matrices this small a second one only gets in the way
    try:
        return _train(config, device)
    finally:
        torch.set_num_threads(threads)


def _train(config: NetworkConfig, device: str) -> NetworkRun:
    import torch
    from torch import nn

    _checks.integer("epochs", config.epochs, low=1)
    if config.examples % config.batch_size:
        raise ValueError(
            f"batch_size must divide the examples, {config.examples}, got {config.batch_size}"
        )
    contexts, words = (part.to(device) for part in examples(config))
    random = torch.Generator().manual_seed(config.seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = nn.Sequential(
            nn.Embedding(config.vocabulary + 1, config.embedding),
            nn.Flatten(),  # (batch, context * embedding)
            nn.Linear(config.context * config.embedding, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.vocabulary + 1),
        ).to(device)
    betas = (config.beta1, config.beta2)
    optimizer = torch.optim.Adam(network.parameters(), config.lr, betas, config.eps)
    n, steps_per_epoch = config.examples, config.examples // config.batch_size
    training: list[torch.Tensor] = []
    validation: list[torch.Tensor] = []
    seen: list[torch.Tensor] = []
    held_out = slice(n, n + config.held_out)
    fixed = slice(0, min(config.held_out, n))
    for _ in range(config.epochs):
        for batch in torch.randperm(n, generator=random).to(device).split(config.batch_size):  # type: ignore[no-untyped-call]
            loss = nn.functional.cross_entropy(network(contexts[batch]), words[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            training.append(loss.detach())
            if len(training) % config.validate_every == 0:
                with torch.no_grad():
                    for losses, part in ((validation, held_out), (seen, fixed)):
                        out = network(contexts[part])
                        losses.append(nn.functional.cross_entropy(out, words[part]))
    source = {"network": "next word", **vars(config), "device": device}

    def curve(losses: list["torch.Tensor"], per_epoch: int) -> Curve:
        return Curve(torch.stack(losses).double().cpu().numpy(), per_epoch, source)

    per_epoch = max(1, steps_per_epoch // config.validate_every)
    return NetworkRun(
        curve(training, steps_per_epoch), curve(validation, per_epoch), curve(seen, per_epoch)
    )
