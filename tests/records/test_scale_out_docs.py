"""What the page on many runs says: its programs run, and its table is what a pencil says."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.scale_out import Assumed, Cost, cost, cost_table, rate_assumed
from esp_lib import Adam, QuadraticProblem, measure, simulate
from esp_lib.records.store import load_folder
from tests.conftest import ROOT

PROGRAM, ON_DASK = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/scale-out.md").read_text("utf8"), flags=re.S
)
PARTS = PROGRAM.partition("if __name__")


@pytest.mark.parametrize("how", ["process pool", "dask"])
def test_the_programs_write_the_records_that_the_page_names(tmp_path, how):
    if how == "dask":
        pytest.importorskip("distributed", reason="no dask.distributed: pip install '.[dask]'")
    script = tmp_path / "maps.py"
    script.write_text(PROGRAM if how == "process pool" else PARTS[0] + ON_DASK)
    command = [sys.executable, "-W", "error", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 runs: 0 on disk already, 4 to train\n")
    records = load_folder(tmp_path / "records").records
    assert [record.label for record in records] == [f"map-seed{seed}" for seed in range(4)]

    seed = 3
    curve = simulate(
        QuadraticProblem.sample(seed=seed), Adam(lr=0.06, beta2=0.9, eps=1e-8), seed=seed
    )
    np.testing.assert_allclose(records[seed].arrays["amplitude"][2, 1], measure(curve).amplitude)


PAPER = Assumed(runs=1000, runs_per_second=10.0, runs_per_job=100, start=5.0)  # ten jobs of 10 s


@pytest.mark.parametrize(
    ("devices", "job_seconds", "seconds", "limit"),
    [
        (1, 0.5, 105.0, "training"),
        (8, 0.5, 25.0, "training"),  # two rounds, though the second has two jobs
        (100, 0.5, 15.0, "training"),  # ninety have no job
        (100, 2.0, 25.0, "one writer"),
    ],
)
def test_the_cost_is_what_a_pencil_says(devices, job_seconds, seconds, limit):
    ideal = 100 / devices
    assert cost(PAPER, devices, job_seconds) == Cost(devices, seconds, limit, ideal / seconds)


def test_the_start_may_be_most_of_it():
    assert cost(replace(PAPER, start=11.0), 100, 0.5).limit == "start"


def test_only_the_default_rate_is_called_the_goal():
    assert rate_assumed(Assumed()) == (
        "5,000 full runs a second on each GPU (this project's goal for one H200 in float64)"
    )
    other = Assumed(runs_per_second=3200.0)
    assert rate_assumed(other) == "3,200 full runs a second on each GPU"


def test_the_table_has_hours_and_energy():
    row = cost_table(PAPER, 0.5)[3]
    assert row == "| 8 | 25.0 s | 0.06 | 0.04 | 50 % | training |"  # 8 x 25 s; 12.5 s of 25 s
