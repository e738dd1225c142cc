"""Numbers published with the paper, to hold ours against.

Source: the notebooks of https://github.com/qiliuchn/training-loss-pattern (Liu and Ma 2025).
`quadratic.csv` has the 300 end-of-epoch losses that they print: the mean loss of the last
`plot_every` steps of each epoch, of one random run a setting; `source` names the notebook.
`initial_losses.csv` has the losses of all batches at the start of epoch 4 at beta2 = 0.8, which
`replication-example-loss-init` prints; `cosine_similarity.csv` the 101 numbers of
`cos_sim_beta2_0p8.csv`, stored with the sign of minus the update. `bert_tiny.csv` has the six
curves of Fig. 2 (b), read off the paths of the published vector graphic; points on a straight line
between their neighbours are not in it, since the plotting library drops them.

`finetuning.csv` is of another paper, Dodge et al. (arXiv 2002.06305, 2020): its Table 1, the best
validation scores in per cent of BERT fine-tuned with many seeds and of earlier and larger models,
as reprinted with the numbers of seeds below in J. Vetterle, "How to make the most out of BERT
finetuning" (Towards Data Science, 20 April 2020). MRPC has the mean of accuracy and F1, CoLA
Matthews correlation, the others accuracy.
"""

import csv
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers.adam import Adam
from esp_lib.optimizers.adaptive import RMSProp
from esp_lib.optimizers.base import Optimizer

Array = NDArray[np.float64]

# What the epochs of `bert_tiny.csv` are multiples of. The repository's README lists 1,323 steps an
# epoch for this run; at 1,327 every point is a whole multiple of its 50 steps, at 1,323 it is not.
BERT_TINY_STEPS = 1327  # steps an epoch
BERT_TINY_EVERY = 50  # steps averaged for one point

# Of Dodge et al.: so many seeds of first weights, and as many of data orders, all crossed.
FINETUNING_SEEDS = {"MRPC": 25, "RTE": 25, "CoLA": 25, "SST": 15}
FINETUNING_EPOCHS = 3
FINETUNING_EVALUATIONS = 10  # an epoch
FINETUNING_STOP = (0.2, 0.3)  # f of the best plans, in the article's words "20-30 %"


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


def bert_tiny(series: str) -> tuple[NDArray[np.int64], Array]:
    """A curve of Fig. 2 (b): the steps of its points (points,), and its values (points,).

    Args:
        series: "mlm_train_loss", "nsp_train_loss", "mlm_val_loss", "nsp_val_loss" (nats),
            "mlm_val_acc" or "nsp_val_acc".
    """
    found = {
        round(float(row["epoch"]) * BERT_TINY_STEPS / BERT_TINY_EVERY): float(row["value"])
        for row in rows("bert_tiny")
        if row["series"] == series
    }
    if not found:
        names = sorted({row["series"] for row in rows("bert_tiny")})
        raise ValueError(f"series must be one of {', '.join(names)}, got {series!r}")
    return np.array(list(found)) * BERT_TINY_EVERY, np.array(list(found.values()))


def finetuning_scores() -> dict[str, dict[str, float]]:
    """Best validation scores, {model: {task: score in [0, 1]}}; "BERT (Dodge et al., 2020)" theirs.

    The tasks are those of `FINETUNING_SEEDS`.
    """
    return {
        row["model"]: {task: round(float(row[task]) / 100, 3) for task in FINETUNING_SEEDS}
        for row in rows("finetuning")
    }
