"""Which fine-tuning runs each profile has, and the network that they start from.

Source: Dodge et al. (arXiv 2002.06305, 2020), with tasks and sizes cut to the profile; the studies
of one and two epochs and of set sizes are ours. `jobs` lists the runs and `FINETUNING` reads
their records or trains them, after pre-training the network if that is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from esp_lib import _checks
from esp_lib.bert import ablations
from esp_lib.bert.config import BertConfig, CorpusConfig, PretrainConfig, count_parameters
from esp_lib.finetuning.config import FinetuneConfig
from esp_lib.finetuning.glue import LABELS
from esp_lib.records.experiment import Experiment
from esp_lib.records.record import PROFILES, RunRecord, config_key
from esp_lib.records.store import results_folder
from esp_lib.records.sweeps import Job, get_records, missing

SEEDS = {"quick": (3, 3), "cpu": (6, 6), "paper": (25, 25)}  # first weights, data orders


@dataclass(frozen=True)
class Study:
    """Runs of one kind."""

    name: str  # of its records
    label: str  # on figures
    changes: Mapping[str, Any] = field(default_factory=dict)  # fields of `FinetuneConfig`
    crossed: bool = False  # all first weights by all data orders; else one by `DATA_ORDERS`
    profiles: tuple[str, ...] = PROFILES


DATA_ORDERS = 3  # data orders of a study that is not crossed
STUDIES = (
    Study("sst2", "SST-2", {"examples": 8192}, crossed=True, profiles=("cpu", "paper")),
    Study("one-epoch", "one epoch", {"epochs": 1, "schedule": "constant"}),
    Study("two-epochs", "two epochs", {"epochs": 2, "schedule": "constant"}),
    Study("one-epoch-linear", "one epoch, falling rate", {"epochs": 1}),
    Study("two-epochs-linear", "two epochs, falling rate", {"epochs": 2}),
    Study(
        "rte",
        "RTE",
        {"task": "rte", "examples": 2464, "max_len": 64},
        crossed=True,
        profiles=("cpu", "paper"),
    ),
    Study(
        "cola",
        "CoLA",
        {"task": "cola", "examples": 2048, "max_len": 40},
        crossed=True,
        profiles=("cpu", "paper"),
    ),
    *(
        Study(
            f"size-{examples}",
            f"{examples:,} examples",
            {"examples": examples, "epochs": 8, "schedule": "constant", "evaluations": 4},
            profiles=profiles,
        )
        for examples, profiles in (
            (64, ("quick",)),
            (256, ("quick",)),
            (128, ("cpu", "paper")),
            (512, ("cpu", "paper")),
            (2048, ("cpu", "paper")),
            (8192, ("cpu", "paper")),
        )
    ),
    Study("order", "sentence order", crossed=True, profiles=("quick",)),
)


def pretraining(profile: str) -> PretrainConfig:
    """The pre-training of the network that a profile fine-tunes.

    `paper` has the paper's BERT-tiny; `cpu` the sizes of Google's BERT-tiny (Turc et al., 2019).
    Masks are drawn anew each epoch, since here the network is to learn and not to memorize.
    """
    _checks.choice("profile", profile, PROFILES)
    if profile == "cpu":
        return PretrainConfig(
            corpus=CorpusConfig(vocabulary=8000, max_len=64, pairs=32_000, valid_pairs=2_000),
            model=BertConfig(
                vocabulary=8000, hidden=128, feed_forward=512, heads=2, blocks=2, positions=64
            ),
            epochs=8,
            masking="dynamic",
            lr=1e-3,
            schedule="linear",
            validate_every=250,
            validation_pairs=512,
        )
    return replace(ablations.base(profile), masking="dynamic")


def base(profile: str) -> FinetuneConfig:
    """What all studies of a profile have in common."""
    network = pretraining(profile)
    if profile == "quick":
        return FinetuneConfig(
            pretraining=network,
            task="order",
            examples=256,
            max_len=network.corpus.max_len,
            epochs=2,
            batch_size=16,
            lr=1e-3,
            evaluations=5,
        )
    return FinetuneConfig(pretraining=network, max_len=48, examples=4096, lr=6e-4)


def describe(profile: str) -> str:
    """The episodes of a profile in a few sentences, for a chapter's page."""
    network, config = pretraining(profile), base(profile)
    tasks = {
        job.name: job.config for job in jobs(profile) if job.name in studies(profile, "crossed")
    }
    listed = "; ".join(
        f"{LABELS[task.task]} ({task.examples:,} training examples)" for task in tasks.values()
    )
    inits, orders = SEEDS[profile]
    return (
        f"A BERT of {network.model.hidden} hidden units and {network.model.blocks} blocks "
        f"({count_parameters(network.model) / 1e6:.1f} million parameters), pre-trained on "
        f"{network.corpus.pairs:,} pairs of sentences for {network.epochs} epochs, is fine-tuned "
        f"by AdamW with learning rate {config.lr:g} in batches of {config.batch_size}: {inits} "
        f"initializations by {orders} data orders a task. Tasks: {listed}."
    )


