"""The diagnosis in JavaScript, in Node: it says what Python says, to the word and the number."""

import base64
import json
import math
import re
import subprocess
from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from esp_lib.diagnosis.diagnosis import Diagnosis, diagnose
from esp_lib.diagnosis.report import as_text
from esp_lib.diagnosis.trial.synthetic import RIGHT, as_log, draw, make
from esp_lib.diagnosis.trial.synthetic_files import corpus
from esp_lib.diagnosis.verdict import CAUSES, VERDICTS
from esp_lib.logs.log import Log, log_of_arrays
from esp_lib.logs.read import parse_log, read_log
from esp_lib.widgets._assets import bundle
from tests.diagnosis.page_worker import close
from tests.logs.in_node import CHOICES, as_json
from tests.logs.real_logs import REAL, labels, needs_real
from tests.node import evaluate, module, run_node

SCRIPTS = ("diagnosis/diagnosis.js", "diagnosis/report.js", "logs/read.js")


def in_node(node, folder, jobs):
    """[(diagnosis, text)] of jobs (log as JSON, steps per epoch), by one process."""
    for name in SCRIPTS:
        module(folder, name)
    (folder / "jobs.json").write_text(json.dumps(jobs), "utf-8")
    out = folder / "out.json"
    run_node(node, "diagnose.mjs", folder, folder / "jobs.json", out)
    return json.loads(out.read_text("utf-8"))


