"""What determines a pre-training run: text, network and training, as frozen dataclasses.

Source: section on BERT of Liu and Ma (2025) and their published `bert.py`; the defaults are the
paper's BERT-tiny. Nothing here loads torch.
"""

from dataclasses import dataclass, field

from esp_lib import _checks
from esp_lib.bert.datasets import SOURCES
from esp_lib.sampling.orders import ORDERS, check_batch_size


@dataclass(frozen=True)
class BertConfig:
    """Sizes; the defaults are the paper's BERT-tiny."""

    vocabulary: int = 30_000  # V
    hidden: int = 256  # H
    feed_forward: int = 512
    heads: int = 2
    blocks: int = 2
    dropout: float = 0.1
    positions: int = 1000  # the longest input the position embedding is made for

    def __post_init__(self) -> None:
        for name in ("vocabulary", "hidden", "feed_forward", "heads", "blocks", "positions"):
            _checks.integer(name, getattr(self, name), low=1)
        if self.hidden % self.heads:
            raise ValueError(f"heads must divide hidden, {self.hidden}, got {self.heads}")
        _checks.real("dropout", self.dropout, low=0, high=1, high_open=True)


SMALL = BertConfig(hidden=768, feed_forward=1024, heads=6, blocks=6, dropout=0.2)


def count_parameters(config: BertConfig) -> int:
    """Number of trained numbers, from the sizes alone."""
    H, V, ff = config.hidden, config.vocabulary, config.feed_forward

    def linear(n: int, m: int) -> int:
        return n * m + m

    block = linear(H, 3 * H) + linear(H, H) + linear(H, ff) + linear(ff, H) + 2 * (2 * H)
    mlm = linear(H, H) + 2 * H + linear(H, V)
    nsp = linear(H, H) + linear(H, 2)
    embeddings = V * H + 2 * H + config.positions * H
    return embeddings + config.blocks * block + mlm + nsp


@dataclass(frozen=True)
class CorpusConfig:
    """Which text, cut how."""

    source: str = "wikitext-2"  # one of `datasets.SOURCES`
    vocabulary: int = 30_000  # sub-words, special tokens among them
    max_len: int = 90  # tokens in a pair, <cls> and twice <sep> among them
    pairs: int = 42_336  # training pairs: 1,323 batches of 32
    valid_pairs: int = 4_704  # validation pairs: 147 batches of 32
    seed: int = 0  # which pairs, which second sentences, which masks

    def __post_init__(self) -> None:
        _checks.choice("source", self.source, SOURCES)
        _checks.integer("vocabulary", self.vocabulary, low=300, high=1_000_000)
        _checks.integer("max_len", self.max_len, low=8, high=1000)
        _checks.integer("pairs", self.pairs, low=1)
        _checks.integer("valid_pairs", self.valid_pairs, low=1)
        _checks.seeds("seed", [self.seed])


OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "linear")
MASKINGS = ("static", "dynamic")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class PretrainConfig:
    """One run; the defaults are the paper's for BERT-tiny."""

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    model: BertConfig = field(default_factory=BertConfig)
    epochs: int = 30
    batch_size: int = 32
    order: str = "reshuffle"  # as in `sampling.orders.make_order`
    masking: str = "static"  # masks drawn once, or "dynamic": afresh each epoch
    optimizer: str = "adam"  # "rmsprop" has no momentum, "sgd" has beta1 as heavy-ball momentum
    lr: float = 1e-4
    schedule: str = "constant"  # or "linear": towards zero, reached after the last step
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-5  # added to the gradient (L2), decoupled with "adamw"
    precision: str = "float32"  # of matrix products; weights and losses are float32. "auto" is
    # bfloat16 on a GPU and float32 on a CPU
    validate_every: int = 50  # steps
    validation_pairs: int = 320  # the same ones each time
    probe_epochs: tuple[int, ...] = ()  # epochs in which single pairs are followed
    probe_pairs: int = 1024  # training pairs that are followed
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("order", ORDERS),
            ("masking", MASKINGS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            _checks.choice(name, getattr(self, name), allowed)
        _checks.integer("epochs", self.epochs, low=1)
        check_batch_size(self.batch_size, self.corpus.pairs)
        _checks.integer("validate_every", self.validate_every, low=1, high=self.steps_per_epoch)
        valid = self.corpus.valid_pairs
        _checks.integer("validation_pairs", self.validation_pairs, low=1, high=valid)
        _checks.integer("probe_pairs", self.probe_pairs, low=1)
        for epoch in self.probe_epochs:
            _checks.integer("probe_epochs", epoch, low=0, high=self.epochs - 1)
        if len(set(self.probe_epochs)) < len(self.probe_epochs):
            raise ValueError(f"probe_epochs must be distinct, got {self.probe_epochs}")
        _checks.real("lr", self.lr, low=0)
        _checks.real("beta1", self.beta1, low=0, high=1, high_open=True)
        _checks.real("beta2", self.beta2, low=0, high=1, high_open=True)
        _checks.real("eps", self.eps, low=0)
        _checks.real("weight_decay", self.weight_decay, low=0)
        _checks.seeds("seed", [self.seed])
        if self.model.vocabulary != self.corpus.vocabulary:
            raise ValueError(
                f"model.vocabulary must be corpus.vocabulary, {self.corpus.vocabulary}, "
                f"got {self.model.vocabulary}"
            )
        if self.model.positions < self.corpus.max_len:
            raise ValueError(
                f"model.positions must be at least corpus.max_len, {self.corpus.max_len}, "
                f"got {self.model.positions}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch."""
        return self.corpus.pairs // self.batch_size

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return self.epochs * self.steps_per_epoch
