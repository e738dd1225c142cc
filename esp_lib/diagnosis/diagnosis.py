"""Is the sawtooth in your run, and what makes it? From a training log to a diagnosis.

`diagnose` finds the epochs, collects the evidence (`evidence.py`) and weighs it (`verdict.py`); it
says "cannot tell" where the log does not carry an answer. Chapter 8 shows it, and the command
`esp-diagnose` runs it on a file.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from esp_lib import _checks
from esp_lib.diagnosis.report import Diagnosis
from esp_lib.diagnosis.signs.evidence import Evidence, collect
from esp_lib.diagnosis.signs.overfitting import overfitting
from esp_lib.diagnosis.signs.period import LEVEL, find_period
from esp_lib.diagnosis.signs.repetition import comes_again
from esp_lib.diagnosis.verdict import Judgement, corrected, judge, unable
from esp_lib.logs.log import Log, log_of_arrays, log_of_columns

__all__ = ["Diagnosis", "diagnose"]

MIN_POINTS = 3  # an epoch


def diagnose(
    loss: Log | ArrayLike | Mapping[str, Any],
    steps_per_epoch: float | None = None,
    *,
    steps: ArrayLike | None = None,
    epochs: ArrayLike | None = None,
) -> Diagnosis:
    r"""Say whether the loss of a run has an epochal sawtooth, and what makes its drops.

    Args:
        loss: a log from `esp_lib.read_log`, losses (points,), a pandas Series (its index holds the
            steps if it increases), or a DataFrame or dictionary of columns, named as in a log file.
        steps_per_epoch: optimizer steps in an epoch; by default what the log says, else estimated.
        steps: with losses, (points,) the step of each, increasing; by default 1, 2, 3, …
        epochs: with losses, (points,) the epoch of each, whole or a fraction.

    Raises:
        ValueError: `steps_per_epoch` is not a finite number of at least 1, or losses, steps and
            epochs don't fit together.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=400)
        >>> loss = 3 + np.tile(np.arange(50) / 50, 8) + 0.2 * noise
        >>> diagnose(loss, steps_per_epoch=50).verdict
        'sawtooth'
    """
    log = _as_log(loss, steps, epochs)
    if steps_per_epoch is not None:
        steps_per_epoch = float(_checks.real("steps_per_epoch", steps_per_epoch, low=1))
        if not math.isfinite(steps_per_epoch):
            raise ValueError(f"steps_per_epoch must be finite, got {steps_per_epoch}")
    tries, confidence, reasons = 1, 1.0, []
    guess: dict[str, float] = {}
    length, source = math.nan, "unknown"
    own = log.steps_per_epoch
    if steps_per_epoch is not None:
        length, source = steps_per_epoch, "argument"
        if own and abs(length / own - 1) > 0.02:
            reasons.append(("asked otherwise", {"length": length, "own": own}))
    elif own is not None:
        length, source = own, "log"
        confidence = max(0.0, 1 - log.steps_per_epoch_error / length)
    else:
        period = find_period(log.steps, log.loss, log.interval)
        confidence = 1 - period.p_value
        if math.isfinite(period.steps):
            length, source, tries = period.steps, "estimated", period.tries
            searched = {"length": length, "error": period.error, "tries": tries}
            if period.p_value < LEVEL:
                reasons.append(("estimated", searched))
            else:
                source, guess = "guessed", searched | {"p": period.p_value}
    evidence = None
    judgement = _refusal(log, length, guess)
    if judgement is None:
        evidence = collect(log.steps, log.loss, log.learning_rate, length, log.interval)
        again = comes_again(log.steps, log.loss, length, log.interval) if tries > 1 else None
        judgement = judge(evidence, tries, log.averaged, again)
    judgement.reasons[:0] = reasons
    return _describe(log, judgement, evidence, length, source, confidence, tries)


def _as_log(loss: Any, steps: ArrayLike | None, epochs: ArrayLike | None) -> Log:
    """The log that is meant by any of the things that `diagnose` takes."""
    if isinstance(loss, Log):
        if steps is not None or epochs is not None:
            raise ValueError("steps and epochs must be left out with a log, which has its own")
        return loss
    if hasattr(loss, "columns") or isinstance(loss, Mapping):
        names = list(loss.columns if hasattr(loss, "columns") else loss)
        return log_of_columns({str(name): np.asarray(loss[name]) for name in names})
    if steps is None and hasattr(loss, "index") and not callable(loss.index):
        index = np.asarray(loss.index)
        if index.dtype.kind in "iuf" and (np.diff(index) > 0).all():
            steps = index
    return log_of_arrays(loss, steps, epochs)


def _refusal(log: Log, length: float, guess: dict[str, float]) -> Judgement | None:
    """Why nothing can be measured, if so."""
    points, first, last = log.loss.size, float(log.steps[0]), float(log.steps[-1])
    if log.left_out > points:
        return unable("lost points", lost=log.left_out, points=points)
    if math.isnan(length):
        return unable("no length")
    if guess:
        return unable("guess", **guess)
    if length / log.interval < MIN_POINTS:
        return unable("few points", points=length / log.interval, least=MIN_POINTS)
    if last <= length:
        return unable("first epoch", length=length)
    if last - first > points * length:
        return unable("gaps", points=points, epochs=(last - first) / length)
    return None


def _describe(
    log: Log,
    judgement: Judgement,
    e: Evidence | None,
    length: float,
    source: str,
    confidence: float,
    tries: int,
) -> Diagnosis:
    nan = math.nan
    validation = overfitting(log.steps, log.loss, log.validation)
    tooth = None if e is None else e.tooth
    low, high = nan, nan
    if e is not None and tooth is not None:
        error, freedom = float(tooth.amplitude_error), e.boundaries - 1
        if not math.isfinite(error):
            error, freedom = float(tooth.drop_error), 1_000_000
        if math.isfinite(error) and freedom >= 1:
            from scipy.special import stdtrit

            reach = float(stdtrit(freedom, 0.975)) * error
            low, high = float(tooth.amplitude) - reach, float(tooth.amplitude) + reach
    return Diagnosis(
        verdict=judgement.verdict,
        p_value=nan if e is None else corrected(e, tries),
        amplitude=nan if tooth is None else float(tooth.amplitude),
        amplitude_interval=(low, high),
        drop=nan if tooth is None else float(tooth.drop),
        rise=nan if tooth is None else float(tooth.rise),
        climb=judgement.share[0],
        climb_error=judgement.share[1],
        noise=nan if e is None else e.noise,
        shape="none" if tooth is None or judgement.verdict != "sawtooth" else str(tooth.shape),
        steps_per_epoch=length,
        steps_per_epoch_source=source,
        steps_per_epoch_confidence=confidence if source != "unknown" else 0.0,
        epochs=nan if source == "unknown" else float(log.steps[-1]) / length,
        points_per_epoch=nan if source == "unknown" else length / log.interval,
        cause=judgement.cause,
        cause_confidence=judgement.confidence,
        overfitting=validation.verdict,
        best_validation_step=validation.best_step,
        noise_repeats=nan if e is None else e.repeat.correlation,
        correlation=nan if e is None else e.correlation,
        phase=np.empty(0) if tooth is None else tooth.phase,
        profile=np.empty(0) if tooth is None else tooth.profile,
        found=judgement.headline,
        why=tuple(judgement.reasons),
        log=log,
    )
