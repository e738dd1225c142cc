"""Chapter 1's next-word network, small enough to train in a reader's page while it is looked at.

Predict the next word from the four before it: embedding, one hidden layer, softmax over words
(Bengio et al., JMLR 3, 2003), trained with Adam (Kingma and Ba, 2015, Algorithm 1). The text is
Python's own help topics. Everything is float64 and every random number comes from `sampling`, so
that `small_network.js` trains the same network. `next_word` is larger, and in PyTorch.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.next_word import word_numbers
from esp_lib.sampling.orders import make_order
from esp_lib.sampling.threefry import STREAM_WEIGHT, threefry2x32, uniform
from esp_lib.sawtooth.curve import Curve

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

VOCABULARY = 300  # most frequent words; all others are one more word
TEXT = 50_000  # words of the text that are used
CONTEXT, EMBEDDING, HIDDEN = 4, 16, 64
EXAMPLES, BATCH, EPOCHS = 3_200, 32, 10
FIXED = HELD_OUT = 160  # examples that losses are evaluated on
EVERY = 10  # steps from one evaluation to the next


@dataclass(frozen=True)
class SmallConfig:
    """Settings of one run.

    Raises:
        ValueError: a number out of its range.
    """

    beta2: float = 0.999
    eps: float = 1e-8
    lr: float = 5e-3
    shuffle: bool = True  # a new order each epoch
    fresh: bool = False  # new examples each epoch, none of them seen before
    beta1: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        _checks.seeds("seed", [self.seed])
        for name in ("beta1", "beta2"):
            value = float(_checks.real(name, getattr(self, name), low=0))
            if value >= 1:
                raise ValueError(f"{name} must be a number in [0, 1), got {value}")


class SmallRun(NamedTuple):
    """Loss in nats; the last two are evaluated every `EVERY` steps, after the update."""

    training: Curve  # (steps,) of each batch before its update: what is logged
    seen: Curve  # (steps // EVERY,) of a fixed part of the training examples
    held_out: Curve  # (steps // EVERY,) of examples that are never trained on


class Parameters(NamedTuple):
    """All that is learned."""

    embedding: Array  # (words, EMBEDDING)
    w1: Array  # (CONTEXT * EMBEDDING, HIDDEN)
    b1: Array  # (HIDDEN,)
    w2: Array  # (HIDDEN, words)
    b2: Array  # (words,)


def text_numbers() -> Numbers:
    """The text as word numbers, (TEXT,)."""
    return np.array(word_numbers(VOCABULARY)[:TEXT])


def start(seed: int) -> Parameters:
    """Parameters as PyTorch would draw them, but uniform: variance 1, or 1 / (3 inputs)."""
    words = VOCABULARY + 1
    shapes = [
        (words, EMBEDDING),
        (CONTEXT * EMBEDDING, HIDDEN),
        (HIDDEN,),
        (HIDDEN, words),
        (words,),
    ]
    bounds = [3**0.5, *[(CONTEXT * EMBEDDING) ** -0.5] * 2, *[HIDDEN**-0.5] * 2]
    sizes = [int(np.prod(shape)) for shape in shapes]
    pair = np.arange((sum(sizes) + 1) // 2, dtype=np.uint32)  # two words each
    drawn = np.stack(threefry2x32(seed, STREAM_WEIGHT, pair, np.zeros_like(pair)), axis=1).ravel()
    parts = np.split(drawn[: sum(sizes)], np.cumsum(sizes)[:-1])
    return Parameters(
        *(
            uniform(part, -bound, bound).reshape(shape)
            for part, bound, shape in zip(parts, bounds, shapes, strict=True)
        )
    )


def forward(p: Parameters, contexts: Numbers, words: Numbers) -> tuple[float, tuple[Array, ...]]:
    """Mean loss of examples, contexts (n, CONTEXT), words (n,), and what `gradients` needs."""
    n = words.size
    x = p.embedding[contexts].reshape(n, -1)
    h = np.maximum(x @ p.w1 + p.b1, 0.0)
    out = h @ p.w2 + p.b2  # (n, words)
    top = out.max(axis=1, keepdims=True)
    power = np.exp(out - top)
    total = power.sum(axis=1, keepdims=True)
    losses = np.log(total[:, 0]) + top[:, 0] - out[np.arange(n), words]
    return float(losses.mean()), (x, h, power / total)


def gradients(
    p: Parameters, contexts: Numbers, words: Numbers, kept: tuple[Array, ...]
) -> Parameters:
    """Of the mean loss, by backpropagation."""
    x, h, share = kept
    n = words.size
    d_out = share / n
    d_out[np.arange(n), words] -= 1 / n
    d_h = (d_out @ p.w2.T) * (h > 0)
    d_x = (d_h @ p.w1.T).reshape(n, CONTEXT, EMBEDDING)
    d_embedding = np.zeros_like(p.embedding)
    np.add.at(d_embedding, contexts, d_x)
    return Parameters(d_embedding, x.T @ d_h, d_h.sum(axis=0), h.T @ d_out, d_out.sum(axis=0))


def train(config: SmallConfig, text: Numbers | None = None, *, epochs: int = EPOCHS) -> SmallRun:
    """Train once, from the start.

    The text is word numbers from 0 to `VOCABULARY`, by default `text_numbers()`; there are at
    most 10 epochs, of 100 steps: fresh examples last no longer.
    """
    epochs = _checks.integer("epochs", epochs, low=1, high=EPOCHS)
    ids = text_numbers() if text is None else text
    places = ids.size - CONTEXT
    place = make_order("reshuffle", num_functions=places, epochs=1, batch_size=1, seed=config.seed)
    where = place[0].astype(np.int64)  # examples in random order: held out, then those to train on
    contexts = np.stack([ids[where + k] for k in range(CONTEXT)], axis=1)
    words = ids[where + CONTEXT]
    kind = "reshuffle" if config.shuffle and not config.fresh else "fixed"
    order = make_order(
        kind, num_functions=EXAMPLES, epochs=epochs, batch_size=BATCH, seed=config.seed
    )
    held_out = slice(0, HELD_OUT)
    fixed = slice(HELD_OUT, HELD_OUT + EXAMPLES, EXAMPLES // FIXED)  # from all over the epoch
    p = start(config.seed)
    m, v = (Parameters(*(np.zeros_like(part) for part in p)) for _ in range(2))
    training, seen, unseen = [], [], []
    for epoch in range(epochs):
        first = HELD_OUT + (EXAMPLES * epoch if config.fresh else 0)
        for batch in first + order[epoch].reshape(-1, BATCH):
            loss, kept = forward(p, contexts[batch], words[batch])
            training.append(loss)
            grads = gradients(p, contexts[batch], words[batch], kept)
            t = len(training)
            rate = config.lr / (1 - config.beta1**t)
            root = (1 - config.beta2**t) ** -0.5
            for x, g, m_x, v_x in zip(p, grads, m, v, strict=True):
                m_x += (1 - config.beta1) * (g - m_x)
                v_x += (1 - config.beta2) * (g * g - v_x)
                x -= rate * m_x / (np.sqrt(v_x) * root + config.eps)
            if t % EVERY == 0:
                seen.append(forward(p, contexts[fixed], words[fixed])[0])
                unseen.append(forward(p, contexts[held_out], words[held_out])[0])
    per_epoch = EXAMPLES // BATCH
    source = {"network": "small next word", **vars(config)}
    sparse = per_epoch // EVERY
    return SmallRun(
        Curve(np.array(training), per_epoch, source),
        Curve(np.array(seen), sparse, source),
        Curve(np.array(unseen), sparse, source),
    )
