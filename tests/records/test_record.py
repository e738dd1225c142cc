"""Run records: exact on the way to disk and back, never half-written."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from esp_lib.records.record import config_key, made_by
from esp_lib.records.store import (
    DamagedRecord,
    load,
    load_folder,
    record_path,
    results_folder,
    save,
)
from tests.conftest import ROOT
from tests.records.records import content, make_record

# ------------------------------------------------------------------------------------ round trip


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (5,), (2, 3, 4)])
def test_every_dtype_and_shape_comes_back(tmp_path, shape):
    rng = np.random.default_rng(0)
    names = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 "
    arrays = {
        name: rng.integers(0, 256, (*shape, np.dtype(name).itemsize), dtype=np.uint8)
        .view(name)
        .reshape(shape)  # any bits: NaN with payloads, infinities, subnormal numbers
        for name in (names + "complex64 complex128").split()
        if name != "bool"
    }
    arrays["bool"] = rng.random(shape) < 0.5
    given = {name: array.tobytes() for name, array in arrays.items()}
    path = save(make_record(arrays=arrays), tmp_path)
    found = load(path).arrays
    assert {name: array.tobytes() for name, array in found.items()} == given
    assert {name: (array.dtype.name, array.shape) for name, array in found.items()} == {
        name: (name, shape) for name in arrays
    }
    with np.load(path, allow_pickle=False) as plain:
        assert all(plain[name].tobytes() == given[name] for name in arrays)


def test_memory_order_and_byte_order_do_not_matter(tmp_path):
    array = np.arange(24.0).reshape(4, 6)
    views = {"F": np.asfortranarray(array), "big": array.astype(">f8"), "part": array[::2, ::-3]}
    found = load(save(make_record(arrays=views), tmp_path)).arrays
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in views.items()}
    assert {v.dtype.str for v in found.values()} == {"<f8"}


def test_scalar_fields_come_back(tmp_path):
    record = make_record(status="diverged", message="step 7 → NaN", seed=np.int64(2**32 - 1))
    path = save(record, tmp_path)
    assert path == tmp_path / "quick" / "beta2-0.8-seed4294967295.npz"
    found = load(path)
    assert content(found) == content(record)
    assert found.config == {
        "beta2": 0.8, "steps_per_epoch": 4, "layers": [1, 2], "note": "β₂", "cut": None
    }  # fmt: skip
    assert (found.status, found.message) == ("diverged", "step 7 → NaN")


def test_header_is_strict_json_with_hashes(tmp_path):
    with zipfile.ZipFile(save(make_record(), tmp_path)) as archive:
        text = archive.read("record.json").decode("utf8")

    def refuse(constant):
        raise AssertionError(constant)

    header = json.loads(text, parse_constant=refuse)
    assert "β₂" in text
    assert header["version"] == 1
    assert header["arrays"]["mlm_loss"] == {
        "dtype": "<f8",
        "shape": [12],
        "sha256": hashlib.sha256(np.linspace(7, 4, 12).tobytes()).hexdigest(),
    }


def test_same_record_gives_the_same_bytes(tmp_path):
    arrays = make_record().arrays
    first = save(make_record(), tmp_path / "a").read_bytes()
    turned = make_record(arrays=dict(reversed(arrays.items())))
    path = save(turned, tmp_path / "b")
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:  # nothing of the time or of the machine is in it
        found = {(info.date_time, info.create_system) for info in archive.infolist()}
    assert found == {((1980, 1, 1, 0, 0, 0), 3)}


def test_a_record_keeps_what_it_was_given():
    loss = np.ones(3)
    record = make_record(arrays={"loss": loss})
    loss[:] = 0
    assert record.arrays["loss"].tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        record.arrays["loss"][0] = 2


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../evil"}, r"name must be .*'\.\./evil'"),
        ({"name": ".."}, "name must be"),
        ({"name": "a/b"}, "name must be"),
        ({"name": "a\\b"}, "name must be"),
        ({"name": "a\n"}, "name must be"),
        ({"name": ""}, "name must be"),
        ({"name": "β"}, "name must be"),
        ({"name": "a" * 101}, "name must be"),
        ({"profile": "../paper"}, "profile must be one of 'quick', 'cpu', 'paper'"),
        ({"seed": -1}, "seed must be an integer"),
        ({"seed": 2**32}, "seed must be an integer"),
        ({"seed": True}, "seed must be an integer"),
        ({"status": "fine"}, "status must be one of 'finished'"),
        ({"message": None}, "message must be text"),
        ({"message": "\ud800"}, "message must be text"),
        ({"config": {"lr": {"max": float("nan")}}}, r"config\['lr'\]\['max'\] must be .*got nan"),
        ({"config": {"lr": np.float32("inf")}}, r"config\['lr'\] must be .*got inf"),
        ({"config": {1: 2}}, "config must be .*text keys"),
        ({"config": [1]}, "config must be a mapping"),
        ({"made": {"on": Path("x")}}, r"made\['on'\] must be"),
        ({"arrays": [np.zeros(2)]}, "arrays must be a mapping"),
        ({"arrays": {"a": np.array([None, 1])}}, r"arrays\['a'\] must be of .*got object"),
        ({"arrays": {"a": ["text"]}}, r"arrays\['a'\] must be of .*got <U4"),
        ({"arrays": {"a": np.zeros(2, [("x", "f8")])}}, r"arrays\['a'\] must be of"),
        ({"arrays": {"a": np.zeros(2, "M8[s]")}}, r"arrays\['a'\] must be of"),
        ({"arrays": {"a": np.ma.masked_equal([1, 2], 2)}}, r"arrays\['a'\] must not be masked"),
        ({"arrays": {"../a": np.zeros(2)}}, "an array's name must be"),
        ({"arrays": {"record.json": np.zeros(2)}}, "an array's name must not end in"),
    ],
)
def test_bad_fields_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_record(**change)


# ----------------------------------------------------------------------------------------- saving


@pytest.fixture
def file(tmp_path) -> Path:
    return save(make_record(), tmp_path)


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a-seed0.npz in .*quick"):
        load(record_path(tmp_path, "quick", "a-seed0"))


@pytest.mark.skipif(os.name != "posix", reason="kills a process as POSIX does")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_killed_writer_leaves_the_old_record(file, moment):
    before = file.read_bytes()
    code = f"""
