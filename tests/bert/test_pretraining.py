"""Pre-training: every step against a slow twin; runs that are killed, diverge or lack memory."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from esp_lib._device import check_device
from esp_lib.bert import model as bert_module
from esp_lib.bert import pretraining as pretrain_module
from esp_lib.bert.config import BertConfig, CorpusConfig, PretrainConfig
from esp_lib.bert.corpus import mask
from esp_lib.bert.distributed import Processes
from esp_lib.bert.pretraining import learning_rate, pretrain
from esp_lib.bert.recorder import RESOLUTION, probe_places
from esp_lib.bert.trainer import Training, make_optimizer
from esp_lib.records.store import FolderError, load, save
from esp_lib.sampling.orders import ORDERS, make_order
from tests.bert import twin
from tests.bert.twin import RESUMED, TINY, VOCABULARY, random_corpus, tiny
from tests.conftest import ROOT

CPU = torch.device("cpu")
ROUNDED = RESOLUTION / 2 + 1e-5  # logged losses are rounded


@pytest.fixture(autouse=True)
def quick_corpus(monkeypatch):
    twin.use_random_corpus(monkeypatch)


def assert_same(a, b) -> None:
    """Two records hold the same numbers, bit for bit."""
    assert a.arrays.keys() == b.arrays.keys()
    for name, array in a.arrays.items():
        assert array.dtype == b.arrays[name].dtype, name
        assert array.tobytes() == b.arrays[name].tobytes(), name
    assert (a.status, a.message, a.config) == (b.status, b.message, b.config)


def interrupt(config, path: Path, steps: int, monkeypatch) -> None:
    """Leave the checkpoint of a run that ends, as by Ctrl-C, after so many steps."""
    step = Training.step

    def until(self, lr):
        step(self, lr)
        if self._taken == steps:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", until)
        with pytest.raises(KeyboardInterrupt):
            pretrain(config, checkpoint=path)


# -------------------------------------------------------------------------- against the slow twin

RUNS = {
    "the baseline": tiny(epochs=2),
    "not shuffled": tiny(order="fixed", epochs=2),
    "reversed": tiny(order="reverse", epochs=2),
    "with replacement": tiny(order="replacement", epochs=2),
    "masks drawn afresh": tiny(masking="dynamic", epochs=2),
    "learning rate falls": tiny(schedule="linear", epochs=2),
    "other betas": tiny(beta1=0.5, beta2=0.8, epochs=2),
    "strong decay": tiny(weight_decay=0.1, epochs=2),
    "adamw": tiny(optimizer="adamw", weight_decay=0.1, epochs=2),
    "rmsprop": tiny(optimizer="rmsprop", beta2=0.99, weight_decay=1e-3, epochs=2),
    "sgd": tiny(optimizer="sgd", lr=0.1, weight_decay=1e-3, epochs=2),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_step_equals_that_of_the_slow_twin(name):
    config = RUNS[name]
    expected = twin.train(config, twin.initial_parameters(config))
    record = pretrain(config)
    arrays = record.arrays
    steps = 12 * config.epochs
    assert arrays["mlm_loss"].shape == arrays["nsp_loss"].shape == (steps,)
    for series in ("mlm_loss", "nsp_loss"):
        assert arrays[series] == pytest.approx(np.array(expected[series]), abs=ROUNDED)
        assert not (arrays[series] % RESOLUTION).any()
    first, last = (np.mean(expected["mlm_loss"][part]) for part in (slice(12), slice(-12, None)))
    assert first > last + 0.02  # it learns

    points = np.array(expected["valid"])
    assert arrays["valid_step"].tolist() == list(range(5, steps + 1, 5))
    for i, series in enumerate(("mlm_loss", "nsp_loss", "mlm_accuracy", "nsp_accuracy")):
        assert arrays[f"valid_{series}"] == pytest.approx(points[:, i], abs=2e-5)

    assert arrays["pair_loss"].shape == (1, 12, 4)
    pair_loss = np.array(expected["pair_loss"])[12:24]
    assert arrays["pair_loss"][0] == pytest.approx(pair_loss, rel=1e-3)  # half precision

    # rows of rare tokens: how far each moved between the probes of epoch 1
    at = [12, 13, *(12 + round(1.2 * i) for i in range(2, 11))]
    assert arrays["probe_step"].tolist() == at[1:]
    rows = [expected["rows"][step - 1][arrays["rare_token"]] for step in at]
    moved = np.sqrt(np.square(np.diff(rows, axis=0)).mean(axis=2))
    assert arrays["rare_moved"] == pytest.approx(moved, rel=0.02, abs=1e-7)


def test_other_seeds_begin_and_visit_otherwise():
    a, b = (
        pretrain(tiny(epochs=1, probe_epochs=())),
        pretrain(tiny(epochs=1, probe_epochs=(), seed=4)),
    )
    assert a.arrays["mlm_loss"][0] != b.arrays["mlm_loss"][0]
    assert (a.seed, b.seed) == (3, 4)
    assert a.config["steps_per_epoch"] == 12
    assert a.made["corpus"] == b.made["corpus"] == random_corpus(TINY.corpus).sha256
    assert a.made["device"]
    assert a.made["processes"] == 1


@pytest.mark.parametrize("order", ORDERS)
def test_batches_follow_the_order(order):
    config = tiny(order=order)
    training = Training(config, random_corpus(config.corpus), CPU, Processes())
    table = make_order(order, num_functions=48, epochs=3, batch_size=4, seed=3)
    visited = []
    network = training.network

    def note(batch):
        visited.append(batch)
        return type(network).forward(network, batch)

    network.forward = note
    for epoch in range(3):
        training.begin(epoch)
        for _ in range(12):
            training.step(1e-3)
    for step, batch in enumerate(visited):
        rows = table.reshape(-1, 4)[step]
        assert torch.equal(batch.tokens, training.pairs.tokens[rows])
        assert torch.equal(batch.is_next, training.pairs.is_next[rows])


def test_the_learning_rate_falls_on_a_line():
    config = tiny(schedule="linear", epochs=2)  # 24 steps
    rates = [learning_rate(config, step) for step in range(24)]
    assert rates == pytest.approx(np.linspace(config.lr, 0, 25)[:-1])
    assert {learning_rate(tiny(), step) for step in range(36)} == {TINY.lr}


def test_the_shapes_of_a_gpu_give_the_same_curve(monkeypatch):
    expected = pretrain(tiny())
    monkeypatch.setattr(bert_module, "shapes_may_vary", lambda device: False)
    record = pretrain(tiny())
    for name in ("mlm_loss", "nsp_loss", "valid_mlm_loss"):
        assert record.arrays[name] == pytest.approx(expected.arrays[name], abs=2 * ROUNDED)


def test_bfloat16_comes_near_float32():
    exact, rough = pretrain(tiny(epochs=2)), pretrain(tiny(epochs=2, precision="bfloat16"))
    for name in ("mlm_loss", "valid_mlm_loss"):
        assert rough.arrays[name] == pytest.approx(exact.arrays[name], abs=0.1)
    assert (rough.arrays["mlm_loss"] != exact.arrays["mlm_loss"]).mean() > 0.5


def test_dropout_follows_from_the_seed_and_acts_in_training_alone():
    a, again = pretrain(tiny(dropout=0.3)), pretrain(tiny(dropout=0.3))
    assert_same(a, again)
    without = pretrain(tiny())
    assert not np.array_equal(a.arrays["mlm_loss"], without.arrays["mlm_loss"])
    still = replace(tiny(dropout=0.3), lr=0.0, weight_decay=0.0)
    record = pretrain(still)  # nothing learns: what validates is the same each time
    assert len(set(record.arrays["valid_mlm_loss"].tolist())) == 1
    assert (record.arrays["probe_loss"] == record.arrays["probe_loss"][0]).all()
    assert not record.arrays["rare_moved"].any()
    table = make_order("reshuffle", num_functions=48, epochs=3, batch_size=4, seed=3)[1]
    logged = record.arrays["pair_loss"][0].ravel()[np.argsort(table)][:7]
    assert (logged != record.arrays["probe_loss"][0]).mean() > 0.5  # logged with dropout


# --------------------------------------------------------------------------------------- recorded


def test_losses_of_pairs_add_up_to_the_loss_of_the_batch():
    config = tiny(epochs=2, dropout=0.1)
    record = pretrain(config)
    weights = mask(random_corpus(config.corpus).train, VOCABULARY, [3, 1, 0]).weights.sum(axis=1)
    order = make_order("reshuffle", num_functions=48, epochs=2, batch_size=4, seed=3)
    counts = weights[order[1].reshape(12, 4)]
    sums = (record.arrays["pair_loss"][0].astype(float) * counts).sum(axis=1) / counts.sum(axis=1)
    assert sums == pytest.approx(record.arrays["mlm_loss"][12:], rel=1e-3)


def test_probes_follow_the_first_pairs_without_dropout():
    record = pretrain(tiny(probe_epochs=(0, 2), epochs=3))
    assert record.arrays["probe_step"].tolist() == [
        step for epoch in (0, 2) for step in (12 * epoch + place for place in probe_places(12))
    ]
    assert record.arrays["probe_loss"].shape == (len(record.arrays["probe_step"]), 7)
    assert record.arrays["pair_loss"].shape == (2, 12, 4)
    # the network before step 2 of an epoch is the one after step 1: its first probe
    fixed = pretrain(tiny(order="fixed", probe_epochs=(1,)))
    logged = fixed.arrays["pair_loss"][0]  # (step, pair of the batch): pairs 4 to 7 at step 2
    assert logged[1][:3] == pytest.approx(fixed.arrays["probe_loss"][0][4:7], rel=2e-3)


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 12, 63, 252, 1323])
def test_places_of_probes(steps):
    places = probe_places(steps)
    assert places == sorted(set(places))
    assert places[0] == 1
    assert places[-1] == steps
    assert len(places) == {1: 1, 2: 2, 9: 9, 10: 10, 12: 10}.get(steps, 11)
    for i in range(1, 11):
        assert min(abs(place - steps * i / 10) for place in places) <= (0.5 if steps > 4 else 1)


def test_rare_rows_are_those_of_tokens_that_occur_once():
    record = pretrain(tiny(epochs=2))
    masks = mask(random_corpus(TINY.corpus).train, VOCABULARY, [3, 1, 0])
    tokens = masks.tokens
    counts = np.bincount(tokens.ravel(), minlength=VOCABULARY)
    assert record.arrays["token_count"].tolist() == counts.tolist()
    rare = record.arrays["rare_token"].tolist()
    assert rare == np.flatnonzero(counts == 1).tolist()
    assert len(rare) > 5
    for token, pair in zip(rare, record.arrays["rare_pair"], strict=True):
        assert token in tokens[pair]
    before = twin.initial_parameters(TINY)["token.weight"].numpy()
    norm = np.sqrt((before.astype(float) ** 2).mean(axis=1))
    assert record.arrays["row_norm"][0] == pytest.approx(norm, rel=1e-3)
    assert not np.array_equal(record.arrays["row_norm"][0], record.arrays["row_norm"][1])


def test_without_probe_epochs_the_record_is_small():
    record = pretrain(tiny(epochs=1, probe_epochs=()))
    assert set(record.arrays) == {
        "mlm_loss", "nsp_loss", "valid_step", "valid_mlm_loss", "valid_nsp_loss",
        "valid_mlm_accuracy", "valid_nsp_accuracy",
    }  # fmt: skip


def test_progress_counts_steps(capsys):
    pretrain(tiny(epochs=1, probe_epochs=()), name="baseline", progress=True)
    said = capsys.readouterr().err
    assert "baseline, seed 3" in said
    assert "12/12" in said
    assert "step/s" in said
    pretrain(tiny(epochs=1, probe_epochs=()))
    assert capsys.readouterr().err == ""


def test_a_stopped_run_is_recorded_as_it_stands(tmp_path, monkeypatch):
    whole = pretrain(TINY)
    path = tmp_path / "run.pt"
    with pytest.raises(ValueError, match="checkpoint must be there"):
        pretrain(TINY, checkpoint=path, as_it_stands=True)
    interrupt(TINY, path, 30, monkeypatch)  # in the third of three epochs of 12 steps
    step = Training.step
    monkeypatch.setattr(Training, "step", None)  # nothing is trained
    part = pretrain(TINY, checkpoint=path, as_it_stands=True)
    assert (part.status, part.message) == ("stopped", "the first 2 of 3 epochs")
    assert part.config == whole.config
    assert part.made["precision"] == "float32"
    assert part.made["seconds"] > 0
    for name, values in part.arrays.items():
        if name in ("mlm_loss", "nsp_loss"):
            assert len(values) == 24
        if name != "row_norm":  # of the network as it is
            np.testing.assert_array_equal(values, whole.arrays[name][: len(values)], err_msg=name)
    assert part.arrays["valid_step"].tolist() == [5, 10, 15, 20]
    assert path.exists()
    monkeypatch.setattr(Training, "step", step)
    assert_same(pretrain(TINY, checkpoint=path), whole)


# ------------------------------------------------------------------------------- killed, started

KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import torch
from esp_lib.bert import pretraining
from esp_lib.bert.trainer import Training
from tests.bert import twin
from tests.bert.twin import RESUMED
pretraining.make_corpus = twin.random_corpus
torch.set_num_threads(1)
place, number, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
inner = {"step": Training.step, "save": os.fsync}[place]
calls = 0

def killing(*arguments):
    global calls
    calls += 1
    if calls == number:
        if place == "save":  # when the file is half written
            os.ftruncate(*arguments, 5000)
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(*arguments)

if place == "step":
    Training.step = killing
else:
    os.fsync = killing
pretraining.pretrain(RESUMED, checkpoint=path)
"""


