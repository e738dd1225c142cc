"""Losses in plain text: what scripts print and progress bars leave behind.

A line is taken apart into its numbers and what is written around them, its form: "step 120 loss
3.21" has the form "step # loss #". Where the loss, the step, the epoch and the learning rate stand,
and whether the line speaks of training or of evaluation, is decided once for each form, by the
shapes of lines in `formats.json`. Forms that are understood, among many more:

    step 120 loss 3.21                              iter 120: loss 3.2, time 41ms
    Epoch 3/10 ... 45/100 [00:10<00:12, loss=0.51]  {'loss': 2.3, 'epoch': 0.02}
    Train Epoch: 1 [640/60000 (1%)] Loss: 2.29      iteration 100/ 5000 | lm loss: 9.6E+00

Tables within text, as spaCy, fastai and YOLO print them, are read by their header.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from esp_lib.logs.columns import role
from esp_lib.logs.formats import TEXT, LogError
from esp_lib.logs.table import Table, is_number, to_number, to_numbers

FLAGS = re.IGNORECASE | re.ASCII
ESCAPE, GLUED = re.compile(TEXT["escape"]), re.compile(TEXT["glued"])
NUMBER = re.compile(TEXT["number"], FLAGS)
LOSSES, STEPS, EPOCHS, RATES = (
    [re.compile(pattern, FLAGS) for pattern in TEXT[name]]
    for name in ("loss", "step", "epoch", "rate")
)
PROGRESS, EVALUATION, TRAINING = (
    re.compile(TEXT[name], FLAGS) for name in ("progress", "evaluation", "training")
)
SHAPES = [(re.compile(pattern, FLAGS), names) for pattern, names in TEXT["shapes"]]
TOTALS = [(re.compile(pattern, FLAGS), name) for pattern, name in TEXT["totals"]]
HEADERS = [(re.compile(pattern, FLAGS), names) for pattern, names in TEXT["headers"]]
MAX_LINE = 4_000  # characters; the rest of a longer line is not looked at
MAX_FORMS = 5_000  # forms of line; others are left out
MAX_NAME = 30  # characters of a name in the header of a table
NO_LOSS = {"step", "epoch", "lr", "of", "total_steps", "total_epochs"}


def clean(text: str) -> str:
    """A text without colours and NULs, where what overwrites a line begins a new one."""
    if "\x1b" in text:
        text = ESCAPE.sub("", text)
    text = text.replace("\0", "").replace("\r", "\n").replace("\b", "\n")
    return GLUED.sub("]\n", text) if "%|" in text else text  # progress bars in one line


@dataclass(frozen=True)
class Form:
    """What stands where in a line of one form."""

    places: dict[str, int]  # column -> place of its number in the line taken apart
    losses: bool
    evaluation: bool  # the line speaks of evaluation
    training: bool  # or of training
    progress: int | None  # place of the last number that stands before its total, as in 45/100


def understand(form: str) -> Form | None:
    """Which number of a form is what; None if it says nothing of training."""

    def place(end: int) -> int:
        return form.count("#", 0, end) - 1

    found: dict[str, int] = {}
    at = len(form)  # where the first loss begins
    for pattern, names in SHAPES:
        if match := pattern.search(form):
            first = form.count("#", 0, match.start())
            found |= {name: first + i for i, name in enumerate(names) if name}
            break
    for pattern in LOSSES:
        for match in pattern.finditer(form):
            name = re.sub("[^a-z_/]+", "_", match[1].lower()).strip("_/")
            if role(name) in ("loss", "validation"):
                found.setdefault(name, place(match.end()))
                at = min(at, match.start())
    for name, patterns in (("step", STEPS), ("epoch", EPOCHS), ("lr", RATES)):
        match = next((m for pattern in patterns if (m := pattern.search(form))), None)
        if match:
            found.setdefault(name, place(match.end()))
    progress = None
    for match in PROGRESS.finditer(form):
        progress = 2 * form.count("#", 0, match.start()) + 1
    for match in PROGRESS.finditer(form):
        i = form.count("#", 0, match.start())
        if i == found.get("epoch"):
            continue  # "Epoch 3/10"
        if found.get("step", i) == i:
            found |= {"step": i, "of": i + 1}
        break
    for pattern, name in TOTALS:
        if match := pattern.search(form):
            found[name] = place(match.end())
    evaluation = EVALUATION.search(form[:at])
    training = TRAINING.search(form[:at])
    if not (found or evaluation or training):
        return None
    return Form(
        {name: 2 * i + 1 for name, i in found.items()},
        bool(found.keys() - NO_LOSS),
        bool(evaluation and not training),
        bool(training),
        progress,
    )


class Rows:
    """Rows of numbers as text, column by column; gaps are filled when the next value comes."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.count = 0

    def put(self, name: str, cell: str) -> None:
        """Write a cell of the current row."""
        column = self.columns.setdefault(name, [])
        if len(column) < self.count:
            column.extend([""] * (self.count - len(column)))
        if len(column) == self.count:
            column.append(cell)

    def as_table(self) -> Table:
        """The rows as numbers."""
        columns = {}
        for name, column in self.columns.items():
            column.extend([""] * (self.count - len(column)))
            columns[name] = to_numbers(column)
        table = Table(columns, "text")
        table.names = [name for name in columns if name in ("step", "epoch", "lr") or role(name)]
        return table


