"""Lines and files of many tools: what is read from each, in both languages."""

import json
import struct

import numpy as np
import pytest

from esp_lib.diagnosis.trial.synthetic_files import message, varint
from esp_lib.logs.formats import LogError
from esp_lib.logs.read import parse_log, read_log
from tests.logs.forms import FORMS, LOSSES, STEPS, loss, rows
from tests.logs.in_node import compare
from tests.logs.real_logs import REAL, labels, needs_real


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_line_is_read_whole(name):
    text, length = FORMS[name]
    log = parse_log(text.encode())
    steps = [1_000 + step for step in STEPS] if name == "thousands" else STEPS
    assert log.steps.tolist() == steps
    assert log.loss == pytest.approx(LOSSES, abs=6e-3)
    assert log.left_out == 0
    if length is None:
        assert log.steps_per_epoch is None
    else:
        assert abs(log.steps_per_epoch - length) <= log.steps_per_epoch_error + 1e-9


def notebook(*outputs):
    cells = [{"cell_type": "code", "source": ["loss = 3"], "outputs": list(outputs)}]
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {}})


def test_a_notebook_is_read_by_what_its_cells_printed():
    text = FORMS["pytorch examples"][0]
    stream = {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}
    log = parse_log(notebook(stream))
    assert log.loss == pytest.approx(LOSSES, abs=1e-3)
    assert log.steps_per_epoch == 40
    table = "".join(f"<tr><td>{s}</td><td>{loss(s)}</td></tr>\n" for s in STEPS)
    html = f"<table><tr><th>Step</th><th>Training Loss</th></tr>\n{table}</table>"
    log = parse_log(notebook({"output_type": "display_data", "data": {"text/html": [html]}}))
    assert log.steps.tolist() == STEPS
    assert log.loss == pytest.approx(LOSSES)


def run_file(points):
    """A run file of Weights & Biases, as its data store writes it, in blocks of 32 KiB."""
    data = b":W&B" + b"\xe1\xbe\x00"
    for step, value in points:
        keys = ((b"train/loss", value), (b"trainer/global_step", step))
        items = b"".join(
            message(1, message(1, key) + message(16, json.dumps(number).encode()))
            for key, number in keys
        )
        record = message(2, items + message(2, b"\x08" + varint(step)))
        whole = True
        while True:
            left = 32_768 - len(data) % 32_768
            if left < 7:
                data += b"\0" * left
                continue
            piece, record = record[: left - 7], record[left - 7 :]
            kind = (1 if whole else 4) if not record else (2 if whole else 3)
            data += b"\0\0\0\0" + struct.pack("<HB", len(piece), kind) + piece
            whole = False
            if not record:
                break
    return data


def test_a_run_file_of_weights_and_biases_is_read_across_its_blocks():
    points = [(step, round(3 - step / 2_000, 5)) for step in range(1, 1_501)]
    data = run_file(points)
    assert len(data) > 2 * 32_768
    log = parse_log(data)
    assert log.source == "Weights & Biases run file"
    assert log.steps.tolist() == [step for step, _ in points]
    assert log.loss == pytest.approx([value for _, value in points])
    assert parse_log(data[:40_000]).loss.size > 500


RUNS = {
    "with epochs": rows("Epoch {e1} step {i} loss {x}\n"),
    "without": "".join(f"step {s} loss {3 - s / 10:.2f}\n" for s in range(1, 13)),
}


@pytest.mark.parametrize("name", RUNS)
def test_runs_one_after_another_are_told_apart(name):
    once = RUNS[name]
    short = "".join(once.splitlines(keepends=True)[:8])
    log = parse_log(short + once + short)
    assert log.runs == (2, 3)
    assert log.loss.tolist() == parse_log(once).loss.tolist()
    assert log.left_out == 0
    assert "holds 3 runs" in " ".join(log.notes)
    assert parse_log(short + once + short, run=3).loss.size == parse_log(short).loss.size
    with pytest.raises(ValueError, match="run= must be one of the 3 runs in the log, got 4"):
        parse_log(short + once + short, run=4)


def test_epochs_whose_steps_begin_anew_are_no_runs():
    values = 3 - 0.2 * np.arange(40) / 10 + 0.05 * np.tile(np.arange(10), 4)
    text = "".join(f"step {i % 10 + 1} loss {v:.4f}\n" for i, v in enumerate(values))
    log = parse_log(text)
    assert log.runs == (1, 1)
    assert log.steps_per_epoch == 10


def test_what_resuming_replaced_is_counted_and_most_of_it_is_said():
    first = [(s, 2.0) for s in range(1, 101)]
    again = [(s, 1.0) for s in range(30, 101)]
    log = parse_log("step,loss\n" + "\n".join(f"{s},{v}" for s, v in first + again))
    assert log.left_out == 0  # each step is there once
    assert any("replaced: 71" in note for note in log.notes)


def test_numbers_have_one_kind_of_commas_in_a_column():
    log = parse_log("step;loss\n1.000;2,5\n1.001;1,234\n1.002;1,1\n".replace(".", ""))
    assert log.loss.tolist() == [2.5, 1.234, 1.1]
    log = parse_log('step,loss\n"19,900",2.5\n"20,000",2.4\n')
    assert log.steps.tolist() == [19_900, 20_000]


def test_both_languages_read_the_same(node, tmp_path):
    jobs = [(text.encode(), {}) for text, _ in FORMS.values()]
    jobs += [(text.encode(), {"run": 1}) for text in RUNS.values()]
    jobs += [(2 * text, {}) for text in RUNS.values()]
    jobs += [(run_file([(s, s / 7) for s in range(900)]), {})]
    stream = {"output_type": "stream", "text": FORMS["timm"][0]}
    jobs += [(notebook(stream, stream), {})]
    read, wrong = compare(node, tmp_path, jobs)
    assert wrong == []
    assert read == len(jobs)


# ------------------------------------------------------------------------------------- real logs


@needs_real
def test_real_logs_are_read_whole_and_their_epochs_found():
    short, long = [], []
    for row in labels():
        log = read_log(REAL / row["file"])
        points = int(float(row["points"] or 0))
        if log.loss.size < 0.9 * points:
            short.append((row["file"], log.loss.size, points))
        if row["steps_per_epoch"] and "tfevents" not in row["file"]:
            T = float(row["steps_per_epoch"])
            found = log.steps_per_epoch or np.inf
            if abs(found / T - 1) * max(1.0, float(log.steps[-1]) / found) > 0.1:
                long.append((row["file"], found, T))
    assert short == []
    assert long == []


# Judged to hold no training loss, but their lines print one.
WRONGLY_LOSSLESS = {"080_medical_entity_recognize_train.log": "| Train Loss: "}


@needs_real
def test_no_loss_is_read_where_there_is_none():
    found = {}
    for row in labels():
        if row["truth"] == "noloss":
            try:
                runs = read_log(REAL / row["file"]).runs[1]
            except LogError:
                continue
            parts = [read_log(REAL / row["file"], run=k + 1) for k in range(runs)]
            found[row["file"]] = sum(part.loss.size for part in parts)
    assert found.keys() == WRONGLY_LOSSLESS.keys()
    for name, words in WRONGLY_LOSSLESS.items():
        assert found[name] == (REAL / name).read_text("utf-8").count(words)


@needs_real
def test_real_logs_are_read_alike_in_both_languages(node, tmp_path):
    jobs = [((REAL / row["file"]).read_bytes(), {}) for row in labels()]
    read, wrong = compare(node, tmp_path, jobs)
    assert wrong == []
    assert read == len(jobs)
