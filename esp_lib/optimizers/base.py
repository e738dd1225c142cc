"""What an update rule is, and the two-moment form that most of them have.

Each rule of that form (`adam`, `adaptive`, `sgd`) stands twice. `init` and `update` are the
textbook, one step at a time. `two_moment` writes the same rule as one row of a table that a single
loop can run, because all eight are

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

from esp_lib import _checks

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


# Allowed values of each hyper-parameter: keywords of `_checks.real`.
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
            array = _checks.real(field.name, getattr(self, field.name), **RANGES[field.name])
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
