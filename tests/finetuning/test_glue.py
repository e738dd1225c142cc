"""The tasks: files as GLUE and CoLA have them, token layout, scores."""

import numpy as np
import pytest

from esp_lib.bert.config import CorpusConfig
from esp_lib.bert.corpus import CLS, PAD, SEP
from esp_lib.finetuning.glue import (
    accuracy_and_f1,
    lay_out,
    read_rows,
    score,
    sentence_order,
)

CORPUS = CorpusConfig("embedded", vocabulary=1000, max_len=56, pairs=640, valid_pairs=64)
FILES = {
    "sst2/train.tsv": 'sentence\tlabel\na "fine" film\t1\ndull\t0\n',
    "sst2/dev.tsv": "label\tcontent\n1\twarm\n",
    "CoLA/train.tsv": "gj04\t1\t\tWe yelled.\ngj04\t0\t*\tWe yelled hoarse.\n",
    "CoLA/dev.tsv": "gj04\t1\t\tHe left.\n",
    "RTE/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tIt rains.\tIt is wet.\tentailment\n"
    "1\tIt rains.\tIt snows.\tnot_entailment\n",
    "MRPC/train.tsv": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    '1\t7\t8\tHe said " no .\tHe said no .\n',
    "RTE/dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n",
}


@pytest.fixture
def glue(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / "glue" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")
    monkeypatch.setenv("ESP_DATA", str(tmp_path))
    return tmp_path / "glue"


def test_files_are_read_as_glue_has_them(glue):
    assert read_rows("sst2", "train") == [(('a "fine" film',), 1), (("dull",), 0)]
    assert read_rows("sst2", "valid") == [(("warm",), 1)]
    assert read_rows("cola", "train") == [(("We yelled.",), 1), (("We yelled hoarse.",), 0)]
    assert read_rows("rte", "train") == [
        (("It rains.", "It is wet."), 1),
        (("It rains.", "It snows."), 0),
    ]
    assert read_rows("mrpc", "train") == [(('He said " no .', "He said no ."), 1)]
    (glue / "CoLA/dev.tsv").rename(glue / "CoLA/in_domain_dev.tsv")
    (glue / "CoLA/out_of_domain_dev.tsv").write_text("x\t0\t*\tHim left.\n")
    assert read_rows("cola", "valid") == [(("He left.",), 1), (("Him left.",), 0)]


def test_what_is_missing_or_wrong_is_named(glue, monkeypatch):
    (glue / "sst2/dev.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"sst2/dev.tsv in it.*holds CoLA, MRPC, RTE, sst2"):
        read_rows("sst2", "valid")
    (glue / "sst2/train.tsv").write_text("text\tlabel\na\t1\n")
    with pytest.raises(ValueError, match="must have a column 'sentence'"):
        read_rows("sst2", "train")
    (glue / "sst2/train.tsv").write_text("sentence\tlabel\na\tgood\n")
    with pytest.raises(ValueError, match="row 1: no example of sst2"):
        read_rows("sst2", "train")


def test_layout_and_truncation_of_the_longer_sentence():
    one, two = list(range(10, 16)), [20, 21]
    made = lay_out([[one, two], [two, two]], [1, 0], 9)
    assert made.tokens.tolist() == [
        [CLS, 10, 11, 12, 13, SEP, 20, 21, SEP],
        [CLS, 20, 21, SEP, 20, 21, SEP, PAD, PAD],
    ]
    assert made.segments.tolist() == [[0] * 6 + [1] * 3, [0] * 4 + [1] * 3 + [0] * 2]
    assert made.lengths.tolist() == [9, 7]
    assert made.label.tolist() == [1, 0]
    assert one == list(range(10, 16))


def test_task_of_python_help_is_balanced_and_always_the_same():
    first = sentence_order(CORPUS, 56)
    assert first.sha256 == sentence_order.__wrapped__(CORPUS, 56).sha256
    assert 0.4 < first.train.label.mean() < 0.6
    assert (first.train.tokens[:, 0] == CLS).all()


def test_scores_are_those_of_their_definitions():
    random = np.random.default_rng(0)
    label = random.integers(2, size=50)
    predicted = random.random((3, 50)) < 0.6
    assert score("sst2", label, predicted)[1] == np.mean(predicted[1] == label)
    expected = [np.corrcoef(label, row)[0, 1] for row in predicted]
    np.testing.assert_allclose(score("cola", label, predicted), expected, rtol=1e-12)
    assert score("cola", label, np.ones(50, bool)) == 0


def test_accuracy_and_f1_of_mrpc():
    label = np.array([1, 1, 1, 0], np.int32)
    predicted = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
    precision, recall = np.array([1, 3 / 4]), np.array([2 / 3, 1])
    f1 = [*2 * precision * recall / (precision + recall), 0]
    expected = (np.array([0.75, 0.75, 0.25]) + f1) / 2
    np.testing.assert_allclose(accuracy_and_f1(label, predicted), expected)