def run_killed(tmp_path: Path, place: str, number: int) -> Path:
    """The checkpoint of a run in a process that was killed."""
    script, path = tmp_path / "script.py", tmp_path / "runs" / "run.pt"
    script.write_text(KILLED)
    done = subprocess.run(
        [sys.executable, str(script), place, str(number), str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return path


@pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")
@pytest.mark.parametrize(("place", "number"), [("step", 31), ("save", 5)])  # two calls a checkpoint
def test_a_killed_run_goes_on_bit_for_bit(tmp_path, monkeypatch, place, number):
    path = run_killed(tmp_path, place, number)
    assert path.exists()
    steps = 0
    step = Training.step

    def count(self, lr):
        nonlocal steps
        steps += 1
        step(self, lr)

    monkeypatch.setattr(Training, "step", count)
    resumed = pretrain(RESUMED, checkpoint=path)
    assert steps == 24  # of 48: two epochs were kept
    assert sorted(file.name for file in path.parent.iterdir()) == [".run.pt.lock", "run.pt"]
    whole = pretrain(RESUMED)
    assert steps == 24 + 48
    assert_same(resumed, whole)
    assert np.isfinite(whole.arrays["mlm_loss"]).all()


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_an_interrupted_run_goes_on_with_every_optimizer(tmp_path, monkeypatch, optimizer):
    config = tiny(optimizer=optimizer, dropout=0.1, lr=1e-3)
    whole = pretrain(config)
    path = tmp_path / "run.pt"
    interrupt(config, path, 30, monkeypatch)
    assert_same(pretrain(config, checkpoint=path), whole)


def test_a_run_that_was_killed_after_its_last_epoch_is_not_trained_again(tmp_path, monkeypatch):
    path, whole = tmp_path / "run.pt", pretrain(TINY)
    pretrain(TINY, checkpoint=path)
    monkeypatch.setattr(Training, "step", None)
    assert_same(pretrain(TINY, checkpoint=path), whole)


def test_a_disk_that_is_full_at_a_checkpoint_is_named_and_the_last_one_stays(tmp_path, monkeypatch):
    path, whole = tmp_path / "run.pt", pretrain(TINY)
    synced = os.fsync
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 2:  # the second checkpoint
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FolderError, match=r"run.pt cannot be written to .*No space left"):
            pretrain(TINY, checkpoint=path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".run.pt.lock", "run.pt"]
    assert_same(pretrain(TINY, checkpoint=path), whole)


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """The checkpoint of a run that was interrupted in its second epoch."""
    path = tmp_path / "run.pt"
    interrupt(TINY, path, 15, monkeypatch)
    return path


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "one bit", "another file", "not a file of torch"]
)
def test_a_damaged_checkpoint_is_refused_and_kept(checkpoint, damage):
    content = bytearray(checkpoint.read_bytes())
    if damage == "empty":
        content.clear()
    elif damage == "cut":
        del content[-1000:]
    elif damage == "one bit":  # of a weight
        state = torch.load(checkpoint)
        place = content.find(state["training"]["network"]["mlm.3.weight"].numpy().tobytes())
        assert place > 0
        content[place + 50] ^= 1
    elif damage == "another file":
        torch.save([1, 2], checkpoint)
        content = bytearray(checkpoint.read_bytes())
    else:
        content = bytearray(b"epoch 3")
    checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged: delete it to start anew") as caught:
        pretrain(TINY, checkpoint=checkpoint)
    assert str(checkpoint) in str(caught.value)
    assert checkpoint.read_bytes() == content


