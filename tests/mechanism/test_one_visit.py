"""One coordinate after one visit: against Adam's own rule, and its JavaScript."""

import numpy as np
import pytest

from esp_lib.mechanism.one_visit import pushes
from tests.node import evaluate, module

CASES = [(0.9, 0.999, 1e-8, 0.02), (0.9, 0.8, 1e-8, 0.02), (0.9, 0.8, 1e-4, 0.02),
         (0.5, 0.1, 1e-8, 1.0), (0.0, 0.0, 1e-8, 0.3)]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_pushes_are_adams(node, tmp_path, case):
    beta1, beta2, eps, gradient = case
    m, v, expected = (1 - beta1) * gradient, (1 - beta2) * gradient**2, []
    for _ in range(300):
        expected.append(m / (np.sqrt(v) + eps))
        m, v = beta1 * m, beta2 * v
    found = pushes(beta1, beta2, eps, gradient)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
    job = dict(zip(("beta1", "beta2", "eps", "gradient"), case, strict=True))
    shown = evaluate(
        node, module(tmp_path, "mechanism/one_visit.js"), "[...m.pushes(...args)]", job
    )
    np.testing.assert_allclose(shown, found, rtol=1e-9, atol=1e-300)


def test_the_line_divides_pushes_that_die_from_pushes_that_grow():
    above, below = (pushes(0.9, beta2, 1e-8, 0.02) for beta2 in (0.82, 0.8))
    assert above.argmax() == 0
    assert 50 < below.argmax() < 250  # until epsilon catches it
    assert pushes(0.9, 0.8, 1e-5, 0.02).max() < below.max()


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="beta2 must be a number in"):
        pushes(0.9, 1.0, 1e-8, 0.02)
    with pytest.raises(ValueError, match="gradient must be"):
        pushes(0.9, 0.8, 1e-8, 0.0)
