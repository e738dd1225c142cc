"""Fine-tuning: against a plain loop with torch, and what one and two epochs have in common."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from esp_lib.bert.checkpoint import save_weights
from esp_lib.bert.config import BertConfig, CorpusConfig, PretrainConfig
from esp_lib.bert.model import Bert
from esp_lib.bert.pretraining import pretrain
from esp_lib.finetuning.config import FinetuneConfig
from esp_lib.finetuning.glue import sentence_order
from esp_lib.finetuning.seed_variance import unpack
from esp_lib.finetuning.training import (
    evaluation_steps,
    finetune,
    learning_rate,
    load_weights,
    new_classifier,
)
from esp_lib.sampling.orders import make_order

PRETRAINING = PretrainConfig(
    corpus=CorpusConfig("embedded", vocabulary=500, max_len=40, pairs=160, valid_pairs=16),
    model=BertConfig(vocabulary=500, hidden=16, feed_forward=32, positions=40, dropout=0.1),
    epochs=1,
    batch_size=16,
    validate_every=10,
    validation_pairs=16,
)
CONFIG = FinetuneConfig(
    pretraining=PRETRAINING,
    task="order",
    examples=48,
    max_len=40,
    order_seeds=3,
    epochs=2,
    batch_size=8,
    lr=3e-3,
    evaluations=2,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(5)
    return Bert(PRETRAINING.model).state_dict()


@pytest.fixture(scope="module")
def record(weights):
    return finetune(CONFIG, weights, name="order", profile="quick")


def test_an_episode_is_what_a_plain_loop_gives(weights, record):
    """One network, its own forward pass per batch, torch's AdamW: order seed 1."""
    task = sentence_order(PRETRAINING.corpus, 40)
    network = new_classifier(CONFIG, weights)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    order = make_order("reshuffle", num_functions=48, epochs=2, batch_size=8, seed=1)

    def scores(part, rows):
        parts = [torch.from_numpy(field[rows].astype(np.int64)) for field in part]
        return network(*parts[:3]), parts[3]

    losses = []
    for step, rows in enumerate(order.reshape(12, 8)):
        optimizer.param_groups[0]["lr"] = learning_rate(CONFIG, step)
        loss = functional.cross_entropy(*scores(task.train, rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(record.arrays["train_loss"][1], losses, atol=1e-4)
    with torch.no_grad():
        by_length = torch.from_numpy(task.valid.lengths.astype(np.int64)).argsort().numpy()
        given, label = scores(task.valid, by_length)
    expected = functional.cross_entropy(given, label).item()
    assert record.arrays["valid_loss"][1, -1] == pytest.approx(expected, abs=1e-4)
    assert (unpack(record)[1, -1] == given.argmax(dim=1).numpy().astype(bool)).all()
    assert record.arrays["label"].tolist() == label.tolist()


def test_orders_differ_and_repeat_bit_for_bit(weights, record):
    again = finetune(replace(CONFIG, order_seeds=2), weights)
    assert (again.arrays["digest"] == record.arrays["digest"][:2]).all()
    assert len({digest.tobytes() for digest in record.arrays["digest"][:, -1]}) == 3
    other = finetune(replace(CONFIG, order_seeds=1, seed=1), weights)
    assert (other.arrays["train_loss"][0] != record.arrays["train_loss"][0]).any()


def test_the_first_epoch_of_two_is_the_epoch_of_one_without_a_schedule(weights):
    for schedule, same in (("constant", True), ("linear", False)):
        two = finetune(replace(CONFIG, schedule=schedule, order_seeds=1), weights)
        one = finetune(replace(CONFIG, schedule=schedule, order_seeds=1, epochs=1), weights)
        equal = (one.arrays["digest"][0, 0] == two.arrays["digest"][0, 0]).all()
        assert equal == same
        assert (one.arrays["train_loss"][0] == two.arrays["train_loss"][0, :6]).all() == same


def test_only_the_last_layer_is_new(weights):
    first, other = (
        new_classifier(replace(CONFIG, seed=seed), weights).state_dict() for seed in (0, 1)
    )
    changed = {name for name in first if (first[name] != other[name]).any()}
    assert changed == {"bert.nsp.2.weight"}
    assert (first["bert.token.weight"] == weights["token.weight"]).all()
    assert not first["bert.nsp.2.bias"].any()
    assert not any("mlm" in name for name in first)


def test_record_says_what_made_it(record):
    assert record.status == "finished"
    assert record.config["steps_per_epoch"] == 6
    assert record.arrays["valid_step"].tolist() == [3, 6, 9, 12] == evaluation_steps(CONFIG)
    assert len(record.made["weights"]) == len(record.made["task"]) == 64
    shape = (3, 4, len(record.arrays["label"]))
    assert unpack(record).shape == shape


def test_learning_rate():
    linear = replace(CONFIG, examples=80, epochs=1, warm_up=0.4, lr=1.0)  # 10 steps
    rates = [learning_rate(linear, step) for step in range(10)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(np.diff(rates[3:]), -1 / 7)
    assert rates[-1] > 0
    without = replace(linear, warm_up=0.0)
    assert [learning_rate(without, step) for step in (0, 9)] == [1.0, 0.1]
    assert learning_rate(replace(linear, schedule="constant"), 7) == 1.0


def test_padding_does_not_change_the_scores(weights):
    network = new_classifier(CONFIG, weights)
    tokens = torch.randint(5, 500, (2, 10))
    lengths = torch.tensor([6, 10])
    short = network(tokens[:1, :6], torch.zeros(1, 6, dtype=torch.int64), lengths[:1])
    both = network(tokens, torch.zeros(2, 10, dtype=torch.int64), lengths)
    torch.testing.assert_close(both[:1], short)


def test_divergence_is_recorded(weights):
    record = finetune(replace(CONFIG, lr=1e30, schedule="constant"), weights)
    assert record.status == "diverged"
    assert record.message.startswith("not finite for data orders [0")


def test_pretraining_writes_the_weights_that_are_fine_tuned(tmp_path):
    path = tmp_path / "weights" / "net.pt"
    pretrain(PRETRAINING, weights=path)
    kept = load_weights(path)
    assert list(kept) == list(Bert(PRETRAINING.model).state_dict())
    assert not list(path.parent.glob("*.partial"))
    assert finetune(replace(CONFIG, order_seeds=1), kept).status == "finished"


def test_what_is_wrong_is_named(tmp_path, weights):
    with pytest.raises(ValueError, match="examples must be at most"):
        finetune(replace(CONFIG, examples=80_000), weights)
    with pytest.raises(ValueError, match=r"weights must be of config\.pretraining\.model"):
        finetune(CONFIG, Bert(BertConfig(vocabulary=400)).state_dict())
    with pytest.raises(ValueError, match="max_len must be"):
        replace(CONFIG, max_len=41)
    with pytest.raises(ValueError, match="batch_size must divide"):
        replace(CONFIG, examples=50)
    with pytest.raises(ValueError, match="task must be one of 'order'"):
        replace(CONFIG, task="rte")
    with pytest.raises(FileNotFoundError, match="no weights"):
        load_weights(tmp_path / "none.pt")
    (tmp_path / "bad.pt").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="holds no weights, or damaged ones"):
        load_weights(tmp_path / "bad.pt")
    save_weights(tmp_path / "good.pt", torch.nn.Linear(1, 1))
    assert set(load_weights(tmp_path / "good.pt")) == {"weight", "bias"}
