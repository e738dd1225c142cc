"""The command `esp-diagnose`: a training log in, a diagnosis out."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esp_lib.diagnosis.diagnosis import Diagnosis, diagnose
from esp_lib.diagnosis.figures import draw_both
from esp_lib.diagnosis.report import as_json, as_text
from esp_lib.diagnosis.verdict import VERDICTS
from esp_lib.logs.formats import LogError
from esp_lib.logs.read import parse_log, read_log, read_stream

EXIT = dict(zip(VERDICTS, (0, 4, 1, 3), strict=True))
UNREAD = 2  # wrong use, or a log that cannot be read
BROKEN = 70  # an error of the command itself, as sysexits.h has it

PATTERN_SECONDS = 10.0  # for a log with --pattern; a million lines take a few
PLAIN = str.maketrans({
    "±": "+/-", "−": "-", "β": "beta", "₂": "2", "ε": "eps", "“": '"', "”": '"', "’": "'",
})  # fmt: skip

HELP = """\
Does the loss of your training run drop at every epoch boundary, and is it a bug?

LOG is a CSV or TSV file, Lightning's metrics.csv, a Weights & Biases export or run file, JSON or
JSON lines, a Hugging Face trainer_state.json, a TensorBoard event file, a notebook, or text such as
'step 120 loss 3.21'; - reads from standard input. Nothing leaves this machine.
"""
ENDING = f"""\
exit status: 0 sawtooth, 4 staircase, 1 neither, 3 cannot tell, {UNREAD} wrong use or a log that
cannot be read, {BROKEN} an error of the command itself
"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parse = argparse.ArgumentParser(
        prog="esp-diagnose",
        description=HELP,
        epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parse.add_argument
    add("log", metavar="LOG", help="the log, or - for standard input")
    add(
        "--steps-per-epoch",
        type=float,
        metavar="N",
        help="optimizer steps in an epoch, if the log does not say; else estimated from the curve",
    )
    add("--column", metavar="NAME", help="the column, or tag, with the training loss")
    add("--validation-column", metavar="NAME", help="the same for the validation loss")
    add(
        "--pattern",
        metavar="REGEX",
        help="for text: a regular expression with the group "
        "(?P<loss>...) and perhaps step, epoch, lr and val_loss",
    )
    add(
        "--log-every",
        type=int,
        default=1,
        metavar="N",
        help="steps from one point to the next, for a log without steps (default 1)",
    )
    add(
        "--run",
        type=int,
        metavar="N",
        help="which run of a log that holds several, from 1 (default: the longest)",
    )
    add("--json", action="store_true", help="print JSON")
    add(
        "--plot",
        metavar="OUT.svg",
        help="draw the loss and the folded tooth (.svg, .png or .pdf; needs Matplotlib)",
    )
    return parse


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        return _run(parser().parse_args(arguments))
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        print(f"esp-diagnose: {error.name} is missing: pip install {error.name}", file=sys.stderr)
        return BROKEN
    except Exception as error:  # whatever it is, no traceback and no status of a verdict
        print(
            f"esp-diagnose: failed, which is an error of this program or of the machine, not of "
            f"the log ({type(error).__name__}: {error}); please report it with the log to the "
            "project's issues",
            file=sys.stderr,
        )
        return BROKEN


def _run(given: argparse.Namespace) -> int:
    read = {
        "column": given.column, "validation_column": given.validation_column,
        "pattern": given.pattern, "log_every": given.log_every, "run": given.run,
        "voice": "command",
    }  # fmt: skip
    try:
        if given.plot is not None:
            _check_plot(Path(given.plot), given.log)
        with limited(PATTERN_SECONDS if given.pattern else 0.0):
            if given.log == "-":
                log = parse_log(read_stream(sys.stdin.buffer), **read)
            else:
                log = read_log(given.log, **read)
        diagnosis = diagnose(log, given.steps_per_epoch)
        if given.plot is not None:
            plot(diagnosis, Path(given.plot))
    except LogError as error:
        print(f"esp-diagnose: {given.log}: {error}", file=sys.stderr)
        return UNREAD
    except ValueError as error:
        print(f"esp-diagnose: {error}", file=sys.stderr)
        return UNREAD
    show((as_json if given.json else as_text)(diagnosis, "command"))
    return EXIT[diagnosis.verdict]


def show(text: str) -> None:
    """Print, in plain letters where the terminal has no others."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = text.translate(PLAIN)
        text = text.encode(sys.stdout.encoding or "ascii", "replace").decode("ascii", "replace")
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End with a LogError after some seconds; 0 for no limit, and none on Windows.

    A regular expression such as (a+)+ may try more ways to match a line than can be counted.
    """
    in_main = threading.current_thread() is threading.main_thread()  # signals reach it alone
    if not seconds or not in_main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise LogError("slow pattern", seconds=seconds)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _check_plot(path: Path, log: str) -> None:
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise ValueError(f"--plot must name an .svg, .png or .pdf file, got {str(path)!r}")
    if log != "-" and path.exists() and Path(log).exists() and path.samefile(log):
        raise ValueError(f"--plot must not name the log itself, got {str(path)!r}")


def plot(diagnosis: Diagnosis, path: Path) -> None:
    """Write the picture; ValueError if it cannot be written."""
    try:
        d, title = diagnosis, diagnosis.headline.partition(":")[0]
        figure = draw_both(d.log, d.steps_per_epoch, d.phase, d.profile, title)
    except ImportError:
        raise ValueError("--plot needs Matplotlib: pip install matplotlib") from None
    try:
        figure.savefig(path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
