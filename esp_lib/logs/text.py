"""Losses in plain text: what scripts print and progress bars leave behind.

A line is taken apart into its numbers and what is written around them, its form: "step 120 loss
3.21" has the form "step # loss #". Where the loss, the step, the epoch and the learning rate stand
is decided once for each form. Forms that are understood, among many more:

    step 120 loss 3.21                              iter 120: loss 3.2, time 41ms
    Epoch 3/10 ... 45/100 [00:10<00:12, loss=0.51]  {'loss': 2.3, 'epoch': 0.02}
    Train Epoch: 1 [640/60000 (1%)] Loss: 2.29      iteration 100/ 5000 | lm loss: 9.6E+00
"""

import re
from collections.abc import Iterable

import numpy as np

from esp_lib.logs.table import LogError, Table, to_number, to_numbers

NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan\b|inf\b))",
    re.IGNORECASE | re.ASCII,
)
LOSS = re.compile(
    r"((?:(?:train(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|test|dev|lm|mlm|nll|total|batch|avg|"
    r"average|mean|running|smoothed)[ _/.:-]{1,2}|val)?loss(?:_step|_epoch)?)['\"]?[ :=|]{0,6}#",
    re.IGNORECASE,
)
STEP = re.compile(
    r"(?<![a-z])(?:step|iter(?:ation)?|batch|update)s?\)?['\"]?[ :=|\[(]{0,12}#", re.IGNORECASE
)
EPOCH = re.compile(r"epoch(?:\([a-z]+\))?['\"]?[ :=|\[(]{0,12}#", re.IGNORECASE)
RATE = re.compile(r"(?<![a-z])(?:learning[ _]rate|lr)['\"]?[ :=|]{0,6}#", re.IGNORECASE)
PROGRESS = re.compile(r"(?<![#.:/])# ?/ ?#(?![/#])")
MAX_LINE = 4_000  # characters; the rest of a longer line is not looked at
MAX_FORMS = 5_000  # forms of line; others are left out

NO_LOSS = {"step", "epoch", "lr", "of"}

Places = dict[str, int]  # column -> where its number stands in the line taken apart


def understand(form: str) -> Places | None:
    """Which number of a form is what; None if there is neither a loss nor an epoch."""

    def place(at: re.Match[str] | None) -> int | None:
        return None if at is None else form.count("#", 0, at.end()) - 1

    found: dict[str, int | None] = {}
    for match in LOSS.finditer(form):
        name = re.sub("[^a-z]+", "_", match[1].lower())
        found.setdefault(name, place(match))
    found |= {name: place(pattern.search(form)) for name, pattern in
              (("step", STEP), ("epoch", EPOCH), ("lr", RATE))}  # fmt: skip
    total = None
    for match in PROGRESS.finditer(form):
        i = form.count("#", 0, match.start())
        if i == found["epoch"]:
            continue  # "Epoch 3/10"
        if found["step"] in (None, i):
            found["step"], total = i, i + 1
        break
    found["of"] = total
    places = {name: 2 * i + 1 for name, i in found.items() if i is not None}
    return places if places.keys() - NO_LOSS or "epoch" in places else None


def read_text(lines: list[str]) -> Table:
    """Losses of lines in any of the forms that are understood.

    Raises:
        LogError: no line has a loss.
    """
    forms: dict[str, Places | None] = {}
    columns: dict[str, list[str]] = {}  # filled up to the last row that had one
    rows = bad = 0
    epoch = ""
    for line in lines:
        parts = NUMBER.split(line[:MAX_LINE].replace("#", " "))  # a form's # is a number
        form = "#".join(parts[::2])
        if form not in forms:
            if len(forms) >= MAX_FORMS:
                bad += 1
                continue
            forms[form] = understand(re.sub("[^\x00-\x7f]+", "*", form).replace("\t", " "))
        places = forms[form]
        if places is None:
            continue
        if "epoch" in places:
            epoch = parts[places["epoch"]]
        if places.keys() <= NO_LOSS:
            continue
        for name, i in places.items():
            column = columns.setdefault(name, [])
            if len(column) < rows:
                column.extend([""] * (rows - len(column)))
            column.append(parts[i])
        if epoch and "epoch" not in places:
            column = columns.setdefault("epoch", [])
            column.extend([""] * (rows - len(column)))
            column.append(epoch)
        rows += 1
    if not rows or len(columns) > 100:
        raise LogError(
            "no line reads as a loss, such as 'step 120 loss 3.21'; say what one looks like "
            "with a pattern: --pattern 'it=(?P<step>[0-9]+) L=(?P<loss>[0-9.]+)'"
        )
    for column in columns.values():
        column.extend([""] * (rows - len(column)))
    table = Table({name: to_numbers(cells) for name, cells in columns.items()}, "text")
    table.names = [name for name in table.columns if name != "of"]
    if bad:
        table.notes.append(
            f"{bad:,} lines were left out: the log has over {MAX_FORMS:,} forms of line"
        )
    return table


def read_pattern(lines: Iterable[str], pattern: str) -> Table:
    """Losses of the lines that match a regular expression.

    Its named groups are the columns: loss, and perhaps step, epoch, lr and val_loss. Without names,
    one group is the loss; two are step and loss.

    Raises:
        LogError: a pattern that does not compile or has no group for the loss, or matches nothing.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise LogError(f"pattern must be a regular expression: {error}") from None
    names = list(compiled.groupindex)
    if not names:
        names = {1: ["loss"], 2: ["step", "loss"]}.get(compiled.groups, [])
    if "loss" not in names:
        raise LogError(
            "pattern must have a group for the loss, such as 'loss=(?P<loss>[0-9.]+)', "
            f"got {pattern!r}"
        )
    places = [compiled.groupindex.get(name, i + 1) for i, name in enumerate(names)]
    rows = []
    for line in lines:
        match = compiled.search(line[:MAX_LINE])
        if match:
            rows.append([to_number(match[i] or "") for i in places])
    if not rows:
        raise LogError(f"pattern matches no line: {pattern!r}")
    values = np.array(rows, dtype=np.float64)  # (rows, columns)
    return Table({name: values[:, i] for i, name in enumerate(names)}, "text", names)
