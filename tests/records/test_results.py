"""The committed run records: all there, intact, small, and of the runs that chapters ask for."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from esp_lib import measure
from esp_lib.bert.ablations import jobs
from esp_lib.bert.curves import curve
from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.finetuning import studies
from esp_lib.finetuning.seed_variance import unpack
from esp_lib.finetuning.training import evaluation_steps
from esp_lib.logs.read import parse_log
from esp_lib.records.store import load, load_folder
from esp_lib.records.sweeps import same_config
from tests.conftest import ROOT

RESULTS = ROOT / "results"
CPU = jobs("cpu")
FINE_TUNED = studies.jobs("cpu")


def test_no_record_is_damaged():
    found = load_folder(RESULTS)
    assert found.damaged == ()
    assert found.records


def test_the_readme_says_how_long_the_runs_of_the_cpu_profile_took():
    seconds = sum(record.made["seconds"] for record in load_folder(RESULTS, "cpu").records)
    hours = {1: "an hour", 2: "two hours", 3: "three hours"}[round(seconds / 2 / 3600)]
    readme = (ROOT / "README.md").read_text("utf8")
    assert re.search(rf"runs train --profile cpu +# {hours} on two cores$", readme, flags=re.M)


def test_all_records_together_stay_small():
    megabytes = sum(path.stat().st_size for path in RESULTS.glob("*/*.npz")) / 1e6
    assert megabytes <= 12


@pytest.mark.parametrize("job", CPU, ids=lambda job: job.label)
def test_each_run_of_the_cpu_profile_is_recorded_whole(job):
    record = load(job.path(RESULTS))
    assert same_config(record, job)
    assert record.status == "finished"
    steps = job.config.steps
    for series in ("mlm_loss", "nsp_loss"):
        assert record.arrays[series].shape == (steps,)
        assert np.isfinite(record.arrays[series]).all()
    at = record.arrays["valid_step"]
    assert at[-1] == steps // job.config.validate_every * job.config.validate_every
    assert {"date", "seconds", "device", "versions", "commit", "corpus"} <= set(record.made)
    assert "changes" not in record.made["commit"]


@pytest.mark.parametrize("job", FINE_TUNED, ids=lambda job: job.label)
def test_each_fine_tuning_of_the_cpu_profile_is_recorded_whole(job):
    record, config = load(job.path(RESULTS)), job.config
    assert same_config(record, job)
    assert record.status == "finished"
    assert record.arrays["train_loss"].shape == (config.order_seeds, config.steps)
    assert record.arrays["valid_step"].tolist() == evaluation_steps(config)
    points = (config.order_seeds, config.epochs * config.evaluations)
    assert record.arrays["valid_loss"].shape == points
    assert unpack(record).shape == (*points, len(record.arrays["label"]))
    assert "changes" not in record.made["commit"]


def test_all_fine_tuning_starts_from_one_network_and_each_task_is_one():
    made = {job.label: load(job.path(RESULTS)).made for job in FINE_TUNED}
    assert len({one["weights"] for one in made.values()}) == 1
    sets = {(j.config.task, j.config.max_len, j.config.examples) for j in FINE_TUNED}
    assert len({one["task"] for one in made.values()}) == len(sets)


def test_validation_losses_and_predictions_of_a_record_belong_together():
    """A loss below ln 2 / n of a wrong answer is impossible: each wrong one costs at least ln 2."""
    record = load(FINE_TUNED[0].path(RESULTS))
    wrong = (unpack(record) != record.arrays["label"].astype(bool)).mean(axis=-1)
    assert (record.arrays["valid_loss"] > wrong * np.log(2)).all()


@pytest.mark.skipif("ESP_SHARED" not in os.environ, reason="ESP_SHARED names no folder")
def test_first_steps_of_a_record_can_be_recomputed(monkeypatch):
    """The baseline's first losses, within what another processor may do to float32 sums."""
    import torch

    from esp_lib.bert import model
    from esp_lib.bert.corpus import make_corpus
    from esp_lib.bert.distributed import join
    from esp_lib.bert.pretraining import learning_rate
    from esp_lib.bert.trainer import Training

    make = model.Places.__init__  # the record was made when padding was computed, too
    monkeypatch.setattr(
        model.Places, "__init__", lambda self, lengths, L, packed: make(self, lengths, L, False)
    )

    monkeypatch.setenv("ESP_DATA", str(Path(os.environ["ESP_SHARED"]) / "data"))
    job = CPU[0]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        processes, place = join(torch.device("cpu"))
        training = Training(job.config, make_corpus(job.config.corpus), place, processes)
        training.begin(0)
        for step in range(12):
            training.step(learning_rate(job.config, step))
    finally:
        torch.set_num_threads(threads)
    recorded = load(job.path(RESULTS)).arrays["mlm_loss"][:12]
    np.testing.assert_allclose(training.log[:12, 0].numpy(), recorded, atol=2e-3)


def test_all_runs_read_the_same_text():
    assert len({load(job.path(RESULTS)).made["corpus"] for job in CPU}) == 1


def test_seeds_differ_and_runs_that_differ_by_their_settings_start_alike():
    first = {job.label: load(job.path(RESULTS)).arrays["mlm_loss"][0] for job in CPU}
    assert first["baseline-seed0"] != first["baseline-seed1"]
    assert first["baseline-seed0"] == first["beta2-0.8-seed0"]  # the same weights and batch


def test_every_shuffled_run_of_the_baseline_has_the_tooth():
    records = [load(job.path(RESULTS)) for job in CPU if job.name == "baseline"]
    assert (measure(curve(records)).p_value < 1e-6).all()


@pytest.mark.parametrize(
    ("name", "verdict", "cause"),
    [
        ("baseline", "sawtooth", "reshuffling"),
        ("beta2-0.8", "sawtooth", "reshuffling"),
        ("sgd", "sawtooth", "reshuffling"),
        ("fixed", "none", "fixed order"),
        ("replacement", "none", None),
        ("masks-afresh", "none", None),
    ],
)
def test_the_diagnosis_is_right_about_recorded_runs(name, verdict, cause):
    job = next(job for job in CPU if job.name == name)
    losses = load(job.path(RESULTS)).arrays["mlm_loss"]
    rows = [f"{step},{loss}" for step, loss in enumerate(losses, start=1)]
    found = diagnose(parse_log("step,loss\n" + "\n".join(rows)), job.config.steps_per_epoch)
    assert found.verdict == verdict
    if cause:
        assert found.cause == cause
