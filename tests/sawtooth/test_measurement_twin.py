"""`measure` against a slow twin: the same definitions, one epoch after the other, by least squares.

The twin writes every line, bend and drop as weights on the losses, taken from a pseudo-inverse of
the epoch's design matrix; their sums of squares are the variances. Nothing is masked or vectorized.
"""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from esp_lib import measure

SCALARS = (
    "drop", "drop_error", "rise", "rise_error", "trend", "amplitude", "amplitude_error", "noise",
    "amplitude_in_noise", "p_value", "concavity",
)  # fmt: skip


class Epoch:
    """The points of one epoch, and what is fitted to them."""

    def __init__(self, y, phase, gap):
        self.y, self.phase, self.gap = np.array(y), np.array(phase), gap
        n = len(y)
        self.usable = n >= 3
        if not self.usable:
            return
        line = np.stack([np.ones(n), self.phase], axis=1)
        level, slope = np.linalg.pinv(line)  # weights on y
        self.start, self.end, self.bend = level, level + slope, np.zeros(n)
        fitted = line
        if n >= 6:
            fitted = np.column_stack([line, self.phase**2])
            self.bend = np.linalg.pinv(fitted)[2]
        self.residual = self.y - fitted @ (np.linalg.pinv(fitted) @ self.y)
        self.fitted = fitted.shape[1]
        self.freedom = n - self.fitted
        self.scatter = (self.residual**2).sum() / self.freedom if self.freedom else math.nan

    def of(self, weights) -> float:
        return float(weights @ self.y)


def epochs_of(loss, at, T, window, skip):
    """Epochs from `skip` on, points by the middle of their window."""
    found: dict[int, list] = {}
    for y, t in zip(loss, at, strict=True):
        epoch = int((t - 1) // T)
        if epoch >= skip and (t - window) // T == epoch:
            found.setdefault(epoch, []).append((y, (t - window / 2) / T - epoch))
    made = []
    for epoch in range(skip, max(found) + 1):
        points = found.get(epoch, [])
        finite = [k for k, (y, _) in enumerate(points) if math.isfinite(y)]
        gap = [later - k > 1 for k, later in itertools.pairwise(finite)]
        made.append(Epoch([points[k][0] for k in finite], [points[k][1] for k in finite], gap))
    return made


def standard_error(values) -> float:
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) >= 3 else math.nan


