"""Rules outside the two-moment form: against `torch.optim` where it has them, else the papers.

The twins below follow the papers' algorithms one coordinate at a time, in Python floats, from the
text alone: Lion, Chen et al. (arXiv 2302.06675), Algorithm 2; Adam-mini, Zhang et al. (arXiv
2406.16793), Algorithm 1; schedule-free AdamW, Defazio et al. (arXiv 2405.15682), Algorithm 1.
"""

import math
import warnings

import numpy as np
import pytest

from esp_lib import (
    Adafactor,
    AdafactorMatrix,
    Adam,
    AdamMini,
    Lion,
    QuadraticProblem,
    ScheduleFreeAdamW,
    make_order,
    simulate,
)
from esp_lib.optimizers.memory_efficient import as_matrix
from esp_lib.quadratic.probes import Probes, probe
from esp_lib.theory.prediction import predict
from tests import reference

STEPS, ROWS, COLUMNS = 200, 3, 4
DIM = ROWS * COLUMNS
OTHER_OPTIMIZERS = (Lion, AdamMini, Adafactor, AdafactorMatrix, ScheduleFreeAdamW)


def gradients() -> np.ndarray:
    """Sparse gradients, given beforehand: (STEPS, DIM); some coordinates are never touched."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(STEPS, DIM)) * (rng.random((STEPS, DIM)) < 0.3)
    dense[:, -2:] = 0.0
    return dense


def trajectory(rule) -> np.ndarray:
    """Parameters after each step under the given gradients: (STEPS, DIM)."""
    x = np.full(DIM, 3.0)
    state = rule.init(x)
    path = []
    for g in gradients():
        before = g.copy()
        x, state = rule.update(g, state, x)
        assert np.array_equal(g, before)
        path.append(x)
    return np.array(path)


@pytest.mark.parametrize(
    ("rule", "shape", "options"),
    [
        (Adafactor(lr=0.06), (DIM,), {"lr": 0.06}),
        (AdafactorMatrix(lr=0.06), (ROWS, COLUMNS), {"lr": 0.06}),
        (
            Adafactor(lr=0.3, beta2_decay=-0.5, eps1=0.5, eps2=5.0, clip=1.2),
            (DIM,),
            {"lr": 0.3, "beta2_decay": -0.5, "eps": (0.5, 5.0), "d": 1.2},
        ),
        (
            AdafactorMatrix(lr=0.3, eps1=1e-2, eps2=5.0, clip=1.2),
            (ROWS, COLUMNS),
            {"lr": 0.3, "eps": (1e-2, 5.0), "d": 1.2},
        ),
    ],
)
def test_every_step_of_adafactor_equals_torch(rule, shape, options):
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.full(shape, 3.0, dtype=torch.float64))
    theirs = torch.optim.Adafactor([parameter], weight_decay=0.0, **options)
    for g, x in zip(gradients(), trajectory(rule), strict=True):
        parameter.grad = torch.from_numpy(g.copy().reshape(shape))
        theirs.step()
        np.testing.assert_allclose(x, parameter.detach().numpy().ravel(), rtol=1e-12)


def test_a_matrix_of_one_is_a_vector_of_one():
    x = y = np.array([3.0])
    matrix, vector = AdafactorMatrix(lr=0.06), Adafactor(lr=0.06)
    state, other = matrix.init(x), vector.init(y)
    for g in 1 + gradients()[:, :1]:
        x, state = matrix.update(g, state, x)
        y, other = vector.update(g, other, y)
        np.testing.assert_allclose(x, y, rtol=1e-13)


def test_the_clip_of_adafactor_binds():
    """So that the comparison with torch covers it."""
    assert not np.allclose(trajectory(Adafactor(lr=0.06)), trajectory(Adafactor(lr=0.06, clip=99)))


def lion_twin(lr, beta1, beta2, weight_decay):
    """Algorithm 2 of the Lion paper: interpolate, take the sign, update, then the momentum."""
    x, m, path = [3.0] * DIM, [0.0] * DIM, []
    for g in gradients().tolist():
        for i in range(DIM):
            c = beta1 * m[i] + (1 - beta1) * g[i]
            sign = (c > 0) - (c < 0)
            x[i] -= lr * (sign + weight_decay * x[i])
            m[i] = beta2 * m[i] + (1 - beta2) * g[i]
        path.append(list(x))
    return np.array(path)


def adam_mini_twin(lr, beta1, beta2, eps):
    """Algorithm 1 of the Adam-mini paper, each matrix row being a block."""
    x, m, v, path = [3.0] * DIM, [0.0] * DIM, [0.0] * ROWS, []
    for t, g in enumerate(gradients().tolist(), start=1):
        for block in range(ROWS):
            members = range(block * COLUMNS, (block + 1) * COLUMNS)
            mean = sum(g[i] ** 2 for i in members) / COLUMNS
            v[block] = (1 - beta2) * mean + beta2 * v[block]
            v_hat = v[block] / (1 - beta2**t)
            for i in members:
                m[i] = (1 - beta1) * g[i] + beta1 * m[i]
                x[i] -= lr * (m[i] / (1 - beta1**t)) / (math.sqrt(v_hat) + eps)
        path.append(list(x))
    return np.array(path)


def schedule_free_twin(lr, beta1, beta2, eps, weight_decay):
    """Algorithm 1 of the schedule-free paper (AdamW), without warm-up: the sequence y."""
    z, x, y, v, path = [3.0] * DIM, [3.0] * DIM, [3.0] * DIM, [0.0] * DIM, []
    total = 0.0
    for t, g in enumerate(gradients().tolist(), start=1):
        gamma = lr * math.sqrt(1 - beta2**t)
        total += gamma**2
        c = gamma**2 / total
        for i in range(DIM):
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            z[i] = z[i] - gamma * g[i] / (math.sqrt(v[i]) + eps) - gamma * weight_decay * y[i]
            x[i] = (1 - c) * x[i] + c * z[i]
            y[i] = (1 - beta1) * z[i] + beta1 * x[i]
        path.append(list(y))
    return np.array(path)


@pytest.mark.parametrize(
    ("rule", "twin", "options"),
    [
        (Lion, lion_twin, {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}),
        (Lion, lion_twin, {"lr": 0.05, "beta1": 0.6, "beta2": 0.8, "weight_decay": 0.0}),
        (AdamMini, adam_mini_twin, {"lr": 0.06, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        (AdamMini, adam_mini_twin, {"lr": 0.06, "beta1": 0.5, "beta2": 0.8, "eps": 1e-2}),
        (
            ScheduleFreeAdamW,
            schedule_free_twin,
            {"lr": 0.06, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        ),
        (
            ScheduleFreeAdamW,
            schedule_free_twin,
            {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "eps": 1e-2, "weight_decay": 0.1},
        ),
    ],
)
def test_every_step_equals_the_paper(rule, twin, options):
    np.testing.assert_allclose(trajectory(rule(**options)), twin(**options), rtol=1e-12)


def test_adam_mini_is_adam_where_blocks_are_single_coordinates():
    x = np.array([3.0])
    mini, adam = AdamMini(lr=0.06, beta2=0.9), Adam(lr=0.06, beta2=0.9)
    y, state, other = x, mini.init(x), adam.init(x)
    for g in gradients()[:, :1]:
        x, state = mini.update(g, state, x)
        y, other = adam.update(g, other, y)
        np.testing.assert_allclose(x, y, rtol=1e-13)


def test_untouched_coordinates_go_on_moving():
    """After two gradients and then none: Lion at full speed, the others as the formulas say."""
    g = np.array([1.0, 0.0, 0.0, 0.0])
    for rule, moves in [
        (Lion(lr=0.1), True), (AdamMini(lr=0.1), True), (ScheduleFreeAdamW(lr=0.1), True),
        (Adafactor(lr=0.1), False), (AdafactorMatrix(lr=0.1), False),
    ]:  # fmt: skip
        x = np.full(4, 2.0)
        state = rule.init(x)
        for _ in range(2):
            x, state = rule.update(g, state, x)
        later, state = rule.update(np.zeros(4), state, x)
        assert (later[0] != x[0]) == moves
        assert np.array_equal(later[1:], np.full(3, 2.0))  # never touched, never moved
    x, state = Lion(lr=0.1).update(g, Lion().init(np.full(4, 2.0)), np.full(4, 2.0))
    for k in range(2, 50):
        x, state = Lion(lr=0.1).update(np.zeros(4), state, x)
        assert x[0] == pytest.approx(2.0 - 0.1 * k)


def test_as_matrix_is_as_square_as_the_length_allows():
    assert as_matrix(np.zeros(10_000)).shape == (100, 100)
    assert as_matrix(np.zeros((2, 12))).shape == (2, 3, 4)
    assert as_matrix(np.zeros(7)).shape == (1, 7)
    assert as_matrix(np.arange(6)).tolist() == [[0, 1, 2], [3, 4, 5]]


SETTINGS = [
    Lion(lr=0.02, weight_decay=0.01),
    AdamMini(lr=0.06, beta2=0.9),
    Adafactor(lr=0.05),
    AdafactorMatrix(lr=0.05),
    ScheduleFreeAdamW(lr=0.1, beta2=0.9, weight_decay=0.01),
]


@pytest.fixture(scope="module")
def problem() -> QuadraticProblem:
    """Small, with many coordinates shared and some unused."""
    return QuadraticProblem.sample(num_functions=200, dim=150, seed=3)


@pytest.mark.parametrize("kind", ["reshuffle", "replacement"])
@pytest.mark.parametrize("rule", SETTINGS, ids=lambda rule: rule.name)
def test_simulate_equals_the_twin(problem, rule, kind):
    order = make_order(kind, num_functions=200, epochs=3, batch_size=20, seed=5)
    curve = simulate(problem, rule, order=kind, epochs=3, batch_size=20, seed=5)
    twin = reference.train(problem, rule, order, batch_size=20)
    np.testing.assert_allclose(curve.loss, twin, rtol=1e-10)


@pytest.mark.parametrize("rule", OTHER_OPTIMIZERS)
def test_settings_problems_and_seeds_broadcast(rule):
    seeds = np.array([4, 7])
    problems = QuadraticProblem.sample(num_functions=60, dim=50, seed=seeds[:, None])
    rates = np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    curve = simulate(problems, rule(lr=rates), epochs=2, batch_size=20, seed=seeds[:, None])
    assert curve.loss.shape == (2, 5, 6)
    for i, j in ((0, 0), (1, 3), (1, 4)):
        alone = simulate(
            problems[i, 0], rule(lr=rates[j]), epochs=2, batch_size=20, seed=int(seeds[i])
        )
        np.testing.assert_allclose(curve.loss[i, j], alone.loss, rtol=1e-13)


def test_divergence_is_a_result_and_not_a_warning(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rule in OTHER_OPTIMIZERS:
            simulate(problem, rule(lr=[0.0, 1e3, 1e308]), epochs=2, batch_size=20)
        curve = simulate(problem, AdamMini(lr=[0.01, 1e200]), epochs=2, batch_size=20)
    assert curve.diverged.tolist() == [False, True]


def test_a_rate_of_zero_changes_nothing(problem):
    for rule in OTHER_OPTIMIZERS:
        curve = simulate(problem, rule(lr=0.0), order="fixed", epochs=2, batch_size=20)
        np.testing.assert_allclose(curve.loss[:10], curve.loss[10:], rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Lion(beta2=1.0), ["beta2", "[0, 1)", "1.0"]),
        (lambda: Adafactor(beta2_decay=0.5), ["beta2_decay", "0]", "0.5"]),
        (lambda: Adafactor(clip=0.0), ["clip", "(0, inf]", "0.0"]),
        (lambda: Adafactor(eps1=0.0), ["eps1", "0.0"]),
        (lambda: AdamMini(lr=[0.1, 0.2], eps=[1.0, 2.0, 3.0]), ["broadcast", "eps (3,)"]),
    ],
)
def test_bad_hyper_parameters_are_named(make, words):
    with pytest.raises(ValueError, match=r".") as error:
        make()
    for word in words:
        assert word in str(error.value)


def test_what_needs_the_table_form_says_so(problem):
    with pytest.raises(ValueError, match="two-moment form here, got Lion"):
        predict(Lion(), epochs=1)
    with pytest.raises(ValueError, match="two-moment form here, got Lion"):
        probe(problem, Lion(), Probes(epochs=(0,), norms=("g",)), batch_size=20)
    with pytest.raises(ValueError, match=r"device must be .cpu. for Lion, got 'cuda'"):
        simulate(problem, Lion(), device="cuda")
