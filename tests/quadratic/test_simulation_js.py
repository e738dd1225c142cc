"""The simulation in the page against `simulate`: losses, and the bits of problems and orders."""

import json

import numpy as np
import pytest

from esp_lib import QuadraticProblem, make_order
from esp_lib.widgets import sawtooth
from esp_lib.widgets._assets import bundle
from esp_lib.widgets.fields import check_settings
from tests.node import evaluate, module, run_node


def random_settings(rng, count):
    """Settings all over what the explorer allows; every optimizer with every order occurs."""
    rows = []
    for k in range(count):
        optimizer = ("Adam", "RMSProp", "SGD")[k % 3]
        order = ("reshuffle", "fixed", "reverse", "replacement")[k // 3 % 4]
        betas = [0.0, 0.9999, 1 - 10 ** rng.uniform(-4, 0), rng.uniform(0, 1)]
        given = {
            "optimizer": optimizer,
            "order": order,
            "beta1": float(rng.choice(betas)),
            "beta2": float(rng.choice(betas)),
            "eps": float(10 ** rng.uniform(-12, -2)),
            "lr": float(10 ** rng.uniform(-3, 1)),
            "batch_size": int(rng.choice([50, 100, 200, 400, 500])),
            "seed": int(rng.choice([0, 1, 7, 2**32 - 1])),
        }
        rows.append(check_settings(sawtooth.FIELDS, given, sawtooth.DEFAULTS))
    return rows


def test_front_end_gives_the_losses_of_simulate(node, tmp_path):
    jobs = random_settings(np.random.default_rng(11), 216)
    extremes = {(job["beta1"], job["beta2"]) for job in jobs}
    assert {(0.0, 0.0), (0.9999, 0.9999)} & extremes  # the corners are among them
    (tmp_path / "worker.js").write_text(bundle("quadratic/worker.js"))
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    out = tmp_path / "out"
    run_node(
        node,
        "simulate.mjs",
        tmp_path / "worker.js",
        module(tmp_path, "quadratic/simulation.js"),
        tmp_path / "jobs.json",
        out,
    )
    losses = np.fromfile(out)
    at = 0
    diverged = 0
    for job in jobs:
        expected = sawtooth.run(job).loss
        found = losses[at : at + expected.size]
        at += expected.size
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0, err_msg=str(job))
        diverged += not np.isfinite(expected[-1])
    assert at == losses.size
    assert diverged < len(jobs) // 2  # most runs compare numbers, not NaN


@pytest.mark.parametrize("kind", ["reshuffle", "fixed", "reverse", "replacement"])
@pytest.mark.parametrize(("functions", "dim", "batch", "seed"), [
    (10_000, 10_000, 100, 0), (10_000, 10_000, 25, 2**32 - 1), (36, 1_000_003, 9, 12345),
])  # fmt: skip
def test_problem_and_order_are_the_same_bits(node, tmp_path, kind, functions, dim, batch, seed):
    path = module(tmp_path, "quadratic/simulation.js")
    code = """((kind, functions, dim, batch, seed) => {
      const { a, b, c, coordinate } = m.sampleProblem(functions, dim, seed);
      const order = m.makeOrder(kind, functions, 4, batch, seed);
      return [a, b, c, coordinate, order].map((array) => Array.from(array));
    })(...args)"""
    found = evaluate(node, path, code, kind, functions, dim, batch, seed)
    problem = QuadraticProblem.sample(functions, dim, seed=seed)
    order = make_order(kind, num_functions=functions, epochs=4, batch_size=batch, seed=seed)
    parts = [problem.a, problem.b, problem.c, problem.coordinate, order.ravel()]
    assert np.array_equal(np.concatenate(found), np.concatenate(parts))
