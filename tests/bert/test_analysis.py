"""`esp_lib.bert.curves` against records whose loss is made by a known law."""

import numpy as np
import pytest

from esp_lib.bert.curves import (
    curve,
    drop_at,
    last_loss,
    late_tooth,
    line_rise,
    model_size,
    probes,
    smoothed,
    validation,
)
from esp_lib.bert.embeddings import drift, row_sizes
from esp_lib.bert.forgetting import forgetting, freshness, last_visits
from esp_lib.bert.recorder import probe_places
from esp_lib.records.record import RunRecord
from esp_lib.sampling.orders import make_order
from esp_lib.sawtooth.statistics import Estimate, agree, mean_error, ratio

PER_EPOCH, BATCH, EPOCHS = 60, 8, 8
PAIRS = PER_EPOCH * BATCH
PROBED = (4, 6)
GAIN, CLIMB, FRESH, FADE = 0.3, 0.1, 0.2, 8.0  # nats, nats an epoch, nats, steps


def config(order="reshuffle", seed=0):
    return {
        "order": order, "epochs": EPOCHS, "batch_size": BATCH, "seed": seed,
        "steps_per_epoch": PER_EPOCH, "corpus": {"pairs": PAIRS}, "lr": 0.5,
    }  # fmt: skip


def record(arrays, seed=0, order="reshuffle", name="made"):
    return RunRecord(name, "quick", seed, config(order, seed), arrays, {}, "finished")


def visits(seed, order="reshuffle"):
    table = make_order(order, num_functions=PAIRS, epochs=EPOCHS, batch_size=BATCH, seed=seed)
    return table.reshape(-1, BATCH)


def law(seed):
    """A record whose followed pairs obey: own level + climb - gain a visit - fresh exp(-wait)."""
    random = np.random.default_rng(seed)
    own = 5 + random.normal(0, 0.1, PAIRS)
    count, last = np.zeros(PAIRS), np.full(PAIRS, -np.inf)
    steps, losses, logged = [], [], []
    places = probe_places(PER_EPOCH)

    def now(t):
        return own + CLIMB * t / PER_EPOCH - GAIN * count - FRESH * np.exp(-(t - last) / FADE)

    for step, batch in enumerate(visits(seed)):
        logged.append(now(step)[batch].mean())
        count[batch] += 1
        last[batch] = step + 1
        epoch, at = divmod(step, PER_EPOCH)
        if epoch in PROBED and at + 1 in places:
            steps.append(step + 1)
            losses.append(now(step + 1) + random.normal(0, 0.01, PAIRS))
    arrays = {
        "probe_step": np.array(steps, np.int32),
        "probe_loss": np.array(losses, np.float32),
        "mlm_loss": np.array(logged, np.float32),
    }
    return record(arrays, seed)


EDGES = np.array([0, 1, 3, 6, 12, 24, 40, 60, 75, 90, 120])


def test_last_visits_agrees_with_looking_each_up():
    made = law(3)
    at = [1, 7, PER_EPOCH, 3 * PER_EPOCH + 5]
    found = last_visits(made, at, 50)
    table = visits(3)
    for moment, row in zip(at, found, strict=True):
        for pair in range(50):
            seen = [step + 1 for step in range(moment) if pair in table[step]]
            assert row[pair] == (seen[-1] if seen else 0)


def test_forgetting_finds_the_law_that_made_the_losses():
    found = forgetting([law(seed) for seed in range(3)], EDGES)
    assert found.gain.mean == pytest.approx(GAIN, abs=0.01)
    assert found.gain.error < 0.01
    truth = -FRESH * np.exp(-found.wait / FADE)
    assert found.fresh[1:] == pytest.approx(truth[1:], abs=0.012)
    assert found.common.shape == (6, len(probe_places(PER_EPOCH)))
    climb = CLIMB * (found.phase - found.phase[0])
    assert found.common.mean(axis=0) == pytest.approx(climb, abs=0.012)


def test_the_parts_add_up_to_the_logged_rise_and_drop():
    runs = [law(seed) for seed in range(4)]
    found = forgetting(runs, EDGES)
    fresh = freshness(found, "reshuffle", PER_EPOCH)
    tooth = late_tooth(runs)
    rise = line_rise(fresh) + found.common[:, -1].mean()
    drop = found.gain.mean + line_rise(fresh)
    assert rise == pytest.approx(tooth["rise"].mean, abs=0.04)
    assert drop == pytest.approx(tooth["drop"].mean, abs=0.04)
    assert abs(rise - drop + GAIN - CLIMB) < 0.02


def test_freshness_averages_over_the_waits_of_an_order():
    found = forgetting([law(0)], EDGES)
    fresh = freshness(found, "reshuffle", PER_EPOCH)
    waits = np.arange(1, PER_EPOCH + 1)
    first = np.interp(waits, found.wait, found.fresh).mean()  # uniform on 1 ... T at step 0
    assert fresh[0] == pytest.approx(first)
    assert fresh[-1] > fresh[0]


