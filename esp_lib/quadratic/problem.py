"""The incremental quadratic problem of Liu and Ma (2025): many parabolas of one coordinate each.

Shown in chapter 5.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.sampling.threefry import STREAM_CURVATURE, STREAM_MINIMUM, below, threefry2x32, uniform

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuadraticProblem:
    """Functions a (x[coordinate] - c)^2 + b of one coordinate each; leading axes are problems.

    Raises:
        ValueError: shapes differ, a value is not finite, or a coordinate is out of range.

    Example:
        >>> QuadraticProblem(a=[1.0, 0.5], b=[0, 0], c=[-1, 1], coordinate=[0, 0], dim=1).shape
        ()
        >>> QuadraticProblem.sample(num_functions=200, dim=200, seed=[0, 1, 2]).shape
        (3,)
    """

    a: Array  # (..., num_functions) curvatures, positive
    b: Array  # (..., num_functions) floors
    c: Array  # (..., num_functions) minima
    coordinate: NDArray[np.int64]  # (..., num_functions) integers in [0, dim)
    dim: int  # number of coordinates

    def __post_init__(self) -> None:
        _checks.integer("dim", self.dim, low=1)
        whole = f"integers from 0 to dim - 1 = {self.dim - 1}"
        values = {
            "a": _checks.real("a", self.a, low=0.0, low_open=True),
            "b": _checks.real("b", self.b),
            "c": _checks.real("c", self.c),
            "coordinate": _checks.integers("coordinate", self.coordinate, whole).copy(),
        }
        shapes = {array.shape for array in values.values()}
        if len(shapes) > 1 or values["a"].ndim == 0 or values["a"].size == 0:
            given = ", ".join(f"{name} {array.shape}" for name, array in values.items())
            raise ValueError(
                f"a, b, c and coordinate must have one shape (..., num_functions), got {given}"
            )
        d = values["coordinate"]
        if d.min() < 0 or d.max() >= self.dim:
            raise ValueError(f"coordinate must be {whole}, got {d.min()} to {d.max()}")
        for name, array in values.items():
            object.__setattr__(self, name, array)

    @classmethod
    def sample(cls, num_functions: int = 10_000, dim: int = 10_000, seed: ArrayLike = 0) -> Self:
        """Draw the paper's problem; an array of seeds gives as many problems.

        Args:
            num_functions: number of functions (training samples).
            dim: number of coordinates (parameters).
            seed: integers from 0 to 2**32 - 1, of any shape (...).

        Returns:
            A problem with arrays (..., num_functions).
        """
        _checks.integer("num_functions", num_functions, low=1)
        _checks.integer("dim", dim, low=1, high=2**32)
        seeds = _checks.seeds("seed", seed)
        index = np.arange(num_functions, dtype=np.uint32)
        zero = np.zeros(1, np.uint32)
        drawn = []
        for s in seeds.ravel():
            wa, wb = threefry2x32(int(s), STREAM_CURVATURE, index, zero)
            wc, wd = threefry2x32(int(s), STREAM_MINIMUM, index, zero)
            ab = (uniform(w, 0.5, 1.0) for w in (wa, wb))
            drawn.append((*ab, uniform(wc, -1.0, 1.0), below(wd, dim)))
        shape = (*seeds.shape, num_functions)
        if not drawn:
            raise ValueError(f"seed must be one seed or more, got {_checks.shown(seed)}")
        a, b, c, d = (np.stack(part).reshape(shape) for part in zip(*drawn, strict=True))
        return cls(a, b, c, d, dim)

    @property
    def num_functions(self) -> int:
        """Functions in one problem."""
        return self.a.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """The leading axes: () for a single problem."""
        return self.a.shape[:-1]

    def lanes(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The coordinates that functions of a single problem use, numbered.

        Returns:
            int64 (lanes,), these coordinates, ascending, and int32 (num_functions,), the number
            (lane) of each function's.
        """
        if self.dim > 100 * self.num_functions:  # few functions in a wide space
            coordinates, lane = np.unique(self.coordinate, return_inverse=True)
            return coordinates, lane.astype(np.int32)
        used = np.zeros(self.dim, bool)
        used[self.coordinate] = True
        number = np.cumsum(used, dtype=np.int32) - 1
        return np.flatnonzero(used), number[self.coordinate]

    def __getitem__(self, index: Any) -> "QuadraticProblem":
        """One of the problems."""
        return QuadraticProblem(
            self.a[index], self.b[index], self.c[index], self.coordinate[index], self.dim
        )
