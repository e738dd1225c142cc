"""Corpus: against a slow reading of its rules, and the statistics of its random choices."""

import itertools
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from esp_lib.bert import corpus as corpus_module
from esp_lib.bert.config import CorpusConfig
from esp_lib.bert.corpus import (
    CLS,
    MASK,
    PAD,
    SEP,
    SPECIAL,
    UNK,
    Corpus,
    Pairs,
    make_corpus,
    make_pairs,
    mask,
    paragraphs,
)
from tests.bert.shared import shared_text
from tests.bert.twin import random_pairs
from tests.conftest import ROOT


def random_text(paragraph_count: int, seed: int) -> list[str]:
    """Paragraphs of four to eight sentences, each of them unlike all others."""
    random = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnop"))

    def word() -> str:
        return "".join(random.choice(letters, random.integers(1, 6)))

    lines = []
    for _ in range(paragraph_count):
        count = random.integers(4, 9)
        sentences = [
            " ".join(word() for _ in range(random.integers(3, 9))) + " the End"
            for _ in range(count)
        ]
        lines.append(" " + " . ".join(sentences) + " . ")
    return lines


@pytest.fixture
def small(monkeypatch):
    """A function that makes the corpus of two small texts."""
    text = {"train": random_text(300, 1), "valid": random_text(40, 2)}
    monkeypatch.setattr(corpus_module, "read_lines", lambda source, split: text[split])

    def make(**changes) -> Corpus:
        settings = {"vocabulary": 400, "max_len": 60, "pairs": 1000, "valid_pairs": 100}
        return make_corpus.__wrapped__(CorpusConfig("embedded", **{**settings, **changes}))

    make.text = text
    return make


def read_back(corpus: Corpus, pairs: Pairs, row: int) -> tuple[str, str]:
    """The two sentences of a pair, as text."""
    length = pairs.lengths[row]
    tokens = pairs.tokens[row, :length].tolist()
    assert tokens[0] == CLS
    assert tokens[-1] == SEP
    assert tokens.count(SEP) == 2
    assert (pairs.tokens[row, length:] == PAD).all()
    middle = tokens.index(SEP)
    parts = []
    for ids in (tokens[1:middle], tokens[middle + 1 : -1]):
        assert min(ids) >= len(SPECIAL)
        text = "".join(corpus.vocabulary[i] for i in ids)
        assert text.endswith("_")  # the end of a word
        parts.append(text.replace("_", " ").strip())
    inside_second = [0] * (middle + 1) + [1] * (length - middle - 1)
    assert pairs.segments[row].tolist() == inside_second + [0] * (pairs.tokens.shape[1] - length)
    return parts[0], parts[1]


def sentences_of(lines: list[str]) -> list[list[str]]:
    """Written from the rules: lower case, a paragraph has a " . ", sentences end there."""
    found = []
    for line in lines:
        padded = line.strip().lower() + " "
        if " . " in padded:
            found.append([s.strip() for s in padded.split(" . ") if s.strip()])
    return found


# --------------------------------------------------------------------------------------- reading


def test_paragraphs_and_sentences():
    lines = [
        " = Heading = ",
        "",
        " One Two . THREE , four . ",
        " no end here",
        "Only one sentence .",
        " Ends . without a stop ",
        " A . . B . ",
        " U.S. is no end . It is not .",
    ]
    assert list(paragraphs(lines)) == [
        [["one", "two"], ["three", ",", "four"]],
        [["only", "one", "sentence"]],
        [["ends"], ["without", "a", "stop"]],
        [["a"], [".", "b"]],
        [["u.s.", "is", "no", "end"], ["it", "is", "not"]],
    ]


def test_every_neighbouring_pair_is_used_once_and_half_are_random(small):
    text = sentences_of(small.text["train"])
    first_ones = [s for paragraph in text for s in paragraph[:-1]]
    total = len(first_ones)
    made = small(pairs=total)
    told = [read_back(made, made.train, row) for row in range(total)]
    assert Counter(first for first, _ in told) == Counter(first_ones)

    following = {s: after for p in text for s, after in itertools.pairwise(p)}
    everything = {s for p in text for s in p}
    is_next = made.train.is_next.astype(bool)
    for (first, second), next_one in zip(told, is_next, strict=True):
        assert second in everything
        assert not next_one or second == following[first]
    chance = sum(second == following[first] for first, second in told) - is_next.sum()
    assert chance <= 5  # a random sentence is the next one by chance alone
    assert stats.binomtest(int(is_next.sum()), total).pvalue > 1e-4

    # a random sentence of a random paragraph: each paragraph is as likely, whatever its length
    paragraph_of = {s: i for i, p in enumerate(text) for s in p}
    drawn = [paragraph_of[s] for (_, s), n in zip(told, is_next, strict=True) if not n]
    lengths = np.array([len(p) for p in text])
    assert np.mean(lengths[drawn]) == pytest.approx(
        lengths.mean(), abs=4 * lengths.std() / np.sqrt(len(drawn))
    )
    order = [first_ones.index(first) for first, _ in told]
    assert abs(stats.spearmanr(order, range(total)).statistic) < 4 / np.sqrt(total)


