"""The command `esp-diagnose`: a training log in, a diagnosis out."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esp_lib.diagnosis.diagnosis import Diagnosis, diagnose
from esp_lib.diagnosis.figures import draw_both
from esp_lib.diagnosis.report import as_json, as_text
from esp_lib.diagnosis.wording import VERDICTS
from esp_lib.logs.read import Log, LogError, parse_log, read_log

EXIT = {"sawtooth": 0, "none": 1, "cannot tell": 3}  # 2: wrong use, or a log that can't be read

PATTERN_SECONDS = 60.0  # for a log with --pattern; a million lines take a few

HELP = """\
Is the epochal sawtooth in your training run, and what makes it?

LOG is a CSV or TSV file, Lightning's metrics.csv, a Weights & Biases export, JSON or JSON lines,
a Hugging Face trainer_state.json, a TensorBoard event file, or text such as 'step 120 loss 3.21';
- reads from standard input. Nothing leaves this machine.
"""
ENDING = """\
exit status: 0 sawtooth, 1 none, 3 cannot tell, 2 wrong use or a log that cannot be read
"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parse = argparse.ArgumentParser(
        prog="esp-diagnose", description=HELP, epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parse.add_argument
    add("log", metavar="LOG", help="the log, or - for standard input")
    add("--steps-per-epoch", type=float, metavar="N", help="optimizer steps in an epoch, if the "
        "log does not say; else estimated from the curve")  # fmt: skip
    add("--column", metavar="NAME", help="the column, or tag, with the training loss")
    add("--validation-column", metavar="NAME", help="the same for the validation loss")
    add("--pattern", metavar="REGEX", help="for text: a regular expression with the group "
        "(?P<loss>...) and perhaps step, epoch, lr and val_loss")  # fmt: skip
    add("--log-every", type=int, default=1, metavar="N",
        help="steps from one point to the next, for a log without steps (default 1)")  # fmt: skip
    add("--json", action="store_true", help="print JSON")
    add("--plot", metavar="OUT.svg", help="draw the loss and the folded tooth (.svg, .png or .pdf; "
        "needs Matplotlib)")  # fmt: skip
    return parse


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = parser().parse_args(arguments)
    try:
        read = {
            "column": given.column, "validation_column": given.validation_column,
            "pattern": given.pattern, "log_every": given.log_every,
        }  # fmt: skip
        content = sys.stdin.buffer.read() if given.log == "-" else None
        with limited(PATTERN_SECONDS if given.pattern else 0.0):
            log = read_log(given.log, **read) if content is None else parse_log(content, **read)
        diagnosis = diagnose(log, given.steps_per_epoch)
        if given.plot is not None:
            plot(diagnosis, log, Path(given.plot))
    except LogError as error:
        print(f"esp-diagnose: {given.log}: {error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"esp-diagnose: {error}", file=sys.stderr)
        return 2
    report = as_json if given.json else as_text
    sys.stdout.write(report(diagnosis, log))
    return EXIT[diagnosis.verdict]


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
        raise LogError(f"--pattern took more than {seconds:g} s; try a simpler one")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def plot(diagnosis: Diagnosis, log: Log, path: Path) -> None:
    """Write the picture; ValueError if it cannot be written."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise ValueError(f"--plot must name an .svg, .png or .pdf file, got {str(path)!r}")
    try:
        title = VERDICTS[diagnosis.verdict].split(":")[0].rstrip(".")
        figure = draw_both(log, diagnosis, title)
    except ImportError:
        raise ValueError("--plot needs Matplotlib: pip install matplotlib") from None
    try:
        figure.savefig(path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
