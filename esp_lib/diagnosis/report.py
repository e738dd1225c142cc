"""A diagnosis in words and as JSON, and what to do about each cause.

Links are relative to the book's chapters.
"""

import json
import math
from typing import Any

from esp_lib.diagnosis.diagnosis import Diagnosis
from esp_lib.diagnosis.wording import ADVICE, OVERFITTING, VERDICTS
from esp_lib.logs.read import Log


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
