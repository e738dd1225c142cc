"""Which fine-tuning runs each profile has, and the network that they start from.

Source: Dodge et al. (arXiv 2002.06305, 2020), with network, tasks and seeds cut to the profile; the
studies of one and two epochs and of set sizes are ours. Profile "quick" pre-trains a network of its
own and needs no download; the others fine-tune a published encoder, all-MiniLM-L6-v2
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), whose last layer is trained.
`jobs` lists the runs and `FINETUNING` reads their records or trains them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from esp_lib import _checks
from esp_lib.bert import ablations
from esp_lib.bert.config import PretrainConfig, count_parameters
from esp_lib.finetuning.config import EpisodesConfig, FinetuneConfig, UpperLayersConfig
from esp_lib.finetuning.glue import LABELS, score
from esp_lib.finetuning.seed_variance import unpack
from esp_lib.records.experiment import Experiment
from esp_lib.records.record import PROFILES, RunRecord, config_key
from esp_lib.records.store import results_folder
from esp_lib.records.sweeps import Job, missing

SEEDS = {"quick": (3, 3), "cpu": (5, 5), "paper": (25, 25)}  # first weights, data orders
DATA_ORDERS = 3  # data orders of a study that is not crossed
TRIED = (2e-4, 5e-4, 1e-3)  # learning rates, each tried with the seeds `TRIED_SEED`
TRIED_SEED = 100  # of first weights and of the data order: no other study has it
RATES = {"sst2": 1e-3, "cola": 5e-4, "mrpc": 2e-4, "rte": 1e-3}  # what `best_rate` chose
KINDS = ("crossed", "epochs", "sizes", "rates")
SIZE_STEPS = 512  # updates that each training set of the study of sizes gets


@dataclass(frozen=True)
class FineTuningStudy:
    """Runs of one kind."""

    name: str  # of its records
    label: str  # on figures
    kind: str  # one of `KINDS`; "crossed" is all first weights by all data orders
    changes: Mapping[str, Any] = field(default_factory=dict)  # fields of the run's config
    profiles: tuple[str, ...] = ("cpu", "paper")


def _epochs(
    prefix: str, profiles: tuple[str, ...], changes: Mapping[str, Any]
) -> list[FineTuningStudy]:
    """One and two epochs, at a constant and at a falling learning rate."""
    return [
        FineTuningStudy(
            f"{prefix}{name}-epoch{'s' * (epochs > 1)}{suffix}",
            f"{name} epoch{'s' * (epochs > 1)}{label}",
            "epochs",
            {**changes, "epochs": epochs, "schedule": schedule},
            profiles,
        )
        for suffix, label, schedule in (
            ("", "", "constant"),
            ("-linear", ", falling rate", "linear"),
        )
        for name, epochs in (("one", 1), ("two", 2))
    ]


TASK_STUDIES = tuple(
    FineTuningStudy(
        f"minilm-{task}",
        label,
        "crossed",
        {"task": task, "examples": examples, "lr": RATES[task]},
    )
    for task, label, examples in (
        ("sst2", "SST-2", 4096),
        ("cola", "CoLA", 4096),
        ("mrpc", "MRPC", 3648),
        ("rte", "RTE", 2464),
    )
)
STUDIES = (
    *TASK_STUDIES,
    *(
        FineTuningStudy(
            f"{study.name}-rate-{rate:g}",
            f"{study.label}, learning rate {rate:g}",
            "rates",
            {**study.changes, "lr": rate, "order_seeds": 1, "first_order": TRIED_SEED},
        )
        for study in TASK_STUDIES
        for rate in TRIED
    ),
    *_epochs("minilm-", ("cpu", "paper"), {"lr": RATES["sst2"]}),
    *(
        FineTuningStudy(
            f"minilm-size-{examples}",
            f"{examples:,} examples",
            "sizes",
            {
                "examples": examples,
                "epochs": SIZE_STEPS * 32 // examples,
                "evaluations": examples // 256,
                "schedule": "constant",
                "lr": RATES["sst2"],
            },
        )
        for examples in (256, 1024, 4096)
    ),
    FineTuningStudy("order", "sentence order", "crossed", profiles=("quick",)),
    *_epochs("", ("quick",), {}),
    *(
        FineTuningStudy(
            f"size-{examples}",
            f"{examples:,} examples",
            "sizes",
            {
                "examples": examples,
                "epochs": 128 * 16 // examples,
                "evaluations": examples // 64,
                "schedule": "constant",
            },
            ("quick",),
        )
        for examples in (64, 256)
    ),
)


def pretraining(profile: str) -> PretrainConfig | None:
    """The pre-training of the network that a profile fine-tunes; None for a published network.

    Masks are drawn anew each epoch, since here the network is to learn and not to memorize.
    """
    _checks.choice("profile", profile, PROFILES)
    return replace(ablations.base("quick"), masking="dynamic") if profile == "quick" else None


def base(profile: str) -> EpisodesConfig:
    """What all studies of a profile have in common."""
    network = pretraining(profile)
    if network is None:
        return UpperLayersConfig()
    return FinetuneConfig(
        pretraining=network,
        examples=256,
        max_len=network.corpus.max_len,
        epochs=2,
        batch_size=16,
        lr=1e-3,
        evaluations=5,
    )


def describe(profile: str) -> str:
    """The episodes of a profile in a few sentences, for a chapter's page."""
    config = base(profile)
    tasks = [job.config for job in jobs(profile) if job.name in studies(profile, "crossed")]
    listed = "; ".join(
        dict.fromkeys(f"{LABELS[task.task]} ({task.examples:,} examples)" for task in tasks)
    )
    inits, orders = SEEDS[profile]
    if isinstance(config, FinetuneConfig):
        model, corpus = config.pretraining.model, config.pretraining.corpus
        network = (
            f"A BERT of {model.hidden} hidden units and {model.blocks} blocks "
            f"({count_parameters(model) / 1e6:.1f} million parameters), pre-trained on "
            f"{corpus.pairs:,} pairs of sentences,"
        )
    else:
        network = (
            "all-MiniLM-L6-v2, a published network of BERT's architecture (6 layers of 384 units, "
            "22.7 million parameters), of which the last layer and a new head are trained,"
        )
    return (
        f"{network} is fine-tuned by AdamW in batches of {config.batch_size}: {inits} "
        f"initializations by {orders} data orders a task. Tasks: {listed}."
    )


