"""`measure` on curves whose tooth is known, and the error rates it claims."""

import numpy as np
import pytest
from scipy import stats

from esp_lib import Adam, Curve, QuadraticProblem, measure, simulate

EPOCHS, T = 10, 100
TIME = np.arange(EPOCHS * T) / T
PHASE = (np.arange(EPOCHS * T) % T + 0.5) / T

DECAYS = {
    "flat": np.ones_like(TIME),
    "linear": 5 - 0.4 * TIME,
    "exponential, fast": 2 + 8 * np.exp(-TIME),
    "exponential, slow": 2 + 8 * np.exp(-TIME / 3),
    "power law": 1 + 4 * (TIME + 0.05) ** -0.5,
    "logarithm": 3 - 0.3 * np.log(TIME + 0.01),
    "half a cosine": 3 + np.cos(np.pi * TIME / EPOCHS),
    "sigmoid": 3 + 3 / (1 + np.exp((TIME - 4.2) / 0.4)),
}


def noise(runs: int, size: int = EPOCHS * T, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(runs, size))


def test_exact_tooth_without_noise():
    result = measure(4 + 2 * PHASE, steps_per_epoch=T)
    assert result.drop == pytest.approx(2)
    assert result.rise == pytest.approx(2)
    assert result.trend == pytest.approx(0, abs=1e-9)
    assert result.amplitude == pytest.approx(1.8)  # last tenth minus first tenth
    assert result.p_value == 0
    assert result.shape == "linear"
    assert result.profile == pytest.approx(2 * (result.phase - 0.5))
    assert result.drops == pytest.approx(np.full(8, 2.0))
    assert result.boundaries.tolist() == list(range(2, 10))


def test_trend_is_not_tooth():
    result = measure(9 - 0.5 * TIME + 2 * PHASE, steps_per_epoch=T)
    assert result.drop == pytest.approx(2)
    assert result.rise == pytest.approx(1.5)
    assert result.trend == pytest.approx(-0.5)
    assert result.amplitude == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("rise", "shape"),
    [(PHASE, "linear"), (np.sqrt(PHASE), "concave"), (PHASE**3, "convex")],
)
def test_shape_of_the_rise(rise, shape):
    result = measure(3 + rise + 0.05 * noise(1)[0], steps_per_epoch=T)
    assert result.shape == shape


@pytest.mark.parametrize("value", [2.5, 0.1, -0.1])
@pytest.mark.parametrize("points", [100, 500])
def test_no_tooth_in_a_constant(value, points):
    result = measure(np.full(points, value), steps_per_epoch=50)
    assert result.p_value == 1
    assert result.shape == "none"
    assert result.drop == pytest.approx(0, abs=1e-12)


def test_no_tooth_in_nothing():
    nothing = measure(np.zeros(500), steps_per_epoch=50)
    assert (nothing.p_value, nothing.drop, nothing.shape) == (1, 0, "none")


def test_an_exact_tooth_is_seen_below_zero_and_in_two_epochs():
    assert measure(2 * PHASE - 9, steps_per_epoch=T).p_value == 0
    assert measure((4 + 2 * PHASE)[: 2 * T], steps_per_epoch=T).p_value == 0


@pytest.mark.parametrize("tooth", [2, 0.03, 0, -2])
@pytest.mark.parametrize("sigma", [0, 0.1])
def test_an_epoch_that_is_left_out_changes_nothing(tooth, sigma):
    loss = 4 + tooth * PHASE + sigma * noise(1)[0]
    start = loss.copy()
    start[:T] *= 1e15
    result, other = (measure(values, steps_per_epoch=T) for values in (loss, start))
    assert other.p_value == pytest.approx(result.p_value, rel=1e-6)
    assert other.drop == pytest.approx(result.drop, rel=1e-6, abs=1e-9)
    assert other.shape == result.shape


@pytest.mark.parametrize("name", DECAYS)
@pytest.mark.parametrize("scale", ["constant", "proportional"])
def test_false_positives_at_the_claimed_rate(name, scale):
    """1,000 smooth noisy curves, one per cent level: 10 expected; 20 has probability 0.003."""
    sigma = 0.1 * (DECAYS[name] if scale == "proportional" else 1.0)
    p = measure(DECAYS[name] + sigma * noise(1000, seed=1), steps_per_epoch=T).p_value
    assert np.count_nonzero(p < 0.01) <= stats.binom.isf(0.003, 1000, 0.01)


