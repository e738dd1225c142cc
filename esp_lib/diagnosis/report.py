"""A diagnosis, and how it says itself: in words, as JSON and as HTML.

The words are in `wording.json`, the rates of wrong answers in `rates.json`, which
`benchmarks/diagnosis.py` writes.
"""

import html
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.diagnosis.figures import svg
from esp_lib.diagnosis.wording import WORDING, Sentence, advice, bug, section, sentence
from esp_lib.logs.log import Log

Array = NDArray[np.float64]

RATES: dict[str, dict[str, int]] = json.loads(
    Path(__file__).with_name("rates.json").read_text(encoding="utf-8")
)
OWN = ("phase", "profile", "found", "why", "log")  # fields that are not values of the report


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a log says about the epochal sawtooth; losses in the unit of the log.

    Numbers are NaN where the log does not give them. Printed, it is what `esp-diagnose` prints; in
    Jupyter it shows itself with the curve and the folded tooth.
    """

    verdict: str  # one of `esp_lib.diagnosis.verdict.VERDICTS`
    p_value: float  # of the drop at epoch boundaries, corrected if the epoch length was searched
    amplitude: float  # last tenth minus first tenth of the folded tooth
    amplitude_interval: tuple[float, float]  # 95 %
    drop: float  # mean drop at a boundary
    rise: float  # mean rise within an epoch
    climb: float  # rise as a share of the drop, as the verdict weighs it
    climb_error: float  # its standard error
    noise: float  # standard deviation of a logged point about the line of its epoch
    shape: str  # "linear", "concave", "convex" or "none"
    steps_per_epoch: float
    steps_per_epoch_source: str  # "argument", "log", "estimated", "guessed" or "unknown"
    steps_per_epoch_confidence: float  # 0 to 1
    epochs: float  # in the log
    points_per_epoch: float
    cause: str | None  # one of `esp_lib.diagnosis.verdict.CAUSES`
    cause_confidence: str  # "shown", "likely" or "none"
    overfitting: str  # "rises while training falls", "does not rise" or "cannot tell"
    best_validation_step: float
    noise_repeats: float  # correlation of the noise of epochs at the same steps
    correlation: float  # of neighbouring points
    phase: Array = field(repr=False)  # (bins,) of the epoch, 0 to 1
    profile: Array = field(repr=False)  # (bins,) the folded tooth, mean zero
    found: Sentence = field(repr=False)  # the headline, as a key of the wording
    why: tuple[Sentence, ...] = field(repr=False)  # the reasons, likewise
    log: Log = field(repr=False)  # what was diagnosed

    @property
    def headline(self) -> str:
        """Whether the loss drops at every epoch boundary, in a sentence."""
        return sentence("headlines", *self.found)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in plain sentences."""
        return tuple(sentence("reasons", *reason) for reason in self.why)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def answer(d: Diagnosis, voice: str = "library") -> list[str]:
    """The first lines: does the loss drop at every epoch boundary, what is it, is it a bug?"""
    lines = [sentence("headlines", *d.found, voice)]
    if d.verdict in WORDING["what"] and math.isfinite(d.climb_error):
        values = {"climb": 100 * d.climb, "error": 100 * d.climb_error}
        lines.append(sentence("what", d.verdict, values))
    lines.append(bug(d.cause, d.verdict, d.cause_confidence == "likely"))
    number, count = d.log.runs
    if count > 1:
        lines.append(sentence("frame", "one run", {"number": number, "count": count}))
    if d.log.left_out:
        lost = {"lost": d.log.left_out, "points": d.log.loss.size}
        lines.append(sentence("frame", "left out", lost))
    return lines


