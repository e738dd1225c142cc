"""Reading logs: every format gives back the run that was written, and nothing else gets through."""

import json
import random
import time

import numpy as np
import pytest

from esp_lib.diagnosis.trial.synthetic_files import corpus as write_corpus
from esp_lib.logs.columns import rank, role
from esp_lib.logs.read import LogError, parse_log, read_log
from tests.logs.corpus import BAD
from tests.logs.in_node import mangled


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    return folder, write_corpus(folder)


FORMATS = {
    "steps.csv": "CSV", "schedule.tsv": "TSV", "savetxt.txt": "table with spaces",
    "losses.txt": "CSV", "log.jsonl": "JSON lines",
    "trainer_state.json": "Hugging Face trainer_state.json",
    "trainer_state_new.json": "Hugging Face trainer_state.json", "metrics.csv": "CSV",
    "wandb_export.csv": "CSV", "plain.log": "text", "nanogpt.log": "text", "keras.log": "text",
    "tqdm.log": "text", "pytorch.log": "text", "megatron.log": "text", "dict.log": "text",
    "history.json": "JSON, a list for each column", "events.out.tfevents.1": "TensorBoard events",
    "events.out.tfevents.2": "TensorBoard events", "resumed.csv": "CSV with semicolons",
}  # fmt: skip
# Formats that say how long an epoch is, in their own unit of steps.
LENGTHS = {
    "schedule.tsv": 40, "trainer_state.json": 300, "trainer_state_new.json": 300,
    "metrics.csv": 60, "keras.log": 60, "tqdm.log": 60, "pytorch.log": 60 * 64, "dict.log": 300,
    "events.out.tfevents.1": 60,
}  # fmt: skip


def test_every_format_is_in_the_corpus(corpus):
    assert set(corpus[1]) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_back_its_run(corpus, name):
    folder, files = corpus
    run, arguments = files[name]
    log = read_log(folder / name, **arguments)
    assert log.source == FORMATS[name]
    unit = 64 if name == "pytorch.log" else 1  # counts samples, from 0
    assert log.steps.tolist() == ((run.steps - (unit > 1)) * unit + (unit > 1)).tolist()
    assert log.loss == pytest.approx(run.loss, abs=1e-4)
    assert log.steps_per_epoch == LENGTHS.get(name)


def test_validation_and_rate_are_found(corpus):
    folder, _ = corpus
    log = read_log(folder / "metrics.csv")
    assert log.validation is not None
    assert log.validation[0].tolist() == [60, 120, 180, 240, 300, 360]
    assert log.validation[1] == pytest.approx(2.0 - 0.1 * np.arange(6))
    state = read_log(folder / "trainer_state.json")
    assert state.averaged
    assert state.interval == 10
    assert state.validation is not None
    assert state.validation[0].tolist() == [300, 600, 900, 1200]
    rate = read_log(folder / "schedule.tsv").learning_rate
    assert rate is not None
    assert np.unique(rate) == pytest.approx([1e-5, 1e-4, 1e-3])


def test_notes_say_what_was_left_out(corpus):
    notes = " ".join(read_log(corpus[0] / "resumed.csv").notes)
    assert "not finite and were left out: 1" in notes
    assert "earlier points that were replaced: 50" in notes
    assert "2 columns are named alike" in " ".join(read_log(corpus[0] / "wandb_export.csv").notes)


def test_columns_can_be_named(corpus):
    folder, files = corpus
    log = read_log(folder / "wandb_export.csv", column="b - 2 - train/loss")
    assert log.loss == pytest.approx(files["metrics.csv"][0].loss, abs=1e-5)
    log = parse_log("step,foo,Bar Baz\n1,2,3\n2,3,4\n", column="foo", validation_column="bar_baz")
    assert log.loss.tolist() == [2, 3]
    assert log.validation is not None
    assert log.validation[1].tolist() == [3, 4]


def test_a_pattern_reads_any_line():
    text = "it=3;L=2.5\nnoise\nit=4;L=nan\nit=5;L=2.25e0\n"
    log = parse_log(text, pattern=r"it=(?P<step>\d+);L=(?P<loss>\S+)")
    assert log.steps.tolist() == [3, 5]
    assert log.loss.tolist() == [2.5, 2.25]
    assert parse_log(text, pattern=r"L=([\d.]+)").loss.tolist() == [2.5, 2.25]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("train/loss", "loss"), ("run-7 - trainLossStep", "loss"), ("lm loss", "loss"),
        ("eval_loss", "validation"), ("val/loss", "validation"), ("valLoss", "validation"),
        ("loss_scale", None), ("run - loss__MIN", None), ("accuracy", None), ("nll", "loss"),
        ("trainer/global_step", "step"), ("_step", "step"), ("Step", "step"), ("iteration", "step"),
        ("Epoch", "epoch"), ("train/epoch", "epoch"), ("lr-AdamW", "rate"),
        ("train/learning_rate", "rate"), ("Value", "loss"), ("Wall time", None),
    ],
)  # fmt: skip
def test_names_of_columns(name, what):
    assert role(name) == what


