"""What a million runs of the paper's problem cost on 1, 8 and 100 GPUs: measured parts, on paper.

Run with `python -m benchmarks.scale_out`; it prints the tables and writes them to
`benchmarks/scale_out.md`. `--runs`, `--runs-per-second`, `--runs-per-job` and `--start` set what is
assumed; with other values than the defaults it only prints.

Measured on this machine: runs a second, what a sweep adds to each job through each executor, how
long a fresh worker needs, and the size of a record. A sweep has one process that hands out jobs and
writes records; so the time of n jobs on G GPUs is

    start + max(ceil(n / G) * runs per job / rate, n * time of that process per job).
"""

import argparse
import functools
import math
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._page import made, median_seconds, table, write
from esp_lib import Adam, QuadraticProblem, measure, simulate
from esp_lib.records.record import RunRecord
from esp_lib.records.store import save
from esp_lib.records.sweeps import Job, process_pool, sweep

DEVICES = (1, 8, 100)
WATTS = 700  # the most that an H200 SXM takes, NVIDIA's data sheet
STEPS = 1000  # of one run of the paper's problem
MEASURES = ("drop", "rise", "amplitude", "noise", "p_value")  # what is kept of a run
EXECUTORS = ("none, one process", "process pool", "dask")
WORKERS = 2
SIDE = 16  # of the (beta2, eps) map that is timed
SMALL_JOBS, LARGE_JOBS = 100, 4  # that are timed, keeping measures or whole curves


@dataclass(frozen=True)
class Assumed:
    """What the paper takes for granted."""

    runs: int = 1_000_000
    runs_per_second: float = 5000.0  # of one H200 in float64: this project's goal, not measured
    runs_per_job: int = 4096  # a job is a map of settings on one problem and order
    start: float = 10.0  # seconds until a GPU worker trains: imports, CUDA, compilation; a guess


@dataclass(frozen=True)
class Cost:
    """Of all runs on some devices."""

    devices: int
    seconds: float
    limit: str  # what takes longest: "training", "start" or "one writer"
    efficiency: float  # time on devices without any loss, of the time taken

    @property
    def device_hours(self) -> float:
        return self.devices * self.seconds / 3600


def cost(assumed: Assumed, devices: int, job_seconds: float) -> Cost:
    """The cost on `devices`; `job_seconds` is what the sweep's own process spends on a job."""
    jobs = math.ceil(assumed.runs / assumed.runs_per_job)
    parts = {
        "training": math.ceil(jobs / devices) * assumed.runs_per_job / assumed.runs_per_second,
        "one writer": jobs * job_seconds,
        "start": assumed.start,
    }
    seconds = parts["start"] + max(parts["training"], parts["one writer"])
    ideal = assumed.runs / assumed.runs_per_second / devices
    return Cost(devices, seconds, max(parts, key=lambda name: parts[name]), ideal / seconds)


# ----------------------------------------------------------------------------------- what is timed


def train(job: Job) -> RunRecord:
    """A map of SIDE x SIDE settings, run and measured."""
    beta2, eps = np.linspace(0.75, 0.999, SIDE)[:, None], np.logspace(-10, -2, SIDE)
    problem = QuadraticProblem.sample(seed=job.seed)
    curve = simulate(problem, Adam(lr=0.06, beta2=beta2, eps=eps), seed=job.seed)
    tooth = measure(curve)
    arrays = {name: getattr(tooth, name).ravel() for name in MEASURES}
    arrays["loss"] = curve.loss.reshape(SIDE**2, -1)
    return make_record(job, arrays)


def hand_back(job: Job) -> RunRecord:
    """A record of the size that a job's would have, without any training."""
    return make_record(job, made_up(job.config["runs"], job.config["curves"]))


