"""Which runs each profile has: the paper's baseline, and one change at a time.

Source: section on influencing factors of Liu and Ma (2025), and their repository's README for what
the paper leaves out. A profile fixes the text and the sizes; a factor changes settings of the
baseline; `jobs` lists the runs and `PRETRAINING` reads their records or trains them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from esp_lib import _checks
from esp_lib.bert.config import SMALL, BertConfig, CorpusConfig, PretrainConfig, count_parameters
from esp_lib.records.experiment import Experiment
from esp_lib.records.record import PROFILES, RunRecord
from esp_lib.records.store import results_folder
from esp_lib.records.sweeps import Job

REDUCTION = (
    " The sizes were chosen so that a run takes about five minutes on one core; of two learning "
    "rates tried (with a few more pairs), 1e-3 and 4e-4, the second was kept, because at the first "
    "β₂ = 0.8 hardly trains, while at the second it ends nearly one nat above β₂ = 0.999, as "
    "published."
)
PROBED = (
    "baseline",
    "beta2-0.8",
    "replacement",
    "replacement-beta2-0.8",
    "vocabulary-30000",
)  # single pairs and embedding rows are followed in these
# Sub-words of profile "paper". The paper has 30,000, learned from another text of 500 MB in a file
# that was not published. Learned from WikiText-2 itself, so many are nearly whole words: 56,000
# pairs of sentences fit into 90 tokens, where the paper has 1,323 batches of 32 to train on and 147
# to validate. With 3,200 as many fit as the paper has, within 3 %; `vocabulary-30000` is the other.
PAPER_VOCABULARY = 3_200
VOCABULARY = (
    "The paper's 30,000 sub-words were learned from another text and are not published. Ours are "
    "as many as it takes to get the paper's number of pairs from WikiText-2."
)
PROBE_EPOCHS = {"paper": (6, 10, 15, 28)}  # also in runs that are stopped early


@dataclass(frozen=True)
class Factor:
    """One change of the baseline."""

    name: str  # of its records
    label: str  # on figures
    changes: Mapping[str, Any] = field(default_factory=dict)  # fields of `PretrainConfig`
    scale: tuple[float, int, int] = (1, 1, 1)  # of hidden and feed-forward units, heads, blocks
    batch: int = 1  # of the batch size
    vocabulary: int | None = None  # sub-words, if not the baseline's
    seeds: int = 1  # 1 in profile "quick"
    profiles: tuple[str, ...] = PROFILES


FACTORS = (
    Factor("baseline", "β₂ = 0.999", seeds=3),
    Factor("beta2-0.9", "β₂ = 0.9", {"beta2": 0.9}),
    Factor("beta2-0.8", "β₂ = 0.8", {"beta2": 0.8}, seeds=3),
    Factor("beta1-0.5", "β₁ = 0.5", {"beta1": 0.5}),
    Factor("beta1-0", "β₁ = 0", {"beta1": 0.0}),
    Factor("fixed", "not shuffled", {"order": "fixed"}),
    Factor("fixed-beta2-0.8", "not shuffled, β₂ = 0.8", {"order": "fixed", "beta2": 0.8}),
    Factor("replacement", "replacement", {"order": "replacement"}),
    Factor(
        "replacement-beta2-0.8",
        "replacement, β₂ = 0.8",
        {"order": "replacement", "beta2": 0.8},
    ),
    Factor("batch-large", "four times the batch", batch=4),
    Factor("decay-0", "no weight decay", {"weight_decay": 0.0}),
    Factor("decay-1e-4", "weight decay 1e-4", {"weight_decay": 1e-4}),
    Factor("decay-0-beta2-0.8", "no weight decay, β₂ = 0.8", {"weight_decay": 0.0, "beta2": 0.8}),
    Factor("quarter", "a quarter as wide", scale=(1 / 4, 1, 1)),
    Factor("half", "half as wide", scale=(1 / 2, 1, 1)),
    Factor("double", "twice as wide", scale=(2, 1, 1)),
    Factor("double-deep", "twice as wide and deep", scale=(2, 2, 2)),
    Factor("masks-afresh", "fresh masks", {"masking": "dynamic"}),
    Factor(
        "masks-afresh-beta2-0.8",
        "fresh masks, β₂ = 0.8",
        {"masking": "dynamic", "beta2": 0.8},
    ),
    Factor("linear-decay", "rate falls to 0", {"schedule": "linear"}),
    Factor("adamw", "AdamW", {"optimizer": "adamw", "weight_decay": 0.01}),
    Factor("rmsprop", "RMSProp", {"optimizer": "rmsprop", "beta2": 0.99}),
    Factor("sgd", "SGD with momentum", {"optimizer": "sgd", "lr": 0.1}),
    Factor("vocabulary-30000", "30,000 sub-words", vocabulary=30_000, profiles=("paper",)),
    Factor("small", "BERT-small", profiles=("paper",)),
    Factor("small-fixed", "BERT-small, not shuffled", {"order": "fixed"}, profiles=("paper",)),
)


def base(profile: str) -> PretrainConfig:
    """The baseline of a profile.

    `paper` is the paper's BERT-tiny; `cpu` a reduction of it for one core, `REDUCTION` says how it
    was chosen; `quick` a smaller one on text that every Python carries.
    """
    _checks.choice("profile", profile, PROFILES)
    if profile == "paper":
        return PretrainConfig(
            corpus=CorpusConfig(vocabulary=PAPER_VOCABULARY),
            model=BertConfig(vocabulary=PAPER_VOCABULARY),
            precision="auto",
        )
    if profile == "cpu":
        return PretrainConfig(
            corpus=CorpusConfig(vocabulary=4000, max_len=48, pairs=6912, valid_pairs=896),
            model=BertConfig(vocabulary=4000, hidden=128, feed_forward=256, positions=48),
            epochs=15,
            lr=4e-4,
            validate_every=24,
            validation_pairs=192,
        )
    return PretrainConfig(
        corpus=CorpusConfig("embedded", vocabulary=1000, max_len=56, pairs=640, valid_pairs=64),
        model=BertConfig(vocabulary=1000, hidden=32, feed_forward=64, positions=56, dropout=0.0),
        epochs=8,
        batch_size=16,
        lr=3e-3,
        validate_every=5,
        validation_pairs=64,
    )


def describe(profile: str) -> str:
    """The baseline of a profile in a few sentences, for a chapter's page."""
    config = base(profile)
    corpus, model = config.corpus, config.model
    text = {"embedded": "Python's own help texts", "wikitext-2": "WikiText-2"}[corpus.source]
    facts = (
        f"{corpus.pairs:,} pairs of up to {corpus.max_len} tokens from {text}, a vocabulary of "
        f"{corpus.vocabulary:,} sub-words, {model.hidden} hidden units, {model.blocks} blocks of "
        f"{model.heads} heads ({count_parameters(model) / 1e6:.1f} million parameters), "
        f"{config.epochs} epochs of {config.steps_per_epoch:,} steps of {config.batch_size} pairs, "
        f"learning rate {config.lr:g}"
    )
    if profile == "paper":
        return f"Profile “paper” has the sizes of the paper's BERT-tiny: {facts}. {VOCABULARY}"
    paper = PretrainConfig()
    return (
        f"Profile “{profile}” is a **reduction** of the paper's BERT-tiny: {facts}. The paper has "
        f"{paper.corpus.pairs:,} pairs, {paper.corpus.vocabulary:,} sub-words, "
        f"{paper.model.hidden} hidden units, {paper.epochs} epochs and a learning rate of "
        f"{paper.lr:g}." + (REDUCTION if profile == "cpu" else "")
    )


