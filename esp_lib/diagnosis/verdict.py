"""From evidence to a verdict and a cause, each with its reasons.

A drop at the boundary with a climb before it is a sawtooth; without a climb it is a staircase
(chapter 1). Everything else that drops at boundaries is asked for first, because it explains the
drop without any re-exposure. Where two explanations are left, the verdict is "cannot tell". What
is said is in `wording.json`; here are its keys and what fills it.
"""

import math
from dataclasses import dataclass, field

from esp_lib.diagnosis.signs.evidence import ALIKE, RUNNING, Evidence
from esp_lib.diagnosis.signs.repetition import Again
from esp_lib.diagnosis.wording import Sentence
from esp_lib.sawtooth.measurement import LEVEL, Sawtooth

VERDICTS = ("sawtooth", "staircase", "none", "cannot tell")
CAUSES = (
    "reshuffling", "fixed order", "periodic order", "boundary artefact", "learning-rate steps",
    "running average", "staircase",
)  # fmt: skip
CLIMBS = 2.0  # standard errors beyond which the loss climbs, where it drops for certain
SURE = 2.5  # standard errors beyond which a rise or a drop is excluded
SMOOTHED = 0.65  # correlation of neighbours from which a log that is too short counts as smoothed
REPEATS = 0.25  # correlation of the noise of epochs from which their order is the same
FEW = 10  # points an epoch below which a running mean is not told from a staircase
CLEAR = 0.5  # correlation of the noise of epochs that must be excluded to say: reshuffled
STRICT = 0.003  # p-value below which a smoothed log has a drop
CERTAIN = 0.001  # p-value of the drop on a falling loss, where a little bend goes a long way
STEEP = 0.5  # a climb below this share of the drop makes a staircase
NO_CLIMB = 2.0  # standard errors beyond which it must be below
MOSTLY = 0.7  # of the boundaries must drop, where the length was estimated from their drops
REGULAR = 3.0  # and so many errors the mean drop must be, as the drops differ from one another
EVEN = 3.0  # and so much may the scatter early and late in epochs differ in a staircase
AGAIN = 6.0  # errors from which noise comes again, the surest of thousands of lags
WAVE = 0.25  # share of the drop by which the loss falls at both ends of an epoch in a wave
WAVE_SURE = 4.0  # standard errors of it
MEAN_FALL = 0.7  # a running mean of a falling loss falls as much within an epoch as it drops


@dataclass
class Judgement:
    """A verdict, what makes the drops, and why."""

    reasons: list[Sentence]
    verdict: str = "cannot tell"
    cause: str | None = None
    confidence: str = "none"  # "shown", "likely" or "none"
    headline: Sentence = ("", {})
    share: tuple[float, float] = (math.nan, math.nan)  # rise over drop, and its error
    found: dict[str, float] = field(default_factory=dict)  # what the headline needs of the drop

    def tell(
        self,
        headline: str,
        *reasons: Sentence,
        verdict: str = "cannot tell",
        cause: str | None = None,
        likely: bool = False,
    ) -> "Judgement":
        """Decide: the headline, the last reasons, verdict and cause."""
        self.reasons += reasons
        self.headline = headline, self.found
        self.verdict, self.cause = verdict, cause
        self.confidence = "none" if cause is None else "likely" if likely else "shown"
        return self


def unable(key: str, **values: float) -> Judgement:
    """A judgement that there is no answer, for one reason."""
    return Judgement([]).tell(key, (key, values))


