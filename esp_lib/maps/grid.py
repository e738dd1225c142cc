"""Maps: the settled tooth and the final loss over two hyper-parameters at once.

The problem is that of section "Incremental quadratic optimization" of Liu and Ma (2025), with every
floor b at its mean, which takes noise away and nothing else. Each cell trains it twice: from the
paper's start x = 3, for the loss after the paper's ten epochs, and from x = 0, near the minima,
where the tooth is settled after four epochs. (From x = 3 the descent is not over after ten epochs
in most cells, and bends the curve more than the tooth does.)

Maps that are finer than pages should compute are run records of profile "paper", made by
`python -m esp_lib runs train map-beta2-eps map-betas map-batch --profile paper`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.optimizers.adam import Adam
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate
from esp_lib.sawtooth.measurement import measure

Array = NDArray[np.float64]

EPOCHS = 10
SETTLED = 4  # epochs from x = 0 until the tooth is measured
FLOOR = 0.75  # the mean of b
START = FLOOR + 0.75 * (9 + 1 / 3)  # the mean loss at x = 3: a has mean 3/4, c has E[c^2] = 1/3
BASE = {"beta2": 0.8, "beta1": 0.9, "eps": 1e-8, "lr": 0.06, "batch_size": 100}  # off the axes
BATCH_SIZES = (20, 25, 40, 50, 80, 100, 125, 200, 250, 400, 500)  # they divide 10,000
CELLS = 1024  # simulated in one call: their losses take 8 MB a seed at batch size 100


@dataclass(frozen=True)
class Axis:
    """Values of a setting along one side of a map.

    Attributes:
        name: of the setting, in `BASE`.
        low: the first value.
        high: the last value.
        scale: "log": even in log(value); "linear": even in value; "batch": the entries of
            `BATCH_SIZES` in [low, high], however many there are.
    """

    name: str
    low: float
    high: float
    scale: str = "log"

    def values(self, side: int) -> Array:
        """The values, ascending, with six digits: (side,), or all batch sizes."""
        if self.scale == "batch":
            return np.array([size for size in BATCH_SIZES if self.low <= size <= self.high], float)
        spaced = np.linspace if self.scale == "linear" else np.geomspace
        return np.array([float(f"{value:.6g}") for value in spaced(self.low, self.high, side)])

    def place(self, value: float, side: int) -> float:
        """Where `value` lies on the axis, in cells: 0 is the middle of the first cell."""
        if self.scale == "batch":
            return float(np.interp(value, values := self.values(side), range(values.size)))
        ends = (self.low, self.high, value)
        low, high, at = ends if self.scale == "linear" else np.log(ends)
        return float((side - 1) * (at - low) / (high - low))


SMALL_BETA2 = Axis("beta2", 0.6, 0.999, "linear")
MAPS = {  # name -> horizontal and vertical axis
    "map-beta2-eps": (Axis("eps", 1e-10, 1e-2), SMALL_BETA2),
    "map-betas": (Axis("beta1", 0.0, 0.98, "linear"), SMALL_BETA2),
    "map-batch": (Axis("lr", 1e-3, 1.0), Axis("batch_size", 20, 500, "batch")),
}


@dataclass(frozen=True)
class MapConfig:
    """Everything that determines a map.

    Raises:
        ValueError: a side below 2, or no seed.
    """

    x: Axis
    y: Axis
    side: int = 32  # cells along each side, batch sizes apart
    seeds: int = 2  # problems a cell, each with its order: seeds 0, 1, …
    base: tuple[tuple[str, float], ...] = tuple(BASE.items())

    def __post_init__(self) -> None:
        _checks.integer("side", self.side, low=2, high=1024)
        _checks.integer("seeds", self.seeds, low=1)


class HyperMap(NamedTuple):
    """A map; rows are values of y, columns of x. NaN where the loss ends above its start."""

    x: Array  # (columns,)
    y: Array  # (rows,)
    amplitude: Array  # (rows, columns) of the settled tooth, in units of the loss; mean over seeds
    loss: Array  # (rows, columns) of the last epoch from x = 3, mean over seeds
    error: Array  # (rows, columns) standard error of the amplitude; NaN for a single seed


def config_of(name: str, **changes: Any) -> MapConfig:
    """The config of a map by its name in `MAPS`, with another side or number of seeds if given."""
    x, y = MAPS[_checks.choice("name", name, MAPS)]
    return MapConfig(x, y, **changes)


def evaluate(points: dict[str, Array], *, seeds: int, device: str = "cpu") -> tuple[Array, Array]:
    """Train at some points, all of one batch size.

    `points` has (points,) for each name in `BASE`; there are `seeds` problems a point.

    Returns:
        Amplitude of the settled tooth and mean loss of the last epoch, both (seeds, points).

    Raises:
        ValueError: several batch sizes, or a bad value.
    """
    sizes = np.unique(points["batch_size"]).astype(int)
    if sizes.size != 1:
        raise ValueError(f"points must have one batch_size, got {sizes.tolist()}")
    which = np.arange(seeds)[:, None]
    drawn = QuadraticProblem.sample(seed=which)
    problem = QuadraticProblem(
        drawn.a, np.full_like(drawn.b, FLOOR), drawn.c, drawn.coordinate, drawn.dim
    )
    rule = Adam(**{name: points[name] for name in ("lr", "beta1", "beta2", "eps")})
    near, far = (
        simulate(
            problem, rule, epochs=EPOCHS, batch_size=int(sizes[0]), seed=which, x0=x0, device=device
        )
        for x0 in (0.0, 3.0)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        return measure(near, skip_epochs=SETTLED).amplitude, far.by_epoch()[..., -1, :].mean(-1)


def compute(
    config: MapConfig, device: str = "cpu", report: Callable[[int, int], object] | None = None
) -> HyperMap:
    """Train every cell of a map; one whose loss ends above its start is NaN.

    `report` is called with the cells done and the cells in all.
    """
    x, y = config.x.values(config.side), config.y.values(config.side)
    shape = (y.size, x.size)
    cells = {name: np.full(shape, value) for name, value in config.base}
    cells[config.x.name], cells[config.y.name] = np.broadcast_arrays(x, y[:, None])
    flat = {name: values.ravel() for name, values in cells.items()}
    found = np.empty((2, config.seeds, x.size * y.size))
    done = 0
    for size in np.unique(flat["batch_size"]):
        where = np.flatnonzero(flat["batch_size"] == size)
        for part in np.split(where, range(CELLS, where.size, CELLS)):
            points = {name: values[part] for name, values in flat.items()}
            found[:, :, part] = evaluate(points, seeds=config.seeds, device=device)
            done += part.size
            if report:
                report(done, found.shape[-1])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        amplitude, loss = found.mean(axis=1)
        spread = np.square(found[0] - amplitude).sum(axis=0)
        error = np.sqrt(spread / np.float64(config.seeds - 1) / config.seeds)
    amplitude, loss, error = (
        np.where(loss <= START, values, np.nan).reshape(shape)
        for values in (amplitude, loss, error)
    )
    return HyperMap(x, y, amplitude, loss, error)


# ---------------------------------------------------------------------------------------- records
