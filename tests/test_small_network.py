"""The network that trains in the page: gradients, Adam, JavaScript, and what it shows."""

import numpy as np
import pytest

from esp_lib import measure
from esp_lib import small_network as small
from tests.node import ask, evaluate, module

TEXT = small.text_numbers()


def test_gradients_are_those_of_torch():
    torch = pytest.importorskip("torch")
    p = small.start(3)
    contexts = np.stack([TEXT[k : k + 8] for k in range(small.CONTEXT)], axis=1)
    words = TEXT[small.CONTEXT : small.CONTEXT + 8]
    loss, kept = small.forward(p, contexts, words)
    found = small.gradients(p, contexts, words, kept)
    leaves = [torch.tensor(part, requires_grad=True) for part in p]
    x = leaves[0][torch.tensor(contexts)].flatten(1)
    out = torch.relu(x @ leaves[1] + leaves[2]) @ leaves[3] + leaves[4]
    expected = torch.nn.functional.cross_entropy(out, torch.tensor(words))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for gradient, leaf in zip(found, leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("changes", "steps"), [
    ({}, 300), ({"fresh": True, "beta2": 0.8}, 150), ({"shuffle": False, "seed": 7}, 150),
    ({"eps": 1e-4, "lr": 0.02}, 150),
])  # fmt: skip
def test_the_page_trains_the_same_network(node, tmp_path, changes, steps):
    config = small.SmallConfig(**changes)
    words = small.VOCABULARY + 1
    job = {"ids": TEXT.tolist(), "words": words, "config": vars(config), "steps": steps}
    found = ask(node, tmp_path, "small_network", job, "small_network.js")
    run = small.train(config, epochs=-(-steps // 100))
    assert len(found["training"]) == steps
    for name, curve in (("training", run.training), ("seen", run.seen), ("heldOut", run.held_out)):
        expected = curve.loss[: len(found[name])]
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-6)


def test_the_cliff_is_in_the_log_and_not_in_the_network():
    run = small.train(small.SmallConfig())
    logged, seen = measure(run.training, skip_epochs=4), measure(run.seen, skip_epochs=4)
    assert logged.p_value < 1e-6
    assert logged.rise > 3 * logged.rise_error
    assert abs(seen.drop) < 0.15 * logged.drop
    fresh = measure(small.train(small.SmallConfig(fresh=True)).training, skip_epochs=4)
    assert fresh.p_value > 0.01


def test_beta2_pulls_both_ways():
    """Chapter 1: at one learning rate the larger beta2 learns more, and has the larger tooth."""
    usual, forgetful, slow = (
        small.train(small.SmallConfig(seed=5, **changes), TEXT).training
        for changes in ({}, {"beta2": 0.8}, {"lr": 2.5e-3})
    )
    drop = {run: measure(run, skip_epochs=4).drop for run in (usual, forgetful, slow)}
    assert drop[usual] > drop[forgetful] > drop[slow]
    last = [run.by_epoch()[-1].mean() for run in (usual, slow, forgetful)]
    assert last == sorted(last)


@pytest.mark.parametrize(("word", "fixed", "said"), [
    ("sawtooth", 0.003, "drops by 0.46 at each boundary and rises by 0.24 in between. The fixed "
     "part moves by less than a tenth of that there: the cliff is in the log, not in the network."),
    ("sawtooth", -0.06, "The fixed part rises by 0.06 there: the cliff is in the log"),
    ("sawtooth", 0.12, "The fixed part drops by 0.12 there, too."),
    ("staircase", 0.12, "does not climb in between: a staircase. The fixed part drops by 0.12"),
    ("none", 0.001, "No tooth in the log"),
    ("diverges", 0.001, "The run diverges"),
])  # fmt: skip
def test_the_page_says_that_the_cliff_is_in_the_log_only_where_it_is(
    node, tmp_path, word, fixed, said
):
    path = module(tmp_path, "widgets/network/network.js")
    found = {"word": word, "tooth": {"drop": 0.46, "rise": 0.24}, "fixed": {"drop": fixed}}
    text = evaluate(node, path, "m.sentenceOf(...args)", found, {"fresh": False, "shuffle": True})
    assert said in text
    fixed_order = evaluate(node, path, "m.sentenceOf(...args)", found, {"shuffle": False})
    assert ("by chance" in fixed_order) == (word == "sawtooth")
    assert ("in the log, not in" in text) == (word == "sawtooth" and fixed < 0.1 * 0.46)


def test_settings_are_checked():
    for changes, words in (({"beta2": 1.0}, "beta2 must be"), ({"seed": -1}, "seed must")):
        with pytest.raises(ValueError, match=words):
            small.SmallConfig(**changes)