@functools.cache
def made_up(runs: int, curves: bool) -> dict[str, np.ndarray]:
    """Arrays in the shapes of results."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.random(runs) for name in MEASURES}
    return {**arrays, "loss": rng.random((runs, STEPS))} if curves else arrays


def make_record(job: Job, arrays: dict[str, np.ndarray]) -> RunRecord:
    return RunRecord(job.name, job.profile, job.seed, job.config, arrays, {}, "finished")


def make_jobs(count: int, runs: int = SIDE**2, curves: bool = True) -> list[Job]:
    return [Job("map", "cpu", seed, {"runs": runs, "curves": curves}) for seed in range(count)]


@contextmanager
def opened(name: str, workers: int = WORKERS) -> Iterator[Executor | None]:
    """The executor of a name."""
    if name == "process pool":
        with process_pool(workers) as pool:
            yield pool
    elif name == "dask":
        from distributed import Client, LocalCluster

        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            yield client.get_executor(pure=False)
    else:
        yield None


# ---------------------------------------------------------------------------------------- measured


def runs_per_second(rounds: int = 5) -> float:
    """Runs a second in this process, on all its cores."""
    (job,) = make_jobs(1)
    return SIDE**2 / median_seconds(lambda: train(job), rounds)


def bytes_per_run() -> tuple[float, float]:
    """Bytes of a record for each run of its job: the measures alone, and with the curves."""
    record = train(make_jobs(1)[0])
    short = {name: record.arrays[name] for name in MEASURES}
    with tempfile.TemporaryDirectory() as folder:
        sizes = [
            save(make_record(make_jobs(1)[0], dict(arrays)), folder).stat().st_size
            for arrays in (short, record.arrays)
        ]
    return sizes[0] / SIDE**2, sizes[1] / SIDE**2


def seconds_per_job(name: str, runs: int, curves: bool, count: int) -> float:
    """What a sweep adds to each of `count` jobs: to hand it out, bring it back and save it."""
    with opened(name) as executor, tempfile.TemporaryDirectory() as folder:
        warm = make_jobs(2 * WORKERS, runs, curves)
        sweep(warm, hand_back, Path(folder) / "warm", executor=executor, report=quiet)
        began = time.perf_counter()
        jobs = make_jobs(count, runs, curves)
        sweep(jobs, hand_back, Path(folder) / "timed", executor=executor, report=quiet)
        return (time.perf_counter() - began) / count


def start_seconds(name: str) -> float:
    """Until one fresh worker has trained its first map, less the time of its second."""
    began = time.perf_counter()
    with opened(name, workers=1) as executor:
        assert executor is not None
        marks = [began]
        for job in make_jobs(2):
            executor.submit(train, job).result()
            marks.append(time.perf_counter())
    return (marks[1] - marks[0]) - (marks[2] - marks[1])


def quiet(line: str) -> None:
    """A report that nobody reads."""


# -------------------------------------------------------------------------------------- the report


def cost_table(assumed: Assumed, job_seconds: float) -> list[str]:
    """The cost on each number of devices, as Markdown."""
    rows = []
    for devices in DEVICES:
        each = cost(assumed, devices, job_seconds)
        hours = each.device_hours
        energy, share = f"{hours * WATTS / 1000:.2f}", f"{100 * each.efficiency:.2g} %"
        rows.append(
            [str(devices), duration(each.seconds), f"{hours:.2f}", energy, share, each.limit]
        )
    head = ["GPUs", "time", "GPU-hours", "kWh at most", "efficiency", "most of it is"]
    return table(head, rows)


def duration(seconds: float) -> str:
    """For reading: "8.1 s", "12 min", "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def rate_assumed(assumed: Assumed) -> str:
    """The rate on a GPU in words, and where it is from if nobody chose another."""
    goal = assumed.runs_per_second == Assumed.runs_per_second
    source = " (this project's goal for one H200 in float64)" if goal else ""
    return f"{assumed.runs_per_second:,.0f} full runs a second on each GPU{source}"


def report(assumed: Assumed) -> list[str]:
    """Measure, and put the tables together."""
    rate = runs_per_second()
    short, long = bytes_per_run()
    small = {n: seconds_per_job(n, assumed.runs_per_job, False, SMALL_JOBS) for n in EXECUTORS}
    large = {n: seconds_per_job(n, assumed.runs_per_job, True, LARGE_JOBS) for n in EXECUTORS}
    starts = {name: f"{start_seconds(name):.1f} s" for name in EXECUTORS[1:]}
    small_ms = {name: f"{1e3 * value:.1f} ms" for name, value in small.items()}
    large_ms = {name: f"{1e3 * value:.0f} ms" for name, value in large.items()}
    adds = f"adds to a job of {assumed.runs_per_job} runs, measures kept"
    head = ["executor", "a worker starts in", adds, "with loss curves"]
    rows = [[name, starts.get(name, ""), small_ms[name], large_ms[name]] for name in small]
    keeps_up = small["dask"] * assumed.runs_per_second * max(DEVICES)
    return [
        "## Measured",
        "",
        f"This machine simulates and measures {rate:.0f} runs a second on all its cores: "
        f"{assumed.runs:,} runs take it {duration(assumed.runs / rate)}.",
        "",
        *table(head, rows),
        f"A record takes {short:.0f} bytes a run for {len(MEASURES)} measures, {long:,.0f} with "
        f"the loss of every step: {short * assumed.runs / 1e9:.2f} or "
        f"{long * assumed.runs / 1e9:.1f} GB for {assumed.runs:,} runs.",
        "",
        f"## On paper: {assumed.runs:,} runs",
        "",
        f"**Assumed, not measured:** {rate_assumed(assumed)}, "
        f"{assumed.start:g} s until a worker with a GPU trains, {WATTS} W for each GPU (the most "
        "that its data sheet allows), and that dask takes as long to hand out a job on a cluster "
        "as here, within one machine.",
        "",
        "Measures kept:",
        "",
        *cost_table(assumed, small["dask"]),
        "Loss curves kept as well:",
        "",
        *cost_table(assumed, large["dask"]),
        "Efficiency is the time without start, waiting and idle GPUs over the time with them. "
        f"The one process that writes keeps up with {max(DEVICES)} GPUs from "
        f"{keeps_up:,.0f} runs a job, if measures are kept.",
        "",
        f"Measured with {WORKERS} workers on {made()}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    usual = Assumed()
    parser.add_argument("--runs", type=int, default=usual.runs)
    parser.add_argument("--runs-per-second", type=float, default=usual.runs_per_second)
    parser.add_argument("--runs-per-job", type=int, default=usual.runs_per_job)
    parser.add_argument("--start", type=float, default=usual.start, help="seconds")
    assumed = Assumed(**vars(parser.parse_args()))
    lines = report(assumed)
    if assumed != usual:
        print("\n".join(lines))
        return
    about = "; [docs/scale-out.md](../docs/scale-out.md) says how to run them."
    write(__file__, "What many runs cost", lines, about)


if __name__ == "__main__":
    main()
