"""The benchmark of pre-training: what it counts, how it drives the published script, its tables."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import pretraining
from benchmarks._published import load_script, published_rate
from benchmarks._rates import Timing, Variant, at_once, prepare, random_corpus
from benchmarks._roofline import DATA_SHEET, Peak, least_seconds, step_bytes, step_flops
from esp_lib.bert import ablations, model
from esp_lib.bert.config import BertConfig, CorpusConfig, PretrainConfig
from esp_lib.bert.corpus import CLS, PAD, SEP, mask

CPU = torch.device("cpu")
CONFIG = PretrainConfig(
    corpus=CorpusConfig("embedded", vocabulary=700, max_len=24, pairs=64, valid_pairs=16),
    model=BertConfig(vocabulary=700, hidden=48, feed_forward=80, heads=2, blocks=3, positions=30),
    epochs=2,
    batch_size=8,
    validate_every=4,
    validation_pairs=16,
)
TIMING = Timing(steps=3, repeats=2, warm_up=1, at_once=())

SCRIPT = '''
"""A stand-in with the published script's interface."""
import time
from pathlib import Path

import torch

NUM_CPUS = 0
plot_every = 50
loss = torch.nn.CrossEntropyLoss()
seen, sizes, validated = [], [], []


class BERTModel(torch.nn.Module):
    def __init__(self, *given):
        super().__init__()
        sizes.append(given)


def train_bert(train_iter, val_iter, net, loss, vocab_size, devices, num_epochs):
    first = next(iter(train_iter))
    time.sleep(0.6)  # set-up, which is not to be timed
    Path("training_info.json").write_text(str(len(train_iter) + len(val_iter)))
    step = 0
    for epoch in range(num_epochs):
        for batch in train_iter:
            seen.append(batch)
            time.sleep(0.02)
            step += 1
            if step % plot_every == 0:
                validated.append(step)
    Path("optimal.json").write_text("{}")


if __name__ == "__main__":
    raise SystemExit("the main block ran")