def differences(profile: str) -> str:
    """How this fine-tuning differs from that of Dodge et al., in a few sentences."""
    if profile == "quick":
        return (
            "our network was pre-trained for a minute on Python's own help; theirs is a published "
            "BERT, larger by two orders of magnitude. Ours has no dropout and reads the mean over "
            "all tokens instead of `[CLS]`."
        )
    return (
        "theirs is BERT-large (24 layers, 340 million parameters), all of which is trained, with "
        "dropout. Ours is smaller by an order of magnitude, five of its six layers are frozen, "
        "there is no dropout, and it trains on part of SST-2 and CoLA."
    )


def studies(profile: str, kind: str) -> dict[str, str]:
    """Names and labels of a profile's studies of one of `KINDS`."""
    _checks.choice("kind", kind, KINDS)
    return {s.name: s.label for s in STUDIES if profile in s.profiles and s.kind == kind}


def jobs(profile: str) -> tuple[Job, ...]:
    """All fine-tuning runs of a profile."""
    _checks.choice("profile", profile, PROFILES)
    inits, orders = SEEDS[profile]
    seeds = {"crossed": list(range(inits)), "rates": [TRIED_SEED]}
    config = base(profile)
    return tuple(
        Job(
            study.name,
            profile,
            seed,
            replace(
                config,
                **{
                    "order_seeds": orders if study.kind == "crossed" else DATA_ORDERS,
                    "seed": seed,
                    **study.changes,
                },
            ),
        )
        for study in STUDIES
        if profile in study.profiles
        for seed in seeds.get(study.kind, [0])
    )


def best_rate(records: Sequence[RunRecord]) -> float:
    """The learning rate whose episodes score highest, on average over their last epoch."""

    def reached(record: RunRecord) -> float:
        config, label = record.config, record.arrays["label"].astype(np.int32)
        scores = score(str(config["task"]), label, unpack(record))
        return float(scores[:, -int(config["evaluations"]) :].mean())

    return float(max(records, key=reached).config["lr"])


def pretraining_job(profile: str) -> Job:
    """The run that makes the network."""
    network = pretraining(profile)
    if network is None:
        raise ValueError(f"profile must be 'quick', whose network is ours, got {profile!r}")
    return Job("pretrained", profile, 0, network)


def weights_path(profile: str, folder: Path | None = None) -> Path:
    """Where the trained network lies; its name says which settings made it."""
    key = config_key(pretraining_job(profile).config)
    return (folder or results_folder()) / "weights" / profile / f"pretrained-{key}.pt"


def pretrain_job(
    job: Job, device: str = "cpu", progress: bool = False, folder: Path | None = None
) -> RunRecord:
    """Pre-train the network; killed, it goes on from its last epoch when it is started again."""
    return ablations.train_job(
        job, device, progress, folder=folder, weights=weights_path(job.profile, folder)
    )


def train_job(
    job: Job, device: str = "cpu", progress: bool = False, folder: Path | None = None
) -> RunRecord:
    """Fine-tune one run; it shows no progress of its own."""
    import torch

    from esp_lib.finetuning.training import finetune, load_weights
    from esp_lib.finetuning.upper_layers import finetune_upper_layers

    if device == "cpu":
        torch.set_num_threads(1)  # the result must not depend on the machine; runs share its cores
    if isinstance(job.config, UpperLayersConfig):
        return finetune_upper_layers(job.config, device, name=job.name, profile=job.profile)
    return finetune(
        job.config,
        load_weights(weights_path(job.profile, folder)),
        device,
        name=job.name,
        profile=job.profile,
    )


def pretrained_record(profile: str) -> RunRecord:
    """The record of profile "quick"'s pre-training; errors as of `Experiment.records`."""
    return PRETRAINED.records(profile, train="no")["pretrained"][0]


def pretrain_first(
    wanted: tuple[Job, ...],
    *,
    train: str,
    device: str,
    folder: Path | None,
    report: Callable[[str], object],
) -> None:
    """Make profile "quick"'s network where something has to be fine-tuned and it is missing."""
    if train == "no" or {job.profile for job in wanted} != {"quick"}:
        return
    every = [pretraining_job("quick"), *wanted]
    if train == "all" or missing(every, folder or results_folder()):
        again = "missing" if weights_path("quick", folder).is_file() else "all"
        PRETRAINED.records("quick", train=again, device=device, folder=folder, report=report)


PRETRAINED = Experiment(lambda profile: (pretraining_job(profile),), pretrain_job)
FINETUNING = Experiment(jobs, train_job, pretrain_first)
