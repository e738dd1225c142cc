"""The committed run records: all there, intact, small, and of the runs that chapters ask for."""

import numpy as np
import pytest

from esp_lib import measure
from esp_lib.diagnose import diagnose
from esp_lib.factors import jobs
from esp_lib.logs import parse_log
from esp_lib.recorded import curve
from esp_lib.runs import load, load_folder
from esp_lib.sweeps import same_config
from tests.conftest import ROOT

RESULTS = ROOT / "results"
CPU = jobs("cpu")


def test_no_record_is_damaged():
    found = load_folder(RESULTS)
    assert found.damaged == ()
    assert found.records


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