def test_more_pairs_than_the_text_has_are_refused(small):
    total = sum(len(p) - 1 for p in sentences_of(small.text["train"]))
    message = f"pairs must be at most {total} for the train split of 'embedded', got {total + 1}"
    with pytest.raises(ValueError, match=message):
        small(max_len=100, pairs=total + 1)
    with pytest.raises(ValueError, match=r"valid_pairs must be at most \d+ for the valid split"):
        small(valid_pairs=10**6)
    cut = small(max_len=30, pairs=500)
    assert cut.train.tokens.shape == (500, 30)
    assert cut.train.lengths.max() == 30


def test_exactly_the_pairs_that_fit_are_kept():
    text = [[[5] * n for n in (1, 2, 3, 4, 5)]] * 200
    for max_len in (8, 9, 12):
        made = make_pairs(text, max_len, np.random.default_rng(0))
        neighbours = [(n, n + 1) for n in (1, 2, 3, 4) if 2 * n + 4 <= max_len]
        first = (made.segments == 0).sum(axis=1) - (made.tokens == PAD).sum(axis=1) - 2
        second = made.lengths - 3 - first
        nexts = made.is_next == 1
        assert set(zip(first[nexts], second[nexts], strict=True)) == set(neighbours)
        assert made.lengths.max() <= max_len
        for n in range(1, 6):  # with a random second sentence, whatever fits
            fits = {m for m in range(1, 6) if n < 5 and n + m + 3 <= max_len}
            assert set(second[~nexts & (first == n)]) == fits


def test_special_tokens_and_unknown_letters(monkeypatch):
    rare = "ѣ"
    common = [chr(c) for c in range(0x4E00, 0x4E00 + 198)]
    lines = [f" {c} x . {c} x . " for c in common for _ in range(3)]
    lines += [f" x{rare}x x . <unk> x . "] * 2
    monkeypatch.setattr(corpus_module, "read_lines", lambda source, split: lines)
    config = CorpusConfig("embedded", vocabulary=2000, max_len=30, pairs=500, valid_pairs=1)
    made = make_corpus.__wrapped__(config)
    assert made.vocabulary[:5] == SPECIAL == ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>")
    assert [PAD, UNK, CLS, SEP, MASK] == [0, 1, 2, 3, 4]
    assert len(set(made.vocabulary)) == len(made.vocabulary) <= 2000
    # 201 letters, of which the 200 most frequent are kept; the text's own <unk> is the token
    assert not any(rare in token for token in made.vocabulary)
    told = [
        " ".join(made.vocabulary[i] for i in row[:n])
        for row, n in zip(made.train.tokens, made.train.lengths, strict=True)
    ]
    assert any("<cls> x <unk> x_ x_ <sep>" in row for row in told)
    assert any("<sep> <unk> x_ <sep>" in row for row in told)


# ---------------------------------------------------------------------------------- reproducible


def test_everything_follows_from_the_seed(small):
    a, again, b = small(max_len=100), small(max_len=100), small(max_len=100, seed=7)
    for part, n in (("train", 1000), ("valid", 100)):
        one, same, other = (
            [read_back(made, getattr(made, part), row) for row in range(n)]
            for made in (a, again, b)
        )
        assert one == same
        assert len(set(one) & set(other)) < 0.8 * n
    assert a.vocabulary == again.vocabulary == b.vocabulary
    assert a.sha256 == again.sha256 != b.sha256
    assert len(a.sha256) == 64


def test_make_corpus_is_kept(small, monkeypatch):
    make_corpus.cache_clear()
    config = CorpusConfig("embedded", 400, 60, 100, 10)
    try:
        assert make_corpus(config) is make_corpus(CorpusConfig("embedded", 400, 60, 100, 10))
    finally:
        make_corpus.cache_clear()  # of a text that is not the embedded one


SCRIPT = """
from esp_lib.bert import corpus
from esp_lib.bert.config import CorpusConfig
from esp_lib.bert.corpus import make_corpus
print(make_corpus(CorpusConfig("embedded", 1000, 56, 640, 64)).sha256)
letters = [chr(code) for code in range(0x4E00, 0x4E00 + 300)]  # all as frequent as each other
words = [letters[i] + letters[i - 1] + letters[i - 9] for i in range(300)]
lines = [" . ".join([*words[i : i + 6], ""]) for i in range(0, 300, 6)]
corpus.read_lines = lambda source, split: lines
print(make_corpus(CorpusConfig("embedded", 500, 20, 100, 10)).sha256)
"""