def twin(loss, at, T, window, skip) -> dict[str, Any]:
    epochs = epochs_of(loss, at, T, window, skip)
    usable = [epoch for epoch in epochs if epoch.usable]
    # correlation of neighbours, and how much wider errors become
    pairs = sum(
        a * b
        for epoch in usable
        for a, b, gap in zip(epoch.residual, epoch.residual[1:], epoch.gap, strict=False)
        if not gap
    )
    squares = sum((epoch.residual**2).sum() for epoch in usable)
    fitted, points = sum(e.fitted for e in usable), sum(len(e.y) for e in usable)
    r = pairs / squares + fitted / points
    widen = max(1.0, (1 + r) / (1 - min(r, 0.9)))

    drops, boundaries = [], []
    weights = [np.zeros(len(epoch.y)) for epoch in epochs]  # of the sum of drops on each loss
    for k in range(1, len(epochs)):
        before, after = epochs[k - 1], epochs[k]
        if not (before.usable and after.usable):
            drops.append(math.nan)
            continue
        out, back = before.end + before.bend * 2 / 15, after.start + after.bend * 2 / 15
        drops.append(before.of(out) - after.of(back))
        weights[k - 1] += out
        weights[k] -= back
        boundaries.append(k)
    count = len(boundaries)
    drop = float(np.nanmean(drops))
    parts, freedoms = [], []
    for epoch, h in zip(epochs, weights, strict=True):
        if epoch.usable and h.any():
            parts.append(epoch.scatter * widen * (h**2).sum() / count**2)
            freedoms.append(epoch.freedom)
    variance = sum(parts)
    freedom = variance**2 / sum(v**2 / f for v, f in zip(parts, freedoms, strict=True))
    bends = [
        epochs[k].of(epochs[k].bend) - epochs[k - 1].of(epochs[k - 1].bend) for k in boundaries
    ]
    drop_error = math.hypot(math.sqrt(variance), 0.25 * 2 / 15 * np.mean(bends))
    p_value = float(stats.t.sf(drop / drop_error, freedom))

    rise = np.mean([e.of(e.end - e.start) for e in usable])
    turns = [e.scatter * widen * ((e.end - e.start) ** 2).sum() for e in usable]
    trend = rise - drop
    bins = max(1, round(T / window))
    folded: list[list[float]] = [[] for _ in range(bins)]
    for e in usable:
        flat = e.y - e.y.mean() - trend * (e.phase - e.phase.mean())
        for value, phase in zip(flat, e.phase, strict=True):
            folded[min(int(phase * bins), bins - 1)].append(value)
    filled = [np.mean(values) for values in folded if values]
    tenth = max(1, bins // 10)
    amplitude = math.nan
    if len(filled) >= 2 * tenth:
        amplitude = np.mean(filled[-tenth:]) - np.mean(filled[:tenth])
    noise = math.sqrt(np.mean([e.scatter for e in usable]))
    bend = [e.of(e.bend) for e in usable]
    concavity = -np.mean(bend) / 4 / amplitude
    shape = "linear"
    if abs(concavity) > 0.1 and abs(np.mean(bend)) > 3 * standard_error(bend):
        shape = "concave" if concavity > 0 else "convex"
    return {
        "drop": drop, "drop_error": drop_error, "rise": rise,
        "rise_error": math.sqrt(np.mean(turns) / len(usable)), "trend": trend,
        "amplitude": amplitude,
        "amplitude_error": standard_error([d for d in drops if math.isfinite(d)]),
        "noise": noise, "amplitude_in_noise": amplitude / noise, "p_value": p_value,
        "concavity": concavity, "shape": shape if p_value < 0.01 else "none", "drops": drops,
        "boundaries": list(range(skip + 1, skip + len(epochs))),
        "phase": (np.arange(bins) + 0.5) / bins,
        "profile": [np.mean(values) if values else math.nan for values in folded],
    }  # fmt: skip


def curve(rng, epochs, T, bow=0.0, correlation=0.0) -> np.ndarray:
    """A bent tooth on a smooth decay, with noise that may be correlated."""
    time = (np.arange(epochs * T) + 0.5) / T
    noise = rng.normal(size=time.size)
    for i in range(1, time.size):
        noise[i] += correlation * noise[i - 1]
    phase = time % 1
    tooth = phase + bow * (phase - phase**2)
    return 2 + 3 / (1 + time) + rng.uniform(0, 0.6) * tooth + 0.1 * noise


def check(loss, at, T, window=1, skip=None):
    at = np.asarray(at)
    found = measure(loss, steps_per_epoch=T, steps=at, window=window, skip_epochs=skip)
    if skip is None:
        skip = 1 if at[-1] > 4 * T else 0
    expected = twin(loss, at.tolist(), T, window, skip)
    for name in SCALARS:
        np.testing.assert_allclose(
            getattr(found, name), expected[name], rtol=1e-7, atol=1e-12, err_msg=name
        )
    for name in ("drops", "profile", "phase"):
        np.testing.assert_allclose(
            getattr(found, name), expected[name], rtol=1e-7, atol=1e-10, err_msg=name
        )
    assert found.boundaries.tolist() == expected["boundaries"]
    assert found.shape == expected["shape"]
    return found


@pytest.mark.parametrize("epochs", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("T", [3, 5, 6, 7, 25])
def test_whole_epochs(epochs, T):
    for seed in range(5):
        loss = curve(np.random.default_rng(seed), epochs, T)
        check(loss, np.arange(1, loss.size + 1), T)


@pytest.mark.parametrize("cut", [1, 2, 19])
@pytest.mark.parametrize("epochs", [4, 5])
def test_a_last_epoch_that_is_not_whole(epochs, cut):
    loss = curve(np.random.default_rng(0), epochs, 20)[:-cut]
    check(loss, np.arange(1, loss.size + 1), 20)


@pytest.mark.parametrize("seed", range(20))
def test_missing_points_and_gaps(seed):
    """Some epochs keep two to seven points, some none; of what is missing half was not logged."""
    rng = np.random.default_rng(seed)
    loss, T = curve(rng, 9, 20), 20
    at = np.arange(1, loss.size + 1)
    kept = rng.random(loss.size) < 0.7
    for epoch in rng.choice(np.arange(1, 9), 4, replace=False):
        inside = epoch * T + rng.permutation(T)
        kept[inside] = False
        kept[inside[: rng.choice([0, 2, 3, 5, 6, 7])]] = True
    kept[-1] = True
    loss[~kept] = np.nan
    logged = kept | (rng.random(loss.size) < 0.5)
    check(loss[logged], at[logged], T, skip=int(rng.integers(0, 3)))


@pytest.mark.parametrize("window", [2, 3, 7, 20])
def test_windows(window):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        loss = curve(rng, 8, 20 if window < 20 else 100)
        at = np.arange(window, loss.size + 1, 3)
        check(loss[at - 1], at, 20 if window < 20 else 100, window=window)


@pytest.mark.parametrize(("correlation", "T"), [(0.5, 50), (0.8, 50), (0.99, 50), (1.0, 300)])
def test_correlated_noise(correlation, T):
    for seed in range(4):
        loss = curve(np.random.default_rng(seed), 6, T, correlation=correlation)
        check(loss, np.arange(1, loss.size + 1), T)


def test_steps_between_steps():
    loss = curve(np.random.default_rng(0), 6, 20)
    check(loss, np.arange(1, loss.size + 1) + 0.7, 20)


@pytest.mark.parametrize("filled", [7, 8, 9, 11])
def test_bins_enough_for_an_amplitude(filled):
    """Of 40, so that a tenth is four."""
    loss = curve(np.random.default_rng(0), 6, 40)
    at = np.arange(1, loss.size + 1)
    loss[(at - 1) % 40 >= filled] = np.nan
    assert np.isnan(check(loss, at, 40).amplitude) == (filled < 8)


def test_shapes_on_both_sides_of_their_thresholds():
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        loss = curve(rng, 8, 40, bow=rng.uniform(-1.2, 1.2))
        seen.add(str(check(loss, np.arange(1, loss.size + 1), 40).shape))
    assert seen == {"linear", "concave", "convex", "none"}
