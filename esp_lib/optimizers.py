"""Update rules of the two-moment form: Adam and its kin, RMSProp, Adagrad, SGD with momentum.

Sources: Adam, Kingma and Ba (arXiv 1412.6980), Algorithm 1; AMSGrad, Reddi, Kale and Kumar
(arXiv 1904.09237), Algorithm 2 with Adam's bias correction; AdamW, Loshchilov and Hutter
(arXiv 1711.05101), Algorithm 2; NAdam, Dozat (2016) with the momentum schedule of `torch.optim`;
RMSProp as in the code of Liu and Ma (2025), which has no bias correction; Adagrad, Duchi, Hazan
and Singer (JMLR 12, 2011); Nesterov momentum as in `torch.optim.SGD`, after Sutskever et al. (ICML
2013). Rules of another form are in `optimizers_other`.

Each rule stands here twice. `init` and `update` are the textbook, one step at a time. `two_moment`
writes the same rule as one row of a table that a single loop can run, because all eight are

    m <- decay1 m + weight1 g
    v <- decay2 v + weight2 g^2            (AMSGrad: v_max <- max(v_max, v), used in v's place)
    x <- shrink x - (scale_m[t] m + scale_g[t] g) / (root[t] sqrt(v) + eps).

The tests hold both against each other and against `torch.optim`.

Symbols: lr is the paper's learning rate alpha, beta1 and beta2 its (beta_1, beta_2), eps its
epsilon, m and v its first and second moment; g is the gradient and t counts steps from 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import checks

Array = NDArray[np.float64]
Hyper = Any  # a number, or an array of numbers that broadcasts; checked when it is set


class State(NamedTuple):
    """What a two-moment rule carries from step to step; each array has the shape of x."""

    t: int  # steps done
    m: Array
    v: Array
    v_max: Array
    mu_product: Array  # NAdam: product of its momentum coefficients so far


class TwoMoment(NamedTuple):
    """One rule with one setting as coefficients of the common form above; tables are (steps,).

    For a column of settings, numbers may be (settings, 1) and tables (settings, steps).
    """

    decay1: Hyper
    weight1: Hyper
    decay2: Hyper
    weight2: Hyper
    eps: Hyper
    shrink: Hyper
    scale_m: Array
    scale_g: Array
    root: Array
    adaptive: bool = True  # False: no second moment, the denominator is 1
    use_max: bool = False  # True: AMSGrad's maximum of v in v's place


# Allowed values of each hyper-parameter: keywords of `checks.real`.
RANGES: dict[str, dict[str, Any]] = {
    "lr": {"low": 0.0},
    "beta1": {"low": 0.0, "high": 1.0, "high_open": True},
    "beta2": {"low": 0.0, "high": 1.0, "high_open": True},
    "beta": {"low": 0.0, "high": 1.0, "high_open": True},
    "momentum": {"low": 0.0, "high": 1.0, "high_open": True},
    "eps": {"low": 0.0, "low_open": True},
    "weight_decay": {"low": 0.0},
    "momentum_decay": {"low": 0.0},
    "beta2_decay": {"high": 0.0},
    "clip": {"low": 0.0, "low_open": True},
    "eps1": {"low": 0.0, "low_open": True},
    "eps2": {"low": 0.0},
}


@dataclass(frozen=True, eq=False)
class Optimizer(ABC):
    """A rule with its hyper-parameters, each a number or an array; arrays broadcast as in NumPy.

    Raises:
        ValueError: a hyper-parameter is not finite or out of range, or shapes don't broadcast.
    """

    two_moment_form: ClassVar[bool] = True  # has `two_moment`; else only `update`, step by step
    coordinatewise: ClassVar[bool] = True  # a coordinate's step depends on no other coordinate

    def __post_init__(self) -> None:
        arrays = []
        for field in fields(self):
            array = checks.real(field.name, getattr(self, field.name), **RANGES[field.name])
            object.__setattr__(self, field.name, float(array) if array.ndim == 0 else array)
            arrays.append(array)
        try:
            np.broadcast_shapes(*(array.shape for array in arrays))
        except ValueError:
            shapes = ", ".join(
                f"{f.name} {a.shape}" for f, a in zip(fields(self), arrays, strict=True)
            )
            raise ValueError(
                f"hyper-parameters must have shapes that broadcast, got {shapes}"
            ) from None

    @property
    def name(self) -> str:
        """The rule's name, as in the literature."""
        return type(self).__name__

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of the hyper-parameters; () for a single setting."""
        return np.broadcast_shapes(*(np.shape(getattr(self, f.name)) for f in fields(self)))

    def settings(self) -> Iterator[Self]:
        """Each single setting of the broadcast arrays, in C order."""
        columns = [np.broadcast_to(getattr(self, f.name), self.shape).ravel() for f in fields(self)]
        for values in zip(*columns, strict=True):
            yield type(self)(*map(float, values))

    def init(self, x: ArrayLike) -> Any:
        """The state before the first step, for parameters `x` (..., dim)."""
        zero = np.zeros(np.shape(x))
        return State(0, zero, zero, zero, np.ones(np.shape(x)))

    @abstractmethod
    def update(self, g: Array, state: Any, x: Array) -> tuple[Array, Any]:
        """One textbook step.

        Args:
            g: gradient at `x`; not changed.
            state: what the last step (or `init`) returned.
            x: parameters (..., dim); hyper-parameter arrays broadcast against them.

        Returns:
            The new parameters and the new state.
        """

    def two_moment(self, steps: int) -> TwoMoment:
        """The rule as coefficient tables for `steps` steps.

        For a single setting (shape ()), or for a column of them (settings, 1).

        Raises:
            ValueError: the rule is not of the two-moment form.
        """
        raise ValueError(f"optimizer must be of the two-moment form here, got {self.name}")

    def tables(self, steps: int) -> list[TwoMoment]:
        """`two_moment` of each single setting, in C order; the same bits, many settings at once."""
        columns = [np.broadcast_to(getattr(self, f.name), self.shape).ravel() for f in fields(self)]
        rules: list[TwoMoment] = []
        for k in range(0, columns[0].size, 64):  # as many as stay in the cache
            part = type(self)(*(column[k : k + 64, None] for column in columns))
            table = part.two_moment(steps)
            count = part.shape[0]
            numbers = [np.broadcast_to(n, (count, 1))[:, 0].tolist() for n in table[:6]]
            series = [np.broadcast_to(s, (count, steps)).copy() for s in table[6:9]]
            rows = zip(*numbers, *series, strict=True)
            rules += [TwoMoment._make((*row, *table[9:])) for row in rows]
        return rules


def powers(beta: Hyper, steps: int) -> Array:
    """beta, beta^2, …, beta^steps by repeated multiplication, which every language rounds alike."""
    return np.cumprod(beta * np.ones(steps), axis=-1)


@dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    """Adam: x <- x - lr m_hat / (sqrt(v_hat) + eps), with bias-corrected m_hat and v_hat.

    Defaults are `torch.optim.Adam`'s.
    """

    lr: Hyper = 1e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8

    keeps_max: ClassVar[bool] = False

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_max = np.maximum(state.v_max, v)
        m_hat = m / (1 - self.beta1**t)
        v_hat = (v_max if self.keeps_max else v) / (1 - self.beta2**t)
        x = self.decayed(x) - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return x, State(t, m, v, v_max, state.mu_product)

    def decayed(self, x: Hyper) -> Hyper:
        """The parameters `x` after weight decay; plain Adam has none."""
        return x

    def two_moment(self, steps: int) -> TwoMoment:
        return TwoMoment(
            decay1=self.beta1,
            weight1=1 - self.beta1,
            decay2=self.beta2,
            weight2=1 - self.beta2,
            eps=self.eps,
            shrink=self.decayed(1.0),
            scale_m=self.lr / (1 - powers(self.beta1, steps)),
            scale_g=np.zeros(steps),
            root=1 / np.sqrt(1 - powers(self.beta2, steps)),
            use_max=self.keeps_max,
        )


@dataclass(frozen=True, eq=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: x shrinks by 1 - lr weight_decay at each step."""

    weight_decay: Hyper = 1e-2

    def decayed(self, x: Hyper) -> Hyper:
        return (1 - self.lr * self.weight_decay) * x


