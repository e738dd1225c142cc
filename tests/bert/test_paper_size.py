"""Runs at the paper's size against the published curves: what is drawn, what is measured."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from esp_lib import figures, published
from esp_lib.bert import ablations, paper_size
from esp_lib.records.record import RunRecord, config_key
from esp_lib.records.store import save

STEPS = 200  # an epoch
EVERY = published.BERT_TINY_EVERY


def record(epochs=4, planned=6, drop=0.3, noise=0.0, seed=0):
    """A run whose loss drops by `drop` at each boundary and climbs by half of it."""
    random = np.random.default_rng(seed)
    phase = np.tile((np.arange(STEPS) + 0.5) / STEPS, epochs)
    epoch = np.repeat(np.arange(epochs), STEPS)
    loss = 5 - drop / 2 * epoch + drop / 2 * phase + noise * random.normal(size=phase.size)
    at = np.arange(EVERY, epochs * STEPS + 1, EVERY)
    level = np.linspace(4, 3, at.size, dtype=np.float32)
    checks = {name: level for name in paper_size.SERIES.values() if name.startswith("valid")}
    return RunRecord(
        name="baseline",
        profile="paper",
        seed=0,
        config={"epochs": planned, "steps_per_epoch": STEPS},
        arrays={
            "mlm_loss": loss.astype(np.float32),
            "nsp_loss": loss.astype(np.float32),
            "valid_step": at.astype(np.int32),
            **checks,
        },
        made={},
        status="finished" if epochs == planned else "stopped",
    )


def test_how_much_of_a_run_there_is():
    assert paper_size.complete_epochs(record()) == 4
    assert paper_size.how_far(record()) == "the first 4 of 6 epochs"
    assert paper_size.how_far(record(epochs=6)) == "6 epochs"


def test_what_frequencies_alone_tell():
    """ln 8 for eight sub-words that are equally frequent; special ones and absent ones are none."""
    run = record()
    run.arrays["token_count"] = np.array([99, 1, 5, 7, 3, *[10] * 8, 0], np.int32)
    assert paper_size.frequencies_alone(run) == pytest.approx(np.log(8))


def test_curves_are_smoothed_as_the_published_script_does():
    """Means over 50 steps, then 0.75 of each plus 0.25 of the smoothed one before."""
    run = record(noise=0.2)
    drawn = paper_size.ours(run, "mlm_train_loss")
    means = run.arrays["mlm_loss"].astype(float).reshape(-1, EVERY).mean(axis=1)
    wanted = [means[0]]
    for value in means[1:]:
        wanted.append(0.75 * value + 0.25 * wanted[-1])
    np.testing.assert_allclose(drawn.value, wanted, rtol=1e-12)
    np.testing.assert_array_equal(drawn.step, np.arange(1, len(means) + 1) * EVERY)
    checked = paper_size.ours(run, "mlm_val_acc")
    np.testing.assert_array_equal(checked.step, run.arrays["valid_step"])


def test_the_drop_is_measured_like_the_published_one():
    long = record(epochs=4)
    found = paper_size.ours(long, "mlm_train_loss").tooth()
    assert found.drops.shape == (3,)
    assert 0.2 < found.drops.mean() <= 0.3  # smoothing takes some of it
    theirs = paper_size.theirs("mlm_train_loss")
    assert theirs.tooth().drops.shape == (29,)
    assert paper_size.theirs("mlm_train_loss").until(5).epoch.max() <= 5


@pytest.mark.parametrize("series", list(paper_size.SERIES))
def test_each_published_curve_has_ours_beside_it(series):
    ax = paper_size.beside_published(record(), "(a)", [(series, "training", "#0b62a8")], "nats")
    mine, theirs = (line for line in ax.get_lines() if len(line.get_xdata()) > 2)
    assert mine.get_label() == "training"
    assert theirs.get_label() == "training, paper"
    assert max(mine.get_xdata()) == 4
    assert max(theirs.get_xdata()) <= 4
    assert ax.get_xlim() == (0, 4)


def test_drops_of_runs_and_of_the_paper_in_one_panel():
    ax = paper_size.drop_by_drop(
        [(record(), "β₂ = 0.999", "#0b62a8"), (record(drop=0.5), "β₂ = 0.8", "#09765a")], "(d)"
    )
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert len(lines["paper"].get_xdata()) == 3
    assert np.mean(lines["β₂ = 0.8"].get_ydata()) > np.mean(lines["β₂ = 0.999"].get_ydata())


def test_records_are_found_however_few_there_are(tmp_path, monkeypatch):
    assert ablations.PRETRAINING.on_disk("paper", folder=tmp_path) == {}
    job = ablations.jobs("paper")[0]
    part = RunRecord(
        name=job.name,
        profile="paper",
        seed=job.seed,
        config={**asdict(job.config), "steps_per_epoch": job.config.steps_per_epoch},
        arrays={"mlm_loss": np.zeros(1323, np.float32)},
        made={},
        status="stopped",
    )
    save(part, tmp_path)
    found = ablations.PRETRAINING.on_disk("paper", folder=tmp_path)
    assert list(found) == ["baseline"]
    assert found["baseline"][0].status == "stopped"
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    assert paper_size.recorded(["baseline"]) == {}  # one epoch is too few
    save(replace(part, arrays={"mlm_loss": np.zeros(4 * 1323, np.float32)}), tmp_path)
    assert list(paper_size.recorded(["baseline", "half"])) == ["baseline"]
    other = RunRecord(
        name="beta2-0.8",
        profile="paper",
        seed=0,
        config={"epochs": 1},
        arrays={},
        made={},
        status="finished",
    )
    assert config_key(other.config) != config_key(asdict(job.config))
    save(other, tmp_path)  # of other settings
    assert list(ablations.PRETRAINING.on_disk("paper", folder=tmp_path)) == ["baseline"]
    with pytest.raises(ValueError, match="names must be one of"):
        ablations.PRETRAINING.on_disk("paper", ["unknown"], tmp_path)


def test_settings_are_compared_in_three_panels_each_as_far_as_it_goes():
    runs = {"β₂ = 0.999": record(), "β₂ = 0.8": record(epochs=3, seed=1, noise=0.1)}
    drawn = [(run, label, figures.beta2_color(0.8)) for label, run in runs.items()]
    training, validation, drops = paper_size.compared(drawn)
    for ax in (training, validation, drops):
        ends = {line.get_label(): max(line.get_xdata()) for line in ax.get_lines()}
        assert ends["β₂ = 0.999"] == ends["β₂ = 0.8"] + 1
    assert "paper" in [line.get_label() for line in drops.get_lines()]
    assert paper_size.shared_epochs(runs.values()) == 3
    assert paper_size.how_far_each(runs) == (
        "the first 4 of 6 epochs (β₂ = 0.999), the first 3 of 6 epochs (β₂ = 0.8)"
    )
    assert paper_size.how_far_each({"a": record(), "b": record()}) == "the first 4 of 6 epochs"


def test_names_of_runs_that_end_together_stand_apart():
    runs = [(record(), "whole"), (record(epochs=3), "one"), (record(epochs=3, drop=0.5), "two")]
    training, _, drops = paper_size.compared([(run, label, "#0b62a8") for run, label in runs])
    for ax in (training, drops):
        short = [text.xyann for text in ax.texts if text.get_text() in ("one", "two")]
        assert len(set(short)) == 2


def test_two_runs_are_compared_step_by_step_over_the_epochs_that_both_have():
    """A drop of 0.5 less one of 0.3, and half of each as the rise; the noise is that of both."""
    more = record(epochs=5, drop=0.5, noise=0.2)
    found = paper_size.difference(more, record(epochs=4, drop=0.3, noise=0.2))
    np.testing.assert_array_equal(found.boundaries, [2, 3])
    np.testing.assert_allclose(found.drops, 0.2, atol=1e-6)
    assert found.rise == pytest.approx(0.1, abs=1e-3)


def test_a_fixed_order_has_the_error_of_one_epoch():
    shuffled, fixed = record(noise=0.2), record(noise=0.2)
    for run, order in ((shuffled, "reshuffle"), (fixed, "fixed")):
        run.config["order"] = order
    drop, rise = paper_size.drop_and_rise(shuffled, 1, 4)
    assert drop.mean > 3 * drop.error
    assert 0 < rise.mean < 0.15
    for narrow, wide in zip((drop, rise), paper_size.drop_and_rise(fixed, 1, 4), strict=True):
        assert wide.mean == narrow.mean
        assert wide.error == pytest.approx(narrow.error * 2**0.5)  # of two boundaries