@pytest.mark.parametrize(
    "other", [tiny(beta2=0.8), tiny(seed=4), tiny(epochs=4), tiny(dropout=0.1)]
)
def test_a_checkpoint_of_another_run_is_refused_and_kept(checkpoint, other):
    content = checkpoint.read_bytes()
    with pytest.raises(ValueError, match=r"run with other settings or another text: delete or"):
        pretrain(other, checkpoint=checkpoint)
    assert checkpoint.read_bytes() == content
    assert_same(pretrain(TINY, checkpoint=checkpoint), pretrain(TINY))


def test_a_checkpoint_of_another_text_is_refused_and_kept(checkpoint, monkeypatch):
    content = checkpoint.read_bytes()
    other = random_corpus(TINY.corpus)._replace(sha256="0" * 64)
    monkeypatch.setattr(pretrain_module, "make_corpus", lambda config: other)
    with pytest.raises(ValueError, match="another text"):
        pretrain(TINY, checkpoint=checkpoint)
    assert checkpoint.read_bytes() == content


def test_a_checkpoint_keeps_this_device_s_settings_of_the_optimizer(checkpoint):
    """Of a run on a GPU it has a learning rate that is a tensor, and `capturable`."""
    state = torch.load(checkpoint)["training"]
    for group in state["optimizer"]["param_groups"]:
        group.update(lr=torch.tensor(1.0), capturable=True)
    training = Training(TINY, random_corpus(TINY.corpus), CPU, Processes())
    training.load_state(state)
    (group,) = training.optimizer.param_groups
    assert (group["lr"], group["capturable"], group["fused"]) == (TINY.lr, False, True)
    moments = training.optimizer.state[training.network.token.weight]
    assert float(moments["step"]) == 12
    assert torch.equal(
        moments["exp_avg"], state["optimizer"]["state"][1]["exp_avg"]
    ) or torch.equal(moments["exp_avg"], state["optimizer"]["state"][0]["exp_avg"])


