"""Which column of a log is what, by the names that training scripts and their tools give them.

Names are taken apart into words: `train/loss_step` and "run-7 - trainLossStep" both have the words
train, loss, step. Weights & Biases exports put the run's name before " - " and add columns that end
in `__MIN` and `__MAX`; Lightning adds `_step` and `_epoch`; a CSV file downloaded from TensorBoard
has the columns Wall time, Step and Value.
"""

import re
from collections.abc import Iterable

VALIDATION = {"val", "valid", "validation", "eval", "evaluation", "test", "dev", "heldout"}
PLAIN = {"train", "training", "loss", "step", "batch", "minibatch", "iter", "running", "log"}
NOT_A_LOSS = {"scale", "scaler", "min", "max", "std", "weight", "grad", "norm", "time", "best"}
SMOOTHED = {"epoch", "smooth", "smoothed", "ema", "avg", "average", "mean", "running"}
OTHER_LOSSES = {"nll", "ce", "cost", "objective", "value", "xent"}
STEPS = (
    "trainer global step", "train global step", "global step", "step", "steps", "iteration",
    "iterations", "iter", "it", "update", "updates", "num updates", "batch", "train step",
)  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a column's name, in lower case, without the run's name."""
    name = name.rsplit(" - ", 1)[-1]
    name = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split("[^a-z0-9]+", name.lower()) if word]


def role(name: str) -> str | None:
    """What a column is: "step", "epoch", "rate", "loss" or "validation"; None for all others."""
    if name.endswith(("__MIN", "__MAX")) or len(name) > 300:
        return None
    parts = words(name)
    has = set(parts)
    if " ".join(parts) in STEPS:
        return "step"
    if parts in (["epoch"], ["epochs"], ["train", "epoch"]):
        return "epoch"
    if "lr" in has or {"learning", "rate"} <= has:
        return "rate"
    if any(part.endswith("loss") for part in parts) and not has & NOT_A_LOSS:
        prefix = next(part for part in parts if part.endswith("loss"))[:-4]
        return "validation" if has & VALIDATION or prefix in VALIDATION else "loss"
    if has & OTHER_LOSSES and not has & (VALIDATION | NOT_A_LOSS):
        return "loss"
    return None


def rank(name: str) -> int:
    """How likely a column of losses is the one of the training steps: 0 is best."""
    has = set(words(name))
    if not any(word.endswith("loss") for word in has):
        return 4
    if has & {"epoch"}:
        return 3
    if has <= PLAIN or has & {"total"}:
        return 1 if has & SMOOTHED else 0
    return 2


def step_rank(name: str) -> int:
    """How likely a column of steps counts the optimizer's steps: 0 is best."""
    return STEPS.index(" ".join(words(name)))


def relevant(names: list[str], wanted: Iterable[str]) -> list[str]:
    """The columns to read: those with a role, at most forty of one, and those asked for."""
    count: dict[str, int] = {}
    keep = []
    asked = {name for want in wanted if (name := find(names, want)) is not None}
    for name in dict.fromkeys(names):
        kind = role(name)
        if kind is not None:
            count[kind] = count.get(kind, 0) + 1
        if name in asked or (kind is not None and count[kind] <= 40):
            keep.append(name)
    return keep


def find(names: Iterable[str], wanted: str) -> str | None:
    """The column that is meant by a name: exactly that one, else one with the same words."""
    names = list(names)
    if wanted in names:
        return wanted
    alike = [name for name in names if words(name) == words(wanted) and words(name)]
    return alike[0] if alike else None