def test_every_process_makes_the_same_corpus():
    """Where the trainer's own counting ties, it follows a hash table; ours must not."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
    assert len(set(digests.pop().split())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "books"}, "source must be one of"),
        ({"vocabulary": 299}, "vocabulary must be an integer of at least 300"),
        ({"max_len": 7}, "max_len must be an integer of at least 8"),
        ({"pairs": 0}, "pairs must be an integer of at least 1"),
        ({"valid_pairs": 1.5}, "valid_pairs must be an integer of at least 1"),
        ({"seed": -1}, "seed must be integers from 0"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CorpusConfig(**change)


# ----------------------------------------------------------------------------------------- masks

VOCABULARY = 300


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    made = random_pairs(4000, 40, seed=5)
    made.tokens[::7, 2] = np.where(made.tokens[::7, 2] == SEP, SEP, UNK)
    return made


def test_masks_hide_what_they_should(pairs):
    before = [field.copy() for field in pairs]
    masks = mask(pairs, VOCABULARY, [0, 1])
    assert all(np.array_equal(a, b) for a, b in zip(before, pairs, strict=True))
    assert masks.positions.shape == masks.labels.shape == masks.weights.shape == (4000, 6)
    for row in range(4000):
        tokens, length = pairs.tokens[row], int(pairs.lengths[row])
        free = int(sum(token not in (PAD, UNK, CLS, SEP) for token in tokens))
        count = int(masks.weights[row].sum())
        assert count == min(max(1, round(0.15 * length)), free, 6)
        assert masks.weights[row].tolist() == [True] * count + [False] * (6 - count)
        chosen = masks.positions[row, :count].tolist()
        assert chosen == sorted(set(chosen))
        assert all(tokens[c] not in (PAD, UNK, CLS, SEP) for c in chosen)
        assert masks.labels[row, :count].tolist() == tokens[chosen].tolist()
        assert not masks.positions[row, count:].any()
        assert not masks.labels[row, count:].any()
        elsewhere = np.setdiff1d(np.arange(40), chosen)
        assert np.array_equal(masks.tokens[row, elsewhere], tokens[elsewhere])


def test_eight_of_ten_are_hidden_one_is_another_and_one_stays(pairs):
    masks = mask(pairs, VOCABULARY, [3])
    rows, columns = np.nonzero(masks.weights)
    shown = masks.tokens[rows, masks.positions[rows, columns]]
    label = masks.labels[rows, columns]
    n = len(label)
    assert n > 10_000
    hidden, kept = shown == MASK, shown == label
    other = ~hidden & ~kept
    chance = 0.1 / VOCABULARY  # that the random token is <mask>, or the one that was there
    for count, share in (
        (hidden.sum(), 0.8 + chance),
        (kept.sum(), 0.1 + chance),
        (other.sum(), 0.1 - 2 * chance),
    ):
        assert stats.binomtest(int(count), n, share).pvalue > 1e-4
    # random tokens are uniform over the vocabulary
    tenths = np.bincount(shown[other] * 10 // VOCABULARY, minlength=10)
    assert stats.chisquare(tenths).pvalue > 1e-4
    assert shown.max() < VOCABULARY


def test_every_word_of_a_pair_is_as_likely_to_be_chosen():
    tokens = np.array([[CLS, 9, 9, 9, 9, SEP, 9, 9, 9, 9, 9, 9, SEP, PAD]] * 6000, np.int32)
    same = Pairs(tokens, np.zeros_like(tokens), np.full(6000, 13), np.zeros(6000, np.int32))
    masks = mask(same, VOCABULARY, [1])
    assert (masks.weights.sum(axis=1) == 2).all()
    counts = np.bincount(masks.positions[masks.weights], minlength=14)
    free = tokens[0] == 9
    assert not counts[~free].any()
    assert stats.chisquare(counts[free]).pvalue > 1e-4


def test_masks_follow_from_their_seed(pairs):
    first, again, other = (
        mask(pairs, VOCABULARY, seed) for seed in ([0, 1, 0], [0, 1, 0], [0, 1, 1])
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert (first.positions != other.positions).any(axis=1).mean() > 0.9
    assert np.array_equal(first.weights, other.weights)


# -------------------------------------------------------------------------------- the real texts


def test_the_embedded_text_suffices_for_the_quick_profile():
    from esp_lib.bert.ablations import base

    config = base("quick").corpus
    made = make_corpus(config)
    assert made.train.tokens.shape == (config.pairs, config.max_len)
    assert made.valid.tokens.shape == (config.valid_pairs, config.max_len)
    assert len(made.vocabulary) == config.vocabulary
    assert (mask(made.train, config.vocabulary, [0]).weights.sum(axis=1) > 0).all()


@pytest.mark.slow
def test_wikitext_2_suffices_for_the_paper(monkeypatch):
    shared_text(monkeypatch)
    config = CorpusConfig()
    assert (config.vocabulary, config.max_len) == (30_000, 90)
    assert (config.pairs, config.valid_pairs) == (1323 * 32, 147 * 32)
    made = make_corpus.__wrapped__(config)
    assert made.train.tokens.shape == (42_336, 90)
    assert made.valid.tokens.shape == (4_704, 90)
    assert len(made.vocabulary) == 30_000
    n = len(made.train.is_next)
    # of the random ones more are too long, so that a few more than half are the next sentence
    assert 0.48 < made.train.is_next.mean() < 0.56
    assert (made.train.tokens == UNK).sum() < 0.04 * made.train.lengths.sum()
    assert np.unique(made.train.tokens[:, :90], axis=0).shape[0] > 0.99 * n
