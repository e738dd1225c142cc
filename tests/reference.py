"""Slow, readable twins of the fast paths.

`train` follows the definition of the incremental quadratic problem line by line: a Python loop
over the functions of a batch, a dense gradient for each, and the textbook update of the optimizer.
"""

import numpy as np

from esp_lib import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    NAdam,
    Nesterov,
    Optimizer,
    QuadraticProblem,
    RMSProp,
)
from esp_lib.optimizers.base import State
from esp_lib.sampling.threefry import Words, threefry2x32


def train(
    problem: QuadraticProblem,
    optimizer: Optimizer,
    order: np.ndarray,
    batch_size: int,
    x0: float | np.ndarray = 3.0,
) -> np.ndarray:
    """Loss of each batch before its update: (steps,), for one problem and one setting."""
    x = np.full(problem.dim, 1.0) * x0
    state = optimizer.init(x)
    losses = []
    for batch in order.reshape(-1, batch_size):
        loss = 0.0
        gradient = np.zeros(problem.dim)
        for i in batch:
            d = problem.coordinate[i]
            loss += problem.a[i] * (x[d] - problem.c[i]) ** 2 + problem.b[i]
            one = np.zeros(problem.dim)
            one[d] = 2 * problem.a[i] * (x[d] - problem.c[i])
            gradient += one
        losses.append(loss / batch_size)
        x, state = optimizer.update(gradient / batch_size, state, x)
    return np.array(losses)


def threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """One block of Threefry-2x32-20 in Python integers, written from the paper's definition."""
    mask = 2**32 - 1
    schedule = [key[0], key[1], 0x1BD11BDA ^ key[0] ^ key[1]]
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    w0, w1 = (counter[0] + schedule[0]) & mask, (counter[1] + schedule[1]) & mask
    for d in range(20):
        w0 = (w0 + w1) & mask
        r = rotations[d % 8]
        w1 = ((w1 << r) | (w1 >> (32 - r))) & mask
        w1 ^= w0
        if (d + 1) % 4 == 0:
            s = (d + 1) // 4
            w0 = (w0 + schedule[s % 3]) & mask
            w1 = (w1 + schedule[(s + 1) % 3] + s) & mask
    return w0, w1


def shuffle(words: list[int], n: int) -> list[int]:
    """The first len(words) entries of a Fisher-Yates shuffle of 0 … n - 1."""
    pool = list(range(n))
    for j, word in enumerate(words):
        other = j + (word * (n - j) >> 32)
        pool[j], pool[other] = pool[other], pool[j]
    return pool[: len(words)]


def word_rows(seed: int, stream: int, rows: int, columns: int) -> Words:
    """Words of one stream as a table: entry [r, j] is word `j % 2` of counter (j // 2, r).

    Returns:
        uint32 array (rows, columns).
    """
    blocks = np.arange((columns + 1) // 2, dtype=np.uint32)
    w0, w1 = threefry2x32(seed, stream, blocks[None, :], np.arange(rows, dtype=np.uint32)[:, None])
    return np.stack([w0, w1], axis=-1).reshape(rows, -1)[:, :columns]


class NAdamMax(NAdam):
    """NAdam with AMSGrad's maximum: no rule of ours has both this and a direct gradient."""

    def update(self, g, state, x):
        t, product = state.t + 1, state.mu_product * self.momentum(state.t + 1)
        mu, later = self.momentum(t), self.momentum(t + 1)
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_max = np.maximum(state.v_max, v)
        step = later * m / (1 - product * later) + (1 - mu) * g / (1 - product)
        step = self.lr * step / (np.sqrt(v_max / (1 - self.beta2**t)) + self.eps)
        return x - step, State(t, m, v, v_max, product)

    def two_moment(self, steps):
        return super().two_moment(steps)._replace(use_max=True)


RULES = [
    Adam(lr=0.06, beta2=0.999),
    Adam(lr=0.06, beta2=0.8),
    Adam(lr=0.06, beta1=0.0, beta2=0.9, eps=1e-5),
    AdamW(lr=0.06, beta2=0.9, weight_decay=0.05),
    AMSGrad(lr=0.06, beta2=0.8),
    NAdam(lr=0.06, beta2=0.9),
    NAdamMax(lr=0.06, beta2=0.8),
    RMSProp(lr=0.06, beta=0.8),
    SGD(lr=5.0, momentum=0.9),
    Nesterov(lr=3.0, momentum=0.8),
    Adagrad(lr=1.0),
]
