"""Text to training examples: sub-words, pairs of sentences, masks.

Source: sections on BERT of Liu and Ma (2025) and their published `bert.py`, which follow Devlin et
al., "BERT: Pre-training of Deep Bidirectional Transformers" (NAACL 2019): text in lower case, a
paragraph is a line with at least one " . ", sentences end there; pairs of neighbouring sentences,
half of them with a random second sentence; 15 % of the tokens are chosen, 80 % of these become
`<mask>`, 10 % a random token, 10 % stay. Sub-words are byte-pair encoding (Sennrich et al., ACL
2016) of the training text, with "_" at the end of a word.
"""

import functools
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib.bert.config import CorpusConfig
from esp_lib.bert.datasets import read_lines

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>")
PAD, UNK, CLS, SEP, MASK = range(5)
MASKED_SHARE = 0.15
END = "_"  # of a word
LETTERS = 200  # most frequent ones that have a token; others are `<unk>`

Paragraph = list[list[str]]  # sentences of words
Sentences = list[list[list[int]]]  # paragraphs of sentences of token ids


class Pairs(NamedTuple):
    """n pairs of sentences, not yet masked; L is `max_len`."""

    tokens: NDArray[np.int32]  # (n, L) <cls> first <sep> second <sep> <pad> ...
    segments: NDArray[np.int32]  # (n, L) 1 on the second sentence and its <sep>
    lengths: NDArray[np.int32]  # (n,) tokens that are not <pad>
    is_next: NDArray[np.int32]  # (n,) 1 if the second sentence follows the first in the text


class Masks(NamedTuple):
    """What the masked language model sees and must tell; P is the most predictions a pair has."""

    tokens: NDArray[np.int32]  # (n, L) with the chosen tokens hidden
    positions: NDArray[np.int32]  # (n, P) where they are; 0 where there are fewer
    labels: NDArray[np.int32]  # (n, P) what they were
    weights: NDArray[np.bool_]  # (n, P) false where there are fewer


class Corpus(NamedTuple):
    """Pairs to train on and to validate with, and what they were made from."""

    train: Pairs
    valid: Pairs
    vocabulary: tuple[str, ...]  # token id -> token
    sha256: str  # of all pairs: two runs with the same digest saw the same text


@functools.lru_cache(maxsize=2)
def make_corpus(config: CorpusConfig) -> Corpus:
    """Read, tokenize and pair a text; everything follows from the configuration.

    Raises:
        FileNotFoundError: the text is not where it should be.
        ValueError: the text has fewer pairs than the configuration asks for.
    """
    split = {part: list(paragraphs(read_lines(config.source, part))) for part in ("train", "valid")}
    tokenizer = make_tokenizer(config)
    made = {}
    for part, wanted in (("train", config.pairs), ("valid", config.valid_pairs)):
        random = np.random.default_rng([config.seed, part == "valid"])
        pairs = make_pairs(encode(split[part], tokenizer), config.max_len, random)
        if len(pairs.tokens) < wanted:
            name = "pairs" if part == "train" else "valid_pairs"
            raise ValueError(
                f"{name} must be at most {len(pairs.tokens)} for the {part} split of "
                f"{config.source!r}, got {wanted}"
            )
        made[part] = Pairs(*(field[:wanted] for field in pairs))
    digest = hashlib.sha256()
    for pairs in made.values():
        for field in pairs:
            digest.update(np.ascontiguousarray(field, dtype="<i4").tobytes())
    ids = range(tokenizer.get_vocab_size())
    words = tuple(str(tokenizer.id_to_token(i)) for i in ids)
    return Corpus(made["train"], made["valid"], words, digest.hexdigest())


@functools.lru_cache(maxsize=2)
def make_tokenizer(config: CorpusConfig) -> "Tokenizer":
    """The sub-words of a text's training split; errors as of `make_corpus`."""
    return train_tokenizer(list(paragraphs(read_lines(config.source, "train"))), config.vocabulary)


def paragraphs(lines: Sequence[str]) -> Iterator[Paragraph]:
    """Lines with at least one " . " as lists of sentences, each a list of words in lower case."""
    for line in lines:
        sentences = (line.strip() + " ").lower().split(" . ")
        if len(sentences) >= 2:
            words = [sentence.split() for sentence in sentences]
            yield [sentence for sentence in words if sentence]