@dataclass
class Header:
    """The header of a table within text."""

    names: list[str]
    by: str  # what columns are set apart by; " " for any white space


def find_header(line: str) -> Header | None:
    """The header that a line without numbers is, if any: it names a loss, and a step or epoch."""
    named = next((names for pattern, names in HEADERS if pattern.search(line)), None)
    by = "\t" if "\t" in line.strip() else "|" if line.count("|") > 1 else " "
    cells = line.strip(" |").split(by) if by != " " else re.split("  +", line.strip())
    if len(cells) < 2 and " " in line.strip():
        cells = line.split()
    names = [cell.strip() for cell in cells]
    if named:
        names = [named.get(name, name) for name in names]
    kinds = {role(name) for name in names}
    if "loss" not in kinds or not kinds & {"step", "epoch"} or max(map(len, names)) > MAX_NAME:
        return None
    return Header(names, by)


def read_row(line: str, header: Header) -> list[tuple[str, str]]:
    """Names and cells of a row of such a table; empty if the line is none."""
    cells = line.strip(" |").split(header.by) if header.by != " " else line.split()
    if len(cells) < len(header.names) or (header.by != " " and len(cells) > len(header.names) + 1):
        return []
    pairs = []
    for name, cell in zip(header.names, cells, strict=False):
        kind = role(name)
        if kind in ("step", "epoch", "loss", "validation", "rate"):
            number = cell.strip().rstrip(":").split("/")[0]  # 3/100
            if kind != "validation" and not is_number(number):
                return []
            pairs.append((kind if kind in ("step", "epoch") else name, number))
    return pairs


def read_text(lines: list[str]) -> Table:
    """Losses of lines in any of the forms that are understood.

    Raises:
        LogError: no line has a loss.
    """
    forms: dict[str, Form | None] = {}
    rows, header = Rows(), None
    totals: dict[str, str] = {}
    epoch, bar, of, evaluating, bad = "", "", "", False, 0
    for line in lines:
        parts = NUMBER.split(line[:MAX_LINE].replace("#", " "))  # a form's # is a number
        if len(parts) == 1 and ("loss" in line.lower() or "gpu_mem" in line):
            header = find_header(line[:MAX_LINE]) or header
        form = "#".join(parts[::2])
        if form not in forms:
            if len(forms) >= MAX_FORMS:
                bad += 1
                continue
            forms[form] = understand(re.sub("[^\x00-\x7f]+", "*", form).replace("\t", " "))
        known = forms[form]
        pairs = read_row(line, header) if header and len(parts) > 1 else []
        if pairs and not (known and known.losses):
            if known and known.progress and known.progress > 1:
                i = known.progress
                pairs += [("step", parts[i]), ("of", parts[i + 2])]
            for name, cell in pairs:
                rows.put(name, cell)
            rows.count += 1
            continue
        if known is None:
            continue
        places = known.places
        if "epoch" in places:
            epoch = parts[places["epoch"]]
        if not known.losses:
            for name in ("total_steps", "total_epochs"):
                if name in places:
                    totals[name] = parts[places[name]]
            if known.evaluation or known.training or "epoch" in places:
                evaluating = known.evaluation
            elif "step" in places and not evaluating:
                bar = parts[places["step"]]
            continue
        total = parts[places["of"]] if "of" in places else ""
        # after "Evaluation begins", steps out of another total are those of the evaluation
        aside = known.evaluation or (evaluating and not known.training and total != of)
        if not aside:
            of, evaluating = total, False
        for name, i in places.items():
            rows.put(name, parts[i])
        if epoch and "epoch" not in places:
            rows.put("epoch", epoch)
        rows.put("mode", "1" if aside else "0")
        if bar:
            rows.put("bar", bar)
        rows.count += 1
    if not rows.count or len(rows.columns) > 200:
        raise LogError("no text")
    table = rows.as_table()
    if len(totals) == 2:
        steps, epochs = (to_number(totals[name]) for name in ("total_steps", "total_epochs"))
        table.epoch_steps = steps / epochs if epochs > 0 and steps > 0 else None
    if bad:
        table.notes.append(("many forms", {"count": bad, "most": MAX_FORMS}))
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
        raise LogError("bad pattern", why=error) from None
    names = list(compiled.groupindex)
    if not names:
        names = {1: ["loss"], 2: ["step", "loss"]}.get(compiled.groups, [])
    if "loss" not in names:
        raise LogError("no group", got=pattern)
    places = [compiled.groupindex.get(name, i + 1) for i, name in enumerate(names)]
    rows: list[list[Any]] = []
    for line in lines:
        match = compiled.search(line[:MAX_LINE])
        if match:
            rows.append([match[i] or "" for i in places])
    if not rows:
        raise LogError("no match", got=pattern)
    columns = {name: to_numbers([row[i] for row in rows]) for i, name in enumerate(names)}
    return Table(columns, "text", names)