# --------------------------------------------------------------------------- diverged, too large


@pytest.mark.parametrize(
    ("optimizer", "lr"), [("sgd", 1e8), ("adam", 1e12), ("adam", 1e30), ("rmsprop", 1e20)]
)
def test_a_run_that_diverges_is_a_result(tmp_path, optimizer, lr):
    config = tiny(optimizer=optimizer, lr=lr, probe_epochs=(0, 1))
    record = pretrain(config, name="wild", profile="quick", checkpoint=tmp_path / "run.pt")
    assert record.status == "diverged"
    assert record.message == "the loss was not finite any more in epoch 1"
    finite = np.isfinite(record.arrays["mlm_loss"])
    assert finite[0]
    assert not finite[5:].any()
    last = record.arrays["valid_step"][-1]
    assert np.isnan(record.arrays["mlm_loss"][last:]).all()
    assert_same(load(save(record, tmp_path)), record)
    assert not (tmp_path / "run.pt").exists()


def out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def out_of_memory_on_a_cpu() -> None:
    torch.empty(10**15)


@pytest.mark.parametrize(
    ("fail", "text"),
    [
        (out_of_memory, "Tried to allocate 2.00 GiB"),
        (out_of_memory_on_a_cpu, "can't allocate memory"),
    ],
)
def test_a_run_that_lacks_memory_keeps_what_it_has(tmp_path, monkeypatch, fail, text):
    whole, step = pretrain(TINY), Training.step

    def failing(self, lr):
        if self._taken == 18:
            fail()
        step(self, lr)

    monkeypatch.setattr(Training, "step", failing)
    record = pretrain(TINY, name="large", profile="quick")
    assert record.status == "out of memory"
    assert text in record.message
    assert "a smaller batch_size or model needs less" in record.message
    # fetched at the latest validation, after step 15
    for name in ("mlm_loss", "nsp_loss"):
        assert np.array_equal(record.arrays[name][:15], whole.arrays[name][:15])
        assert np.isnan(record.arrays[name][15:]).all()
    assert record.arrays["valid_step"].tolist() == [5, 10, 15]
    assert_same(load(save(record, tmp_path)), record)


