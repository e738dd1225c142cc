"""What chapters share: parameters, claims, numbers in text, provenance, published numbers."""

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import numpy as np
import pytest

from esp_lib import Adam, RMSProp
from esp_lib._environment import commit
from esp_lib.notebook.chapter import Chapter
from esp_lib.notebook.page import like, percent, rounded, short, table
from esp_lib.notebook.parameters import SCHEMAS, check_parameters
from esp_lib.published import quadratic_runs, rows
from tests.conftest import ROOT

DEFAULTS = {name: p.default for name, p in SCHEMAS["05_replication"].items()}


def chapter() -> Chapter:
    return Chapter("05_replication", DEFAULTS)


def test_parameters_are_returned_in_order():
    extra = {"np": np, "_": 3, "In": [], "simulate": lambda: None}
    assert check_parameters(SCHEMAS["05_replication"], {**extra, **DEFAULTS}) == DEFAULTS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bta2": 0.85}, ["no parameter is called 'bta2'", "beta2: a number in [0, 1)"]),
        ({"beta2": 1.2}, ["beta2 must be a number in [0, 1)", "1.2"]),
        ({"beta2": "0.8"}, ["beta2 must be", "'0.8'"]),
        ({"eps": 0.0}, ["eps must be a number in (0, 1]", "0.0"]),
        ({"epochs": 2}, ["epochs must be an integer in [3, 1000]", "2"]),
        ({"epochs": 10.0}, ["epochs must be an integer", "10.0"]),
        ({"num_seeds": True}, ["num_seeds must be an integer", "True"]),
        ({"profile": "fast"}, ["profile must be one of 'quick', 'cpu', 'paper'", "'fast'"]),
        ({"device": "gpu"}, ["device must be", '"cuda:<number>"', "'gpu'"]),
        ({"lr": float("nan")}, ["lr must be", "nan"]),
    ],
)
def test_bad_parameters_stop_with_the_list(change, words):
    with pytest.raises(ValueError, match=r".") as error:
        check_parameters(SCHEMAS["05_replication"], DEFAULTS | change)
    for word in words:
        assert word in str(error.value)


def test_missing_parameters_stop():
    with pytest.raises(ValueError, match="parameter beta2 is missing"):
        check_parameters(
            SCHEMAS["05_replication"], {k: v for k, v in DEFAULTS.items() if k != "beta2"}
        )


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_what_notebooks_declare(name):
    notebook = nbformat.read(ROOT / f"book/{name}.ipynb", as_version=4)
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    declared: dict[str, object] = {}
    exec(cell.source, declared)
    declared.pop("__builtins__")
    assert declared == {key: p.default for key, p in SCHEMAS[name].items()}


def test_claims_are_rows_with_their_state():
    one = chapter()
    one.claim("a", "Less < more.", measured="1 & 2", tolerance="3", holds=True)
    one.claim("b", "More.", measured="2", tolerance="1", holds=np.bool_(False))
    page = ET.fromstring(one.claims().text)
    states = {row.get("data-claim"): row.get("data-holds") for row in page.iter("tr")}
    states.pop(None)
    assert states == {"a": "true", "b": "false"}
    assert "1 of 2 hold" in "".join(page.find("summary").itertext())
    assert page.get("open") is not None  # a failed claim is not folded away


def test_claims_of_other_settings_say_so():
    schema = SCHEMAS["05_replication"]
    own = {name: p.default for name, p in schema.items()}
    assert "own settings" not in Chapter("05_replication", own | {"device": "cuda"}).claims().text
    text = Chapter("05_replication", own | {"beta2": 0.85, "profile": "quick"}).claims().text
    assert "beta2 = 0.85" in text
    assert "profile = &#x27;quick&#x27;" in text
    assert "num_seeds" not in text


def test_claim_names_are_unique():
    one = chapter()
    one.claim("a", "x", measured="", tolerance="", holds=True)
    with pytest.raises(ValueError, match="name must be new"):
        one.claim("a", "y", measured="", tolerance="", holds=True)


def test_foot_says_when_on_what_and_with_what():
    foot = chapter().foot().text
    for word in ("Computed", "UTC", "cores", "numpy", np.__version__, "commit", "beta2 = 0.8"):
        assert word in foot


def test_commit_outside_a_repository(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == "not from a repository"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, 0.0456, "1.23\u00a0±\u00a00.05"),
        (1.23456, 0.0123, "1.235\u00a0±\u00a00.012"),
        (-0.5, 0.2, "−0.5\u00a0±\u00a00.2"),
        (24983.2, 347.1, "25000\u00a0±\u00a0300"),
        (9318.0, 98.0, "9320\u00a0±\u00a0100"),
        (2.0, 0.0, "2"),
        (2.0, float("nan"), "2"),
    ],
)
def test_rounded(value, error, text):
    assert rounded(value, error) == text


def test_numbers_are_written_as_their_errors_deserve():
    assert like(1.23456, 0.012) == "1.235"
    assert [percent(v) for v in (0.123, -0.0123, -0.0001)] == [
        "+12\u00a0%", "−1.2\u00a0%", "0.0\u00a0%",
    ]  # fmt: skip
    assert short(1e-8) == "1e\u20118"


@pytest.mark.parametrize("folded", [False, True])
def test_tables_are_labelled(folded):
    page = ET.fromstring(f"<p>{table(['a', 'b'], [[1, '<2>']], 'What it shows', folded).text}</p>")
    assert [cell.text for cell in page.iter("th")] == ["a", "b", "1"]
    assert [cell.text for cell in page.iter("td")] == ["<2>"]
    assert any("What it shows" in (e.text or "") for e in page.iter())


def test_published_runs_are_complete():
    runs = quadratic_runs()
    assert len(runs) == 30
    assert all(len(run.loss) == 10 for run in runs)
    assert runs[0].loss[0] == 6.4888
    assert isinstance(runs[0].rule(), Adam)
    assert {type(run.rule()) for run in runs} == {Adam, RMSProp}


def test_published_numbers_contain_the_collected_ones():
    """The table of another collection, where its folder is given."""
    folder = os.environ.get("ESP_SHARED")
    if not folder:
        pytest.skip("ESP_SHARED does not name a folder with reference data")
    import csv

    with (Path(folder) / "reference/published_quadratic.csv").open() as file:
        theirs = {tuple(row.items()) for row in csv.DictReader(file)}

    def key(row):
        return tuple((k, float(v) if k in ("eps", "loss") else v) for k, v in row)

    ours = {key(row.items()) for row in rows("quadratic")}
    assert {key(row) for row in theirs} <= ours