def test_the_loss_of_the_steps_comes_before_other_losses():
    names = ["train_loss_epoch", "mlm_loss", "train_loss_step", "value", "loss_avg"]
    assert sorted(names, key=rank)[0] == "train_loss_step"
    assert sorted(names, key=rank)[-1] == "value"


# ------------------------------------------------------------------------------- epochs and steps


@pytest.mark.parametrize("every", [1, 7, 10, 50])
@pytest.mark.parametrize("decimals", [2, None])
def test_epoch_length_from_rounded_fractions(every, decimals):
    T, total = 937, 937 * 4
    steps = np.arange(every, total + 1, every)
    epochs = steps / T if decimals is None else np.round(steps / T, decimals)
    rows = [f"{s},{e},{2 - s / 1e4:.4f}" for s, e in zip(steps, epochs, strict=True)]
    log = parse_log("step,epoch,loss\n" + "\n".join(rows))
    assert log.steps_per_epoch is not None
    assert abs(log.steps_per_epoch - T) <= log.steps_per_epoch_error + 1e-6
    assert log.steps_per_epoch_error <= (3 if decimals else 1e-6)


def test_epoch_length_may_be_a_fraction_with_gradient_accumulation():
    steps = np.arange(1, 51)
    rows = [f"{s},{s / 12.5},{2 - s / 100}" for s in steps]
    assert parse_log("step,epoch,loss\n" + "\n".join(rows)).steps_per_epoch == 12.5


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("every", [1, 10, 25])
def test_epoch_length_from_whole_epochs(base, every):
    T = 313
    steps = np.arange(every, T * 8 + 1, every)
    rows = [f"{s},{(s - 1) // T + base},{2 - s / 1e4:.4f}" for s in steps]
    log = parse_log("step,epoch,loss\n" + "\n".join(rows))
    assert log.steps_per_epoch is not None
    assert abs(log.steps_per_epoch - T) <= log.steps_per_epoch_error + 0.5


def test_a_run_that_is_logged_from_its_middle_keeps_its_place():
    T = 100
    steps = np.arange(250, 1000, 5)
    rows = [f"{s - 249},{s / T:.4f},{2 - s / 1e4:.4f}" for s in steps]  # steps begin anew, at 1
    log = parse_log("step,epoch,loss\n" + "\n".join(rows))
    assert log.steps_per_epoch == 100
    assert np.abs(log.steps / T - steps / T).max() % 1 < 0.02


def test_resumed_runs_keep_what_was_logged_last():
    first = [(s, 1.0) for s in range(1, 101)]
    again = [(s, 2.0) for s in range(61, 151)]
    text = "step,loss\n" + "\n".join(f"{s},{v}" for s, v in first + again)
    log = parse_log(text)
    assert log.steps.tolist() == list(range(1, 151))
    assert log.loss.tolist() == [1.0] * 60 + [2.0] * 90
    assert any("replaced: 40" in note for note in log.notes)


def test_evaluations_beside_a_point_replace_nothing():
    text = "".join(
        f"iter {i}: loss {3 - i / 100}\n" + (f"step {i}: val loss 2.5\n" if i % 20 == 0 else "")
        for i in range(100)
    )
    log = parse_log(text)
    assert log.steps.size == 100
    assert log.validation is not None
    assert log.validation[0].tolist() == [1, 21, 41, 61, 81]


def test_ragged_and_quoted_tables_are_read():
    text = 'step,loss,note\n1,2.5,"a, b"\n2,2.25\n3,' + "9" * 1_000 + ',"c"\n4,x,d\n5,2,"e"\n'
    log = parse_log(text)
    assert log.loss.tolist() == [2.5, 2.25, 2]
    assert any("not finite and were left out: 1" in note for note in log.notes)
    assert any("no numbers and were left out: 1" in note for note in log.notes)


def test_text_in_windows_encoding():
    text = "step 1 loss 2.5\r\nstep 2 loss 2.25\r\n"
    assert parse_log(text.encode("utf-16")).loss.tolist() == [2.5, 2.25]


