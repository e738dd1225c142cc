"""The GPU's kernels, on a GPU or interpreted, against the CPU path."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from packaging.version import Version

from esp_lib import Adam, QuadraticProblem, make_order, simulate
from esp_lib.quadratic.plan import make_plan
from tests.quadratic.gpu_worker import CASES, IN_FLOAT32, IN_PARTS, ORDERS_OF

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def from_triton(tmp_path_factory):
    """What the kernels make of each case, on a GPU or in Triton's interpreter."""
    triton = pytest.importorskip("triton", reason="Triton is not installed")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and Version(triton.__version__) < Version("3.7"):
        pytest.skip("the interpreter of Triton before 3.7 fails with NumPy 2.4 and later")
    interpret = {"TRITON_INTERPRET": "1"} if device == "cpu" else {}
    out = tmp_path_factory.mktemp("triton") / "made.npz"
    subprocess.run(
        [sys.executable, "-m", "tests.quadratic.gpu_worker", str(out), device],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | interpret,
        cwd=ROOT,
        check=True,
    )
    with np.load(out) as made:
        return dict(made)


def run(case):
    return simulate(case.problem, case.rule, **case.arguments).loss


@pytest.mark.parametrize("name", CASES)
def test_kernel_equals_the_cpu_path(from_triton, name):
    expected = run(CASES[name])
    loss = from_triton[name]
    assert loss.shape == expected.shape
    ended = np.maximum.accumulate(~np.isfinite(loss), axis=-1)
    assert np.array_equal(ended, ~np.isfinite(expected))
    np.testing.assert_allclose(loss[~ended], expected[~ended], rtol=1e-12)


def test_coordinates_have_the_bits_of_the_cpu_path(from_triton):
    name = "batches of one"  # a loss of one function, so that no sum can be rounded differently
    assert np.array_equal(from_triton[name], run(CASES[name]))


@pytest.mark.parametrize("name", IN_FLOAT32)
def test_float32_is_close(from_triton, name):
    loss, expected = from_triton[f"{name}, float32"], run(CASES[name])
    np.testing.assert_allclose(loss, expected, rtol=2e-5)
    assert not np.array_equal(loss, expected)


def test_launches_in_parts_give_the_same_bits(from_triton):
    assert np.array_equal(from_triton[f"{IN_PARTS}, in parts"], from_triton[IN_PARTS])


@pytest.mark.parametrize("memory", [1, 10**6, 10**9])
def test_a_launch_takes_the_memory_that_it_may(memory):
    triton_path = pytest.importorskip("esp_lib.quadratic._triton", reason="Triton is not installed")
    problem = QuadraticProblem.sample(40, 50)
    seeds = np.repeat(np.arange(300), [200, 70] + 298 * [1])  # many runs of some orders
    plan = make_plan(
        problem, Adam(0.06), order="reshuffle", epochs=3, batch_size=8, seed=seeds, x0=3.0
    )
    found = list(triton_path.chunks(plan, memory))
    runs = [run for chunk in found for part in chunk for run in part.runs]
    assert sorted(runs) == list(range(seeds.size))
    for chunk in found:
        filled = triton_path.runs_a_tile(max(len(part.runs) for part in chunk))
        lanes = sum(-(-len(part.runs) // filled) * filled for part in chunk)
        used = sum(len(part.runs) for part in chunk)
        assert lanes <= triton_path.WASTE * used
        assert 8 * lanes * plan.steps * plan.batch_size <= max(memory, 8 * 120)  # terms alone
    assert len(found) == len(seeds) if memory == 1 else len(found) < len(seeds)


@pytest.mark.parametrize("name", ORDERS_OF)
def test_shuffles_equal_the_cpu_s(from_triton, name):
    seeds, epochs, n = ORDERS_OF[name]
    size = {"num_functions": n, "epochs": epochs, "batch_size": n}
    expected = [make_order("reshuffle", **size, seed=seed) for seed in seeds]
    assert np.array_equal(from_triton[name], expected)
