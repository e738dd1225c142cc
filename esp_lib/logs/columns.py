"""Which column of a log is what, by the names that training scripts and their tools give them.

Names are taken apart into words: `train/loss_step` and "run-7 - trainLossStep" both have the words
train, loss, step. Weights & Biases exports put the run's name before " - " and add columns that end
in `__MIN` and `__MAX`; Lightning adds `_step` and `_epoch`; a CSV file downloaded from TensorBoard
has the columns Wall time, Step and Value. The names themselves are in `formats.json`.
"""

import re
from collections.abc import Iterable

from esp_lib.logs.formats import COLUMNS

VALIDATION = set(COLUMNS["validation"])
SMOOTHED = set(COLUMNS["smoothed"])
WHOLE = set(COLUMNS["whole"])
PLAIN = set(COLUMNS["plain"]) | WHOLE | SMOOTHED
NOT_A_LOSS = set(COLUMNS["not_a_loss"])
OTHER_LOSSES = COLUMNS["other_losses"]
STEPS = COLUMNS["steps"]
ROLES = {
    name: kind
    for kind, names in (
        ("step", STEPS), ("epoch", COLUMNS["epochs"]), ("kind", COLUMNS["kind"]),
        ("total_steps", COLUMNS["total_steps"]), ("total_epochs", COLUMNS["total_epochs"]),
    )
    for name in names
}  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a column's name, in lower case, without the run's name."""
    name = name.rsplit(" - ", 1)[-1]
    name = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split("[^a-z0-9]+", name.lower()) if word]


def role(name: str) -> str | None:
    """What a column is; None if nothing of the kind.

    Returns:
        "step", "epoch", "rate", "loss", "validation", "kind" (whether a row is of training or of
        evaluation), "total_steps" or "total_epochs".
    """
    if name.endswith(("__MIN", "__MAX")) or len(name) > 300:
        return None
    parts = words(name)
    joined, has = " ".join(parts), set(parts)
    if joined in ROLES:
        return ROLES[joined]
    if "lr" in has or {"learning", "rate"} <= has:
        return "rate"
    if has & NOT_A_LOSS:
        return None
    if any(part.endswith(("loss", "losses")) for part in parts):
        prefix = next(part for part in parts if part.endswith(("loss", "losses")))
        prefix = prefix.removesuffix("es").removesuffix("loss")
        return "validation" if has & VALIDATION or prefix in VALIDATION else "loss"
    other = any(name in f" {joined} " for name in (f" {one} " for one in OTHER_LOSSES))
    if (other or (parts[:1] == ["l"] and len(parts) > 1)) and not has & VALIDATION:
        return "loss"
    return None


def rank(name: str) -> int:
    """How likely a column of losses is the one of the training steps: 0 is best."""
    has = set(words(name))
    if not any(word.endswith(("loss", "losses")) for word in has) and "l" not in has:
        return 5
    if has & {"epoch"}:
        return 4
    if has <= PLAIN:
        return 2 if has & SMOOTHED else 0
    return 1 if has & WHOLE else 3


def step_rank(name: str) -> int:
    """How likely a column of steps counts the optimizer's steps: 0 is best."""
    # Weights & Biases' _step counts what was logged
    return len(STEPS) if name == "_step" else STEPS.index(" ".join(words(name)))


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
