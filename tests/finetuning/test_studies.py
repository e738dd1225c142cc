"""The fine-tuning runs of each profile, and how they are got."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

from esp_lib import __main__ as command
from esp_lib.bert import ablations
from esp_lib.finetuning import studies
from esp_lib.finetuning.glue import GLUE
from esp_lib.finetuning.studies import SEEDS, best_rate, jobs, weights_path
from esp_lib.records import experiment
from esp_lib.records.experiment import Experiment
from esp_lib.records.npz import as_mapping
from esp_lib.records.record import PROFILES, RunRecord
from esp_lib.records.store import save


@pytest.mark.parametrize("profile", PROFILES)
def test_every_crossed_study_has_all_seeds_of_its_profile(profile):
    inits, orders = SEEDS[profile]
    for name in studies.studies(profile, "crossed"):
        runs = [job for job in jobs(profile) if job.name == name]
        assert [job.seed for job in runs] == list(range(inits))
        assert {job.config.order_seeds for job in runs} == {orders}
    names = {job.name for job in jobs(profile)}
    kinds = [set(studies.studies(profile, kind)) for kind in studies.KINDS]
    assert set.union(*kinds) == names
    assert sum(map(len, kinds)) == len(names)


def test_a_reader_finds_at_least_five_by_five_on_a_cpu_and_25_by_25_on_a_gpu():
    assert min(SEEDS["cpu"]) >= 5
    assert SEEDS["paper"] == (25, 25)
    names = {f"minilm-{task}" for task in GLUE}
    assert (
        set(studies.studies("cpu", "crossed")) == set(studies.studies("paper", "crossed")) == names
    )


def test_learning_rates_were_chosen_on_other_seeds_by_the_records():
    found = studies.FINETUNING.records("cpu", studies.studies("cpu", "rates"), train="no")
    for task, rate in studies.RATES.items():
        tried = [found[f"minilm-{task}-rate-{one:g}"][0] for one in studies.TRIED]
        assert best_rate(tried) == rate
        used = [job for job in jobs("cpu") if job.name == f"minilm-{task}"]
        assert {job.config.lr for job in used} == {rate}
        assert not {job.seed for job in used} & {record.seed for record in tried}
        assert {record.config["first_order"] for record in tried} == {studies.TRIED_SEED}
        assert max(job.config.order_seeds for job in used) <= studies.TRIED_SEED


def test_sets_of_all_sizes_get_equally_many_updates():
    sizes = [job for job in jobs("cpu") if job.name in studies.studies("cpu", "sizes")]
    assert {job.config.steps for job in sizes} == {studies.SIZE_STEPS}
    points = {job.config.epochs * job.config.evaluations for job in sizes}
    assert len(points) == 1
    assert len({job.config.examples for job in sizes}) == len(sizes) == 3


def test_one_and_two_epochs_differ_in_nothing_else():
    config = {job.name.removeprefix("minilm-"): job.config for job in jobs("cpu")}
    for suffix, schedule in (("", "constant"), ("-linear", "linear")):
        one, two = (config[f"{name}{suffix}"] for name in ("one-epoch", "two-epochs"))
        changed = {k for k in vars(one) if getattr(one, k) != getattr(two, k)}
        assert changed == {"epochs"}
        assert one.schedule == two.schedule == schedule


@pytest.mark.parametrize("profile", PROFILES)
def test_words_about_a_profile_name_its_numbers(profile):
    inits, orders = SEEDS[profile]
    assert f"{inits} initializations by {orders} data orders" in studies.describe(profile)
    assert "million parameters" in studies.describe(profile)
    assert "no dropout" in studies.differences(profile)


def record(job) -> RunRecord:
    made = {"date": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "device": "x", "versions": {}}
    return RunRecord(
        job.name,
        job.profile,
        job.seed,
        as_mapping("config", job.config),
        {"train_loss": np.zeros(1)},
        {**made, "commit": "none"},
        "finished",
    )


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Labels of what was trained, by stand-ins that take no time."""
    labels: list[str] = []
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)

    def pretrain_job(job, device, progress, folder):
        labels.append(job.label)
        path = weights_path(job.profile)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
        return record(job)

    def train_job(job, device, progress, folder):
        assert weights_path(job.profile).is_file()
        labels.append(job.label)
        return record(job)

    for name, train in (("PRETRAINED", pretrain_job), ("FINETUNING", train_job)):
        monkeypatch.setattr(studies, name, replace(getattr(studies, name), train=train))
    monkeypatch.setattr(experiment, "process_pool", lambda workers: ThreadPoolExecutor(workers))
    return labels


def records(*given, **options):
    return studies.FINETUNING.records(*given, **options)


def silent(line: str) -> None:
    pass


def test_the_network_is_pretrained_once_and_before_the_episodes(tmp_path, trained):
    found = records("quick", ["order"], workers=1, report=silent)
    assert trained == ["pretrained-seed0", "order-seed0", "order-seed1", "order-seed2"]
    assert [r.seed for r in found["order"]] == [0, 1, 2]
    records("quick", ["one-epoch"], workers=1, report=silent)
    assert trained[4:] == ["one-epoch-seed0"]
    records("quick", ["one-epoch", "order"], report=silent)
    assert len(trained) == 5
    weights_path("quick").unlink()
    records("quick", ["one-epoch"], train="all", workers=1, report=silent)
    assert trained[5:] == ["pretrained-seed0", "one-epoch-seed0"]


def test_recorded_profiles_are_read_without_weights(tmp_path, trained):
    with pytest.raises(FileNotFoundError, match="there is no record of minilm-rte-seed0"):
        records("cpu", ["minilm-rte"], report=silent)
    for job in jobs("cpu"):
        save(record(job), tmp_path)
    assert len(records("cpu", report=silent)["minilm-rte"]) == SEEDS["cpu"][0]
    assert trained == []
    with pytest.raises(ValueError, match=r"names must be one of .*'minilm-sst2'"):
        records("cpu", ["mnli"], report=silent)


def test_one_command_trains_pretraining_and_finetuning(monkeypatch, capsys):
    asked: list[tuple[str, list[str], dict[str, str]]] = []

    @dataclass(frozen=True)
    class Asked(Experiment):
        label: str = ""

        def records(self, profile, names=None, **how):
            asked.append((self.label, names, how))
            return {}

    for module, name in ((ablations, "PRETRAINING"), (studies, "FINETUNING")):
        one = getattr(module, name)
        monkeypatch.setattr(module, name, Asked(one.jobs, one.train, label=name))
    train = ["runs", "train", "--profile", "cpu"]
    assert command.main([*train, "minilm-rte", "baseline", "--again", "--device", "cuda"]) == 0
    assert [(name, names) for name, names, _ in asked] == [
        ("PRETRAINING", ["baseline"]),
        ("FINETUNING", ["minilm-rte"]),
    ]
    assert {(how["train"], how["device"]) for *_, how in asked} == {("all", "cuda")}
    asked.clear()
    assert command.main([*train, "minilm-sst2"]) == 0
    assert [name for name, *_ in asked] == ["FINETUNING"]
    asked.clear()
    assert command.main(train) == 0
    assert [len(names) > 5 for _, names, _ in asked] == [True, True]
    assert command.main([*train, "mnli"]) == 2
    assert "name must be one of" in capsys.readouterr().err