'''


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "published" / "bert.py"
    path.parent.mkdir()
    path.write_text(SCRIPT, encoding="utf8")
    return path


@pytest.fixture
def training():
    torch.manual_seed(0)
    ready = prepare(CONFIG, Variant("float32", False), random_corpus(CONFIG), CPU)
    ready.begin(0)
    return ready


def told_in_first_step(training) -> float:
    return float(training.pairs.weights[training._visits[0]].sum())


# ------------------------------------------------------------------------------------- the counts


def test_flops_are_those_that_torch_counts(training, monkeypatch):
    """Padding and places without a hidden word are computed, as on a GPU."""
    monkeypatch.setattr(model, "shapes_may_vary", lambda device: False)
    told = training.pairs.weights.size(1) * CONFIG.batch_size
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        training.step(1e-3)
    assert step_flops(CONFIG, told) == counter.get_total_flops()


class Traffic(TorchDispatchMode):
    """Bytes of all tensors that go into operations and come out of them; views move nothing."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        ins = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        outs = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        memory = {t.untyped_storage().data_ptr() for t in ins}
        new = [t for t in outs if t.untyped_storage().data_ptr() not in memory]
        if new or func._schema.is_mutable:
            self.bytes += sum(t.nbytes for t in [*ins, *new])
        return out


@pytest.mark.parametrize(
    "model",
    [
        {"hidden": 128, "feed_forward": 256, "blocks": 1},  # most of it moves scores and weights
        {"hidden": 128, "feed_forward": 256, "blocks": 8},  # activations
    ],
)
def test_bytes_are_about_those_of_the_tensors_that_operations_touch(model):
    config = replace(
        CONFIG,
        corpus=replace(CONFIG.corpus, vocabulary=4000, max_len=64),
        model=replace(CONFIG.model, vocabulary=4000, positions=64, dropout=0.0, **model),
        batch_size=32,
        validate_every=1,
    )
    training = prepare(config, Variant("float32", False), random_corpus(config), CPU)
    training.begin(0)
    training.step(1e-3)  # the optimizer makes its averages
    training.begin(0)
    with Traffic() as traffic:
        training.step(1e-3)
    assert 0.6 < step_bytes(config, told_in_first_step(training)) / traffic.bytes < 1.1


def test_roofline_is_the_longer_of_arithmetic_and_traffic():
    flops, moved = step_flops(CONFIG, 10), step_bytes(CONFIG, 10)
    fast, slow = 1e30, 1.0
    assert least_seconds(CONFIG, 10, Peak({"float32": slow}, fast, "")) == flops
    assert least_seconds(CONFIG, 10, Peak({"float32": fast}, slow, "")) == moved


# ------------------------------------------------------------------------------------- the rates


def test_random_pairs_are_pairs():
    train = random_corpus(CONFIG).train
    assert train.tokens.shape == (64, 24)
    for tokens, segments, length in zip(train.tokens, train.segments, train.lengths, strict=True):
        assert tokens[0] == CLS
        assert tokens[length - 1] == SEP
        assert (tokens == SEP).sum() == 2
        assert (tokens[length:] == PAD).all()
        first = tokens.tolist().index(SEP)
        assert segments.tolist() == [0] * (first + 1) + [1] * (length - 1 - first) + [0] * (
            24 - length
        )
    assert mask(train, 700, [0]).weights.any(axis=1).all()


def test_published_loop_trains_on_our_pairs_and_leaves_no_files(script, training, tmp_path):
    module = load_script(script)
    before = Path.cwd()
    rate = published_rate(module, CONFIG, training.pairs, CPU, warm_up=2, steps=9)
    assert len(module.seen) == 11  # more than the 8 batches of an epoch
    assert 9 / 0.6 < rate <= 1 / 0.02  # the steps alone, of at least 20 ms
    assert module.validated == []
    assert module.sizes == [(700, 48, 80, 2, 3, 0.1)]
    ours = {tuple(tokens.tolist()): i for i, tokens in enumerate(training.pairs.tokens)}
    tokens, segments, lengths, positions, weights, labels, is_next = module.seen[0]
    visited = [ours[tuple(row.tolist())] for row in tokens]
    assert len(set(visited)) == CONFIG.batch_size
    pairs = training.pairs
    assert torch.equal(segments, pairs.segments[visited])
    assert torch.equal(lengths, pairs.lengths[visited].float())
    assert torch.equal(positions, pairs.positions[visited])
    assert torch.equal(weights, pairs.weights[visited])
    assert torch.equal(labels, pairs.labels[visited])
    assert torch.equal(is_next, pairs.is_next[visited])
    assert Path.cwd() == before
    assert not Path("training_info.json").exists()
    assert [path.name for path in script.parent.iterdir()] == ["bert.py"]


@pytest.mark.slow
def test_runs_at_once_train_in_their_own_processes():
    assert at_once(CONFIG, Variant("float32", False), "cpu", 2, TIMING) > 0


def test_measured_tables_go_into_their_section(script, monkeypatch):
    monkeypatch.delenv("ESP_DATA", raising=False)
    peak = Peak({"float32": 1e12}, 1e10, "as given")
    found = pretraining.measure("cpu", TIMING, script, peak, CONFIG)
    ours, theirs = found["rates"]
    first, second = zip(ours["rates"], theirs["rates"], strict=True)  # each of two rounds
    assert ours["times_published"] == pytest.approx(
        (first[0] / first[1] + second[0] / second[1]) / 2
    )
    assert theirs["times_published"] == 1
    assert 0 < ours["share_of_roofline"] < 1
    assert found["data"].startswith("random pairs")
    assert found["run"]["seconds"]["steps"] == pytest.approx(16 / ours["steps_a_second"])
    text = pretraining.tables(found)
    document = pretraining.TABLE.read_text(encoding="utf8")
    filled = pretraining.fill_in(document, "cpu", text)
    assert text in filled
    parts = [part.partition("<!-- gpu: begin -->") for part in (document, filled)]
    assert parts[0][2] == parts[1][2]  # the other section is as it was
    assert pretraining.fill_in(filled, "cpu", text) == filled


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--device", "cuda:77"], "device must be there, got 'cuda:77'"),
        (["--steps", "0"], "steps must be an integer of at least 1"),
        (["--steps", "1323"], "at most 1321, got 1323"),
        (["--published", "/nowhere/bert.py"], "published must be the file bert.py"),
    ],
)
def test_bad_words_are_refused(words, problem, capsys):
    with pytest.raises(SystemExit):
        pretraining.main(["--no-write", *words])
    assert problem in capsys.readouterr().err


def test_page_on_gpus_says_what_the_roofline_gives():
    page = " ".join((pretraining.TABLE.parents[1] / "docs/gpu.md").read_text("utf8").split())
    peak = DATA_SHEET["NVIDIA H100 80GB"]
    jobs = [job.config for job in ablations.jobs("paper")]

    def told(config: PretrainConfig) -> int:
        return config.batch_size * round(0.15 * config.corpus.max_len)

    def seconds(config: PretrainConfig) -> float:
        return least_seconds(config, told(config), peak)

    tiny = jobs[0]
    assert f"{step_flops(tiny, told(tiny)) / 1e9:.1f} GFLOPs" in page
    assert f"about {step_bytes(tiny, told(tiny)) / 1e9:.1f} GB" in page
    assert f"that is {1e3 * seconds(tiny):.2f} ms" in page
    assert (
        f"a run of {tiny.epochs} epochs cannot take less than {tiny.steps * seconds(tiny):.0f} s"
        in page
    )
    minutes = sum(config.steps * seconds(config) for config in jobs) / 60
    assert f"nor the {len(jobs)} pre-training runs less than {minutes:.0f} min" in page
