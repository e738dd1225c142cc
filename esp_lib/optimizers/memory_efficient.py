"""Update rules that keep fewer second moments than there are coordinates: Adam-mini, Adafactor.

Sources: Adam-mini, Zhang et al. (arXiv 2406.16793), Algorithm 1; Adafactor, Shazeer and Stern
(arXiv 1804.04235), Algorithms 4 and 5 with the constants of `torch.optim.Adafactor`.

Neither fits the table of `base`, so `simulate` runs their textbook `update`. They share numbers
between coordinates. A network's weights come as matrices; here `as_matrix` lays the vector of
coordinates out in rows, as nearly square as its length allows.

Symbols as in `base`. Zero gradient is a gradient: a rule moves every coordinate at every step,
whether the batch touched it or not.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.optimizers.base import Array, Hyper, Optimizer


def as_matrix(x: Array) -> Array:
    """`x` (..., dim) in rows, (..., rows, columns); rows is the largest divisor up to sqrt(dim)."""
    dim = x.shape[-1]
    rows = next(r for r in range(math.isqrt(dim), 0, -1) if dim % r == 0)
    return x.reshape(*x.shape[:-1], rows, dim // rows)


class AdamMiniState(NamedTuple):
    """What Adam-mini carries."""

    t: int  # steps done
    m: Array  # the shape of x
    v: Array  # (..., rows), one a block


@dataclass(frozen=True, eq=False)
class AdamMini(Optimizer):
    """Adam with one second moment a block, the mean of g^2 over it; blocks are matrix rows.

    The paper cuts parameters into the dense blocks of the Hessian. Where that is diagonal, as in
    the quadratic problem, these are single coordinates, and Adam-mini is Adam. With a row for a
    block, as in a network's layers, it is not.
    """

    lr: Hyper = 1e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8

    two_moment_form: ClassVar[bool] = False
    coordinatewise: ClassVar[bool] = False

    def init(self, x: ArrayLike) -> AdamMiniState:
        zero = np.zeros(np.shape(x))
        return AdamMiniState(0, zero, as_matrix(zero)[..., 0])

    def update(self, g: Array, state: AdamMiniState, x: Array) -> tuple[Array, AdamMiniState]:
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        # hyper-parameters (..., 1) broadcast against blocks (..., rows)
        v = self.beta2 * state.v + (1 - self.beta2) * (as_matrix(g) ** 2).mean(axis=-1)
        rate = self.lr / (1 - self.beta1**t) / (np.sqrt(v / (1 - self.beta2**t)) + self.eps)
        return x - (rate[..., None] * as_matrix(m)).reshape(x.shape), AdamMiniState(t, m, v)


class AdafactorState(NamedTuple):
    """What Adafactor carries."""

    t: int  # steps done
    v: tuple[Array, ...]  # second moment: of the shape of x, or means of rows and of columns


@dataclass(frozen=True, eq=False)
class Adafactor(Optimizer):
    """Adafactor on a vector, which it does not factor: no momentum, v remembers ever longer.

    beta2 at step t is 1 - t^beta2_decay; the step's root mean square is clipped at `clip`; the
    learning rate is min(lr, 1 / sqrt(t)) times the root mean square of x, at least eps2.
    """

    lr: Hyper = 1e-2
    beta2_decay: Hyper = -0.8
    eps1: Hyper = float(np.finfo(np.float64).eps)
    eps2: Hyper = 1e-3
    clip: Hyper = 1.0  # the paper's d

    two_moment_form: ClassVar[bool] = False
    coordinatewise: ClassVar[bool] = False

    def init(self, x: ArrayLike) -> AdafactorState:
        return AdafactorState(0, (np.zeros(np.shape(x)),))

    def second_moment(
        self, g: Array, v: tuple[Array, ...], fresh: Hyper
    ) -> tuple[Array, tuple[Array, ...]]:
        """The estimate of v, of the shape of g, and what to carry; `fresh` weighs the new g^2."""
        kept = v[0] + fresh * (g**2 - v[0])
        return kept, (kept,)

    def update(self, g: Array, state: AdafactorState, x: Array) -> tuple[Array, AdafactorState]:
        t = state.t + 1
        rate = np.maximum(self.eps2, root_mean_square(x)) * np.minimum(self.lr, t**-0.5)
        estimate, v = self.second_moment(g, state.v, float(t) ** self.beta2_decay)
        step = g / np.sqrt(np.maximum(estimate, self.eps1**2))
        step /= np.maximum(1.0, root_mean_square(step) / self.clip)
        return x - rate * step, AdafactorState(t, v)


@dataclass(frozen=True, eq=False)
class AdafactorMatrix(Adafactor):
    """Adafactor as it treats matrices: v is the product of its means over rows and columns."""

    def init(self, x: ArrayLike) -> AdafactorState:
        zero = as_matrix(np.zeros(np.shape(x)))
        return AdafactorState(0, (zero[..., 0], zero[..., 0, :]))

    def second_moment(
        self, g: Array, v: tuple[Array, ...], fresh: Hyper
    ) -> tuple[Array, tuple[Array, ...]]:
        squares = as_matrix(g) ** 2
        row = v[0] + fresh * (squares.mean(axis=-1) - v[0])
        column = v[1] + fresh * (squares.mean(axis=-2) - v[1])
        mean = np.maximum(row.mean(axis=-1, keepdims=True), self.eps1)
        estimate = row[..., :, None] * (column / mean)[..., None, :]
        return estimate.reshape(g.shape), (row, column)


def root_mean_square(x: Array) -> Array:
    """Root mean square over the last axis, which stays as one of length 1."""
    return np.sqrt((x**2).mean(axis=-1, keepdims=True))