def train_tokenizer(text: Sequence[Paragraph], vocabulary: int) -> "Tokenizer":
    """Byte-pair encoding of words, learned from `text`; ids 0 to 4 are `SPECIAL`.

    The mark at the end of a word is a letter like any other, and the letters are counted here: left
    to the trainer, both get their ids in the order of a hash table, another one in each process.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    letters: Counter[str] = Counter()
    for sentence in (sentences := marked(text)):
        letters.update(sentence)
    del letters[" "]
    kept = sorted(letters, key=lambda letter: (-letters[letter], letter))[:LETTERS]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        show_progress=False,
        initial_alphabet=kept,
        limit_alphabet=len(kept),
    )
    tokenizer.train_from_iterator(sentences, trainer)
    return tokenizer


def marked(text: Sequence[Paragraph]) -> list[str]:
    """Every sentence as one string, its words marked at their ends; `<unk>` stays as it is."""
    unknown = SPECIAL[UNK]
    return [
        " ".join(word if word == unknown else word + END for word in words)
        for paragraph in text
        for words in paragraph
    ]


def encode(text: Sequence[Paragraph], tokenizer: "Tokenizer") -> Sentences:
    """Token ids of every sentence."""
    ids = iter(tokenizer.encode_batch_fast(marked(text), add_special_tokens=False))
    return [[next(ids).ids for _ in paragraph] for paragraph in text]


def make_pairs(text: Sentences, max_len: int, random: np.random.Generator) -> Pairs:
    """All neighbouring sentences that fit into `max_len` tokens, in random order.

    The second sentence of every other pair (on average) is replaced by one from anywhere: a random
    sentence of a random paragraph.
    """
    pairs: list[tuple[list[int], list[int], bool]] = []
    full = [paragraph for paragraph in text if paragraph]
    for paragraph in full:
        for first, following in itertools.pairwise(paragraph):
            is_next = bool(random.random() < 0.5)
            second = following
            if not is_next:
                other = full[random.integers(len(full))]
                second = other[random.integers(len(other))]
            if len(first) + len(second) + 3 <= max_len:
                pairs.append((first, second, is_next))
    n = len(pairs)
    made = Pairs(
        np.full((n, max_len), PAD, np.int32),
        np.zeros((n, max_len), np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
    )
    for row, index in enumerate(random.permutation(n)):
        first, second, is_next = pairs[index]
        ids = [CLS, *first, SEP, *second, SEP]
        made.tokens[row, : len(ids)] = ids
        made.segments[row, len(first) + 2 : len(ids)] = 1
        made.lengths[row] = len(ids)
        made.is_next[row] = is_next
    return made


def mask(pairs: Pairs, vocabulary: int, seed: Sequence[int]) -> Masks:
    """Hide 15 % of each pair's tokens (at least one); special tokens are never chosen.

    There are `vocabulary` tokens to draw a random one from. With another seed the masks are
    other ones.
    """
    random = np.random.default_rng(seed)
    n, L = pairs.tokens.shape
    P = round(L * MASKED_SHARE)
    open_to_choice = ~np.isin(pairs.tokens, (PAD, UNK, CLS, SEP))
    wanted = np.maximum(1, np.rint(pairs.lengths * MASKED_SHARE)).astype(int)
    wanted = np.minimum(np.minimum(wanted, P), open_to_choice.sum(axis=1))  # (n,)
    score = np.where(open_to_choice, random.random((n, L)), 2.0)
    first = np.argsort(score, axis=1)[:, :P]  # the chosen ones lead
    weights = np.arange(P) < wanted[:, None]  # (n, P)
    positions = np.sort(np.where(weights, first, L), axis=1)
    positions = np.where(weights, positions, 0).astype(np.int32)
    labels = np.where(weights, np.take_along_axis(pairs.tokens, positions, axis=1), 0)
    fate = random.random((n, P))
    other = random.integers(vocabulary, size=(n, P))
    shown = np.where(fate < 0.8, MASK, np.where(fate < 0.9, labels, other))
    tokens = pairs.tokens.copy()
    rows, columns = np.nonzero(weights)
    tokens[rows, positions[rows, columns]] = shown[rows, columns]
    return Masks(tokens, positions, labels.astype(np.int32), weights)
