"""Factors: the table of runs, reading and training them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esp_lib.bert import ablations
from esp_lib.bert.ablations import FACTORS, PAPER_VOCABULARY, PROBED, base, jobs, make_config
from esp_lib.bert.config import SMALL, BertConfig, CorpusConfig
from esp_lib.records import experiment
from esp_lib.records.record import PROFILES, RunRecord
from esp_lib.records.store import DamagedRecord, load_folder, save
from esp_lib.records.sweeps import Job, SweepError

BY_NAME = {factor.name: factor for factor in FACTORS}


# --------------------------------------------------------------------------------------- the table


def test_every_run_has_a_name_of_its_own():
    assert len(BY_NAME) == len(FACTORS)
    assert len({factor.label for factor in FACTORS}) == len(FACTORS)
    assert FACTORS[0].name == "baseline"
    assert not FACTORS[0].changes
    for profile in PROFILES:
        made = jobs(profile)
        assert len({job.label for job in made}) == len(made)
        assert made[0].label == "baseline-seed0"
        assert all(job.profile == profile for job in made)
        assert len({repr(job.config) for job in made}) == len(made)  # no run twice


@pytest.mark.parametrize("profile", PROFILES)
def test_every_run_of_a_profile_is_possible(profile):
    first = base(profile)
    for job in jobs(profile):
        config = job.config
        assert type(config)(**vars(config)) == config  # its checks run again
        assert config.seed == job.seed
        assert config.steps_per_epoch * config.batch_size == config.corpus.pairs
        assert first.corpus.pairs - config.corpus.pairs < config.batch_size
        assert config.epochs == first.epochs
        assert config.corpus.seed == 0  # seeds share their text
        if job.name in PROBED:
            assert len(config.probe_epochs) >= 2
        else:
            assert config.probe_epochs == ()
    here = {name for name in PROBED if profile in BY_NAME[name].profiles}
    assert here <= {job.name for job in jobs(profile)}


def test_seeds_and_profiles_as_planned():
    for profile in PROFILES:
        seeds: dict[str, list[int]] = {}
        for job in jobs(profile):
            seeds.setdefault(job.name, []).append(job.seed)
        three = {name for name, found in seeds.items() if found == [0, 1, 2]}
        assert three == (set() if profile == "quick" else {"baseline", "beta2-0.8"})
        assert all(found == [0] for name, found in seeds.items() if name not in three)
        assert ("small" in seeds) == ("small-fixed" in seeds) == (profile == "paper")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("beta2-0.9", {"beta2": 0.9}),
        ("beta2-0.8", {"beta2": 0.8}),
        ("beta1-0.5", {"beta1": 0.5}),
        ("beta1-0", {"beta1": 0.0}),
        ("fixed", {"order": "fixed"}),
        ("replacement", {"order": "replacement"}),
        ("replacement-beta2-0.8", {"order": "replacement", "beta2": 0.8}),
        ("decay-0", {"weight_decay": 0.0}),
        ("decay-1e-4", {"weight_decay": 1e-4}),
        ("masks-afresh", {"masking": "dynamic"}),
        ("linear-decay", {"schedule": "linear"}),
        ("adamw", {"optimizer": "adamw", "weight_decay": 0.01}),
        ("sgd", {"optimizer": "sgd", "lr": 0.1}),
    ],
)
def test_a_factor_changes_what_its_name_says_and_nothing_else(name, changes):
    for profile in PROFILES:
        first = make_config(profile, BY_NAME["baseline"], 0)
        other = make_config(profile, BY_NAME[name], 0)
        expected = {**asdict(first), **changes, "probe_epochs": other.probe_epochs}
        assert asdict(other) == expected


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("quarter", (64, 128, 2, 2)),
        ("half", (128, 256, 2, 2)),
        ("baseline", (256, 512, 2, 2)),
        ("double", (512, 1024, 2, 2)),
        ("double-deep", (512, 1024, 4, 4)),
        ("small", (768, 1024, 6, 6)),
    ],
)
def test_sizes_are_the_paper_s(name, sizes):
    model = make_config("paper", BY_NAME[name], 0).model
    assert (model.hidden, model.feed_forward, model.heads, model.blocks) == sizes
    assert model.dropout == (0.2 if name == "small" else 0.1)
    assert (model.vocabulary, model.positions) == (PAPER_VOCABULARY, 1000)


def test_the_paper_s_settings():
    config = base("paper")
    assert config.model == BertConfig(vocabulary=PAPER_VOCABULARY)
    named = make_config("paper", BY_NAME["vocabulary-30000"], 0)
    assert named.model == BertConfig()  # as many sub-words as the paper names
    assert named.corpus == CorpusConfig()
    assert (config.steps_per_epoch, config.epochs, config.batch_size) == (1323, 30, 32)
    assert (config.lr, config.weight_decay, config.beta1, config.beta2) == (1e-4, 1e-5, 0.9, 0.999)
    large = make_config("paper", BY_NAME["batch-large"], 0)
    assert (large.batch_size, large.validate_every, large.steps_per_epoch) == (128, 12, 330)
    assert make_config("paper", BY_NAME["small"], 0).model == replace(
        SMALL, vocabulary=PAPER_VOCABULARY
    )
    assert make_config("paper", BY_NAME["small-fixed"], 0).order == "fixed"


def test_the_cpu_profile_is_a_reduction_of_it():
    config, paper = base("cpu"), base("paper")
    assert config.steps_per_epoch >= 200
    assert config.epochs >= 15
    assert config.corpus.source == paper.corpus.source == "wikitext-2"
    same = ("batch_size", "order", "masking", "optimizer", "beta1", "beta2", "eps", "weight_decay")
    assert all(getattr(config, name) == getattr(paper, name) for name in same)
    assert base("quick").corpus.source == "embedded"
    with pytest.raises(ValueError, match="profile must be one of 'quick', 'cpu', 'paper'"):
        base("huge")


# ------------------------------------------------------------------------------- reading, training


def record_of(job: Job, text: str = "made before") -> RunRecord:
    return RunRecord(
        job.name,
        job.profile,
        job.seed,
        asdict(job.config),
        {"mlm_loss": np.ones(1)},
        {},
        "finished",
        text,
    )


bars: list[bool] = []  # whether each run that was trained showed its progress


@pytest.fixture
def trained(monkeypatch):
    """Labels of the runs that were trained, by a stand-in that takes no time."""
    bars.clear()
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    labels: list[str] = []

    def train_job(job: Job, device: str, progress: bool, folder: Path | None) -> RunRecord:
        if device != "cpu":
            raise ValueError(f"device must be there, got {device}")
        labels.append(job.label)
        bars.append(progress)
        return record_of(job, "trained")

    fake = replace(ablations.PRETRAINING, train=train_job)
    monkeypatch.setattr(ablations, "PRETRAINING", fake)
    monkeypatch.setattr(experiment, "process_pool", lambda workers: ThreadPoolExecutor(workers))
    return labels


def records(*given: Any, **options: Any) -> dict[str, list[RunRecord]]:
    return ablations.PRETRAINING.records(*given, **options)


def silent(line: str) -> None:
    pass


BETA2 = [f"beta2-0.8-seed{seed}" for seed in range(3)]


def keep(folder: Path, profile: str, *names: str) -> list[Job]:
    """Records of these factors on disk."""
    kept = [job for job in jobs(profile) if job.name in names]
    for job in kept:
        save(record_of(job), folder)
    return kept


@pytest.mark.parametrize(
    ("profile", "train", "expected"),
    [
        ("quick", "missing", BETA2[:1]),
        ("quick", "auto", BETA2[:1]),
        ("cpu", "missing", BETA2),
        ("paper", "auto", BETA2),
        ("quick", "all", [*BETA2[:1], "fixed-seed0"]),
        ("cpu", "all", [*BETA2, "fixed-seed0"]),
    ],
)
def test_runs_are_trained_as_asked(tmp_path, trained, profile, train, expected):
    keep(tmp_path, profile, "fixed")
    found = records(profile, ["fixed", "beta2-0.8"], train=train, folder=tmp_path, report=silent)
    assert sorted(trained) == expected
    assert {name: [record.seed for record in runs] for name, runs in found.items()} == {
        "beta2-0.8": [0] if profile == "quick" else [0, 1, 2],
        "fixed": [0],
    }
    assert found["beta2-0.8"][0].message == "trained"
    assert found["fixed"][0].message == ("trained" if train == "all" else "made before")
    assert len(load_folder(tmp_path).records) == (2 if profile == "quick" else 4)


@pytest.mark.parametrize(("profile", "train"), [("cpu", "no"), ("cpu", "auto"), ("paper", "no")])
def test_records_are_read_and_nothing_is_trained(tmp_path, trained, profile, train):
    kept = keep(tmp_path, profile, "baseline", "fixed")
    found = records(profile, ("baseline", "fixed"), train=train, folder=tmp_path)
    assert list(found) == ["baseline", "fixed"]
    assert [r.label for runs in found.values() for r in runs] == [job.label for job in kept]

    kept[1].path(tmp_path).unlink()
    message = (
        f"there is no record of baseline-seed1 in {tmp_path / profile}: set ESP_RESULTS to the "
        "folder of records, e.g. results/ in a clone of the repository; or train what is missing, "
        f"which may take hours: python -m esp_lib runs train --profile {profile}"
    )
    with pytest.raises(FileNotFoundError) as caught:
        records(profile, ["baseline"], train=train, folder=tmp_path)
    assert str(caught.value) == message

    other = replace(kept[1], config=replace(kept[1].config, beta2=0.5))
    save(record_of(other), tmp_path)
    with pytest.raises(FileNotFoundError, match=r"baseline-seed1 .* was made with other settings"):
        records(profile, ["baseline"], train=train, folder=tmp_path)

    kept[1].path(tmp_path).write_bytes(b"no record")
    with pytest.raises(DamagedRecord, match="baseline-seed1"):
        records(profile, ["baseline"], train=train, folder=tmp_path)
    assert trained == []


def test_damaged_and_outdated_records_are_trained_again(tmp_path, trained):
    kept = keep(tmp_path, "paper", "beta2-0.8")
    kept[0].path(tmp_path).write_bytes(b"no record")
    save(record_of(replace(kept[2], config=replace(kept[2].config, lr=1.0))), tmp_path)
    lines: list[str] = []
    records("paper", ["beta2-0.8"], folder=tmp_path, report=lines.append)
    assert sorted(trained) == ["beta2-0.8-seed0", "beta2-0.8-seed2"]
    assert sum("to be trained again" in line for line in lines) == 2


def test_all_runs_are_meant_where_none_is_named(tmp_path, trained, monkeypatch):
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    found = records("quick", report=silent)
    assert sorted(trained) == sorted(job.label for job in jobs("quick"))
    assert list(found) == [factor.name for factor in FACTORS if "quick" in factor.profiles]
    assert (tmp_path / "quick" / "baseline-seed0.npz").exists()
    assert records("quick", [], report=silent) == {}


@pytest.mark.parametrize(("workers", "shown"), [(1, True), (2, False)])
def test_a_run_that_trains_alone_shows_its_progress(tmp_path, trained, workers, shown):
    records("paper", ["beta2-0.8"], workers=workers, folder=tmp_path, report=silent)
    assert bars == [shown] * 3


@pytest.mark.parametrize("rank", [0, 1])
def test_under_torchrun_all_processes_train_and_the_first_writes(
    tmp_path, trained, monkeypatch, rank
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setattr(experiment, "process_pool", None)  # each process trains in itself
    lines: list[str] = []
    found = records("paper", ["beta2-0.8"], folder=tmp_path, report=lines.append)
    assert trained == BETA2  # in one order in all processes
    assert [record.seed for record in found["beta2-0.8"]] == [0, 1, 2]
    assert len(list(tmp_path.glob("**/*.npz"))) == (3 if rank == 0 else 0)
    assert (lines != []) == (rank == 0)
    assert bars == [rank == 0] * 3


def test_wrong_names_are_refused_before_anything_is_trained(tmp_path, trained):
    for change, message in (
        ({"names": ["baseline", "beta3"]}, "names must be one of 'baseline', .*, got 'beta3'"),
        ({"names": ["small"]}, "names must be one of .*, got 'small'"),
        ({"profile": "huge"}, "profile must be one of"),
        ({"train": "yes"}, "train must be one of 'auto', 'no', 'missing', 'all', got 'yes'"),
    ):
        with pytest.raises(ValueError, match=message):
            records(**{"profile": "quick", "folder": tmp_path, **change})
    assert trained == []
    assert list(tmp_path.iterdir()) == []


def test_a_missing_gpu_fails_the_runs_by_name(tmp_path, trained):
    with pytest.raises(SweepError, match="quick/fixed-seed0: ValueError: device must be there"):
        records("quick", ["fixed"], device="cuda", folder=tmp_path, report=silent)
