"""Lines as tools print them, written anew in their form (`forms.json`), and what is in them.

A form has a `line` for each point, and perhaps a `head` and a `tail` for each epoch and lines
`before` all; `length` is how long an epoch is, where the form says so. In them stand {e} and {e1}
for the epoch from 0 and 1, {i} for the step in it, {s} for the step, {n} for the steps of an epoch,
{f} for the epochs that are over and {x} for the loss.
"""

import json
from pathlib import Path

EPOCHS, POINTS, EVERY = 3, 4, 10  # points are of an epoch
LENGTH = POINTS * EVERY
STEPS = [EVERY * (k + 1) for k in range(EPOCHS * POINTS)]


def loss(step):
    """The loss at a step."""
    return round(3 - step / 100 + 0.01 * (step // 10 % 3), 4)


LOSSES = [loss(step) for step in STEPS]


def rows(line, head="", tail="", before="", comma=False):
    """The text of a run; `comma` for decimal commas."""
    out = [before]
    for e in range(EPOCHS):
        names = {"e": e, "e1": e + 1, "n": LENGTH, "total": EPOCHS * LENGTH}
        out.append(head.format(**names))
        for i in range(EVERY, LENGTH + 1, EVERY):
            s = e * LENGTH + i
            out.append(line.format(**names, i=i, j=i - 1, s=s, f=s / LENGTH, x=loss(s)))
        out.append(tail.format(**names, s=(e + 1) * LENGTH))
    text = "".join(out)
    return text.replace(".", ",") if comma else text


def read():
    """name -> (text, steps in an epoch or None)."""
    forms = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return {name: (rows(**form), length) for name, form in forms.items()
            for length in [form.pop("length", None)]}  # fmt: skip


FORMS = read()
