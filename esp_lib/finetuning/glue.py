"""Sentences to classify: four tasks of GLUE, and one made from Python's own help.

Source: Wang et al., "GLUE" (ICLR 2019); SST-2 of Socher et al. (2013), CoLA of Warstadt et al.
(2019), RTE of Dagan et al. (2006) and after, MRPC of Dolan and Brockett (2005). They are read from
the folder that the environment variable ESP_DATA names if it holds `glue/sst2/train.tsv` and so on,
in the layout of GLUE's own archives or of CoLA's; otherwise they are downloaded by name with
Hugging Face's `datasets` (an optional package). A network of ours tells the order of sentences that
it was pre-trained on, which needs no download.
"""

import csv
import functools
import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.bert.config import CorpusConfig
from esp_lib.bert.corpus import CLS, PAD, SEP, make_corpus

GLUE = ("sst2", "cola", "rte", "mrpc")
TASKS = (*GLUE, "order")
LABELS = {  # task -> what is asked
    "sst2": "SST-2: is the review positive?",
    "cola": "CoLA: is the sentence good English?",
    "rte": "RTE: does the second sentence follow from the first?",
    "mrpc": "MRPC: do both sentences say the same?",
    "order": "two sentences of Python's help: in their order, or swapped?",
}
HUB_NAME = "nyu-mll/glue"
HUB_REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"  # the sentences must not change
FILES = {  # of a split, by what they are called in GLUE's archive or in CoLA's own
    "train": (("train.tsv",), ("in_domain_train.tsv",)),
    "valid": (("dev.tsv",), ("in_domain_dev.tsv", "out_of_domain_dev.tsv")),
}
PAIRS = ("rte", "mrpc")  # tasks of two sentences
COLUMNS = {  # as some files call them -> as most do
    "content": "sentence", "#1 String": "sentence1", "#2 String": "sentence2", "Quality": "label",
}  # fmt: skip
ENTAILMENT = {"entailment": 1, "not_entailment": 0}

Row = tuple[tuple[str, ...], int]  # one or two sentences, and the label


class Examples(NamedTuple):
    """n examples; L is the longest that is kept."""

    tokens: NDArray[np.int32]  # (n, L) <cls> first <sep> second <sep> <pad> ...
    segments: NDArray[np.int32]  # (n, L) 1 on the second sentence and its <sep>
    lengths: NDArray[np.int32]  # (n,) tokens that are not <pad>
    label: NDArray[np.int32]  # (n,) 0 or 1


class Task(NamedTuple):
    """Examples to train on and to validate with."""

    train: Examples
    valid: Examples
    sha256: str  # of all of them


@functools.lru_cache(maxsize=4)
def sentence_order(corpus: CorpusConfig, max_len: int) -> Task:
    """Neighbouring sentences of the pre-training text, half of them swapped, in a random order.

    The corpus is what the network was pre-trained on. Of an example with more than `max_len`
    tokens the longer sentence loses its end.
    """
    _checks.integer("max_len", max_len, low=8)
    train, valid = (_swapped(corpus, max_len, part) for part in ("train", "valid"))
    mixed = np.random.default_rng([0, 3]).permutation(len(train.label))
    train = Examples(*(field[mixed] for field in train))
    digest = hashlib.sha256()
    for examples in (train, valid):
        for field in examples:
            digest.update(np.ascontiguousarray(field, dtype="<i4").tobytes())
    return Task(train, valid, digest.hexdigest())


def read_rows(name: str, split: str) -> list[Row]:
    """The sentences and labels of one split ("train" or "valid") of a task of GLUE."""
    folder = os.environ.get("ESP_DATA")
    return _from_folder(Path(folder), name, split) if folder else _from_hub(name, split)


def lay_out(pairs: list[list[list[int]]], labels: list[int], max_len: int) -> Examples:
    """Token ids of two sentences each, as arrays."""
    n = len(pairs)
    made = Examples(
        np.full((n, max_len), PAD, np.int32),
        np.zeros((n, max_len), np.int32),
        np.zeros(n, np.int32),
        np.array(labels, np.int32),
    )
    for row, (first, second) in enumerate(pairs):
        parts = [first[:], second[:]]
        while sum(map(len, parts)) + 3 > max_len:
            max(parts, key=len).pop()
        ids = [CLS, *parts[0], SEP, *parts[1], SEP]
        made.tokens[row, : len(ids)] = ids
        made.segments[row, len(parts[0]) + 2 : len(ids)] = 1
        made.lengths[row] = len(ids)
    return made


