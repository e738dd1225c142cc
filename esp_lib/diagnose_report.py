"""A diagnosis in words and as JSON, and what to do about each cause.

Links are relative to the book's chapters.
"""

import json
import math
from typing import Any

from esp_lib.diagnose import Diagnosis
from esp_lib.logs import Log

# What to do, by cause: sentences, each with the section of the book that shows it.
ADVICE: dict[str | None, tuple[tuple[str, str], ...]] = {
    "reshuffling": (
        ("The teeth alone are no fault: judge the model by its validation loss, and compare runs "
         "at the same phase of an epoch or over whole epochs.",
         "01_introduction.html#what-to-do-about-it"),
        ("What drives the loss up within an epoch, and what is remembered across the boundary.",
         "04_mechanism.html"),
        ("To make them smaller: raise β₂ or ε, enlarge the batch, or let the learning rate decay. "
         "Each has its price.",
         "06_beyond.html#what-to-do-about-it-and-what-it-costs"),
        ("In a language model: how the teeth look, and what makes them larger or smaller.",
         "03_factors.html#all-factors-on-one-ruler"),
    ),
    "fixed order": (
        ("Shuffle the data anew every epoch: check the loader's shuffle option, the sampler's "
         "set_epoch in distributed training, and that no seed is set inside the epoch loop.",
         "03_factors.html#shuffling-and-drawing-with-replacement"),
        ("What a fixed order does to the loss, and why it flattens the curve without helping.",
         "06_beyond.html#staleness-why-the-order-matters"),
    ),
    "periodic order": (
        ("Look for what comes round with the epoch: sorted or grouped samples, shards read in "
         "order, a shuffle buffer that is too small, a reversed order.",
         "06_beyond.html#the-shapes-of-four-orders"),
    ),
    "boundary artefact": (
        ("Log the training loss before evaluation, and keep what is evaluated out of it; switch "
         "back to training mode and reset the logger's sums after each evaluation.",
         "08_your_run.html#what-each-cause-looks-like"),
    ),
    "learning-rate steps": (
        ("Nothing to mend: the loss drops because the learning rate does. Log the rate beside the "
         "loss, and compare with a run at a constant rate if you look for a sawtooth.",
         "02_phenomenon.html#does-it-go-away-when-the-learning-rate-falls"),
    ),
    "running average": (
        ("Log the loss of the step, or its mean over a fixed number of steps, rather than the mean "
         "since the epoch began.",
         "08_your_run.html#what-each-cause-looks-like"),
    ),
    "staircase": (
        ("Each epoch starts lower because its samples were seen before. Watch the validation loss: "
         "when it no longer falls, further epochs only memorize.",
         "01_introduction.html#what-to-do-about-it"),
        ("How a staircase differs from a sawtooth.",
         "01_introduction.html#four-words-for-it"),
    ),
    None: (
        ("What is measured, and from how many points.",
         "01_introduction.html#four-words-for-it"),
        ("What a log must have for an answer, and what no log can tell.",
         "08_your_run.html#what-no-log-can-tell"),
    ),
}  # fmt: skip

# What each cause means to somebody who asks: a bug, overfitting, or shuffling?
ANSWERS = {
    "reshuffling": "No bug: reshuffling the data every epoch does this to a model that still knows "
    "what it saw last.",
    "fixed order": "The data come in the same order every epoch. If you meant to shuffle them, "
    "this is a bug.",
    "periodic order": "Something in the order of the data comes round with every epoch. If you "
    "meant to shuffle them, this is a bug.",
    "boundary artefact": "Single points at the boundary are off: logging or evaluation makes "
    "them, not training.",
    "learning-rate steps": "The loss drops where the learning rate does.",
    "running average": "The log shows a mean that begins anew in every epoch. The steps "
    "themselves don't drop.",
    "staircase": "Each epoch starts lower and does not climb: the model knows its samples better "
    "with every pass.",
    "none": "The loss does not drop at the epoch boundaries.",
    "cannot tell": "The log does not carry an answer; below is what is missing.",
}

OVERFITTING = (
    "Apart from that, the validation loss has risen since step {step:g} while the training loss "
    "kept falling: the model overfits. This is a separate matter; stop there, or regularize."
)
VERDICTS = {
    "sawtooth": "Sawtooth: the training loss drops at epoch boundaries and climbs in between.",
    "none": "No sawtooth.",
    "cannot tell": "Cannot tell.",
}


def words() -> dict[str, Any]:
    """What is prose here, as JSON has it, for `widgets/js/diagnose_report.js`.

    Returns:
        `advice` by cause ("null" for none), `verdicts`, and the sentence `overfitting` with a
        field for the step.
    """
    table = {cause or "null": [list(line) for line in lines] for cause, lines in ADVICE.items()}
    return {"advice": table, "verdicts": VERDICTS, "overfitting": OVERFITTING}


def advice(diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
    """What to do: sentences and the sections of the book that show it."""
    return ADVICE[diagnosis.cause]


def as_text(diagnosis: Diagnosis, log: Log) -> str:
    """The diagnosis for people: the verdict first."""
    d = diagnosis
    lines = [VERDICTS[d.verdict]]
    if d.cause is not None:
        likely = "" if d.cause_confidence == "shown" else " (likely)"
        lines[0] += f" Cause: {d.cause}{likely}."
    numbers = []
    if math.isfinite(d.p_value):
        numbers.append(f"p = {d.p_value:.2g}")
    if math.isfinite(d.amplitude):
        low, high = d.amplitude_interval
        between = f" (95 %: {low:.3g} to {high:.3g})" if math.isfinite(low) else ""
        numbers.append(f"amplitude {d.amplitude:.3g}{between}")
        numbers.append(f"noise of a point {d.noise:.3g}")
    if math.isfinite(d.steps_per_epoch):
        numbers.append(
            f"{d.epochs:.3g} epochs of {d.steps_per_epoch:g} steps ({d.steps_per_epoch_source})"
        )
        numbers.append(f"{d.points_per_epoch:.3g} points an epoch")
    if d.shape != "none":
        numbers.append(f"{d.shape} teeth")
    if numbers:
        lines.append("; ".join(numbers) + ".")
    lines += ["", "Why:", *(f"- {reason}" for reason in d.reasons)]
    if d.overfitting == "rises while training falls":
        lines += ["", OVERFITTING.format(step=d.best_validation_step)]
    lines += ["", "What to do:", *(f"- {what} [book: {link}]" for what, link in advice(d))]
    lines += ["", "The log:", *(f"- {note}" for note in log.notes)]
    return "\n".join(lines) + "\n"


def as_json(diagnosis: Diagnosis, log: Log) -> str:
    """The diagnosis as strict JSON: what is not finite is null."""
    values = {
        name: getattr(diagnosis, name)
        for name in diagnosis.__dataclass_fields__
        if name not in ("phase", "profile")
    }
    values["advice"] = [{"text": what, "link": link} for what, link in advice(diagnosis)]
    values["profile"] = {
        "phase": diagnosis.phase.tolist(),
        "loss": diagnosis.profile.tolist(),
    }
    values["log"] = {"source": log.source, "points": log.loss.size, "notes": list(log.notes)}
    return json.dumps(_plain(values), allow_nan=False, ensure_ascii=False, indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
