"""`measure` in the page against the library: any window, gaps, runs of all orders."""

import json

import numpy as np
import pytest

from esp_lib import Adam, QuadraticProblem, measure, simulate
from esp_lib.sampling.orders import ORDERS
from tests.node import module, run_node

NAMES = {  # of a field, in the page
    "drop": "drop", "drop_error": "dropError", "rise": "rise", "rise_error": "riseError",
    "trend": "trend", "amplitude": "amplitude", "amplitude_error": "amplitudeError",
    "noise": "noise", "p_value": "pValue", "concavity": "concavity",
}  # fmt: skip


def teeth(node, folder, jobs):
    """What the page finds in each (loss, steps per epoch, options of `measure`)."""
    options = [
        {"skip": given.get("skip_epochs"), "window": given.get("window", 1)}
        | ({"steps": list(map(float, given["steps"]))} if "steps" in given else {})
        for _, _, given in jobs
    ]
    told = [
        {"points": len(loss), "perEpoch": per_epoch, "options": option}
        for (loss, per_epoch, _), option in zip(jobs, options, strict=True)
    ]
    (folder / "jobs.json").write_text(json.dumps(told))
    (folder / "loss").write_bytes(np.concatenate([loss for loss, _, _ in jobs]).tobytes())
    name = module(folder, "sawtooth/measurement.js")
    return json.loads(run_node(node, "measure.mjs", name, folder / "jobs.json", folder / "loss"))


def number(value):
    return np.nan if value is None else value


def compare(node, folder, jobs):
    """The shapes that were found; both sides found the same."""
    shapes = []
    for found, (loss, per_epoch, options) in zip(teeth(node, folder, jobs), jobs, strict=True):
        expected = measure(loss, per_epoch, **options)
        for name, page in NAMES.items():
            theirs = float(getattr(expected, name))
            assert number(found[page]) == pytest.approx(theirs, rel=1e-9, abs=1e-12, nan_ok=True)
        for name in ("drops", "profile"):
            theirs = getattr(expected, name)
            mine = np.array([number(value) for value in found[name]])
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
        assert found["shape"] == expected.shape
        shapes.append(found["shape"])
    return shapes


def test_complete_runs(node, tmp_path):
    problem = QuadraticProblem.sample(2000, 2000)
    curves = [
        simulate(problem, Adam(0.06, beta2=beta2), order=order, seed=seed, batch_size=20)
        for order in ORDERS
        for beta2, seed in ((0.8, 0), (0.9, 1), (0.999, 2))
    ]
    assert len(set(compare(node, tmp_path, [(curve.loss, 100, {}) for curve in curves]))) >= 2


def made_up(rng, epochs, per_epoch):
    phase = np.arange(epochs * per_epoch) % per_epoch / per_epoch
    return 3 + rng.uniform(0, 1) * phase + 0.2 * rng.normal(size=phase.size)


def test_windows_of_any_length(node, tmp_path):
    rng = np.random.default_rng(0)
    jobs = []
    for per_epoch, window in ((100, 7), (100, 10), (252, 50), (60, 60), (37, 5), (12, 3)):
        loss = made_up(rng, 8, per_epoch)
        means = loss[: loss.size // window * window].reshape(-1, window).mean(axis=1)
        steps = window * np.arange(1, means.size + 1)
        jobs.append((means, per_epoch, {"steps": steps, "window": window}))
    compare(node, tmp_path, jobs)


def test_gaps_and_too_few_points(node, tmp_path):
    rng = np.random.default_rng(1)
    jobs = []
    for epochs, per_epoch, kept in ((8, 50, 0.7), (3, 20, 0.4), (12, 9, 0.8), (2, 4, 1.0)):
        loss = made_up(rng, epochs, per_epoch)
        loss[rng.uniform(size=loss.size) < 0.1] = np.nan
        steps = np.flatnonzero(rng.uniform(size=loss.size) < kept) + 1
        jobs += [(loss[steps - 1], per_epoch, {"steps": steps}), (loss, per_epoch, {})]
        jobs.append((loss, per_epoch, {"skip_epochs": 2}))
    compare(node, tmp_path, jobs)