def plain(value):
    """A field of a diagnosis as JSON has it."""
    if isinstance(value, np.ndarray | tuple | list):
        return [plain(item) for item in (value.tolist() if hasattr(value, "tolist") else value)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def expected(found: Diagnosis):
    """A diagnosis under the names of JavaScript, without its log."""
    return {
        re.sub("_(.)", lambda match: match[1].upper(), field.name): plain(
            getattr(found, field.name) if field.name != "log" else None
        )
        for field in fields(found)
    }


def differences(node, folder, cases: "list[tuple[Log, float | None]]"):
    """Diagnose logs in both languages.

    Returns:
        [(case, field, JavaScript's, Python's)] of what differs; the text counts as a field.
    """
    answers = in_node(node, folder, [[as_json(log), length] for log, length in cases])
    return compare(answers, cases)


def compare(answers, cases):
    wrong = []
    for case, ((found, text), (log, length)) in enumerate(zip(answers, cases, strict=True)):
        by_python = diagnose(log, length)
        wanted = expected(by_python) | {"text": as_text(by_python, "page")}
        found = found | {"text": text}
        assert found.keys() == wanted.keys()
        wrong += [
            (case, name, found[name], value)
            for name, value in wanted.items()
            if not close(found[name], value)
        ]
    return wrong


def labelled(seeds, known):
    """Logs of every label, with their epoch length given or withheld."""
    runs = [draw(label, seed) for label in RIGHT for seed in seeds]
    return [
        (as_log(run, settings["every"]), run.steps_per_epoch if known else None)
        for run, settings in runs
    ]


def test_labelled_logs_get_the_same_diagnosis(node, tmp_path):
    cases = labelled(range(1_000, 1_012), True) + labelled(range(1_000, 1_005), False)
    answers = in_node(node, tmp_path, [[as_json(log), length] for log, length in cases])
    assert compare(answers, cases) == []
    assert len(cases) > 150
    assert {found["verdict"] for found, _ in answers} == set(VERDICTS)
    assert {found["cause"] for found, _ in answers} == {*CAUSES, None}


def boundary_points(seed):
    """A sawtooth of which each epoch's last point lies apart, as if it were evaluated there."""
    run = make("sawtooth", seed, size=4)
    run.loss[run.steps % run.steps_per_epoch == 0] -= 3.0
    return as_log(run, 1), run.steps_per_epoch


def test_points_left_out_at_the_boundary_leave_an_amplitude(node, tmp_path):
    cases = [boundary_points(seed) for seed in range(3)]
    answers = in_node(node, tmp_path, [[as_json(log), length] for log, length in cases])
    assert compare(answers, cases) == []
    for found, text in answers:
        assert "left out" in text
        assert found["amplitude"] > 0
        assert found["amplitudeInterval"][0] < found["amplitude"] < found["amplitudeInterval"][1]


def odd_log(seed):
    """A log as no training writes it, and steps per epoch to ask for, or none."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 3, 5, 13, 30, 100, 300, 1_000]))
    x = np.arange(n)
    T = float(rng.choice([4, 7, 10, 30, 50, 31.7]))
    steps = [
        x + 1.0,
        np.cumsum(rng.integers(1, 9, n)).astype(float),
        np.cumsum(rng.exponential(size=n) * rng.choice([0.01, 1, 1e3]) + 1e-3) + 1,
        (x + 1.0) * int(rng.choice([2, 7, 10, 100])),
        x + 1.0 + np.where(x >= n // 2, rng.choice([50, 1e4, 1e9, 1e15]), 0.0),
        1e9 + np.cumsum(rng.choice([1, 1, 1, 1, 500], n)),
    ][seed % 6]
    loss = [
        np.full(n, 2.5),
        rng.normal(size=n),
        x % T / T,
        1e70 * rng.normal(size=n),
        1e-300 * rng.normal(size=n),
        1 / (x + 1.0),
        np.round(2 - x / n / 3 + 0.1 * rng.normal(size=n), 2),
        np.where(x % 2, 1.0, -1.0),
        2 + x % T / T + 0.2 * rng.normal(size=n),
        1e-3 * rng.normal(size=n) - x // T,
        rng.standard_cauchy(n),
        np.exp(np.minimum(2.0 * x, 160)),
    ][seed // 6 % 12]
    evaluations = np.sort(rng.choice(n, min(n, int(rng.choice([1, 3, 4, 10]))), replace=False))
    validation = steps[evaluations], rng.choice([1, 1e100, 0]) * rng.normal(size=evaluations.size)
    rate = [None, 1e-3 * 0.1 ** (x // max(1, n // 4)), np.where(x % 3, np.nan, 1e-3), np.zeros(n)]
    gaps = np.sort(np.diff(steps))
    known = rng.choice([None, None, T, 10 * T])
    log = Log(
        steps=steps,
        loss=loss,
        epochs=None,
        validation=validation if rng.random() < 0.8 else None,
        learning_rate=rate[rng.integers(4)],
        steps_per_epoch=known,
        steps_per_epoch_error=0.0 if known is None else float(rng.choice([0, 0.5, 100])),
        interval=float(gaps[gaps.size // 2]) if gaps.size else 1.0,
        averaged=False,
        source="odd",
        notes=("a note",),
    )
    asked = rng.choice([None, None, T, 3, 1, steps[-1] / 3 + 1, 1e9, steps[-1]])
    return log, None if asked is None else max(1.0, float(asked))


def test_odd_logs_get_the_same_diagnosis_and_never_fail(node, tmp_path):
    cases = [odd_log(seed) for seed in range(216)]
    assert differences(node, tmp_path, cases) == []


def test_logs_of_any_length_get_the_same_diagnosis(node, tmp_path):
    loss = 2 + np.random.default_rng(0).normal(size=70)
    logs = [log_of_arrays(loss[:size]) for size in range(1, 71)]
    cases = [(log, length) for log in logs for length in (None, 7.0)]
    assert differences(node, tmp_path, cases) == []


def test_files_get_the_same_diagnosis_on_the_whole_path(node, tmp_path):
    files = corpus(tmp_path / "logs")
    jobs, cases = [], []
    for name, (_, choices) in files.items():
        data = base64.b64encode((tmp_path / "logs" / name).read_bytes()).decode()
        jobs.append(
            [{"base64": data, "choices": {CHOICES[k]: v for k, v in choices.items()}}, None]
        )
        cases.append((read_log(tmp_path / "logs" / name, voice="page", **choices), None))
    assert compare(in_node(node, tmp_path, jobs), cases) == []
    assert len(cases) > 15


@needs_real
def test_real_logs_get_the_verdict_of_their_label_in_both_languages(node, tmp_path):
    jobs, cases, wrong = [], [], []
    for row in labels():
        data = (REAL / row["file"]).read_bytes()
        log = parse_log(data, voice="page")
        jobs.append([{"base64": base64.b64encode(data).decode(), "choices": {}}, None])
        cases.append((log, None))
        drops = diagnose(log).verdict in ("sawtooth", "staircase")
        if drops != (row["truth"] == "teeth"):
            wrong.append((row["file"], row["truth"], diagnose(log).verdict))
    assert wrong == []
    assert compare(in_node(node, tmp_path, jobs), cases) == []


def test_wrong_epoch_lengths_are_refused(node, tmp_path):
    name = module(tmp_path, "diagnosis/diagnosis.js")
    lengths = [0, -3, 0.5, math.inf, 1e-7]
    code = """import(process.argv[1]).then(({ diagnose }) => {
      for (const length of [0, -3, 0.5, Infinity, 1e-7]) {
        try { diagnose({}, length); } catch (error) { console.log(error.message); }
      }
    })"""
    done = subprocess.run(
        [node, "-e", code, name.as_uri()], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"steps_per_epoch must be finite and in [1, inf], got {length:g}" for length in lengths
    ]


def test_the_diagnosis_is_one_bundle(node, tmp_path):
    path = tmp_path / "bundle.mjs"
    path.write_text(f"{bundle('diagnosis/diagnosis.js')}\nconsole.log(typeof diagnose);", "utf-8")
    done = subprocess.run([node, path], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["function"], done.stderr


def test_students_t(node, tmp_path):
    """Against SciPy; where it underflows or loses digits far out, `t` is left out."""
    freedoms = [0.1, 0.5, 1, 1.7, 2, 3, 5, 7.3, 10, 19.9, 30, 100, 333.3, 1e3, 1e4, 1e5, 1e6, 1e8]
    at = [0, 1e-10, 1e-3, 0.1, 0.5, 1, 1.2, 1.5, 1.73, 2, 3, 5, 8, 12, 20, 35, 1e3, 1e10, 1e50]
    at += [-t for t in at]
    levels = [0.5, 0.3, 0.1, 0.025, 0.01, 1e-3, 1e-6, 1e-12, 0.9, 0.999]
    path = module(tmp_path, "sawtooth/student_t.js")
    code = """[args[0].map((n) => args[1].map((t) => m.tTail(t, n))),
      args[0].map((n) => args[2].map((p) => m.tPoint(p, n)))]"""
    tails, points = map(np.array, evaluate(node, path, code, freedoms, at, levels))
    column = np.array(freedoms)[:, None]
    wanted = stats.t.sf(at, column)
    there = wanted > 1e-290
    assert there.sum() > 500
    np.testing.assert_allclose(tails[there], wanted[there], rtol=1e-10, atol=0)
    assert (tails[~there] < 1e-289).all()
    whole = column[:, 0] >= 1  # SciPy's own quantiles lose digits below
    np.testing.assert_allclose(
        points[whole], stats.t.isf(levels, column[whole]), rtol=1e-10, atol=1e-15
    )


@pytest.mark.timing
def test_a_million_points_take_seconds(node, tmp_path):
    name = module(tmp_path, "diagnosis/diagnosis.js")
    code = """import(process.argv[1]).then(({ diagnose }) => {
      const steps = Float64Array.from({ length: 1e6 }, (_, i) => i + 1);
      const noise = (i) => Math.sqrt(12) * (((i * 0.6180339887498949 + 7e-7 * i * i) % 1) - 0.5);
      const loss = steps.map((_, i) => 2 + (0.1 * (i % 10000)) / 1e4 + 0.1 * noise(i));
      const log = { steps, loss, epochs: null, validation: null, learningRate: null,
        stepsPerEpoch: null, stepsPerEpochError: 0, interval: 1, leftOut: 0, runs: [1, 1] };
      const began = process.cpuUsage();
      const { verdict, stepsPerEpoch } = diagnose(log);
      const { user, system } = process.cpuUsage(began);
      console.log(JSON.stringify([verdict, stepsPerEpoch, (user + system) / 1e6]));
    })"""
    done = subprocess.run(
        [node, "-e", code, name.as_uri()], capture_output=True, text=True, check=True
    )
    verdict, length, seconds = json.loads(done.stdout)
    assert (verdict, length) == ("sawtooth", 10_000)
    assert seconds < 6