def test_p_values_are_uniform_without_a_tooth():
    p = measure(2 + noise(2000, seed=2), steps_per_epoch=T).p_value
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("name", DECAYS)
@pytest.mark.parametrize("steps_per_epoch", [20, 100])
def test_tooth_of_twice_the_noise_is_found(name, steps_per_epoch):
    every = T // steps_per_epoch
    base, phase = DECAYS[name][::every], PHASE[::every]
    curves = base + 0.1 * noise(1000, base.size, seed=3) + 0.2 * (phase - 0.5)
    p = measure(curves, steps_per_epoch=steps_per_epoch).p_value
    assert np.mean(p < 0.01) >= 0.99


def test_errors_match_the_spread():
    curves = 2 + 0.3 * PHASE + 0.2 * noise(2000, seed=4)
    result = measure(curves, steps_per_epoch=T)
    assert result.drop.mean() == pytest.approx(0.3, abs=0.005)
    assert result.drop_error.mean() == pytest.approx(result.drop.std(), rel=0.06)
    assert result.rise.mean() == pytest.approx(0.3, abs=0.005)
    assert result.rise_error.mean() == pytest.approx(result.rise.std(), rel=0.06)
    assert result.noise.mean() == pytest.approx(0.2, rel=0.02)
    assert result.amplitude.mean() == pytest.approx(0.27, abs=0.005)
    assert result.amplitude_error.mean() == pytest.approx(result.amplitude.std(), rel=0.25)


def test_correlated_noise_does_not_pass_for_a_tooth():
    z = noise(1000, seed=5)
    for i in range(1, z.shape[1]):
        z[:, i] = 0.7 * z[:, i - 1] + np.sqrt(1 - 0.49) * z[:, i]
    p = measure(3 + z, steps_per_epoch=T).p_value
    assert np.mean(p < 0.01) <= 0.03


def test_a_staircase_drops_and_does_not_rise():
    """The test is about the drop; what tells a staircase from a sawtooth is the rise."""
    result = measure(5 - np.floor(TIME) / 4 + 0.1 * noise(1)[0], steps_per_epoch=T)
    assert result.p_value < 1e-6
    assert abs(result.rise) < 3 * result.rise_error


def test_upward_teeth_are_not_sawteeth():
    p = measure(3 - PHASE + 0.1 * noise(1)[0], steps_per_epoch=T).p_value
    assert p > 0.99


def test_gaps_and_nan_are_left_out():
    loss = 4 + 2 * PHASE + 0.1 * noise(1)[0]
    whole = measure(loss, steps_per_epoch=T)
    holes = loss.copy()
    holes[::7] = np.nan
    kept = np.isfinite(holes)
    by_nan = measure(holes, steps_per_epoch=T)
    by_step = measure(holes[kept], steps_per_epoch=T, steps=np.flatnonzero(kept) + 1)
    assert by_nan.drop == pytest.approx(whole.drop, abs=0.05)
    assert by_step.drop == pytest.approx(by_nan.drop)
    assert by_step.p_value == pytest.approx(by_nan.p_value)


