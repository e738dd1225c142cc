"""BERT: its size counted by hand, its output against a slow twin, its losses by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from esp_lib.bert import model as bert_module
from esp_lib.bert.config import SMALL, BertConfig, count_parameters
from esp_lib.bert.corpus import mask
from esp_lib.bert.model import Batch, Bert, Outputs, losses, right
from esp_lib.bert.trainer import cut, on_device
from tests.bert.twin import VOCABULARY, network_losses, network_outputs, random_pairs

CPU = torch.device("cpu")
LITTLE = BertConfig(VOCABULARY, hidden=12, feed_forward=20, heads=3, blocks=2, positions=30)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data():
    """Nine pairs of different lengths, masked; also as a batch."""
    pairs = random_pairs(9, 24, seed=1)
    masks = mask(pairs, VOCABULARY, [1])
    assert len(set(pairs.lengths)) > 4
    assert len(set(masks.weights.sum(axis=1))) > 1
    return pairs, masks, on_device(pairs, masks, CPU)


@pytest.fixture
def network():
    torch.manual_seed(4)
    return Bert(LITTLE).eval()


@pytest.fixture(params=["cpu", "as on a gpu"])
def device_kind(request, monkeypatch):
    """Both ways of telling hidden words: without the empty places, and with them."""
    if request.param != "cpu":
        monkeypatch.setattr(bert_module, "shapes_may_vary", lambda device: False)
    return request.param


# ------------------------------------------------------------------------------------------ size


def paper_shapes(V: int, H: int, ff: int, blocks: int, positions: int) -> list[tuple[int, ...]]:
    """Every array of the paper's network; queries, keys, values and their output are H by H."""
    norm = [(H,), (H,)]
    block = 4 * [(H, H), (H,)] + norm + [(ff, H), (ff,), (H, ff), (H,)] + norm
    mlm = [(H, H), (H,), *norm, (V, H), (V,)]
    nsp = [(H, H), (H,), (2, H), (2,)]
    return [(V, H), (2, H), (positions, H), *(blocks * block), *mlm, *nsp]


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (BertConfig(), 16_833_330),
        (SMALL, 71_704_370),
        (LITTLE, None),
        (BertConfig(500, 8, 8, 1, 1), None),
        (BertConfig(301, 6, 10, 2, 4, positions=9), None),
    ],
)
def test_the_paper_s_parameters(config, count):
    shapes = paper_shapes(
        config.vocabulary, config.hidden, config.feed_forward, config.blocks, config.positions
    )
    by_hand = sum(int(np.prod(shape)) for shape in shapes)
    assert count_parameters(config) == by_hand
    assert count is None or by_hand == count
    with torch.device("meta"):
        network = Bert(config)
    assert sum(p.numel() for p in network.parameters()) == by_hand
    assert all(p.requires_grad for p in network.parameters())


def test_the_paper_s_sizes():
    assert BertConfig(30_000, 256, 512, 2, 2, 0.1, 1000) == BertConfig()
    assert BertConfig(30_000, 768, 1024, 6, 6, 0.2, 1000) == SMALL