def test_other_errors_are_not_swallowed(monkeypatch, tmp_path):
    def failing(self, lr):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Training, "step", failing)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        pretrain(TINY, checkpoint=tmp_path / "run.pt")


# ---------------------------------------------------------------------------------- what is asked


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("cuda", "cuda:0"):
        with pytest.raises(ValueError, match="this machine has no GPU torch can use") as caught:
            pretrain(TINY, name)
        assert repr(name) in str(caught.value)
        assert 'use "cpu"' in str(caught.value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="got 'cuda:2': this machine has 2 GPUs"):
        check_device("cuda:2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "sorted"}, "order must be one of"),
        ({"masking": "none"}, "masking must be one of 'static', 'dynamic'"),
        ({"optimizer": "Adam"}, "optimizer must be one of 'adam'"),
        ({"schedule": "cosine"}, "schedule must be one of"),
        ({"precision": "float16"}, "precision must be one of"),
        ({"epochs": 0}, "epochs must be an integer of at least 1"),
        ({"batch_size": 5}, "batch_size must divide .*48, got 5"),
        ({"validate_every": 13}, "validate_every must be .*at most 12"),
        ({"validation_pairs": 21}, "validation_pairs must be .*at most 20"),
        ({"probe_epochs": (3,)}, "probe_epochs must be an integer of at least 0 and at most 2"),
        ({"probe_epochs": (0.5,)}, "probe_epochs must be an integer"),
        ({"probe_epochs": (1, 1)}, r"probe_epochs must be distinct, got \(1, 1\)"),
        ({"probe_pairs": 0}, "probe_pairs must be"),
        ({"lr": float("inf")}, "lr must be finite"),
        ({"beta1": 1.0}, "beta1 must be"),
        ({"beta2": -0.1}, "beta2 must be"),
        ({"eps": -1.0}, "eps must be"),
        ({"weight_decay": -1.0}, "weight_decay must be"),
        ({"seed": -1}, "seed must be"),
        ({"model": BertConfig(400, 8, 12)}, "model.vocabulary must be corpus.vocabulary, 300"),
        (
            {"model": BertConfig(300, 8, 12, positions=15)},
            "model.positions must be at least corpus.max_len, 16, got 15",
        ),
    ],
)
def test_impossible_runs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_optimizers_on_a_gpu_can_be_captured():
    """As far as it can be seen without one: what `make_optimizer` asks torch for."""
    network = Training(TINY, random_corpus(TINY.corpus), CPU, Processes()).network
    for name, decoupled in (("adam", False), ("adamw", True)):
        config = replace(TINY, optimizer=name, weight_decay=0.1)
        (group,) = make_optimizer(config, network, CPU).param_groups
        assert group["fused"]
        assert (group["lr"], group["betas"], group["eps"]) == (3e-3, (0.9, 0.999), 1e-8)
        assert (group["weight_decay"], group["decoupled_weight_decay"]) == (0.1, decoupled)