def differences(profile: str) -> str:
    """How this fine-tuning differs from that of Dodge et al., in two sentences."""
    network = pretraining(profile)
    millions = count_parameters(network.model) / 1e6
    text = "Python's own help" if network.corpus.source == "embedded" else "WikiText-2"
    return (
        f"our network has {millions:.1f} million parameters and was pre-trained for minutes on "
        f"{text}; theirs is a published BERT, larger by two orders of magnitude and pre-trained on "
        "books and an encyclopedia. Ours has no dropout, reads the mean over all tokens instead of "
        "`<cls>`, and trains on part of SST-2 and CoLA."
    )


def studies(profile: str, kind: str) -> dict[str, str]:
    """Names and labels of a profile's studies: kind "crossed", "epochs" or "sizes"."""
    _checks.choice("kind", kind, ("crossed", "epochs", "sizes"))
    return {
        study.name: study.label
        for study in STUDIES
        if profile in study.profiles
        and kind == ("crossed" if study.crossed else "sizes" if "size" in study.name else "epochs")
    }


def jobs(profile: str) -> tuple[Job, ...]:
    """All fine-tuning runs of a profile."""
    _checks.choice("profile", profile, PROFILES)
    inits, orders = SEEDS[profile]
    config = base(profile)
    return tuple(
        Job(
            study.name,
            profile,
            seed,
            replace(
                config,
                order_seeds=orders if study.crossed else DATA_ORDERS,
                seed=seed,
                **study.changes,
            ),
        )
        for study in STUDIES
        if profile in study.profiles
        for seed in range(inits if study.crossed else 1)
    )


def pretraining_job(profile: str) -> Job:
    """The run that makes the network."""
    return Job("pretrained", profile, 0, pretraining(profile))


def weights_path(profile: str) -> Path:
    """Where the trained network lies; its name says which settings made it."""
    key = config_key(pretraining(profile))
    return results_folder() / "weights" / profile / f"pretrained-{key}.pt"


def pretrain_job(job: Job, device: str = "cpu", progress: bool = False) -> RunRecord:
    """Pre-train the network; killed, it goes on from its last epoch when it is started again."""
    import torch

    from esp_lib.bert.pretraining import pretrain

    if device == "cpu":
        torch.set_num_threads(1)  # the result must not depend on the machine
    return pretrain(
        job.config,
        device,
        name=job.name,
        profile=job.profile,
        checkpoint=results_folder() / "checkpoints" / job.profile / f"{job.label}.pt",
        weights=weights_path(job.profile),
        progress=progress,
    )


def train_job(job: Job, device: str = "cpu", progress: bool = False) -> RunRecord:
    """Fine-tune one run; it shows no progress of its own."""
    import torch

    from esp_lib.finetuning.training import finetune, load_weights

    if device == "cpu":
        torch.set_num_threads(1)  # the result must not depend on the machine; runs share its cores
    weights = load_weights(weights_path(job.profile))
    return finetune(job.config, weights, device, name=job.name, profile=job.profile)


def pretrained_record(profile: str, folder: Path | None = None) -> RunRecord:
    """The record of the pre-training; FileNotFoundError or DamagedRecord as of `get_records`."""
    wanted = [pretraining_job(profile)]
    return get_records(wanted, pretrain_job, train="no", folder=folder)["pretrained"][0]


def pretrain_first(
    wanted: tuple[Job, ...],
    *,
    train: str,
    device: str,
    folder: Path | None,
    report: Callable[[str], object],
) -> None:
    """Make the pre-trained network where something has to be fine-tuned and it is missing."""
    profiles = {job.profile for job in wanted}
    if train == "no" or (train == "auto" and profiles == {"cpu"}):
        return
    folder = folder or results_folder()
    for profile in profiles:
        first = [pretraining_job(profile)]
        if train == "all" or missing([*first, *wanted], folder):
            again = "missing" if weights_path(profile).is_file() else "all"
            get_records(
                first, pretrain_job, train=again, device=device, folder=folder, report=report
            )


FINETUNING = Experiment(jobs, train_job, pretrain_first)
