"""From evidence to a verdict and a cause, each with its reasons in plain sentences.

A drop at the boundary with a climb before it is a sawtooth; without a climb it is a staircase
(chapter 1). Everything else that drops at boundaries is asked for first, because it explains the
drop without any re-exposure. Where two explanations are left, the verdict is "cannot tell".
"""

import math
from typing import NamedTuple

from esp_lib.diagnosis.evidence import ALIKE, Evidence
from esp_lib.sawtooth.measurement import LEVEL

CLIMBS = 2.0  # standard errors beyond which the loss climbs, where it drops for certain
SURE = 2.5  # standard errors beyond which a rise or a drop is excluded
SMOOTHED = 0.65  # correlation of neighbours from which a log that is too short counts as smoothed
REPEATS = 0.25  # correlation of the noise of epochs from which their order is the same
FEW = 10  # points an epoch below which a running mean is not told from a staircase
CLEAR = 0.5  # correlation of the noise of epochs that must be excluded to say: reshuffled
STRICT = 0.003  # p-value below which a smoothed log has a drop
CERTAIN = 0.001  # p-value of the drop on a falling loss, where a little bend goes a long way
STEEP = 0.5  # a climb below this share of the drop makes a staircase


CAUSES = (
    "reshuffling", "fixed order", "periodic order", "boundary artefact", "learning-rate steps",
    "running average", "staircase",
)  # fmt: skip


class Judgement(NamedTuple):
    """A verdict, what makes the drops, and why."""

    verdict: str
    cause: str | None
    confidence: str  # "shown", "likely" or "none"
    reasons: list[str]


def judge(e: Evidence, searched: int = 1) -> Judgement:
    """Weigh the evidence.

    Args:
        e: what the log shows.
        searched: epoch lengths that were tried, where the length was estimated.
    """
    p = corrected(e, searched)
    reasons: list[str] = []
    if e.undone is not None:
        reasons.append(
            "The log shows a mean that begins anew in every epoch, as progress bars do: its noise "
            f"is {math.sqrt(e.undone.noise_ratio):.0f} times larger early in an epoch than late. "
            "It was taken apart into the loss of the steps before measuring."
        )
    if e.repeat.correlation > max(REPEATS, 3.5 * e.repeat.error):
        when = "in the next" if e.repeat.every == 1 else "in the next but one"
        return Judgement("none", "fixed order", "shown", [
            *reasons,
            f"The noise of one epoch comes again {when}, point by point (correlation "
            f"{e.repeat.correlation:.2f}): the data come in the same order every "
            + ("epoch." if e.repeat.every == 1 else "second epoch, or in a reversed one."),
            "Drops at the boundary are then the order's own and no epochal sawtooth. The p-value "
            "does not hold here: it takes the noise of epochs to be independent.",
        ])  # fmt: skip
    if _is_pattern(e, 6.0, 0.9) and (e.correlation < ALIKE or e.joined > 1):
        return Judgement("none", "periodic order", "shown", [
            *reasons,
            "All epochs share a pattern that is no tooth: within the epoch it falls by "
            f"{e.pattern.fall:.3g} and climbs by {e.pattern.climb:.3g}.",
            "Something about the data comes round with the epoch, such as sorted or grouped "
            "samples, shards read in order, or a shuffle buffer that is too small.",
        ])  # fmt: skip
    if e.boundaries < 2:
        return Judgement("cannot tell", None, "none", [
            *reasons,
            f"A drop could be measured at {e.boundaries} "
            f"boundar{'y' if e.boundaries == 1 else 'ies'}; only what repeats can be told from a "
            "single event. At least two are needed.",
        ])  # fmt: skip
    if e.joined == 0 and e.correlation > SMOOTHED:
        return Judgement("cannot tell", None, "none", [
            *reasons,
            f"The log is smoothed: neighbouring points are alike (correlation "
            f"{e.correlation:.2f}), so an epoch has fewer than six points that say something new. "
            "Log the raw loss.",
        ])  # fmt: skip
    if e.joined > 1:
        reasons.append(
            f"Neighbouring points are alike (correlation {e.correlation:.2f}), as in a smoothed "
            f"log; {e.joined} were joined to one before measuring."
        )
    if not p < (LEVEL if e.joined == 1 else STRICT):
        return _no_drop(e, p, reasons)
    return _drop(e, reasons, searched)


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