def test_the_amplitude_leaves_out_phases_without_points():
    loss = 4 + 2 * PHASE + 0.1 * noise(1)[0]
    whole = measure(loss, steps_per_epoch=T)
    slot = np.arange(loss.size) % T
    loss[(slot == 0) | (slot >= T - 2)] = np.nan
    holes = measure(loss, steps_per_epoch=T)
    assert np.isnan(holes.profile).sum() == 3
    assert holes.amplitude == pytest.approx(whole.amplitude - 2 * 3 / T, abs=0.03)
    loss[slot >= T // 6] = np.nan
    assert np.isnan(measure(loss, steps_per_epoch=T).amplitude)


def test_divergence_keeps_what_came_before():
    loss = 4 + 2 * PHASE + 0.1 * noise(1)[0]
    cut = loss.copy()
    cut[650], cut[651:] = np.inf, np.nan
    result = measure(cut, steps_per_epoch=T)
    assert result.drop == pytest.approx(2, abs=0.1)
    assert result.p_value < 1e-6


@pytest.mark.parametrize("window", [10, 15])
def test_averaged_logs(window):
    """Few points an epoch; windows that span a boundary are left out."""
    loss = 4 + 2 * PHASE + 0.1 * noise(1)[0]
    ends = np.arange(window, loss.size + 1, window)
    means = np.array([loss[end - window : end].mean() for end in ends])
    result = measure(means, steps_per_epoch=T, steps=ends, window=window)
    assert result.drop == pytest.approx(2, abs=0.1)
    assert result.p_value < 1e-6


def test_every_and_window_agree():
    loss = Curve(4 + 2 * PHASE + 0.1 * noise(1)[0], T)
    a = measure(loss.every(10), steps_per_epoch=10)
    b = measure(loss.every(10), steps_per_epoch=T, steps=np.arange(10, 1001, 10), window=10)
    assert a.drop == pytest.approx(b.drop)
    assert a.p_value == pytest.approx(b.p_value)


@pytest.mark.parametrize("size", [1e-200, 1e-6, 1e200])
def test_the_unit_does_not_matter(size):
    loss = PHASE + noise(2) - 40
    loss[:, ::9] = np.nan
    result, scaled = (measure(values, steps_per_epoch=T) for values in (loss, size * loss))
    assert scaled.p_value == pytest.approx(result.p_value, rel=1e-6)
    assert scaled.drop == pytest.approx(size * result.drop, rel=1e-9)
    assert scaled.profile == pytest.approx(size * result.profile, rel=1e-6, nan_ok=True)


STEEP = {
    "1 / t": lambda t: 0.5 + 2 / (t + 0.2),
    "fast exponential": lambda t: 1 + 2 * np.exp(-4 * t),
    "root": lambda t: 1 + 2 * (t + 0.01) ** -0.5,
    "logarithm": lambda t: 4 - np.log(t + 0.1),
}


@pytest.mark.parametrize("name", STEEP)
@pytest.mark.parametrize(("epochs", "sigma"), [(4, 0.03), (5, 0.003), (10, 0.003)])
def test_a_steep_start_is_no_tooth(name, epochs, sigma):
    """Few epochs of many steps with little noise: what a fold of a steep curve leaves is seen."""
    curve = STEEP[name]((np.arange(epochs * 500) + 1) / 500)
    p = measure(curve + sigma * noise(400, curve.size, seed=6), steps_per_epoch=500).p_value
    assert np.count_nonzero(p < 0.01) <= stats.binom.isf(0.003, 400, 0.01)


def test_one_window_an_epoch_is_one_bin():
    assert measure(np.ones(100), steps_per_epoch=10, window=10).profile.shape == (1,)


def test_too_short_gives_nan_and_not_a_verdict():
    result = measure(np.linspace(3, 2, 50), steps_per_epoch=100)
    assert np.isnan(result.drop)
    assert np.isnan(result.p_value)
    assert result.shape == "none"


def test_many_curves_equal_one_at_a_time():
    curves = (4 + np.linspace(0, 2, 6)[:, None] * PHASE + 0.1 * noise(6)).reshape(2, 3, -1)
    together = measure(curves, steps_per_epoch=T)
    assert together.drop.shape == (2, 3)
    assert together.profile.shape == (2, 3, T)
    for i in range(2):
        for j in range(3):
            alone = measure(curves[i, j], steps_per_epoch=T)
            assert together.drop[i, j] == pytest.approx(alone.drop)
            assert together.p_value[i, j] == pytest.approx(alone.p_value)


def test_the_paper_setting():
    curve = simulate(QuadraticProblem.sample(), Adam(lr=0.06, beta2=[0.999, 0.8]))
    result = measure(curve)
    assert (result.p_value < 1e-6).all()
    assert result.drop[1] > result.drop[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ["steps_per_epoch", "None"]),
        ({"steps_per_epoch": 0}, ["steps_per_epoch", "at least 1", "0"]),
        ({"steps_per_epoch": 5, "steps": [1, 2]}, ["steps", "10", "(2,)"]),
        ({"steps_per_epoch": 5, "steps": np.ones(10)}, ["steps", "increasing"]),
        ({"steps_per_epoch": 5, "window": 6}, ["window", "at most 5", "6"]),
        ({"steps_per_epoch": 5, "skip_epochs": -1}, ["skip_epochs", "at least 0", "-1"]),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=r".") as error:
        measure(np.arange(10.0), **arguments)
    for word in words:
        assert word in str(error.value)


def test_a_curve_brings_its_own_epochs():
    with pytest.raises(ValueError, match="steps_per_epoch must be left out"):
        measure(Curve(np.ones(10), 5), steps_per_epoch=4)