def judge(
    e: Evidence, searched: int = 1, averaged: bool = False, again: Again | None = None
) -> Judgement:
    """Weigh the evidence.

    Args:
        e: what the log shows.
        searched: epoch lengths that were tried, where the length was estimated.
        averaged: whether a point is known to be the mean since the point before, and so is no mean
            since the epoch began.
        again: where the noise comes again, where the length was estimated.
    """
    p = corrected(e, searched)
    j = Judgement([])
    if e.undone is not None:
        j.reasons.append(("taken apart", {"ratio": math.sqrt(e.undone.noise_ratio)}))
    same_order = e.repeat
    if same_order.correlation > max(REPEATS, 3.5 * same_order.error):
        key = "fixed order" if same_order.every == 1 else "fixed order in turns"
        same = key, {"correlation": same_order.correlation}
        return j.tell("fixed order", same, ("no p-value", {}), verdict="none", cause="fixed order")
    if _is_pattern(e, 6.0, 0.9) and (e.correlation < ALIKE or e.joined > 1):
        shared = "pattern", {"fall": e.pattern.fall, "climb": e.pattern.climb}
        return j.tell(
            "periodic order", shared, ("comes round", {}), verdict="none", cause="periodic order"
        )
    if e.boundaries < 2:
        return j.tell("few boundaries", ("few boundaries", {"boundaries": e.boundaries}))
    if e.joined == 0 and e.correlation > SMOOTHED:
        return j.tell("smoothed", ("smoothed", {"correlation": e.correlation}))
    if e.joined > 1:
        j.reasons.append(("joined", {"correlation": e.correlation, "joined": e.joined}))
    j.found = {
        "drop": float(e.tooth.drop), "error": float(e.tooth.drop_error),
        "share": int((e.tooth.drops > 0).sum()), "boundaries": e.boundaries, "large": e.large_drops,
    }  # fmt: skip
    if not p < (LEVEL if e.joined == 1 else STRICT):
        return _no_drop(e, p, j)
    if again is not None and again.correlation > max(REPEATS, AGAIN * again.error):
        lag = {"lag": again.steps, "correlation": again.correlation}
        return j.tell("comes again", ("comes again", lag))
    return _drop(e, j, searched, averaged)


def corrected(e: Evidence, searched: int) -> float:
    """The p-value of the drop, corrected for the epoch lengths that were tried."""
    p = float(e.tooth.p_value)
    return min(1.0, p * max(searched, 1)) if math.isfinite(p) else 1.0


def _is_pattern(e: Evidence, sure: float, agreement: float) -> bool:
    """Whether epochs have in common that the loss falls within them, as no tooth does."""
    p = e.pattern
    return bool(
        p.agreement > agreement
        and p.fall > 0.2 * max(p.climb, p.fall)
        and p.fall > sure * p.error
        and p.fall > e.tooth.noise / 4
    )


def _no_drop(e: Evidence, p: float, j: Judgement) -> Judgement:
    """No drop is left: is there a cause for those that were seen, and could one be missed?"""
    seen = e.plain.p_value < LEVEL
    if e.undone is not None and seen:
        return j.tell(
            "running average", ("mean forgets", {}), verdict="none", cause="running average"
        )
    if e.jumps and not e.jumps_everywhere and (e.jump_drop > 5 or seen):
        at_jumps = "rate jumps", {"jumps": e.jumps}
        return j.tell("learning rate", at_jumps, verdict="none", cause="learning-rate steps")
    if e.apart:
        return j.tell(
            "boundary artefact",
            _apart(e),
            ("no drop without", {}),
            verdict="none",
            cause="boundary artefact",
        )
    if e.undone is not None:
        return j.tell("no drop", verdict="none", cause="running average", likely=True)
    most, noise = float(e.tooth.drop + SURE * e.tooth.drop_error), e.noise
    limits = {"p": p, "most": most, "noise": noise}
    if not most < max(noise, 0.0) or not math.isfinite(most):
        return j.tell("too short", ("too short", limits))
    return j.tell("no drop", ("no drop", limits), verdict="none")


def _drop(e: Evidence, j: Judgement, searched: int, averaged: bool) -> Judgement:
    """There is a drop at the boundaries: is it there at most of them?"""
    if e.large_drops and not e.rest_p_value < LEVEL:
        return j.tell(
            "learning rate likely",
            ("large drops", j.found),
            verdict="none",
            cause="learning-rate steps",
            likely=True,
        )
    if searched > 1 and e.boundaries < 3:
        return j.tell("too few drops", ("too few drops", {}))
    if not e.repeated:
        return j.tell("not everywhere", ("not everywhere", j.found))
    few = j.found["share"] < MOSTLY * e.boundaries
    if searched > 1 and (few or not e.regular > REGULAR):
        return j.tell("irregular", ("irregular", j.found))
    j.reasons.append(("drops", dict(j.found)))
    if e.jumps and not e.jumps_everywhere:
        j.reasons.append(("jumps left out", {}))
    if e.apart:
        j.reasons += [_apart(e), ("drop without", {})]
    return _climb(e, j, searched, averaged)


