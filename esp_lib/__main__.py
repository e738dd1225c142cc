"""The library's commands: `python -m esp_lib --help` lists them."""

import argparse
import sys
from pathlib import Path

from esp_lib._checks import choice
from esp_lib._environment import need, what_installs
from esp_lib.bert import ablations
from esp_lib.finetuning import studies
from esp_lib.maps import recorded
from esp_lib.picture import write_picture
from esp_lib.records import command
from esp_lib.records.record import PROFILES
from esp_lib.records.store import results_folder, save
from esp_lib.records.sweeps import SweepError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 2 for a call that is not understood.

    The arguments are the words after `python -m esp_lib`, by default those it was called with.
    """
    parser = argparse.ArgumentParser(prog="python -m esp_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_picture(commands)
    _add_runs(commands)
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has said why, or printed the help
        return int(stop.code or 0)
    try:
        return int(options.run(options))
    except OSError as error:  # a file or a folder that cannot be read or written
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"error: {what_installs(error)}", file=sys.stderr)
        return 2


# ---------------------------------------------------------------------------------------- picture


def _add_picture(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    picture = commands.add_parser("picture", help="write the picture of the sawtooth")
    picture.add_argument("file", type=_svg, metavar="FILE.svg")
    picture.set_defaults(run=_picture)


def _svg(text: str) -> Path:
    if not text.endswith(".svg"):
        raise argparse.ArgumentTypeError(f"must end in .svg, got {text!r}")
    return Path(text)


def _picture(options: argparse.Namespace) -> int:
    write_picture(options.file)
    print(f"wrote {options.file}")
    return 0


# ------------------------------------------------------------------------------------------- runs


def _add_runs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    runs = commands.add_parser("runs", help="list, show, verify or train recorded runs")
    actions = runs.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        ("list", "a table of the runs"),
        ("show", "all about one run"),
        ("verify", "check every record; exit status 1 if one is damaged"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        if name == "show":
            action.add_argument("label", metavar="LABEL", help="e.g. beta2-0.8-seed0")
        action.add_argument("--folder", type=Path, help="default: $ESP_RESULTS, else results/")
        action.add_argument("--profile", choices=PROFILES, help="default: all")
        action.set_defaults(run=_runs)
    _add_record(actions)
    text = "train the runs of a profile that have no record yet"
    train = actions.add_parser("train", help=text, description=text)
    train.add_argument("name", nargs="*", help="e.g. beta2-0.8 or minilm-sst2; default: all")
    train.add_argument("--folder", type=Path, help="default: $ESP_RESULTS, else results/")
    train.add_argument("--profile", choices=PROFILES, required=True)
    train.add_argument("--device", default="cpu", help="cpu, cuda or cuda:<number>")
    train.add_argument("--workers", type=int, default=0, help="runs at once; default: one a core")
    train.add_argument("--again", action="store_true", help="train also what has a record")
    train.set_defaults(run=_train)


def _add_record(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "record a pre-training run that was stopped: the epochs that its checkpoint holds"
    record = actions.add_parser("record", help=text, description=text)
    record.add_argument("label", metavar="LABEL", help="e.g. beta2-0.8-seed0")
    record.add_argument("--folder", type=Path, help="default: $ESP_RESULTS, else results/")
    record.add_argument("--profile", choices=PROFILES, required=True)
    record.add_argument("--device", default="cpu", help="that it was trained on; default: cpu")
    record.set_defaults(run=_record)


def _record(options: argparse.Namespace) -> int:
    jobs = {job.label: job for job in ablations.jobs(options.profile)}
    folder = options.folder or results_folder()
    try:
        job = jobs[choice("label", options.label, jobs)]
        record = ablations.train_job(job, options.device, as_it_stands=True, folder=folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{save(record, folder)}: {record.message}")
    return 0


def _runs(options: argparse.Namespace) -> int:
    folder = options.folder or results_folder()
    if options.action == "show":
        return command.show_run(folder, options.label, options.profile)
    if options.action == "verify":
        return command.verify_runs(folder, options.profile)
    return command.list_runs(folder, options.profile)


def _train(options: argparse.Namespace) -> int:
    experiments = (ablations.PRETRAINING, studies.FINETUNING, recorded.RECORDED_MAPS)
    try:
        known = [
            list(dict.fromkeys(job.name for job in one.jobs(options.profile)))
            for one in experiments
        ]
        for name in options.name:
            choice("name", name, [name for names in known for name in names])
        for one, names in zip(experiments, known, strict=True):
            asked = [name for name in names if name in options.name or not options.name]
            if asked and one is not recorded.RECORDED_MAPS:
                need("torch", "tokenizers", "tqdm", "filelock")  # before workers miss them
            if asked:
                one.records(
                    options.profile,
                    asked,
                    train="all" if options.again else "missing",
                    device=options.device,
                    workers=options.workers,
                    folder=options.folder,
                )
    except (ValueError, SweepError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, SweepError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
