"""No damage to a run record goes unnoticed."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from esp_lib.records import archive
from esp_lib.records.store import DamagedRecord, load, save
from tests.records.records import make_record


@pytest.fixture
def file(tmp_path) -> Path:
    return save(make_record(), tmp_path)


def check_damaged(path: Path, reason: str = ".") -> None:
    with pytest.raises(DamagedRecord, match=reason) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert caught.value.path == path


def test_no_flipped_byte_goes_unnoticed(file):
    intact = file.read_bytes()
    for at in range(len(intact)):
        bits = 1 << at % 8 if at % 2 else 0xFF  # one bit or all
        file.write_bytes(intact[:at] + bytes([intact[at] ^ bits]) + intact[at + 1 :])
        check_damaged(file)


@pytest.mark.parametrize("more", [b"\0", bytes(100), b"PK\5\6" + bytes(18)])
def test_bytes_before_and_after_are_noticed(file, more):
    intact = file.read_bytes()
    for changed in (intact + more, more + intact, intact[:-40] + more + intact[-40:]):
        file.write_bytes(changed)
        check_damaged(file)


def test_a_record_without_its_sum_is_damaged(file):
    file.write_bytes(without_sum(file.read_bytes()))
    check_damaged(file, "other bytes")


def test_a_key_that_is_there_twice_is_noticed(file):
    rewrite(
        file,
        lambda m: m.update(
            {"record.json": m["record.json"].replace(b'"seed": 3', b'"seed": 4,\n    "seed": 3')}
        ),
    )
    check_damaged(file, "does not say what is there")


def test_no_truncated_file_is_read(file):
    intact = file.read_bytes()
    for length in range(0, len(intact), 5):
        file.write_bytes(intact[:length])
        check_damaged(file)


def rewrite(path: Path, change) -> None:
    """Change a record's members, {name: content}, and pack them again with right sums."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    change(members)
    path.write_bytes(archive.pack(members))


def rewrite_header(path: Path, change) -> None:
    def apply(members):
        header = json.loads(members["record.json"])
        change(header)
        members["record.json"] = (
            f"{json.dumps(header, ensure_ascii=False, sort_keys=True, indent=2)}\n".encode()
        )

    rewrite(path, apply)


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


UNLIKE = "does not say what is there"


@pytest.mark.parametrize(("change", "reason"), [
    (lambda m: m.update({"more.npy": npy(np.zeros(2))}), "members and list differ: more.npy"),
    (lambda m: m.update({"readme.txt": b"hello"}), "members and list differ: readme.txt"),
    (lambda m: m.pop("done.npy"), "members and list differ: done.npy"),
    (lambda m: m.pop("record.json"), "has no record.json"),
    (lambda m: m.update({"record.json": b"{"}), "Expecting"),
    (lambda m: m.update({"record.json": b"[]"}), "list indices"),
    (lambda m: m.update({"record.json": b"\xff"}), "decode"),
    (lambda m: m.update({"record.json": b"[" * 100_000}), "recursion|overflow"),
    (lambda m: m.update({"done.npy": npy([False, True])}), UNLIKE),
    (lambda m: m.update({"done.npy": npy([1, 0])}), UNLIKE),
    (lambda m: m.update({"done.npy": npy([[True], [False]])}), UNLIKE),
    (lambda m: m.update({"done.npy": m["done.npy"] + b"0"}), "bytes stand after an array"),
    (lambda m: m.update({"done.npy": b""}), "magic"),
])  # fmt: skip
def test_changed_members_are_noticed(file, change, reason):
    rewrite(file, change)
    check_damaged(file, reason)


@pytest.mark.parametrize(("change", "reason"), [
    (lambda h: h.update(version=2), "format version 2, readable is 1"),
    (lambda h: h.update(more=1), UNLIKE),
    (lambda h: h["fields"].update(more=1), "more"),
    (lambda h: h["fields"].pop("seed"), "seed"),
    (lambda h: h["fields"].update(seed="0"), "seed must be"),
    (lambda h: h["fields"].update(status="fine"), "status must be"),
    (lambda h: h["fields"].update(config={"lr": float("nan")}), "Out of range"),
    (lambda h: h["fields"].update(seed=4), "belongs at quick.beta2-0.8-seed4"),
    (lambda h: h["fields"].update(profile="paper"), "belongs at paper"),
    (lambda h: h["arrays"].update(done=1), UNLIKE),
    (lambda h: h["arrays"]["done"].update(dtype="|O"), UNLIKE),
    (lambda h: h["arrays"]["done"].update(shape=[3]), UNLIKE),
    (lambda h: h["arrays"]["done"].update(shape=[2**62]), UNLIKE),
    (lambda h: h["arrays"]["done"].update(sha256="0"), UNLIKE),
])  # fmt: skip
def test_changed_header_is_noticed(file, change, reason):
    rewrite_header(file, change)
    check_damaged(file, reason)


def test_pickled_array_is_never_unpickled(file):
    """A record that was made to hold an object array, consistent in all else."""
    data = io.BytesIO()
    np.save(data, np.array([print], dtype=object), allow_pickle=True)
    rewrite(file, lambda m: m.update({"done.npy": data.getvalue()}))
    rewrite_header(file, lambda h: h["arrays"]["done"].update(dtype="|O", shape=[1]))
    check_damaged(file, "allow_pickle=False")


def without_sum(content: bytes) -> bytes:
    """The archive as `zipfile` left it."""
    return content[: content.rindex(b"sha256 ") - 2] + bytes(2)


@pytest.mark.parametrize("data", [b"", b"not an archive\n" * 100, b"PK\x05\x06" + bytes(18)])
def test_what_is_no_record_is_named(file, data):
    file.write_bytes(data)
    check_damaged(file)


def test_a_folder_is_no_record(tmp_path):
    (tmp_path / "quick" / "a-seed0.npz").mkdir(parents=True)
    check_damaged(tmp_path / "quick" / "a-seed0.npz", "not a file")


def test_no_flipped_bit_of_zeros_goes_unnoticed(tmp_path):
    """Zeros unpack to the same from many packed forms."""
    file = save(make_record(arrays={"zeros": np.zeros(10**5)}), tmp_path)
    intact = file.read_bytes()
    for at in range(0, len(intact), 3):
        file.write_bytes(intact[:at] + bytes([intact[at] ^ (1 << at % 8)]) + intact[at + 1 :])
        check_damaged(file)


def test_bytes_after_an_array_are_noticed_even_where_their_hash_is_listed(file):
    rewrite(file, lambda m: m.update({"done.npy": m["done.npy"] + b"0"}))
    raw = np.array([True, False]).tobytes() + b"0"
    rewrite_header(
        file, lambda h: h["arrays"]["done"].update(sha256=hashlib.sha256(raw).hexdigest())
    )
    check_damaged(file, "bytes stand after an array")