def _climb(e: Evidence, j: Judgement, searched: int, averaged: bool) -> Judgement:
    """A sawtooth climbs within the epoch, a staircase does not."""
    drop, late = float(e.tooth.drop), e.settled
    if e.wave.size > max(WAVE * drop, WAVE_SURE * e.wave.error):
        return j.tell("which cause", ("wave", {"fall": e.wave.size}))
    best = max(e.tooth, late, key=_sureness)
    exact = not late.rise_error > 0
    if best.rise > CLIMBS * best.rise_error or (exact and late.rise > 1e-9 * abs(drop)):
        j.share = _share(best, e.tooth)
        j.reasons.append(("climbs", {"rise": float(best.rise), "error": float(best.rise_error)}))
        if e.jumps_everywhere:
            j.reasons.append(("rate no climb", {}))
        return _sawtooth(e, j, searched)
    rise, error = float(late.rise), float(late.rise_error)
    j.share = _share(late, e.tooth)
    climb = {"rise": rise, "error": error, "fall": -rise}
    # at an estimated length a running mean does not show in the noise
    most = MEAN_FALL * drop if searched > 1 and not averaged else drop
    if rise < 0 and (-rise > most or not e.tooth.p_value < CERTAIN):
        return j.tell("which", ("falls more" if -rise > drop else "falls", climb))
    if not (rise + NO_CLIMB * error < STEEP * drop or exact):
        return j.tell("which", ("which", climb))
    if _is_pattern(e, 4.5, 0.7):
        return j.tell("which cause", ("also falls", {"fall": e.pattern.fall}))
    if e.jumps_everywhere:
        return j.tell(
            "learning rate everywhere",
            ("rate and stairs", {}),
            verdict="none",
            cause="learning-rate steps",
            likely=True,
        )
    uneven = e.uneven > RUNNING or (searched > 1 and not 1 / EVEN < e.uneven < EVEN)
    if not averaged and (uneven or e.points_per_epoch < FEW):
        return j.tell("which mean", ("uneven" if uneven else "few for stairs", {}))
    return j.tell(_everywhere(j), ("staircase", climb), verdict="staircase", cause="staircase")


def _sureness(tooth: Sawtooth) -> float:
    return float(tooth.rise / tooth.rise_error) if tooth.rise_error > 0 else -math.inf


def _share(rise: Sawtooth, drop: Sawtooth) -> tuple[float, float]:
    """The rise as a share of the drop, and its error."""
    d, share = float(drop.drop), float(rise.rise / drop.drop)
    return share, math.hypot(float(rise.rise_error), share * float(drop.drop_error)) / abs(d)


def _everywhere(j: Judgement) -> str:
    return "drops everywhere" if j.found["share"] == j.found["boundaries"] else "drops mostly"


def _sawtooth(e: Evidence, j: Judgement, searched: int) -> Judgement:
    """It drops and climbs: is it the order of the data after all?"""
    # an estimated length fits the drops, and so may make a tooth of a pattern that has none
    if _is_pattern(e, 4.5, 0.7) if searched == 1 else _is_pattern(e, 3.5, 0.6):
        return j.tell("which cause", ("also falls", {"fall": e.pattern.fall}))
    again = {"correlation": e.repeat.correlation, "error": e.repeat.error}
    if again["correlation"] > max(REPEATS, SURE * again["error"]):
        return j.tell("which cause", ("order repeats", again))
    known = again["correlation"] + 2 * again["error"] < CLEAR
    why = ("reshuffled", again) if known else ("order unknown", {})
    return j.tell(_everywhere(j), why, verdict="sawtooth", cause="reshuffling", likely=not known)


def _apart(e: Evidence) -> Sentence:
    first = abs(e.edges.first) >= abs(e.edges.last)
    return "apart first" if first else "apart last", {
        "far": e.edges.first if first else e.edges.last
    }