def test_late_tooth_takes_the_larger_of_the_two_errors():
    random = np.random.default_rng(0)
    ramp = np.tile(np.linspace(0, 1, PER_EPOCH), EPOCHS)
    runs = [
        record(
            {"mlm_loss": (size * ramp + random.normal(0, 0.01, ramp.size)).astype(np.float32)}, i
        )
        for i, size in enumerate((0.5, 1.0, 1.5))
    ]
    found = late_tooth(runs)
    assert found["drop"].mean == pytest.approx(1.0, abs=0.03)
    assert found["drop"].error == pytest.approx(np.std([0.5, 1, 1.5], ddof=1) / 3**0.5, rel=0.1)
    alone = late_tooth(runs[:1])
    assert 0 < alone["drop"].error < 0.02
    fixed = late_tooth([record(runs[0].arrays, order="fixed")])
    boundaries = EPOCHS - EPOCHS // 2 - 1
    assert fixed["drop"].error == pytest.approx(alone["drop"].error * boundaries**0.5)


def test_drift_measures_only_rows_that_nobody_read():
    places = probe_places(PER_EPOCH)
    steps = np.array([e * PER_EPOCH + p for e in PROBED for p in places])
    starts = np.array([e * PER_EPOCH + p for e in PROBED for p in (0, *places[:-1])])
    rare = np.arange(20)
    table = visits(0)
    moved = np.empty((len(steps), rare.size), np.float32)
    for i, (start, stop) in enumerate(zip(starts, steps, strict=True)):
        for j, pair in enumerate(rare):
            read = any(pair in table[step] for step in range(start, stop))
            moved[i, j] = 1000.0 if read else 0.25 * 0.5 * (stop - start)  # a quarter rate a step
    made = record({"rare_pair": rare, "rare_moved": moved, "probe_step": steps})
    found = drift([made], np.array([0, 20, 60, 120]))
    assert found.speed == pytest.approx(0.25, rel=1e-5)
    assert (np.diff(found.wait) > 0).all()


def test_row_sizes_bins_by_count():
    count = np.array([0, 0, 1, 1, 50, 60, 70])
    before = np.ones(7)
    after = np.array([0.2, 0.4, 0.5, 0.7, 1.0, 1.0, 1.3])
    made = record({"token_count": count, "row_norm": np.stack([before, after])})
    found = row_sizes([made, made], np.array([0, 1, 2, 100]))
    assert found.readings == pytest.approx([0, 1, 60])
    assert found.size == pytest.approx([0.3, 0.6, 1.1])
    assert found.rows.tolist() == [4, 4, 6]


def test_smoothing_is_the_published_scripts():
    values = np.array([4.0, 2.0, 2.0])
    assert smoothed(values, 0.75) == pytest.approx([4, 2.5, 2.125])
    assert smoothed(values, 1.0) == pytest.approx(values)
    assert values.tolist() == [4, 2, 2]


def test_curves_and_validation_stack_the_seeds():
    arrays = {
        "mlm_loss": np.arange(EPOCHS * PER_EPOCH, dtype=np.float32),
        "valid_step": np.array([30, 60], np.int32),
        "valid_mlm_loss": np.array([3.0, 2.0], np.float32),
    }
    runs = [record(arrays, seed) for seed in range(2)]
    assert curve(runs).loss.shape == (2, EPOCHS * PER_EPOCH)
    assert curve(runs).steps_per_epoch == PER_EPOCH
    assert validation(runs).values.tolist() == [[3, 2], [3, 2]]
    assert validation(runs).steps.tolist() == [30, 60]


def test_probes_average_over_the_followed_pairs():
    found = probes([law(0), law(1)])
    assert list(found) == list(PROBED)
    phase, losses = found[4]
    assert losses.shape == (2, len(probe_places(PER_EPOCH)))
    assert phase[0] == pytest.approx(1 / PER_EPOCH)
    assert phase[-1] == 1


def test_line_rise_and_mean_error_against_numpy():
    random = np.random.default_rng(1)
    losses = random.normal(size=(3, 40)) + np.linspace(0, 2, 40)
    slope = np.polyfit((np.arange(40) + 0.5) / 40, losses.T, 1)[0]
    assert line_rise(losses) == pytest.approx(slope)
    estimate = mean_error(np.array([1.0, 2.0, 6.0]))
    assert estimate.mean == 3
    assert estimate.error == pytest.approx(np.std([1, 2, 6], ddof=1) / 3**0.5)
    assert np.isnan(mean_error(np.array([1.0])).error)


def test_a_ratio_of_estimates_has_the_error_of_both():
    random = np.random.default_rng(0)
    a, b = random.normal(4, 0.02, 100_000), random.normal(2, 0.01, 100_000)
    found = ratio(Estimate(4.0, 0.02), Estimate(2.0, 0.01))
    assert found.mean == 2
    assert found.error == pytest.approx((a / b).std(), rel=0.02)


def test_values_agree_within_a_fifth_or_three_errors():
    assert agree((1.19, 0.0), (1.0, 0.0))
    assert not agree((1.21, 0.0), (1.0, 0.0))
    assert agree((1.4, 0.1), (1.0, 0.1))


def test_drops_are_taken_where_the_loss_is_near_a_level():
    """The loss falls by 1 at each boundary and more and more: by 10, 9, ... 1."""
    level = np.repeat(np.cumsum([0, *range(-9, 0)])[:EPOCHS] + 50.0, PER_EPOCH)
    runs = [record({"mlm_loss": level})]
    found = drop_at(runs, float(level[-1]))
    assert found.mean == pytest.approx(np.mean([3, 4, 5]), abs=0.01)
    assert last_loss(runs) == level[-1]


def test_the_size_of_a_network_is_written():
    one = record({})
    one.config["model"] = {"hidden": 128, "blocks": 2}
    assert model_size([one]) == "128 × 2"