def _no_drop(e: Evidence, p: float, reasons: list[str]) -> Judgement:
    """No drop is left: is there a cause for those that were seen, and could one be missed?"""
    if e.undone is not None and e.plain.p_value < LEVEL:
        return Judgement("none", "running average", "shown", [
            *reasons,
            "The steps themselves have no drop at the boundaries: what drops is the mean, which "
            "forgets the higher losses of the epoch before.",
        ])  # fmt: skip
    if e.jumps and not e.jumps_everywhere and (e.jump_drop > 5 or e.plain.p_value < LEVEL):
        return Judgement("none", "learning-rate steps", "shown", [
            *reasons,
            f"The loss drops where the learning rate jumps ({e.jumps} times); at the other "
            "boundaries there is no drop.",
        ])  # fmt: skip
    if e.apart:
        return Judgement("none", "boundary artefact", "shown", [
            *reasons,
            _apart(e),
            "Without these points there is no drop at the boundaries.",
        ])  # fmt: skip
    most = float(e.tooth.drop + SURE * e.tooth.drop_error)
    if e.undone is not None:
        return Judgement("none", "running average", "likely", reasons)
    if not most < max(e.tooth.noise, 0.0) or not math.isfinite(most):
        return Judgement("cannot tell", None, "none", [
            *reasons,
            f"No drop at the boundaries is certain (p = {p:.2g}), but the log is too short or too "
            f"coarse to exclude one: it could be as large as {most:.3g}, more than the scatter of "
            f"a point, {float(e.tooth.noise):.3g}. Log more often, or more epochs.",
        ])  # fmt: skip
    return Judgement("none", None, "none", [
        *reasons,
        f"The loss does not drop at the epoch boundaries (p = {p:.2g}); a drop above {most:.3g} is "
        "excluded.",
    ])  # fmt: skip


