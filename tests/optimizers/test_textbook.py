"""Update rules against `torch.optim`, and their table form against the textbook form."""

from dataclasses import fields

import numpy as np
import pytest

from esp_lib import SGD, Adagrad, Adam, AdamW, AMSGrad, NAdam, Nesterov, RMSProp

STEPS, DIM = 200, 7
OPTIMIZERS = (Adam, RMSProp, SGD, AdamW, AMSGrad, NAdam, Nesterov, Adagrad)
RULES = {
    "Adam": (Adam(lr=0.06, beta1=0.9, beta2=0.8, eps=1e-8), "Adam", {"betas": (0.9, 0.8)}),
    "Adam, beta1 = 0": (Adam(lr=0.06, beta1=0.0, beta2=0.99), "Adam", {"betas": (0.0, 0.99)}),
    "Adam, large eps": (Adam(lr=0.06, eps=1e-2), "Adam", {"eps": 1e-2}),
    "AdamW": (AdamW(lr=0.06, weight_decay=0.1), "AdamW", {"weight_decay": 0.1}),
    "AMSGrad": (AMSGrad(lr=0.06, beta2=0.8), "Adam", {"betas": (0.9, 0.8), "amsgrad": True}),
    "NAdam": (NAdam(lr=0.06, beta2=0.9), "NAdam", {"betas": (0.9, 0.9)}),
    "RMSProp": (RMSProp(lr=0.06, beta=0.8), "RMSprop", {"alpha": 0.8}),
    "SGD": (SGD(lr=0.06), "SGD", {}),
    "SGD with momentum": (SGD(lr=0.06, momentum=0.9), "SGD", {"momentum": 0.9}),
    "Nesterov": (Nesterov(lr=0.06, momentum=0.8), "SGD", {"momentum": 0.8, "nesterov": True}),
    "Adagrad": (Adagrad(lr=0.06, eps=1e-3), "Adagrad", {"eps": 1e-3}),
}


def gradients() -> np.ndarray:
    """Sparse gradients as the problem's, given beforehand: (STEPS, DIM)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(STEPS, DIM)) * (rng.random((STEPS, DIM)) < 0.3)


@pytest.fixture
def torch():
    """torch with scalars in float64: NAdam keeps its product of momenta in the default type."""
    torch = pytest.importorskip("torch")
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(default)


@pytest.mark.parametrize("name", RULES)
def test_every_step_equals_torch(torch, name):
    rule, torch_name, options = RULES[name]
    parameter = torch.nn.Parameter(torch.full((DIM,), 3.0, dtype=torch.float64))
    theirs = getattr(torch.optim, torch_name)([parameter], lr=0.06, **options)
    x = np.full(DIM, 3.0)
    state = rule.init(x)
    for g in gradients():
        before = g.copy()
        x, state = rule.update(g, state, x)
        assert np.array_equal(g, before)
        parameter.grad = torch.from_numpy(g.copy())
        theirs.step()
        np.testing.assert_allclose(x, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)
    assert state.t == STEPS


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_tables_of_many_settings_have_the_bits_of_each(rule):
    rng = np.random.default_rng(1)
    many = rule(**{field.name: rng.uniform(0.1, 0.9, (5, 26)) for field in fields(rule)})
    for table, setting in zip(many.tables(STEPS), many.settings(), strict=True):
        for found, expected in zip(table, setting.two_moment(STEPS), strict=True):
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", RULES)
def test_table_form_equals_textbook_form(name):
    rule = RULES[name][0]
    table = rule.two_moment(STEPS)
    assert {each.shape for each in (table.scale_m, table.scale_g, table.root)} == {(STEPS,)}
    x = np.full(DIM, 3.0)
    m = v = v_max = np.zeros(DIM)
    y, state = x, rule.init(x)
    for t, g in enumerate(gradients()):
        y, state = rule.update(g, state, y)
        m = table.decay1 * m + table.weight1 * g
        v = table.decay2 * v + table.weight2 * g**2
        v_max = np.maximum(v_max, v)
        second = v_max if table.use_max else v
        step = table.scale_m[t] * m + table.scale_g[t] * g
        if table.adaptive:
            step = step / (table.root[t] * np.sqrt(second) + table.eps)
        x = table.shrink * x - step
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


def test_hyper_parameters_broadcast():
    rule = Adam(beta2=np.array([0.9, 0.99])[:, None], eps=[1e-8, 1e-6, 1e-4])
    assert rule.shape == (2, 3)
    settings = list(rule.settings())
    assert [(s.beta2, s.eps) for s in settings[:4]] == [
        (0.9, 1e-8), (0.9, 1e-6), (0.9, 1e-4), (0.99, 1e-8),
    ]  # fmt: skip


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_no_rule_moves_without_gradient(rule):
    setting = rule(weight_decay=0.0) if rule is AdamW else rule()
    x = np.full(3, 2.0)
    moved, _ = setting.update(np.zeros(3), setting.init(x), x)
    assert np.array_equal(moved, x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Adam(beta2=1.2), ["beta2", "[0, 1)", "1.2"]),
        (lambda: Adam(beta1=1.0), ["beta1", "[0, 1)", "1.0"]),
        (lambda: Adam(lr=-0.1), ["lr", "[0, inf]", "-0.1"]),
        (lambda: Adam(lr=float("nan")), ["lr", "finite", "nan"]),
        (lambda: Adam(eps=0.0), ["eps", "(0, inf]", "0.0"]),
        (lambda: Adam(eps="abc"), ["eps", "number", "'abc'"]),
        (lambda: RMSProp(beta=[0.9, 1.5]), ["beta", "1.5"]),
        (lambda: SGD(momentum=2.0), ["momentum", "2.0"]),
        (lambda: AdamW(weight_decay=-1.0), ["weight_decay", "-1.0"]),
        (lambda: Adam(beta1=[0.1, 0.2], beta2=[0.1, 0.2, 0.3]), ["broadcast", "beta2 (3,)"]),
    ],
)
def test_bad_hyper_parameters_are_named(make, words):
    with pytest.raises(ValueError, match=r".") as error:
        make()
    for word in words:
        assert word in str(error.value)