@dataclass(frozen=True, eq=False)
class AMSGrad(Adam):
    """Adam whose denominator uses the largest second moment so far."""

    keeps_max: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class NAdam(Optimizer):
    """Adam with Nesterov momentum; mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)."""

    lr: Hyper = 2e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8
    momentum_decay: Hyper = 4e-3

    def momentum(self, t: ArrayLike) -> Array:
        """mu_t, the momentum coefficient at step t."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (np.asarray(t) * self.momentum_decay))

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        t = state.t + 1
        mu, mu_next = self.momentum(t), self.momentum(t + 1)
        product = state.mu_product * mu
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        denominator = np.sqrt(v / (1 - self.beta2**t)) + self.eps
        x = x - self.lr * (1 - mu) / (1 - product) * g / denominator
        x = x - self.lr * mu_next / (1 - product * mu_next) * m / denominator
        return x, State(t, m, v, state.v_max, product)

    def two_moment(self, steps: int) -> TwoMoment:
        mu = self.momentum(np.arange(1, steps + 2))
        product = np.cumprod(mu, axis=-1)
        return TwoMoment(
            decay1=self.beta1,
            weight1=1 - self.beta1,
            decay2=self.beta2,
            weight2=1 - self.beta2,
            eps=self.eps,
            shrink=1.0,
            scale_m=self.lr * mu[..., 1:] / (1 - product[..., 1:]),
            scale_g=self.lr * (1 - mu[..., :-1]) / (1 - product[..., :-1]),
            root=1 / np.sqrt(1 - powers(self.beta2, steps)),
        )


@dataclass(frozen=True, eq=False)
class RMSProp(Optimizer):
    """RMSProp of the paper: v = beta v + (1 - beta) g^2, x <- x - lr g / (sqrt(v) + eps)."""

    lr: Hyper = 1e-2
    beta: Hyper = 0.99
    eps: Hyper = 1e-8

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        v = self.beta * state.v + (1 - self.beta) * g**2
        return x - self.lr * g / (np.sqrt(v) + self.eps), state._replace(t=state.t + 1, v=v)

    def two_moment(self, steps: int) -> TwoMoment:
        return TwoMoment(
            decay1=0.0,
            weight1=0.0,
            decay2=self.beta,
            weight2=1 - self.beta,
            eps=self.eps,
            shrink=1.0,
            scale_m=np.zeros(steps),
            scale_g=self.lr * np.ones(steps),
            root=np.ones(steps),
        )


@dataclass(frozen=True, eq=False)
class SGD(Optimizer):
    """SGD with heavy-ball momentum: m = momentum m + g, x <- x - lr m."""

    lr: Hyper = 1e-3
    momentum: Hyper = 0.0

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        m = self.momentum * state.m + g
        return x - self.lr * m, state._replace(t=state.t + 1, m=m)

    def two_moment(self, steps: int) -> TwoMoment:
        return TwoMoment(
            decay1=self.momentum,
            weight1=1.0,
            decay2=0.0,
            weight2=0.0,
            eps=1.0,
            shrink=1.0,
            scale_m=self.lr * np.ones(steps),
            scale_g=np.zeros(steps),
            root=np.zeros(steps),
            adaptive=False,
        )


@dataclass(frozen=True, eq=False)
class Nesterov(SGD):
    """SGD with Nesterov momentum: m = momentum m + g, x <- x - lr (g + momentum m)."""

    momentum: Hyper = 0.9

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        m = self.momentum * state.m + g
        return x - self.lr * (g + self.momentum * m), state._replace(t=state.t + 1, m=m)

    def two_moment(self, steps: int) -> TwoMoment:
        m, g = self.lr * self.momentum * np.ones(steps), self.lr * np.ones(steps)
        return super().two_moment(steps)._replace(scale_m=m, scale_g=g)


@dataclass(frozen=True, eq=False)
class Adagrad(Optimizer):
    """Adagrad: v = v + g^2, x <- x - lr g / (sqrt(v) + eps); v never forgets."""

    lr: Hyper = 1e-2
    eps: Hyper = 1e-10

    def update(self, g: Array, state: State, x: Array) -> tuple[Array, State]:
        v = state.v + g**2
        return x - self.lr * g / (np.sqrt(v) + self.eps), state._replace(t=state.t + 1, v=v)

    def two_moment(self, steps: int) -> TwoMoment:
        return RMSProp(self.lr, 0.0, self.eps).two_moment(steps)._replace(decay2=1.0, weight2=1.0)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    rule.__name__: rule for rule in (Adam, RMSProp, SGD, AdamW, AMSGrad, NAdam, Nesterov, Adagrad)
}
