"""Read a training log: which losses at which steps, where the epochs begin, and what was left out.

`read_log` takes what training scripts leave behind: CSV and TSV, Lightning's `metrics.csv`, Weights
& Biases exports and run files, JSON and JSON lines, the Hugging Face Trainer's
`trainer_state.json`, TensorBoard event files, notebooks, and plain text. Names and shapes of lines
that are understood are in `formats.json`. Chapter 8 shows it. Whatever is wrong with a file ends in
a `LogError` that says so.
"""

from pathlib import Path
from typing import Any

from esp_lib import _checks
from esp_lib.logs.binary.tensorboard import is_events, read_events
from esp_lib.logs.binary.wandb import is_run_file, read_run_file
from esp_lib.logs.columns import find, role
from esp_lib.logs.formats import LogError
from esp_lib.logs.json_logs import is_notebook, load_json, printed, read_document, read_json_lines
from esp_lib.logs.log import Log, make_log
from esp_lib.logs.table import Table, as_lines, find_delimiter, read_delimited
from esp_lib.logs.text import clean, read_pattern, read_text

__all__ = ["Log", "LogError", "parse_log", "read_log"]

# Bytes of a file. To read and diagnose the worst of this size took 974 MiB of memory (a CSV with an
# emoji), the worst binary one 597 MiB (TensorBoard), each in its own process on Linux, 2026-11-27.
MAX_TEXT = 32 * 2**20
MAX_BINARY = 256 * 2**20
CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b\0"))  # that no text has
ODD = 0.02  # share of such characters from which a file is binary


def read_log(path: str | Path, **choices: Any) -> Log:
    """Read a log file; the arguments are those of `parse_log`.

    Raises:
        LogError: the file cannot be read, or is no training log.

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w", suffix=".csv") as file:
        ...     print("step,loss", "1,3.1", "2,2.9", "3,2.8", sep=chr(10), file=file, flush=True)
        ...     read_log(file.name).loss.tolist()
        [3.1, 2.9, 2.8]
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = read_stream(file)
    except (OSError, ValueError) as error:
        if isinstance(error, LogError):
            raise
        why = getattr(error, "strerror", None) or error
        raise LogError("unreadable", path=path, why=why) from None
    return parse_log(data, **choices)


def read_stream(file: Any) -> bytearray:
    """The bytes of an open file, up to what is accepted of its kind; LogError beyond."""
    data = bytearray(file.read(2**16))
    most = MAX_BINARY if is_events(data) or is_run_file(data) else MAX_TEXT
    while some := file.read(2**20):
        data += some
        if len(data) > most:
            raise LogError("too large", size=most // 2**20)
    return data


def parse_log(
    data: bytes | bytearray | str,
    *,
    column: str | None = None,
    validation_column: str | None = None,
    pattern: str | None = None,
    log_every: int = 1,
    run: int | None = None,
    voice: str = "library",
) -> Log:
    """Read the content of a log.

    Args:
        data: the file's bytes, or its text.
        column: the column with the training loss; by default it is found by its name.
        validation_column: the column with the validation loss, likewise.
        pattern: for plain text, a regular expression with a group `loss` and perhaps groups
            `step`, `epoch`, `lr` and `val_loss`.
        log_every: steps from one point to the next, for a log without steps.
        run: which run of a log that holds several, from 1; by default the longest.
        voice: what messages call these choices: those of the "library" or of the "command".

    Raises:
        LogError: the data is no training log, or too large.
        ValueError: `log_every` or `run` is below 1.
    """
    log_every = _checks.integer("log_every", log_every, low=1, high=2**40)
    if run is not None:
        run = _checks.integer("run", run, low=1, high=2**40)
    wanted = [name for name in (column, validation_column) if name is not None]
    try:
        table = read_table(data, wanted, pattern)
        if table.columns and not any(values.size for values in table.columns.values()):
            raise LogError("no rows")
        return make_log(table, column, validation_column, log_every, run, voice)
    except LogError as error:
        error.voice = voice
        raise


def read_table(
    data: bytes | bytearray | str, wanted: list[str], pattern: str | None = None
) -> Table:
    """The content of a log as columns, by the first reader that finds a loss in it."""
    if not isinstance(data, str):
        if is_events(data):
            return read_events(data, wanted)
        if is_run_file(data):
            return read_run_file(data, wanted)
    if len(data) > MAX_TEXT:
        raise LogError("too large", size=MAX_TEXT // 2**20)
    text = clean(data if isinstance(data, str) else _decode(data))
    start = text[:100_000].lstrip()[:1]
    if not start:
        raise LogError("empty")
    if pattern is not None:
        return read_pattern(as_lines(text), pattern)
    refused: LogError | None = None
    if start in "{[":
        try:
            document = load_json(text)
        except LogError as error:  # text may begin so, too: [12:30:01] step 5, or {'loss': 2.1}
            refused = error if text.lstrip()[1:].lstrip()[:1] in ('"', "{", "[", "") else None
            if error.key in ("deep", "many values"):
                raise
        else:
            if is_notebook(document):
                return read_text(as_lines(clean(printed(document))))
            return read_document(document, wanted)
    lines = as_lines(text)
    if start == "{" and sum(_is_object(line) for line in lines[:10]) > min(len(lines), 10) / 2:
        return read_json_lines(lines, wanted)
    if refused is not None:
        raise refused
    found, table = find_delimiter(lines), None
    if found is not None:
        delimiter, names = found
        known = any(role(name) in ("loss", "validation") for name in names)
        if not names or known or any(find(names, want) for want in wanted):
            return read_delimited(lines, delimiter, names, wanted)
        if delimiter != " ":
            table = read_delimited(lines, delimiter, names, wanted)
    try:
        return read_text(lines)
    except LogError:
        if table is not None and table.names:
            return table  # what is missing is said of its columns
        raise


def _is_object(line: str) -> bool:
    try:
        return len(line) < 1_000_000 and isinstance(load_json(line), dict)
    except LogError:
        return False


def _decode(data: bytes | bytearray) -> str:
    if data[:2] == b"\x1f\x8b" or data[:4] == b"PK\x03\x04":
        raise LogError("compressed")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    some = data[:100_000]
    odd = len(some) - len(some.translate(None, CONTROL))
    zeros = some.count(0)
    if odd > ODD * len(some) or zeros > 0.5 * len(some):
        raise LogError("binary")
    if zeros > 0.3 * len(some):  # UTF-16 without its mark
        return data.decode("utf-16-le" if some[1:2] == b"\0" else "utf-16-be", "replace")
    return data.decode("utf-8-sig", "replace")
