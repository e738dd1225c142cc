"""Numbers published with the paper, to hold ours against.

Source: the notebooks of https://github.com/qiliuchn/training-loss-pattern (Liu and Ma 2025).
`quadratic.csv` has the 300 end-of-epoch losses that they print: the mean loss of the last
`plot_every` steps of each epoch, of one random run a setting; `source` names the notebook.
`initial_losses.csv` has the losses of all batches at the start of epoch 4 at beta2 = 0.8, which
`replication-example-loss-init` prints; `cosine_similarity.csv` the 101 numbers of
`cos_sim_beta2_0p8.csv`, stored with the sign of minus the update.
"""

import csv
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers import Adam, Optimizer, RMSProp

Array = NDArray[np.float64]


class PublishedRun(NamedTuple):
    """One published run: its setting and the loss at the end of each of its epochs."""

    source: str
    optimizer: str
    beta1: float | None  # None for RMSProp
    beta2: float
    eps: float
    order: str
    batch_size: int
    plot_every: int
    loss: tuple[float, ...]

    def rule(self, lr: float = 0.06) -> Optimizer:
        """The optimizer of the run."""
        if self.beta1 is None:
            return RMSProp(lr=lr, beta=self.beta2, eps=self.eps)
        return Adam(lr=lr, beta1=self.beta1, beta2=self.beta2, eps=self.eps)

    def matches(self, **setting: Any) -> bool:
        """Whether each named field has the given value."""
        return all(getattr(self, name) == value for name, value in setting.items())


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a published table, `name`.csv, as text."""
    with (files("esp_lib.published") / f"{name}.csv").open(encoding="utf8") as file:
        return list(csv.DictReader(file))


def quadratic_runs() -> list[PublishedRun]:
    """All published runs of the incremental quadratic problem, in the order of the notebooks."""
    runs: dict[tuple[Any, ...], list[float]] = {}
    for row in rows("quadratic"):
        key = (
            row["source"], row["optimizer"], float(row["beta1"]) if row["beta1"] else None,
            float(row["beta2"]), float(row["eps"]), row["order"], int(row["batch_size"]),
            int(row["plot_every"]),
        )  # fmt: skip
        runs.setdefault(key, []).append(float(row["loss"]))
    return [PublishedRun._make((*key, tuple(loss))) for key, loss in runs.items()]


def initial_losses() -> Array:
    """Losses of the 100 batches at the start of epoch 4, beta2 = 0.8, one run: (100,)."""
    return np.array([float(row["loss"]) for row in rows("initial_losses")])


def cosine_similarity() -> tuple[Array, Array]:
    """Fig. 16's beta2 (101,), and the cosine of the update with a batch's gradient (101,)."""
    table = np.array([[float(v) for v in row.values()] for row in rows("cosine_similarity")])
    return table[:, 0], -table[:, 1]