def _drop(e: Evidence, reasons: list[str], searched: int) -> Judgement:
    """There is a drop at the boundaries: does the loss climb before it?"""
    if e.large_drops and not e.rest_p_value < LEVEL:
        return Judgement("none", "learning-rate steps", "likely", [
            *reasons,
            f"The loss drops at {e.large_drops} of {e.boundaries} boundaries and not at the "
            "others, as it does when a schedule lowers the learning rate. The log does not have "
            "the rate.",
        ])  # fmt: skip
    if searched > 1 and e.boundaries < 3:
        return Judgement("cannot tell", None, "none", [
            *reasons,
            "The loss drops twice, but with an epoch length that was estimated from these drops "
            "that says little. Say how many steps an epoch has: --steps-per-epoch N.",
        ])  # fmt: skip
    if not e.repeated:
        return Judgement("cannot tell", None, "none", [
            *reasons,
            f"The loss drops at some of the {e.boundaries} boundaries and not at others. Lowering "
            "the learning rate does that, and so may chance; the log does not tell.",
        ])  # fmt: skip
    drop, late = float(e.tooth.drop), e.settled
    reasons.append(
        f"The loss drops at the epoch boundaries by {drop:.3g} ± {float(e.tooth.drop_error):.2g} "
        f"on average, at {_share(e)} of {e.boundaries} boundaries."
    )
    if e.jumps and not e.jumps_everywhere:
        reasons.append("Epochs in which the learning rate jumps were left out.")
    if e.apart:
        reasons.append(_apart(e) + " They were left out; the drop is there without them.")
    rise, error = float(late.rise), float(late.rise_error)
    best = max((float(e.tooth.rise), float(e.tooth.rise_error)), (rise, error),
               key=lambda x: x[0] / x[1] if x[1] > 0 else -math.inf)  # fmt: skip
    exact = not error > 0
    if best[0] > CLIMBS * best[1] or (exact and rise > 1e-9 * abs(drop)):
        reasons.append(f"Within an epoch it climbs, by {best[0]:.3g} ± {best[1]:.2g}.")
        if e.jumps_everywhere:
            reasons.append(
                "The learning rate jumps at most boundaries, which may be part of the drop, but "
                "does not make the loss climb."
            )
        return _sawtooth(e, reasons, searched)
    if rise < 0 and (-rise > drop or not e.tooth.p_value < CERTAIN):
        return Judgement("cannot tell", None, "none", [
            *reasons,
            f"But within an epoch it falls by more, {-rise:.3g} ± {error:.2g}: this may be a "
            "sawtooth on a loss that falls fast, or a staircase. More epochs would tell.",
        ])  # fmt: skip
    if rise + SURE * error < STEEP * drop or exact:
        if e.jumps_everywhere:
            return Judgement("none", "learning-rate steps", "likely", [
                *reasons,
                "Within an epoch it does not climb, and the learning rate jumps at most "
                "boundaries: a staircase that the schedule may have made.",
            ])  # fmt: skip
        few = e.points_per_epoch < FEW
        if few:
            reasons.append(
                "With so few points an epoch, a running mean that begins anew at the boundary "
                "would look the same."
            )
        return Judgement("none", "staircase", "likely" if few else "shown", [
            *reasons,
            f"Within an epoch it does not climb (rise {rise:.3g} ± {error:.2g}): a staircase. Each "
            "pass finds its samples better learnt than the pass before, as in fine-tuning for "
            "several epochs.",
        ])  # fmt: skip
    return Judgement("cannot tell", None, "none", [
        *reasons,
        f"Whether it climbs within an epoch is not certain (rise {rise:.3g} ± {error:.2g}): a "
        "sawtooth on a falling loss and a staircase look alike here. More epochs would tell.",
    ])  # fmt: skip


def _sawtooth(e: Evidence, reasons: list[str], searched: int) -> Judgement:
    # an estimated length fits the drops, and so may make a tooth of a pattern that has none
    if _is_pattern(e, 4.5, 0.7) if searched == 1 else _is_pattern(e, 3.0, 0.6):
        return Judgement("cannot tell", None, "none", [
            *reasons,
            f"But within epochs it also seems to fall, by {e.pattern.fall:.2g}, as it would if the "
            "data came in an order that repeats. More epochs would tell.",
        ])  # fmt: skip
    again = e.repeat
    if again.correlation > max(REPEATS, SURE * again.error):
        return Judgement("cannot tell", None, "none", [
            *reasons,
            "But the noise of one epoch seems to come again in the next (correlation "
            f"{again.correlation:.2f} ± {again.error:.2f}). Data in a fixed order make drops of "
            "their own. Log more often, or more epochs.",
        ])  # fmt: skip
    if again.correlation + 2 * again.error < CLEAR:
        reasons.append(
            "The noise of one epoch does not come again in the next (correlation "
            f"{e.repeat.correlation:.2f}), so the data are reshuffled: right after a boundary come "
            "samples that were seen a short while ago, at the end of an epoch those that have "
            "waited longest."
        )
        return Judgement("sawtooth", "reshuffling", "shown", reasons)
    reasons.append(
        "This is what re-exposure makes when the data are reshuffled every epoch. Whether they "
        "are, the log is too coarse to show: too few points fall on the same steps of each epoch."
    )
    return Judgement("sawtooth", "reshuffling", "likely", reasons)


def _share(e: Evidence) -> int:
    return int((e.tooth.drops > 0).sum())


def _apart(e: Evidence) -> str:
    first = abs(e.edges.first) >= abs(e.edges.last)
    far = e.edges.first if first else e.edges.last
    return (
        f"Single points at the {'start' if first else 'end'} of epochs stand "
        f"{'above' if far > 0 else 'below'} the rest by {abs(far):.3g}, as when evaluation or "
        "logging comes in at the boundary."
    )
