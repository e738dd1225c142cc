"""`python -m esp_lib runs`: what it prints, and its exit status."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from esp_lib.__main__ import main
from esp_lib._environment import EXTRAS
from esp_lib.records.store import save
from tests.conftest import ROOT
from tests.records.records import make_record


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Three runs, in the folder where the command looks by itself."""
    save(make_record(), tmp_path)
    save(make_record(profile="cpu"), tmp_path)
    nan = np.array([1.0, np.nan, -np.inf, -2.5])
    flags = np.array([[True, False]])
    arrays = {"mlm_loss": nan, "flags": flags, "none": np.zeros((0, 2)), "z": np.array(1j)}
    diverged = make_record(
        name="eps", seed=0, arrays=arrays, status="diverged", message="at step 1", made={}
    )
    save(diverged, tmp_path)
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    return tmp_path


def damage(folder: Path) -> Path:
    path = folder / "quick" / "beta2-0.8-seed3.npz"
    path.write_bytes(path.read_bytes()[:-10])
    return path


def test_list(folder, capsys):
    assert main(["runs", "list"]) == 0
    out, err = capsys.readouterr()
    head, *rows = [line.split() for line in out.split("\n\n")[0].splitlines()]
    assert head == ["label", "profile", "status", "loss", "seconds", "device", "date"]
    last = f"{np.linspace(7, 4, 12)[-4:].mean():.4f}"
    date = "2026-01-02T03:04:05+00:00"
    assert rows == [
        ["beta2-0.8-seed3", "cpu", "finished", last, "12.5", "abacus", date],
        ["beta2-0.8-seed3", "quick", "finished", last, "12.5", "abacus", date],
        ["eps-seed0", "quick", "diverged", "nan", "-", "-", "-"],
    ]
    assert "runs in" in out
    assert err == ""


def test_list_of_one_profile(folder, capsys):
    assert main(["runs", "list", "--profile", "cpu"]) == 0
    assert capsys.readouterr().out.count("beta2-0.8-seed3") == 1
    assert main(["runs", "list", "--profile", "paper"]) == 0
    assert capsys.readouterr().out == f"no runs in {folder} of profile paper\n"


@pytest.mark.parametrize("config", [{}, {"steps_per_epoch": "4"}, {"steps_per_epoch": 99}])
def test_list_without_a_last_epoch(tmp_path, capsys, config):
    save(make_record(config=config), tmp_path)
    assert main(["runs", "list", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[3] == "-"


def test_list_names_what_is_damaged(folder, capsys):
    path = damage(folder)
    assert main(["runs", "list"]) == 0
    out, err = capsys.readouterr()
    assert out.count("seed") == 2
    assert err.startswith(f"damaged: {path}: ")


def test_show(folder, capsys):
    assert main(["runs", "show", "eps-seed0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("eps-seed0, profile quick: diverged\nat step 1\n")
    assert '"note": "β₂"' in out
    rows = [line.split(maxsplit=2) for line in out.splitlines()[-4:]]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["flags", "bool", "(1, 2)  False to True"],
        ["mlm_loss", "float64", "(4,)    -2.5 to 1, 2 not finite"],
        ["none", "float64", "(0, 2)  empty"],
        ["z", "complex128", "()      -"],
    ]


def test_show_asks_for_the_profile_where_it_must(folder, capsys):
    assert main(["runs", "show", "beta2-0.8-seed3"]) == 2
    assert "cpu, quick: choose one with --profile" in capsys.readouterr().err
    assert main(["runs", "show", "beta2-0.8-seed3", "--profile", "cpu"]) == 0
    assert "profile cpu" in capsys.readouterr().out
    damage(folder)
    assert main(["runs", "show", "beta2-0.8-seed3"]) == 2
    assert main(["runs", "show", "beta2-0.8-seed3", "--profile", "quick"]) == 1
    assert "damaged: " in capsys.readouterr().err


def test_verify(folder, capsys):
    assert main(["runs", "verify"]) == 0
    assert capsys.readouterr().out == f"runs in {folder}: 3 intact, 0 damaged\n"
    path = damage(folder)
    assert main(["runs", "verify"]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"damaged: {path}: ")
    assert last == f"runs in {folder}: 2 intact, 1 damaged"
    assert main(["runs", "verify", "--profile", "cpu"]) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ([], "usage"),
        (["runs"], "usage"),
        (["runs", "paint"], "invalid choice: 'paint'"),
        (["runs", "show"], "LABEL"),
        (["runs", "show", "nobody"], "no run nobody in .*beta2-0.8-seed3, eps-seed0"),
        (["runs", "list", "--profile", "huge"], "invalid choice: 'huge'"),
        (["runs", "list", "--folder", "nowhere"], "no folder of run records at nowhere"),
        (["picture", "a.png"], "must end in .svg, got 'a.png'"),
    ],
)
def test_wrong_use(folder, call, message):
    result = subprocess.run(
        [sys.executable, "-m", "esp_lib", *call],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert re.search(message, result.stderr)


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "picture" in (out := capsys.readouterr().out)
    assert "runs" in out


@pytest.mark.parametrize("name", ["baseline", "order"])
def test_train_without_torch_names_the_extra(folder, capsys, monkeypatch, name):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda package: None if package == "torch" else found(package)
    )
    assert main(["runs", "train", name, "--profile", "quick", "--workers", "1"]) == 2
    said = capsys.readouterr().err
    assert said == "error: torch is not installed: pip install 'esp_lib[bert]'\n"


def test_every_extra_that_is_named_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for package, extra in EXTRAS.items():
        lines = extras["optional-dependencies"][extra]
        assert any(line.startswith(package) for line in lines), (package, extra)