import os, signal
from pathlib import Path
from esp_lib.records.store import save
from tests.records.records import make_record
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
setattr({"os" if moment == "fsync" else "Path"}, {moment!r}, die)
save(make_record(message="new"), {str(file.parents[1])!r})
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL
    assert (
        len(list(file.parent.iterdir())) == 2
    )  # the draft is there, and is not taken for a record
    assert file.read_bytes() == before
    assert len(load_folder(file.parents[1]).records) == 1
    save(make_record(message="new"), file.parents[1])
    assert load(file).message == "new"


def test_all_is_on_disk_before_the_old_record_goes(file, monkeypatch):
    before = file.read_bytes()
    sizes = []

    def fsync(handle):
        if stat.S_ISREG(os.fstat(handle).st_mode):
            assert file.read_bytes() == before
            sizes.append(os.fstat(handle).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    save(make_record(message="new"), file.parents[1])
    assert sizes == [file.stat().st_size]


def test_a_failed_write_leaves_the_old_record_and_no_draft(file, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    before = file.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save(make_record(message="new"), file.parents[1])
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


# ---------------------------------------------------------------------------------------- folders


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four records, of which one is damaged, and things that are no records."""
    for name, profile, seed in (("b", "quick", 10), ("b", "quick", 9), ("a", "cpu", 1)):
        save(make_record(name=name, profile=profile, seed=seed), tmp_path)
    damaged = save(make_record(name="a", profile="quick", seed=0), tmp_path)
    damaged.write_bytes(damaged.read_bytes()[:-10])
    (tmp_path / "quick" / ".a-seed1.0123.tmp").write_bytes(b"draft")
    (tmp_path / "README.md").write_text("about")
    return tmp_path


def test_folder_names_what_is_damaged_and_loads_the_rest(folder):
    found = load_folder(folder)
    assert [(r.profile, r.label) for r in found.records] == [
        ("cpu", "a-seed1"), ("quick", "b-seed9"), ("quick", "b-seed10")
    ]  # fmt: skip
    assert [error.path for error in found.damaged] == [folder / "quick" / "a-seed0.npz"]
    assert len(load_folder(folder, "cpu").records) == 1
    assert load_folder(folder, "paper").records == ()


def test_missing_folder_and_unknown_profile_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder of run records at .*nowhere"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="profile must be one of"):
        load_folder(tmp_path, "*")


def test_a_renamed_record_is_not_what_its_name_says(file):
    shutil.copy(file, other := file.with_name("beta2-0.9-seed3.npz"))
    with pytest.raises(DamagedRecord, match=r"beta2-0.9-seed3.npz.*belongs at .*beta2-0.8-seed3"):
        load(other)


def test_results_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    assert results_folder() == tmp_path
    monkeypatch.delenv("ESP_RESULTS")
    assert results_folder() == ROOT / "results"


def test_only_one_function_says_where_records_lie():
    """Whatever else the library reads lies within the package, so that it can be installed."""
    up = re.compile(r"__file__\).*\.parents\[(\d)\]")
    found = [
        path.name
        for path in (ROOT / "esp_lib").rglob("*.py")
        for steps in up.findall(path.read_text("utf8"))
        if int(steps) >= len(path.relative_to(ROOT / "esp_lib").parts)
    ]
    assert found == ["store.py"]


def test_config_key_tells_configs_apart():
    @dataclasses.dataclass(frozen=True)
    class Config:
        lr: float
        betas: tuple[float, float]

    key = config_key({"lr": 0.1, "betas": [0.9, 0.8]})
    assert (
        key == config_key(Config(0.1, (0.9, 0.8))) == config_key({"betas": (0.9, 0.8), "lr": 0.1})
    )
    keys = {
        key,
        config_key({"lr": 0.2, "betas": [0.9, 0.8]}),
        config_key({}),
        config_key({"lr": 1}),
    }
    assert len(keys) == 4


def test_made_by_is_fit_for_a_record(tmp_path):
    made = load(save(make_record(made=made_by("cpu", 1.23456)), tmp_path)).made
    assert made["seconds"] == 1.235
    assert made["date"].endswith("+00:00")
    assert made["versions"]["numpy"] == np.__version__
    assert set(made) == {"date", "seconds", "device", "versions", "commit"}
