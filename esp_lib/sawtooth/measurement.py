"""What an epochal sawtooth is: measure it in a loss curve and test whether it is there.

Definitions (ours; Liu and Ma 2025 describe the pattern in words). A straight line is fitted to the
loss of each epoch. At the boundary before epoch k the *drop* is the end of the line of epoch k - 1
minus the start of the line of epoch k; the *rise* of an epoch is the end of its line minus its
start. What the loss gains or loses over an epoch apart from the tooth is the *trend*, rise minus
drop. The *tooth* is the loss folded over epochs with the trend taken out, and its *amplitude* is
its last tenth minus its first tenth.

The test asks whether the mean drop is larger than noise and a smooth curve make it. On a smooth
curve f (time in epochs) both lines miss the boundary by the same f^(2) / 12, so only -f^(3) / 15
remains of it. Parabolas fitted to neighbouring epochs differ by f^(3) / 2 in their leading
coefficient, and 2/15 of that difference is taken off again. What a tooth bends, it bends alike in
every epoch, and the correction leaves it alone. Higher derivatives remain, so a quarter of the
correction counts as error. The rest of the standard error follows from the scatter of the points
about each epoch's own parabola (it may change from epoch to epoch), widened where neighbouring
points are correlated; the degrees of freedom are Welch's and Satterthwaite's. With noise that is
independent from point to point the test keeps its level; with strongly smoothed logs (correlation
of neighbours 0.9 and more) it is somewhat too ready to find a tooth.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.sawtooth.curve import Curve, as_curve

Array = NDArray[np.float64]

# The fields of `Sawtooth` that are in the unit of the loss.
LOSSES = (
    "drop", "drop_error", "rise", "rise_error", "trend", "amplitude", "amplitude_error", "noise",
    "profile", "drops",
)  # fmt: skip
MIN_POINTS = 3  # points an epoch needs for a line and its scatter
BEND_POINTS = 6  # points an epoch needs for its parabola to be used
BEND_WEIGHT = 2 / 15  # of the difference in bend, cancels the third derivative of a smooth curve
DOUBT = 0.25  # share of that correction which counts as error: higher derivatives remain
LEVEL = 0.01  # below this p-value a tooth is called present
LEAST = 1e-300  # a p-value below it counts as 0
FINEST = 10_000  # bins of a profile, unless there are more points
SPARSE = 64  # places that points arranged by epoch may take, for each of them
BENT = 0.1  # a rise whose middle is further than this from its chord, in amplitudes, is not linear


@dataclass(frozen=True, eq=False)
class Sawtooth:
    """The tooth of one or many curves; fields have the curves' leading shape (...) unless said.

    Losses are in the unit of the curve (nats for a cross-entropy). A field is NaN where the log is
    too short for it.
    """

    drop: Any  # mean drop of the loss at epoch boundaries, positive for a tooth
    drop_error: Any  # its standard error
    rise: Any  # mean rise of the loss within an epoch; a drop without a rise is a staircase
    rise_error: Any  # its standard error
    trend: Any  # change of the loss over an epoch apart from the tooth: rise - drop
    amplitude: Any  # last tenth minus first tenth of the tooth
    amplitude_error: Any  # its standard error, from the spread of the drops
    noise: Any  # standard deviation of a point about the line of its epoch
    amplitude_in_noise: Any  # amplitude / noise
    p_value: Any  # of the one-sided test that there is no drop
    concavity: Any  # height of the middle of the tooth above its chord, in amplitudes
    shape: Any  # "linear", "concave", "convex" or "none"
    profile: Array  # (..., bins) the tooth, mean zero; a bin a window of an epoch, see `FINEST`
    phase: Array  # (bins,) where in the epoch each bin of the profile lies, 0 to 1
    drops: Array  # (..., boundaries) the drop at each boundary
    boundaries: NDArray[np.int64]  # (boundaries,) epochs completed at each boundary


class Fold(NamedTuple):
    """Points arranged by epoch: masked arrays (runs, epochs, slots), phases (epochs, slots)."""

    y: Array
    mask: NDArray[np.bool_]
    phase: Array
    first_epoch: int


class Lines(NamedTuple):
    """A straight line through each epoch; all (runs, epochs)."""

    usable: NDArray[np.bool_]
    start: Array  # value at phase 0
    end: Array  # value at phase 1
    var_start: Array  # variances and covariance for noise of variance 1
    var_end: Array
    cov: Array
    bend: Array  # coefficient of phase^2 when a parabola is fitted; 0 with too few points for it
    var_bend: Array
    scatter: Array  # residual variance
    freedom: Array  # its degrees of freedom
    correlation: Array  # (runs, 1) lag-one correlation of the residuals


def measure(
    loss: Curve | ArrayLike,
    steps_per_epoch: int | None = None,
    *,
    steps: ArrayLike | None = None,
    window: int = 1,
    skip_epochs: int | None = None,
) -> Sawtooth:
    """Measure the epochal sawtooth of a loss curve and test for it.

    From about 20 points an epoch on, a linear tooth of twice the noise of a point is found at the
    1 % level in more than 99 of 100 runs of ten epochs; with fewer points it takes more epochs.

    Args:
        loss: a `Curve`, or losses (..., points). Points that are masked or not finite are left out.
        steps_per_epoch: steps in an epoch; needed with an array.
        steps: (points,) the step, counted from 1, at which each point was logged, increasing; by
            default 1, 2, 3, …. Steps may be missing.
        window: steps that each point averages, up to and including its own. A point whose window
            spans an epoch boundary is left out.
        skip_epochs: epochs at the start to leave out; by default one if five or more are there.

    Returns:
        A `Sawtooth`, its fields shaped like the leading axes of `loss`.

    Raises:
        ValueError: no or wrong steps per epoch, steps that don't fit the losses, don't increase or
            leave nearly all epochs empty.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(size=1000)
        >>> tooth = measure(np.tile(np.linspace(0, 3, 100), 10) + noise, steps_per_epoch=100)
        >>> bool(tooth.p_value < 1e-6)
        True
    """
    curve = as_curve(loss, steps_per_epoch)
    window = _checks.integer("window", window, low=1, high=curve.steps_per_epoch)
    at = _check_steps(steps, curve.steps)
    shape = curve.loss.shape[:-1]
    whole = int(np.ceil(at[-1] / curve.steps_per_epoch))
    if skip_epochs is None:
        skip_epochs = 1 if whole >= 5 else 0
    skip_epochs = min(_checks.integer("skip_epochs", skip_epochs, low=0), whole)

    # In units of each run's largest loss, so that squares neither overflow nor vanish.
    runs = curve.loss.reshape(math.prod(shape), curve.steps)
    unit = np.abs(np.where(np.isfinite(runs), runs, 0.0)).max(axis=1, initial=0.0)
    unit[unit == 0] = 1.0
    fold = _fold(runs / unit[:, None], at, curve.steps_per_epoch, window, skip_epochs)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        lines = _fit_lines(fold)
        bins = min(round(curve.steps_per_epoch / window), max(curve.steps, FINEST))
        fields = _summarize(fold, lines, max(1, bins))
        for name in LOSSES:
            fields[name] = (fields[name].T * unit).T

    def shaped(values: NDArray[Any]) -> Any:
        return values.reshape((*shape, *values.shape[1:]))[()]

    drops = fields.pop("drops")
    boundaries = fold.first_epoch + 1 + np.arange(drops.shape[1])
    return Sawtooth(
        **{name: shaped(values) for name, values in fields.items() if name != "phase"},
        phase=fields["phase"],
        drops=shaped(drops),
        boundaries=boundaries,
    )


def _check_steps(steps: ArrayLike | None, points: int) -> Array:
    if steps is None:
        return np.arange(1.0, points + 1)
    at = _checks.real("steps", steps, low=1, high=_checks.LARGEST)
    if at.shape != (points,) or (np.diff(at) <= 0).any():
        raise ValueError(
            f"steps must be {points} increasing step numbers, one for each loss, "
            f"got shape {at.shape}" + (", not increasing" if at.shape == (points,) else "")
        )
    return at


def _fold(loss: Array, at: Array, steps_per_epoch: int, window: int, skip: int) -> Fold:
    """Sort points into epochs by the middle of their window; drop those that span a boundary."""
    epoch = np.floor((at - 1) / steps_per_epoch).astype(int)
    inside = (np.floor((at - window) / steps_per_epoch) == epoch) & (epoch >= skip)
    epoch, at, loss = epoch[inside], at[inside], loss[:, inside]
    epochs = int(epoch.max()) - skip + 1 if epoch.size else 0
    row = epoch - skip
    slot = np.arange(row.size) - np.searchsorted(row, row)
    slots = int(slot.max()) + 1 if slot.size else 0
    if epochs * slots > max(SPARSE * at.size, 2**20):
        raise ValueError(
            f"steps must have points in most epochs, got {at.size} points in {epochs} epochs, up "
            f"to {slots} in one"
        )
    y = np.full((loss.shape[0], epochs, slots), np.nan)
    phase = np.zeros((epochs, slots))
    y[:, row, slot] = loss
    phase[row, slot] = (at - window / 2) / steps_per_epoch - epoch
    mask = np.isfinite(y)
    return Fold(np.where(mask, y, 0.0), mask, phase, skip)


def _fit_lines(fold: Fold) -> Lines:
    """Least squares in each epoch, by masked sums."""
    n = fold.mask.sum(axis=2)
    center = (fold.mask * fold.phase).sum(axis=2) / n
    p = np.where(fold.mask, fold.phase - center[..., None], 0.0)
    spread = (p**2).sum(axis=2)
    level = fold.y.sum(axis=2) / n
    slope = (p * fold.y).sum(axis=2) / spread
    residual = np.where(
        fold.mask, fold.y - level[..., None] - slope[..., None] * p, 0.0
    )  # (runs, epochs, slots)
    usable = (n >= MIN_POINTS) & (spread > 0)
    # phase^2 made orthogonal to the line
    square = np.where(fold.mask, p**2 - (spread / n)[..., None], 0.0)
    square -= ((square * p).sum(axis=2) / spread)[..., None] * p
    size = (square**2).sum(axis=2)
    bent = n >= BEND_POINTS
    bend = np.where(bent, (square * fold.y).sum(axis=2) / size, 0.0)
    residual = residual - bend[..., None] * square
    residual = np.where(usable[..., None] & fold.mask, residual, 0.0)
    pairs = (residual[..., 1:] * residual[..., :-1]).sum(axis=(1, 2))
    points = np.where(usable, n, 0).sum(axis=1)
    fitted = np.where(usable, 2 + bent, 0).sum(axis=1)
    # fitted coefficients make white residuals look negatively correlated
    correlation = pairs / (residual**2).sum(axis=(1, 2)) + fitted / points
    return Lines(
        usable=usable,
        start=level - slope * center,
        end=level + slope * (1 - center),
        var_start=1 / n + center**2 / spread,
        var_end=1 / n + (1 - center) ** 2 / spread,
        cov=1 / n - center * (1 - center) / spread,
        bend=bend,
        var_bend=np.where(bent, 1 / size, 0.0),
        scatter=(residual**2).sum(axis=2) / (n - 2 - bent),
        freedom=n - 2.0 - bent,
        correlation=np.nan_to_num(correlation)[:, None],
    )


def _summarize(fold: Fold, lines: Lines, bins: int) -> dict[str, NDArray[Any]]:
    """All fields of `Sawtooth` with one leading axis of runs."""
    from scipy.special import stdtr  # scipy.stats takes a second to import

    runs = fold.y.shape[0]
    both = lines.usable[:, :-1] & lines.usable[:, 1:]  # (runs, boundaries)
    jump = lines.start[:, 1:] - lines.end[:, :-1] + BEND_WEIGHT * np.diff(lines.bend, axis=1)
    drops = np.where(both, -jump, np.nan)
    boundaries = both.sum(axis=1)
    drop = _mean(drops, both)

    # The mean drop is a sum over epochs, which are independent, of
    # w_end * end - w_start * start + BEND_WEIGHT * (w_end - w_start) * bend.
    none = np.zeros((runs, 1))
    w_end = np.concatenate([both, none], axis=1) / boundaries[:, None]
    w_start = np.concatenate([none, both], axis=1) / boundaries[:, None]
    widen = np.clip((1 + lines.correlation) / (1 - np.minimum(lines.correlation, 0.9)), 1.0, None)
    ends = w_end**2 * lines.var_end + w_start**2 * lines.var_start - 2 * w_end * w_start * lines.cov
    bends = (BEND_WEIGHT * (w_end - w_start)) ** 2 * lines.var_bend
    counted = (w_end > 0) | (w_start > 0)
    parts = np.where(counted, lines.scatter * widen * (ends + bends), 0.0)
    variance = parts.sum(axis=1)
    freedom = variance**2 / np.where(parts > 0, parts**2 / lines.freedom, 0.0).sum(axis=1)
    # What is left of a smooth curve after the correction is a small share of the correction.
    correction = BEND_WEIGHT * _mean(np.diff(lines.bend, axis=1), both)
    drop_error = np.sqrt(variance + (DOUBT * correction) ** 2)
    p_value = stdtr(freedom, -drop / drop_error)
    p_value = np.where(p_value < LEAST, 0.0, p_value)
    # Points without any scatter: whatever drop is left is certain, unless it is rounding.
    level = np.abs(fold.y).max(axis=(1, 2), initial=0.0)
    exact = (drop_error <= 1e-12 * level) & (boundaries > 0)
    p_value = np.where(exact, np.where(drop > 1e-9 * level, 0.0, 1.0), p_value)

    usable = lines.usable
    rise = _mean(lines.end - lines.start, usable)
    turn = lines.scatter * widen * (lines.var_start + lines.var_end - 2 * lines.cov)
    rise_error = np.sqrt(_mean(turn, usable) / usable.sum(axis=1))
    trend = rise - drop
    phase, folded = _profile(fold, usable, trend, bins)
    amplitude = _height(folded)
    scatter = _mean(lines.scatter, usable)
    noise = np.sqrt(scatter)

    amplitude_error = _standard_error(drops, both)
    bend = _mean(lines.bend, usable)
    bend_error = _standard_error(lines.bend, usable)
    concavity = -bend / 4 / amplitude
    bent = (np.abs(concavity) > BENT) & (np.abs(bend) > 3 * bend_error)
    shape = np.where(bent, np.where(concavity > 0, "concave", "convex"), "linear")
    shape = np.where(p_value < LEVEL, shape, "none")
    return {
        "drop": drop, "drop_error": drop_error,
        "rise": rise, "rise_error": rise_error, "trend": trend,
        "amplitude": amplitude, "amplitude_error": amplitude_error, "noise": noise,
        "amplitude_in_noise": amplitude / noise, "p_value": p_value, "concavity": concavity,
        "shape": shape, "profile": folded, "phase": phase, "drops": drops,
    }  # fmt: skip


def _profile(fold: Fold, usable: NDArray[np.bool_], trend: Array, bins: int) -> tuple[Array, Array]:
    """Phases (bins,) and the folded, detrended loss (runs, bins), mean zero."""
    mask = fold.mask & usable[..., None]
    n = mask.sum(axis=2, keepdims=True)
    level = np.where(mask, fold.y, 0.0).sum(axis=2, keepdims=True) / n
    center = np.where(mask, fold.phase, 0.0).sum(axis=2, keepdims=True) / n
    flat = np.where(mask, fold.y - level - trend[:, None, None] * (fold.phase - center), 0.0)
    which = np.minimum((fold.phase * bins).astype(int), bins - 1).ravel()  # (epochs * slots,)
    flat, mask = (values.reshape(len(values), which.size) for values in (flat, mask))
    sums = np.zeros((fold.y.shape[0], bins))
    counts = np.zeros((fold.y.shape[0], bins))
    sort = np.argsort(which, kind="stable")
    for here in np.split(sort, np.flatnonzero(np.diff(which[sort])) + 1) if sort.size else ():
        b = which[here[0]]
        sums[:, b] = flat[:, here].sum(axis=1)
        counts[:, b] = mask[:, here].sum(axis=1)
    return (np.arange(bins) + 0.5) / bins, sums / counts


def _height(folded: Array) -> Array:
    """Last tenth minus first tenth of the bins that hold points; NaN if those are too few."""
    runs, bins = folded.shape
    filled = np.isfinite(folded)
    count = filled.sum(axis=1, keepdims=True)
    places = np.argsort(~filled, axis=1, kind="stable")  # filled bins first, in their order
    tenth = max(1, bins // 10)
    row = np.arange(runs)[:, None]
    first = folded[row, places[:, :tenth]]
    last = folded[row, places[row, np.maximum(count - tenth, 0) + np.arange(tenth)]]
    enough = count[:, 0] >= 2 * tenth
    return np.where(enough, last.mean(axis=1) - first.mean(axis=1), np.nan)


def _mean(values: Array, mask: NDArray[np.bool_]) -> Array:
    """Mean over the last axis where `mask`; NaN where nothing is."""
    return np.where(mask, values, 0.0).sum(axis=1) / mask.sum(axis=1)


def _standard_error(values: Array, mask: NDArray[np.bool_]) -> Array:
    """Standard error of `_mean` from the spread of the values; NaN with fewer than three."""
    n = mask.sum(axis=1)
    deviation = np.where(mask, values - _mean(values, mask)[:, None], 0.0)
    error = np.sqrt((deviation**2).sum(axis=1) / (n - 1) / n)
    return np.where(n >= 3, error, np.nan)