def test_embeddings_start_as_standard_normal():
    torch.manual_seed(0)
    network = Bert(replace(LITTLE, vocabulary=2000, hidden=24))
    for rows in (network.token.weight, network.position):
        assert float(rows.detach().mean()) == pytest.approx(0, abs=0.2)
        assert float(rows.detach().std()) == pytest.approx(1, abs=0.1)
    bound = 24**-0.5  # of a layer with 24 inputs
    qkv = network.blocks[0].qkv.weight.detach()
    assert float(qkv.abs().max()) == pytest.approx(bound, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": 0}, "hidden must be an integer of at least 1"),
        ({"blocks": 1.5}, "blocks must be an integer"),
        ({"heads": 5}, "heads must divide hidden, 256, got 5"),
        ({"dropout": 1.0}, r"dropout must be finite and in \[0, 1\)"),
        ({"dropout": -0.1}, "dropout must be"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BertConfig(), **change)


# ---------------------------------------------------------------------------------------- output


def parameters(network: Bert) -> dict[str, torch.Tensor]:
    return {name: value.detach().double() for name, value in network.named_parameters()}


def test_scores_equal_those_of_the_slow_twin(data, network, device_kind):
    pairs, masks, batch = data
    with torch.no_grad():
        outputs = network(batch)
        encoded = network.encode(batch.tokens, batch.segments, batch.lengths)
    assert encoded.shape == (9, 24, 12)
    B, P = batch.positions.shape
    asked = int(batch.weights.sum())
    K = asked if device_kind == "cpu" else B * P
    assert outputs.words.shape == (K, VOCABULARY)
    assert outputs.following.shape == (9, 2)
    assert int((outputs.weights > 0).sum()) == asked

    kept = outputs.weights > 0
    rows, words, labels = outputs.rows[kept], outputs.words[kept], outputs.labels[kept]
    assert torch.equal(labels, batch.labels[batch.weights > 0])
    for i in range(9):
        length, hidden = int(pairs.lengths[i]), int(masks.weights[i].sum())
        expected, following = network_outputs(
            parameters(network),
            LITTLE.heads,
            masks.tokens[i, :length].tolist(),
            pairs.segments[i, :length].tolist(),
            masks.positions[i, :hidden].tolist(),
        )
        assert torch.allclose(words[rows == i].double(), expected, atol=1e-5)
        assert torch.allclose(outputs.following[i].double(), following, atol=1e-5)


def test_losses_and_right_answers_by_hand(data, network, device_kind):
    pairs, masks, batch = data
    with torch.no_grad():
        outputs = network(batch)
        mlm, nsp = losses(outputs, batch)
        words_right, pairs_right = right(outputs, batch)
    told = [network_losses(parameters(network), LITTLE.heads, pairs, masks, i) for i in range(9)]
    by_hand = [float(sum(each)) for each, *_ in told]
    assert mlm.tolist() == pytest.approx(by_hand, rel=1e-5)
    assert nsp.tolist() == pytest.approx([float(loss) for _, loss, *_ in told], rel=1e-5)
    assert int(words_right) == sum(r for *_, row, _ in told for r in row)
    assert int(pairs_right) == sum(said for *_, said in told)


def test_right_answers_are_counted(device_kind):
    words = torch.full((4, 5), -1.0)
    words[range(4), [2, 3, 4, 0]] = 1.0
    outputs = Outputs(
        words,
        labels=torch.tensor([2, 3, 1, 0]),
        weights=torch.tensor([1.0, 1.0, 1.0, 0.0]),
        rows=torch.tensor([0, 0, 1, 1]),
        following=torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
    )
    empty = torch.zeros(2, 2, dtype=torch.int64)
    batch = Batch(empty, empty, empty[0], torch.tensor([1, 0]), empty, empty, empty.float())
    words_right, pairs_right = right(outputs, batch)
    assert (int(words_right), int(pairs_right)) == (2, 1)
    mlm, nsp = losses(outputs, batch)
    log_total = np.log(np.e + 4 / np.e)
    assert mlm.tolist() == pytest.approx([2 * (log_total - 1), log_total + 1])
    assert nsp.tolist() == pytest.approx([np.log(1 + np.e) - 1, np.log(1 + np.e)])


def test_padding_does_not_matter(data, network, device_kind):
    _, _, batch = data
    at = torch.arange(24)
    padding = at >= batch.lengths[:, None]
    assert padding.any()
    other = batch._replace(
        tokens=torch.where(padding, 77, batch.tokens),
        segments=torch.where(padding, 1, batch.segments),
    )
    longest = int(batch.lengths.max())
    shorter = batch._replace(tokens=batch.tokens[:, :longest], segments=batch.segments[:, :longest])
    with torch.no_grad():
        one = losses(network(batch), batch)
        for changed in (other, shorter):
            for a, b in zip(one, losses(network(changed), changed), strict=True):
                assert torch.allclose(a, b, atol=1e-5)
        moved = batch._replace(tokens=torch.where(at == 1, 77, batch.tokens))
        assert not torch.allclose(one[0], losses(network(moved), moved)[0], atol=1e-3)


def test_gradients_do_not_depend_on_the_way(data, network, monkeypatch):
    _, _, batch = data
    found = []
    for vary in (True, False):
        monkeypatch.setattr(bert_module, "shapes_may_vary", lambda device, vary=vary: vary)
        network.zero_grad()
        mlm, nsp = losses(network(batch), batch)
        (mlm.sum() + nsp.sum()).backward()
        found.append([p.grad.clone() for p in network.parameters()])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, atol=1e-5, rtol=1e-4)


def test_the_way_depends_on_the_device():
    assert bert_module.shapes_may_vary(CPU)
    assert not bert_module.shapes_may_vary(torch.device("cuda"))


def test_dropout_acts_in_training_alone(data):
    _, _, batch = data
    torch.manual_seed(0)
    network = Bert(replace(LITTLE, dropout=0.5))

    def told(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return losses(network(batch), batch)[0]

    network.train()
    assert torch.equal(told(1), told(1))
    assert not torch.allclose(told(1), told(2), rtol=1e-3)
    network.eval()
    assert torch.equal(told(1), told(2))
    # attention is dropped too: without any in the sums, the output still varies
    network.train()
    for block in network.blocks:
        block.drop.p = 0.0
    assert not torch.allclose(told(1), told(2), rtol=1e-3)


def test_a_large_batch_is_cut_into_small_ones():
    pairs = random_pairs(300, 16, seed=2)
    batch = on_device(pairs, mask(pairs, VOCABULARY, [0]), CPU)
    parts = cut(batch)
    assert [len(part.is_next) for part in parts] == [128, 128, 44]
    for i, field in enumerate(batch):
        assert torch.equal(torch.cat([part[i] for part in parts]), field)