def score(name: str, label: NDArray[np.int32], predicted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How GLUE scores a task: Matthews correlation for CoLA, else accuracy.

    `label` is (n,) 0 or 1, `predicted` (..., n) whether 1 was predicted.

    Returns:
        (...); the correlation is 0 where all predictions are the same.
    """
    truth = label.astype(bool)
    if name != "cola":
        return np.asarray((predicted == truth).mean(axis=-1))
    tp = (predicted & truth).sum(axis=-1, dtype=np.float64)
    tn = (~predicted & ~truth).sum(axis=-1, dtype=np.float64)
    fp = (predicted & ~truth).sum(axis=-1, dtype=np.float64)
    fn = (~predicted & truth).sum(axis=-1, dtype=np.float64)
    size = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return np.asarray((tp * tn - fp * fn) / np.where(size > 0, size, 1.0))


def accuracy_and_f1(label: NDArray[np.int32], predicted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of accuracy and of the F1 of label 1, as articles report MRPC; as of `score`."""
    truth = label.astype(bool)
    hits = (predicted & truth).sum(axis=-1, dtype=np.float64)
    f1 = 2 * hits / np.maximum(predicted.sum(axis=-1) + truth.sum(), 1)
    return np.asarray(((predicted == truth).mean(axis=-1) + f1) / 2)


def metric(name: str) -> str:
    """What `score` measures."""
    return "Matthews correlation" if name == "cola" else "accuracy"


def _swapped(corpus: CorpusConfig, max_len: int, part: str) -> Examples:
    """The examples of one part of the text, "train" or "valid"."""
    pairs = getattr(make_corpus(corpus), part)
    random = np.random.default_rng([0, part == "valid"])
    encoded, labels = [], []
    for row in np.flatnonzero(pairs.is_next == 1):
        ids = pairs.tokens[row, : pairs.lengths[row]].tolist()
        middle = ids.index(SEP)
        parts = [ids[1:middle], ids[middle + 1 : -1]]
        swapped = bool(random.random() < 0.5)
        encoded.append(parts[::-1] if swapped else parts)
        labels.append(int(not swapped))
    return lay_out(encoded, labels, max_len)


def _from_folder(folder: Path, name: str, split: str) -> list[Row]:
    glue = folder / "glue"
    inside = sorted(path for path in glue.iterdir() if path.is_dir()) if glue.is_dir() else []
    for place in inside:
        if re.sub(r"[^a-z0-9]", "", place.name.lower()) != name:
            continue
        for files in FILES[split]:
            paths = [place / file for file in files]
            if all(path.is_file() for path in paths):
                return [row for path in paths for row in _read_tsv(path, name)]
    found = ", ".join(path.name for path in inside) or "nothing"
    raise FileNotFoundError(
        f"ESP_DATA must name a folder with glue/{name}/{FILES[split][0][0]} in it, "
        f"got {str(folder)!r}: its glue holds {found}"
    )


def _read_tsv(path: Path, name: str) -> list[Row]:
    """A file of GLUE; CoLA's have no header and the columns source, label, mark, sentence."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if line]
    header = ["source", "label", "mark", "sentence"] if name == "cola" else lines.pop(0)
    wanted = ("sentence1", "sentence2") if name in PAIRS else ("sentence",)
    names = [COLUMNS.get(column, column) for column in header]
    if missing := [column for column in (*wanted, "label") if column not in names]:
        raise ValueError(f"{path} must have a column {missing[0]!r}, its first line is {header}")
    rows = []
    for number, line in enumerate(lines, start=1):
        values = dict(zip(names, line, strict=False))
        label = ENTAILMENT.get(values.get("label", ""), values.get("label"))
        if label not in (0, 1, "0", "1") or any(column not in values for column in wanted):
            raise ValueError(f"{path}, row {number}: no example of {name}: {line}")
        rows.append((tuple(values[column] for column in wanted), int(label)))
    return rows


def _from_hub(name: str, split: str) -> list[Row]:
    try:
        import datasets
    except ImportError:
        raise FileNotFoundError(
            f"{name} is not on this machine: set ESP_DATA to a folder with glue/{name}/train.tsv "
            "in it, or `pip install 'esp_lib[hub]'` to download it"
        ) from None
    part = {"train": "train", "valid": "validation"}[split]
    try:
        rows = datasets.load_dataset(HUB_NAME, name, split=part, revision=HUB_REVISION)
    except OSError as error:  # no network, no such name
        raise ConnectionError(
            f"{name} could not be downloaded ({error}): try again, or set ESP_DATA to a folder "
            f"with glue/{name}/train.tsv in it"
        ) from error
    columns = ("sentence1", "sentence2") if name in PAIRS else ("sentence",)
    flip = name == "rte"  # there, 0 is entailment
    return [(tuple(row[column] for column in columns), row["label"] ^ flip) for row in rows]