# -------------------------------------------------------------------------------- several processes

SHARED = """
import os, sys
from pathlib import Path
import numpy as np
import torch
from torch import distributed
from esp_lib.bert import pretraining
from tests.bert import twin
pretraining.make_corpus = twin.random_corpus
torch.set_num_threads(1)
folder, rank = Path(sys.argv[1]), os.environ["RANK"]
inner = pretraining.save_checkpoint

def noting(path, *arguments):
    with (folder / "writers").open("a") as file:
        file.write(rank)
    inner(path, *arguments)

pretraining.save_checkpoint = noting
record = pretraining.pretrain(twin.tiny(), checkpoint=folder / "run.pt", progress=True)
np.savez(folder / f"{rank}.npz", **record.arrays, processes=record.made["processes"])
distributed.destroy_process_group()
"""


def test_two_processes_give_the_curve_of_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SHARED)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(script), str(tmp_path),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    if done.returncode and "RendezvousConnectionError" in done.stderr:
        pytest.skip("torchrun cannot open a port on this machine")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "writers").read_text() == "000"
    assert (tmp_path / "run.pt").exists()  # it goes when the record is on disk
    assert done.stderr.count("36/36") <= 1  # one progress bar

    alone = pretrain(tiny()).arrays
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    assert int(first["processes"]) == 2
    for name, array in alone.items():
        assert np.array_equal(first[name], second[name]), name
        assert first[name].shape == array.shape
        tolerance = 2e-3 * float(np.abs(array).max()) if array.dtype == np.float16 else 2 * ROUNDED
        assert first[name] == pytest.approx(array, abs=tolerance), name


def test_shares_of_a_batch_are_disjoint_and_complete():
    for count in (1, 2, 3, 5):
        parts = [list(range(12))[Processes(rank, count).share(12)] for rank in range(count)]
        assert sorted(i for part in parts for i in part) == list(range(12))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [Processes(rank, 2).first for rank in (0, 1)] == [True, False]


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "mps", "meta", "xpu"])
def test_unknown_devices_are_named(name):
    with pytest.raises(ValueError, match=r'device must be "cpu", "cuda" or "cuda:<number>", got'):
        check_device(name)


def test_the_defaults_are_the_paper_s():
    config = PretrainConfig()
    assert (config.steps_per_epoch, config.steps) == (1323, 30 * 1323)
    assert (config.batch_size, config.lr, config.weight_decay) == (32, 1e-4, 1e-5)
    assert (config.beta1, config.beta2, config.eps) == (0.9, 0.999, 1e-8)
    assert config.validation_pairs == 10 * 32
    assert (config.corpus, config.model) == (CorpusConfig(), BertConfig())
