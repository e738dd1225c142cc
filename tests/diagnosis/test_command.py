"""The command's statuses, and what goes wrong around it: pipes, letters, files, sizes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from esp_lib.diagnosis.command import BROKEN, EXIT, main
from esp_lib.diagnosis.trial.synthetic import make
from esp_lib.diagnosis.verdict import VERDICTS

COMMAND = [sys.executable, "-m", "esp_lib.diagnosis.command"]


@pytest.fixture
def log(tmp_path):
    run = make("staircase", 0, size=4)
    path = tmp_path / "log.csv"
    rows = zip(run.steps.tolist(), run.loss.tolist(), strict=True)
    path.write_text("step,loss\n" + "\n".join(f"{s},{v:.5f}" for s, v in rows))
    return path


def test_no_two_outcomes_have_one_status():
    assert len({*EXIT.values(), 2, BROKEN}) == len(VERDICTS) + 2


def test_a_staircase_has_its_own_status(log, capsys):
    assert main([str(log), "--steps-per-epoch", "200"]) == EXIT["staircase"]
    assert "It is a staircase" in capsys.readouterr().out


def test_a_closed_pipe_ends_quietly(log):
    out, closed = os.pipe()
    os.close(out)
    done = subprocess.run([*COMMAND, str(log)], stdout=closed, stderr=subprocess.PIPE, check=False)
    os.close(closed)
    assert done.returncode not in EXIT.values()
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_no_verdict(log):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, str(log)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == BROKEN
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_falls_back_where_letters_are_missing(log):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*COMMAND, str(log), "--steps-per-epoch", "200"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT["staircase"]
    assert done.stderr == ""
    assert "+/-" in done.stdout


def test_a_missing_library_is_named(log, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    assert main([str(log), "--steps-per-epoch", "200"]) == BROKEN
    error = capsys.readouterr().err
    assert "scipy" in error
    assert error.count("\n") == 1


def test_an_error_of_its_own_is_no_verdict(log, monkeypatch, capsys):
    monkeypatch.setattr("esp_lib.diagnosis.command.diagnose", lambda *_: 1 / 0)
    assert main([str(log)]) == BROKEN
    error = capsys.readouterr().err
    assert "ZeroDivisionError" in error
    assert "report" in error


def test_a_plot_does_not_overwrite_the_log(tmp_path, capsys):
    log = tmp_path / "log.svg"
    log.write_text("loss\n1\n2\n")
    link = tmp_path / "link.svg"
    link.symlink_to(log)
    for out in (log, link):
        assert main([str(log), "--plot", str(out)]) == 2
        assert "--plot must not name the log itself" in capsys.readouterr().err
    assert log.read_text() == "loss\n1\n2\n"


@pytest.mark.parametrize(
    ("data", "more", "words"),
    [
        (b"step,loss\n0,3\n1e-20,2\n2e-20,2\n", ["--steps-per-epoch", "60"], None),
        (b"1\n2\n3\n", ["--log-every", "1" + "0" * 400], "log_every must be an integer"),
        (b"1\n2\n3\n", ["--run", "0"], "run must be an integer"),
        (b"step,loss\n1," + b"9" * 9_000_000 + b"\n2," + b"9" * 9_000_000, [], None),
        (b"x" * (70 * 2**20), [], "larger than 32 MB"),
    ],
)
def test_odd_input_ends_in_a_line_and_soon(data, more, words):
    began = time.perf_counter()
    done = subprocess.run([*COMMAND, "-", *more], input=data, capture_output=True, check=False)
    assert done.returncode in (2, 3)
    assert b"Traceback" not in done.stderr
    assert b"Warning" not in done.stderr
    if words:
        assert words in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1
    assert time.perf_counter() - began < 60
