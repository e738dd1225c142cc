"""Fine-tuning the upper layers of a published encoder, beside ordinary fine-tuning of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from esp_lib.finetuning.config import UpperLayersConfig
from esp_lib.finetuning.encoder import SummaryLayer, frozen_states, load_encoder
from esp_lib.finetuning.upper_layers import UpperLayers, finetune_upper_layers, prepare

transformers = pytest.importorskip("transformers")

WORDS = ["the", "film", "is", "good", "bad", "dull", "warm", "fine", "not", "very"]
CONFIG = UpperLayersConfig(
    task="sst2", model="tiny", examples=32, order_seeds=2, epochs=2, batch_size=8, evaluations=2
)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A BERT of two layers with random weights, and a task, each in a folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=20, num_hidden_layers=2, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*marks, *WORDS]))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    random = np.random.default_rng(0)
    for file, rows in (("train", 40), ("dev", 12)):
        lines = [
            f"{' '.join(random.choice(WORDS, random.integers(2, 9)))}\t{random.integers(2)}"
            for _ in range(rows)
        ]
        path = tmp_path / "glue" / "sst2" / f"{file}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["sentence\tlabel", *lines]))
    monkeypatch.setenv("ESP_DATA", str(tmp_path))
    monkeypatch.setenv("ESP_MODEL", str(folder))
    prepare.cache_clear()
    yield load_encoder("tiny")
    prepare.cache_clear()


ROWS = [(("the film is good",), 1), (("not warm",), 0), (("very very dull the film",), 0)]


def test_one_token_comes_out_of_a_layer_as_of_the_whole_layer(model):
    states, _ = frozen_states(model, ROWS, 2, 16)
    batch = model.tokenizer([parts[0] for parts, _ in ROWS], padding=True, return_tensors="pt")
    whole = model.network(**batch, output_hidden_states=True).hidden_states
    below, filled, label = states.take(torch.arange(3))
    assert label.tolist() == [1, 0, 0]
    for number, layer in enumerate(model.network.encoder.layer):
        torch.testing.assert_close(below[number][filled], whole[number][filled], atol=2e-3, rtol=0)
        token = SummaryLayer(layer)(whole[number][:, 0], whole[number], filled)
        torch.testing.assert_close(token, whole[number + 1][:, 0])


def test_gradients_are_those_of_ordinary_fine_tuning_of_the_last_layer(model):
    states, _ = frozen_states(model, ROWS, 1, 16)
    ours = UpperLayers(model, 1, seed=3)
    below, filled, label = states.take(torch.arange(3))
    cross_entropy(ours(below, filled), label).backward()

    batch = model.tokenizer([parts[0] for parts, _ in ROWS], padding=True, return_tensors="pt")
    last = model.network.encoder.layer[-1].requires_grad_(True)
    with torch.enable_grad():
        token = model.network(**batch).last_hidden_state[:, 0]
        cross_entropy(ours.classifier(ours.pooler(token).tanh()), label).backward()
    attention = last.attention
    pairs = {
        "query.weight": attention.self.query.weight,
        "key.weight": attention.self.key.weight,
        "value.weight": attention.self.value.weight,
        "value.bias": attention.self.value.bias,
        "mix.weight": attention.output.dense.weight,
        "rise.weight": last.intermediate.dense.weight,
        "last_norm.bias": last.output.LayerNorm.bias,
    }
    for name, theirs in pairs.items():
        mine = ours.layers[0].get_parameter(name).grad
        torch.testing.assert_close(mine, theirs.grad, atol=1e-5, rtol=1e-2, msg=name)


@pytest.mark.usefixtures("model")
def test_two_seeds_determine_an_episode():
    record = finetune_upper_layers(CONFIG)
    assert record.status == "finished"
    assert record.arrays["train_loss"].shape == (2, 8)
    assert record.arrays["valid_step"].tolist() == [2, 4, 6, 8]
    assert record.arrays["predicted"].shape == (2, 4, 2)  # 12 examples in 2 bytes
    assert sorted(record.arrays["label"]) != record.arrays["label"].tolist()
    second = finetune_upper_layers(replace(CONFIG, order_seeds=1, first_order=1))
    for name in ("train_loss", "valid_loss", "predicted", "digest"):
        np.testing.assert_array_equal(record.arrays[name][1:], second.arrays[name])
    other = finetune_upper_layers(replace(CONFIG, seed=1))
    assert (record.arrays["digest"] != other.arrays["digest"]).any(axis=-1).all()


@pytest.mark.usefixtures("model")
def test_the_first_epoch_of_two_is_the_epoch_of_one_unless_the_rate_falls():
    for schedule, same in (("constant", True), ("linear", False)):
        two = finetune_upper_layers(replace(CONFIG, schedule=schedule))
        one = finetune_upper_layers(replace(CONFIG, schedule=schedule, epochs=1))
        equal = (two.arrays["digest"][:, 0] == one.arrays["digest"][:, 0]).all()
        assert equal == same


def test_what_is_wrong_is_named(model):
    with pytest.raises(ValueError, match="examples must be at most 40 for sst2, got 48"):
        finetune_upper_layers(replace(CONFIG, examples=48))
    with pytest.raises(ValueError, match="task must be one of"):
        replace(CONFIG, task="order")
    with pytest.raises(ValueError, match="batch_size must divide"):
        replace(CONFIG, examples=30)
