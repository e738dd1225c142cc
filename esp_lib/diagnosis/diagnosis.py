"""Is the sawtooth in your run, and what makes it? From a training log to a diagnosis.

`diagnose` finds the epochs, collects the evidence (`evidence.py`) and weighs it (`verdict.py`). The
measurement is `esp_lib.sawtooth.measurement.measure`. It says "cannot tell" where the log does not
carry an answer. The command is `esp-diagnose`. Shown in chapter 8.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.diagnosis.evidence import Evidence, collect
from esp_lib.diagnosis.overfitting import overfitting
from esp_lib.diagnosis.period import find_period
from esp_lib.diagnosis.verdict import Judgement, corrected, judge
from esp_lib.logs.read import Log

Array = NDArray[np.float64]

VERDICTS = ("sawtooth", "none", "cannot tell")
MIN_POINTS = 3  # an epoch


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a log says about the epochal sawtooth; losses in the unit of the log.

    Numbers are NaN where the log does not give them.
    """

    verdict: str  # one of `VERDICTS`
    p_value: float  # of the drop at epoch boundaries, corrected if the epoch length was searched
    amplitude: float  # last tenth minus first tenth of the folded tooth
    amplitude_interval: tuple[float, float]  # 95 %
    drop: float  # mean drop at a boundary
    rise: float  # mean rise within an epoch
    noise: float  # standard deviation of a point about the line of its epoch
    shape: str  # "linear", "concave", "convex" or "none"
    steps_per_epoch: float
    steps_per_epoch_source: str  # "argument", "log", "estimated" or "unknown"
    steps_per_epoch_confidence: float  # 0 to 1
    epochs: float  # in the log
    points_per_epoch: float
    cause: str | None  # one of `esp_lib.diagnosis.verdict.CAUSES`
    cause_confidence: str  # "shown", "likely" or "none"
    reasons: tuple[str, ...]  # plain sentences
    overfitting: str  # "rises while training falls", "does not rise" or "cannot tell"
    best_validation_step: float
    noise_repeats: float  # correlation of the noise of epochs at the same steps
    correlation: float  # of neighbouring points
    phase: Array  # (bins,) of the epoch, 0 to 1
    profile: Array  # (bins,) the folded tooth, mean zero


def diagnose(log: Log, steps_per_epoch: float | None = None) -> Diagnosis:
    r"""Say whether the loss of a run has an epochal sawtooth, and what makes its drops.

    Args:
        log: from `esp_lib.logs.read.read_log`.
        steps_per_epoch: optimizer steps in an epoch; by default what the log says, else estimated.

    Raises:
        ValueError: `steps_per_epoch` is not a finite number of at least 1.

    Example:
        >>> from esp_lib.logs.read import parse_log
        >>> noise = np.random.default_rng(0).normal(size=400)
        >>> loss = 3 + np.tile(np.arange(50) / 50, 8) + 0.2 * noise
        >>> diagnose(parse_log("\n".join(map(str, loss))), steps_per_epoch=50).verdict
        'sawtooth'
    """
    tries, confidence, reasons = 1, 1.0, []
    length, source = math.nan, "unknown"
    if steps_per_epoch is not None:
        length, source = float(_checks.real("steps_per_epoch", steps_per_epoch, low=1)), "argument"
        if not math.isfinite(length):
            raise ValueError(f"steps_per_epoch must be finite, got {steps_per_epoch}")
        if log.steps_per_epoch and abs(length / log.steps_per_epoch - 1) > 0.02:
            reasons.append(
                f"{length:g} steps an epoch were asked for; the log itself speaks of "
                f"{log.steps_per_epoch:g}."
            )
    elif log.steps_per_epoch is not None:
        length, source = log.steps_per_epoch, "log"
        confidence = max(0.0, 1 - log.steps_per_epoch_error / length)
    else:
        period = find_period(log.steps, log.loss, log.interval)
        confidence = 1 - period.p_value
        if math.isfinite(period.steps):
            length, source, tries = period.steps, "estimated", period.tries
            reasons.append(
                f"The log does not say how long an epoch is. {length:g} steps (give or take "
                f"{period.error:.1g}) is where the loss drops most regularly; of {tries:,} lengths "
                "that were tried, and p is corrected for that."
            )
    evidence = None
    if source == "unknown":
        judgement = Judgement("cannot tell", None, "none", [
            "The log does not say how long an epoch is, and the curve does not show it: at no "
            "period does the loss drop more regularly than chance. Say how many steps an epoch "
            "has: --steps-per-epoch N.",
        ])  # fmt: skip
    elif length / log.interval < MIN_POINTS:
        judgement = Judgement("cannot tell", None, "none", [
            f"The log has {length / log.interval:.2g} points an epoch; what happens within an "
            f"epoch shows from {MIN_POINTS} on, and 20 are better. Log more often.",
        ])  # fmt: skip
    elif log.steps[-1] <= length:
        judgement = Judgement("cannot tell", None, "none", [
            f"The run ends within its first epoch, of {length:g} steps: there is no boundary.",
        ])  # fmt: skip
    elif log.steps[-1] - log.steps[0] > log.loss.size * length:
        judgement = Judgement("cannot tell", None, "none", [
            f"Most epochs are missing: the log has {log.loss.size:,} points from "
            f"{(log.steps[-1] - log.steps[0]) / length:.3g} epochs.",
        ])  # fmt: skip
    else:
        evidence = collect(log.steps, log.loss, log.learning_rate, length, log.interval)
        judgement = judge(evidence, tries)
    judgement.reasons[:0] = reasons
    return _describe(log, judgement, evidence, length, source, confidence, tries)


def _describe(
    log: Log, judgement: Judgement, e: Evidence | None, length: float, source: str,
    confidence: float, tries: int,
) -> Diagnosis:  # fmt: skip
    nan = math.nan
    validation = overfitting(log.steps, log.loss, log.validation)
    tooth = None if e is None else e.tooth
    low, high = nan, nan
    if e is not None and tooth is not None:
        error, freedom = float(tooth.amplitude_error), e.boundaries - 1
        if not math.isfinite(error):
            error, freedom = float(tooth.drop_error), 1_000_000
        if math.isfinite(error) and freedom >= 1:
            from scipy import stats

            reach = float(stats.t.isf(0.025, freedom)) * error
            low, high = float(tooth.amplitude) - reach, float(tooth.amplitude) + reach
    return Diagnosis(
        verdict=judgement.verdict,
        p_value=nan if e is None else corrected(e, tries),
        amplitude=nan if tooth is None else float(tooth.amplitude),
        amplitude_interval=(low, high),
        drop=nan if tooth is None else float(tooth.drop),
        rise=nan if tooth is None else float(tooth.rise),
        noise=nan if tooth is None else float(tooth.noise),
        shape="none" if tooth is None or judgement.verdict != "sawtooth" else str(tooth.shape),
        steps_per_epoch=length,
        steps_per_epoch_source=source,
        steps_per_epoch_confidence=confidence if source != "unknown" else 0.0,
        epochs=nan if source == "unknown" else float(log.steps[-1]) / length,
        points_per_epoch=nan if source == "unknown" else length / log.interval,
        cause=judgement.cause,
        cause_confidence=judgement.confidence,
        reasons=tuple(judgement.reasons),
        overfitting=validation.verdict,
        best_validation_step=validation.best_step,
        noise_repeats=nan if e is None else e.repeat.correlation,
        correlation=nan if e is None else e.correlation,
        phase=np.empty(0) if tooth is None else tooth.phase,
        profile=np.empty(0) if tooth is None else tooth.profile,
    )