def how_often_wrong(d: Diagnosis) -> str:
    """How often such an answer was wrong on labelled logs, with the epoch length known or not."""
    known = d.steps_per_epoch_source in ("argument", "log")
    rates = RATES["known" if known else "estimated"]
    hits, of = {"none": ("denied", "present"), "cannot tell": ("missed", "teeth")}.get(
        d.verdict, ("alarms", "nothing")
    )
    length = WORDING["lengths"]["known" if known else "estimated"]
    values = {"hits": rates[hits], "of": rates[of], "length": length}
    return sentence("wrong", d.verdict, values | {"share": 100 * rates[hits] / rates[of]})


def numbers(d: Diagnosis) -> list[str]:
    """What was measured; what the log does not give is left out."""
    low, high = d.amplitude_interval
    named = WORDING["sources"].get(d.steps_per_epoch_source, "")
    known = {
        "p": (d.p_value, {"p": d.p_value}),
        "amplitude": (low, {"amplitude": d.amplitude, "low": low, "high": high}),
        "amplitude alone": (
            math.nan if math.isfinite(low) else d.amplitude, {"amplitude": d.amplitude}),
        "noise": (d.noise, {"noise": d.noise}),
        "epochs": (
            d.epochs, {"epochs": d.epochs, "length": d.steps_per_epoch, "source": named}),
        "points": (d.points_per_epoch, {"points": d.points_per_epoch}),
        "shape": (math.nan if d.shape == "none" else 0.0, {"shape": d.shape}),
    }  # fmt: skip
    return [
        sentence("numbers", key, values)
        for key, (there, values) in known.items()
        if math.isfinite(there)
    ]


def overfits(d: Diagnosis) -> list[str]:
    """The sentence about overfitting, if there is anything to say."""
    if d.overfitting != "rises while training falls":
        return []
    return [sentence("frame", "overfits", {"step": d.best_validation_step})]


def as_text(d: Diagnosis, voice: str = "library") -> str:
    """The diagnosis for people: the answer first."""
    frame = WORDING["frame"]
    lines = [*answer(d, voice), how_often_wrong(d)]
    if measured := numbers(d):
        lines += ["", "; ".join(measured) + "."]
    lines += [
        "",
        frame["do"],
        *(f"- {what} ({section(link, voice)})" for what, link in advice(d.cause)),
    ]
    if extra := overfits(d):
        lines += ["", *extra]
    lines += ["", frame["why"], *(f"- {sentence('reasons', *r, voice)}" for r in d.why)]
    lines += ["", frame["log"], *(f"- {note}" for note in d.log.notes)]
    return "\n".join(lines) + "\n"


def as_json(d: Diagnosis, voice: str = "library") -> str:
    """The diagnosis as strict JSON: what is not finite is null."""
    values = {name: getattr(d, name) for name in d.__dataclass_fields__ if name not in OWN}
    values["answer"] = answer(d, voice)
    values["how_often_wrong"] = how_often_wrong(d)
    values["reasons"] = [sentence("reasons", *reason, voice) for reason in d.why]
    values["advice"] = [{"text": what, "link": link} for what, link in advice(d.cause)]
    values["profile"] = {"phase": d.phase.tolist(), "loss": d.profile.tolist()}
    values["log"] = {
        "source": d.log.source, "points": d.log.loss.size, "left_out": d.log.left_out,
        "run": d.log.runs[0], "runs": d.log.runs[1], "notes": list(d.log.notes),
    }  # fmt: skip
    return json.dumps(_plain(values), allow_nan=False, ensure_ascii=False, indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def as_html(d: Diagnosis) -> str:
    """The diagnosis for Jupyter: the answer, the curve and the folded tooth, then the rest."""
    first, *rest = [*answer(d), how_often_wrong(d)]
    try:
        picture = svg(d.log, d.steps_per_epoch, d.phase, d.profile)
    except ImportError:  # without Matplotlib
        picture = ""
    said = "".join(f"<p>{html.escape(line)}</p>" for line in rest)
    return (
        f"<p><strong>{html.escape(first)}</strong></p>{said}{picture}"
        f"<details><summary>{html.escape(WORDING['frame']['why'])}</summary>"
        f"<pre>{html.escape(as_text(d))}</pre></details>"
    )