def test_a_hash_before_a_number_is_no_number():
    log = parse_log("step #5 loss 3\n# step # 6 loss # 2\n")
    assert log.steps.tolist() == [5, 6]
    assert log.loss.tolist() == [3, 2]


def test_booleans_are_no_losses():
    for data in ('{"loss": [true, 2.0, 3]}', '[{"loss": true}, {"loss": 2}, {"loss": 3}]'):
        assert parse_log(data).loss.tolist() == [2, 3]


def test_an_epoch_is_no_shorter_than_a_step():
    beside = parse_log("step,epoch,loss,val_loss\n5,1.0,2,\n5,1.5,,3\n")
    assert beside.steps_per_epoch is None
    short = parse_log("step,epoch,loss\n1,0,2\n2,7,2\n3,14,2\n")
    assert short.steps_per_epoch is None


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_log_is_refused_in_words(name):
    data, words = BAD[name]
    with pytest.raises(LogError, match=r".") as error:
        parse_log(data)
    assert words in str(error.value)
    assert len(str(error.value)) < 2_000


def test_what_is_asked_for_must_be_there(tmp_path):
    with pytest.raises(LogError, match="there is no column 'x'; the columns are: 'step', 'loss'"):
        parse_log("step,loss\n1,2\n2,3\n", column="x")
    with pytest.raises(LogError, match="pattern= must be a regular expression"):
        parse_log("a", pattern="(")
    with pytest.raises(LogError, match="a group for the loss"):
        parse_log("a", pattern="(?P<x>a)")
    with pytest.raises(LogError, match="matches no line"):
        parse_log("a", pattern="(b)")
    with pytest.raises(ValueError, match="log_every must be an integer of at least 1"):
        parse_log("1\n2\n", log_every=0)
    with pytest.raises(LogError, match="cannot read"):
        read_log(tmp_path / "missing.csv")
    with pytest.raises(LogError, match="cannot read"):
        read_log(tmp_path)


def test_no_mangled_log_ends_in_a_traceback(corpus):
    contents = [(corpus[0] / name).read_bytes() for name in FORMATS]
    began = time.process_time()
    outcomes = {"read": 0, "refused": 0}
    for data in mangled(contents, 400, seed=0):
        try:
            log = parse_log(data)
        except LogError:
            outcomes["refused"] += 1
        else:
            assert np.isfinite(log.loss).all()
            assert (np.diff(log.steps) > 0).all()
            assert log.steps_per_epoch is None or log.steps_per_epoch >= 1
            outcomes["read"] += 1
    assert min(outcomes.values()) > 15
    assert time.process_time() - began < 60


def test_random_bytes_are_refused():
    rng = random.Random(1)
    for _ in range(200):
        with pytest.raises(LogError):
            parse_log(rng.randbytes(rng.randrange(1, 2_000)))


@pytest.mark.parametrize(
    "text",
    ["loss" * 500_000, "loss: " * 300_000, "1/" * 500_000, "epoch (" * 200_000, "-" * 2_000_000,
     "step " + " " * 1_000_000 + "loss", json.dumps([[]] * 200_000),
     "\n".join(f"x{i}loss{i} y" for i in range(50_000))],
    ids=range(8),
)  # fmt: skip
def test_hostile_text_takes_bounded_time(text):
    began = time.process_time()
    with pytest.raises(LogError):
        parse_log(text)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_plain_tables_are_read_as_all_others_are(monkeypatch, delimiter):
    cells = ["1", "2.5", " 3", "+4.", ".5e1", "1e999", "-inf", "nan", "6 ", "7e-2"]
    cells += ["0x10", "1_0", "1e", "\x1c1", "1\xa0", "٣", '"8"', "", "1,5", "9" * 140_000]
    texts = ["\n".join(["step loss", "1 3", f"2 {cell}", "3 1"]) for cell in cells]
    texts += ["step loss\n1\n2 3\n", "step loss\n1 2 3\n2 3\n", "step loss\n1 2\n"]
    texts = [text.replace(" ", delimiter) for text in texts]

    def read():
        found = []
        for text in texts:
            try:
                log = parse_log(text)
                found.append((log.steps.tolist(), log.loss.tolist(), log.notes, log.left_out))
            except LogError as error:
                found.append(str(error))
        return found

    fast = read()
    monkeypatch.setattr("esp_lib.logs.table._plain_columns", lambda *_: None)
    assert read() == fast
    assert sum(isinstance(one, tuple) for one in fast) > 10