def jobs(profile: str) -> tuple[Job, ...]:
    """All runs of a profile, the baseline first."""
    _checks.choice("profile", profile, PROFILES)
    return tuple(
        Job(factor.name, profile, seed, make_config(profile, factor, seed))
        for factor in FACTORS
        if profile in factor.profiles
        for seed in range(1 if profile == "quick" else factor.seeds)
    )


def make_config(profile: str, factor: Factor, seed: int) -> PretrainConfig:
    """The baseline of a profile, with a factor's changes and a seed."""
    config = base(profile)
    width, heads, blocks = factor.scale
    model = SMALL if factor.name.startswith("small") else config.model
    vocabulary = factor.vocabulary or config.corpus.vocabulary
    model = replace(
        model,
        vocabulary=vocabulary,
        hidden=int(model.hidden * width),
        feed_forward=int(model.feed_forward * width),
        heads=model.heads * heads,
        blocks=model.blocks * blocks,
    )
    batch_size = config.batch_size * factor.batch
    pairs = config.corpus.pairs // batch_size * batch_size  # an incomplete batch is left out
    probes = PROBE_EPOCHS.get(profile, (config.epochs // 2, config.epochs - 2))
    return replace(
        config,
        corpus=replace(config.corpus, pairs=pairs, vocabulary=vocabulary),
        model=model,
        batch_size=batch_size,
        validate_every=max(1, config.validate_every // factor.batch),
        probe_epochs=probes if factor.name in PROBED else (),
        seed=seed,
        **factor.changes,
    )


def train_job(
    job: Job,
    device: str = "cpu",
    progress: bool = False,
    as_it_stands: bool = False,
    folder: Path | None = None,
    weights: Path | None = None,
) -> RunRecord:
    """Train one run; killed, it goes on from its last epoch when it is started again.

    With `as_it_stands` nothing is trained: the record holds the epochs that are complete. A network
    that is to be kept goes to the file `weights`. See `pretraining.pretrain`.
    """
    import torch

    from esp_lib.bert.pretraining import pretrain

    if device == "cpu":
        torch.set_num_threads(1)  # the result must not depend on the machine; runs share its cores
    return pretrain(
        job.config,
        device,
        name=job.name,
        profile=job.profile,
        checkpoint=job.checkpoint(folder or results_folder()),
        weights=weights,
        as_it_stands=as_it_stands,
        progress=progress,
    )


PRETRAINING = Experiment(jobs, train_job)
