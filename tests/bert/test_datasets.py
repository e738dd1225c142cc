"""Text: the folder, the hub, the text that Python carries, and what is said when one is missing."""

import sys
import types

import pytest

from esp_lib.bert import datasets
from esp_lib.bert.datasets import PUBLISHED_TOKENS, SOURCES, SPLITS, read_lines
from tests.bert.shared import shared_text

COUNT = {"train": 2_088_628, "valid": 217_646, "test": 245_569}  # of WikiText-2, as published


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "wikitext-2").mkdir()
    monkeypatch.setenv("ESP_DATA", str(tmp_path))
    return tmp_path


def test_a_folder_gives_its_lines(folder):
    for split in SPLITS:
        path = folder / "wikitext-2" / f"wiki.{split}.tokens"
        path.write_text(f" = {split} = \n\n A “word” . \u2028 Another \x85 . \n", encoding="utf8")
    for split in SPLITS:
        lines = read_lines("wikitext-2", split)
        assert lines[:3] == [f" = {split} = ", "", " A “word” . \u2028 Another \x85 . "]
        assert not any(lines[3:])


def test_a_missing_file_is_named_with_what_is_there(folder):
    (folder / "wikitext-103").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        read_lines("wikitext-2", "valid")
    said = str(caught.value)
    for part in ("ESP_DATA", "wikitext-2/wiki.valid.tokens", repr(str(folder))):
        assert part in said
    assert "it holds wikitext-103, wikitext-2" in said


def test_a_wrong_folder_is_named(tmp_path, monkeypatch):
    for name, found in (("nowhere", "there is no such folder"), ("empty", "it holds nothing")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        monkeypatch.setenv("ESP_DATA", str(tmp_path / name))
        with pytest.raises(FileNotFoundError) as caught:
            read_lines("wikitext-103", "train")
        assert "ESP_DATA must name a folder with wikitext-103/wiki.train.tokens" in str(
            caught.value
        )
        assert found in str(caught.value)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"source must be one of 'embedded', .*, got 'wikitext'"):
        read_lines("wikitext", "train")
    with pytest.raises(ValueError, match=r"split must be one of .*, got 'validation'"):
        read_lines("embedded", "validation")


def test_the_embedded_text_needs_nothing(monkeypatch):
    monkeypatch.setenv("ESP_DATA", "/nowhere")
    split = {name: read_lines("embedded", name) for name in SPLITS}
    total = sum(map(len, split.values()))
    assert total > 2000
    for name, share in (("train", 0.8), ("valid", 0.1), ("test", 0.1)):
        assert len(split[name]) == pytest.approx(share * total, abs=2)
    from pydoc_data.topics import topics

    words = " ".join(" ".join(topics.values()).split()).replace(" ", "")
    told = [line for line in split["train"] + split["valid"] if len(line) > 60]
    for line in told[::50]:  # nothing but space is added
        assert line.replace(" ", "") in words
    assert sum(" . " in line for line in told) > 0.7 * len(told)  # sentences end in " . "


# --------------------------------------------------------------------------------------- the hub


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for `datasets`, which notes what it was asked, with texts of the right length."""
    monkeypatch.delenv("ESP_DATA", raising=False)
    module = types.ModuleType("datasets")
    module.asked, module.error, module.extra = [], None, 0

    def load_dataset(path, name, **options):
        module.asked.append((path, name, options))
        if module.error:
            raise module.error
        part = "valid" if options["split"] == "validation" else options["split"]
        words = PUBLISHED_TOKENS[name.removesuffix("-v1")][part] + module.extra
        # a line of n words counts n + 1: its end is a token too
        return {"text": ["", " a b . \n", " w" * (words - 1 - 4 - 1) + " \n"]}

    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


@pytest.mark.parametrize("split", SPLITS)
def test_the_hub_is_asked_for_one_revision_of_the_published_text(hub, split):
    lines = read_lines("wikitext-2", split)
    assert lines[:2] == ["", " a b . \n"]
    assert sum(len(line.split()) + 1 for line in lines) == COUNT[split]
    ((path, name, options),) = hub.asked
    assert (path, name) == ("Salesforce/wikitext", "wikitext-2-v1")
    assert options["split"] == {"valid": "validation"}.get(split, split)
    assert options["revision"] == datasets.HUB_REVISION
    assert len(datasets.HUB_REVISION) == 40
    assert set(datasets.HUB_REVISION) <= set("0123456789abcdef")
    assert options["verification_mode"] == "all_checks"


def test_wikitext_103_has_its_own_name(hub):
    read_lines("wikitext-103", "valid")
    assert hub.asked[0][1] == "wikitext-103-v1"


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_text_of_another_length_is_refused(hub, extra):
    hub.extra = extra
    with pytest.raises(ValueError, match=r"valid split of wikitext-2 must have 217646 words") as e:
        read_lines("wikitext-2", "valid")
    assert f"got {217_646 + extra} from Salesforce/wikitext" in str(e.value)


@pytest.mark.parametrize(
    "error", [ConnectionError("no route"), FileNotFoundError("no route"), TimeoutError("no route")]
)
def test_a_failed_download_says_what_to_do(hub, error):
    hub.error = error
    with pytest.raises(ConnectionError) as caught:
        read_lines("wikitext-2", "train")
    said = str(caught.value)
    for part in ("wikitext-2", "no route", "try again", "ESP_DATA", "wikitext-2/wiki.train.tokens"):
        assert part in said
    assert caught.value.__cause__ is error


def test_without_datasets_the_ways_out_are_named(monkeypatch):
    monkeypatch.delenv("ESP_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it fails
    with pytest.raises(FileNotFoundError) as caught:
        read_lines("wikitext-2", "test")
    for part in ("ESP_DATA", "wikitext-2/wiki.test.tokens", "pip install 'esp_lib[hub]'"):
        assert part in str(caught.value)
    assert "embedded" in SOURCES
    assert read_lines("embedded", "test")


def test_the_published_counts_are_those_of_the_text(monkeypatch):
    shared_text(monkeypatch)
    for split in ("valid", "test"):
        lines = read_lines("wikitext-2", split)
        lines = lines[:-1] if lines[-1] == "" else lines  # after the last line end
        assert sum(len(line.split()) + 1 for line in lines) == COUNT[split]
