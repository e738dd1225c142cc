"""Memory and time that the largest accepted logs take to be read and diagnosed.

Run with `python -m benchmarks.log_memory`; it prints the table and writes it to
`benchmarks/log_memory.md`. Each input is just under the limit for its kind, of the sort that takes
most for its size, and is read by a process of its own, from a file, as the command does.
"""

import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks._page import made, table, write
from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.trial.synthetic_files import event_record, message, varint
from esp_lib.logs.json_logs import MAX_VALUES
from esp_lib.logs.read import MAX_BINARY, MAX_TEXT, LogError, read_log

MOST = 1_024  # MiB, the goal for whatever is accepted
FULL = MAX_TEXT - 1_000  # bytes


def filled(head: str, row: str, tail: str = "") -> bytes:
    """A text of one row over and over, up to the limit."""
    return (head + row * ((FULL - len(head) - len(tail)) // len(row)) + tail).encode()


def counted(head: str, row: str) -> bytes:
    """A text of numbered rows, up to the limit."""
    parts, size, number = [head], len(head), 0
    while size < FULL:
        number += 1
        parts.append(row.format(number))
        size += len(parts[-1])
    return "".join(parts[:-1]).encode()


def events() -> bytes:
    """A TensorBoard file of one scalar, up to its limit."""

    def scalar(step: int) -> bytes:
        value = message(1, b"loss") + varint(2 << 3 | 5) + struct.pack("<f", 2.5)
        return event_record(varint(2 << 3) + varint(step) + message(5, message(1, value)))

    head = event_record(message(3, b"brain.Event:2"))
    some = b"".join(scalar(step) for step in range(128, 10_128))
    return head + some * ((MAX_BINARY - len(head)) // len(some))


WIDE = ",".join(f"loss_{i}" for i in range(40)) + "\n"
INPUTS: dict[str, Callable[[], bytes]] = {
    "CSV of steps and losses": lambda: counted("step,loss\n", "{},2.5\n"),
    "CSV, a gap in every row": lambda: counted("step,loss,val_loss\n", "{},2,\n"),
    "CSV, 40 columns of losses": lambda: filled(WIDE, "1," * 39 + "1\n"),
    "CSV, quoted": lambda: counted("step,loss\n", '{},"2"\n'),
    "JSON, a list of losses": lambda: filled("[", "1,", "1]"),
    "JSON, as many as are accepted": lambda: b"[" + b"1234," * (MAX_VALUES - 1) + b"1]",
    "JSON, a list of dictionaries": lambda: filled("[", '{"loss":12345},', '{"loss":2}]'),
    "JSON, a list of empty lists": lambda: filled("[", "[] , ", "[]]"),
    "JSON lines of a loss": lambda: filled("", '{"loss":1}\n'),
    "JSON lines": lambda: counted("", '{{"step":{},"loss":1}}\n'),
    "printed lines": lambda: counted("", "step {} loss 2\n"),
    "progress bars in one line": lambda: counted("", "50%|#| {}/9 loss=2]"),
    "losses alone, a line each": lambda: filled("loss\n", "2\n"),
    "UTF-16": lambda: counted("step,loss\n", "{},2.5\n")[: FULL // 2].decode().encode("utf-16"),
    "CSV, with an emoji": lambda: counted("step,loss\n", "{},2\n") + "😀".encode(),
    "TensorBoard events": events,
}  # fmt: skip


def measure(path: str) -> None:
    """In the process of one input: print what comes of it, the seconds and the megabytes."""
    began = time.process_time()
    try:
        log = read_log(path)
        diagnose(log)
        what = f"{log.loss.size:,} losses"
    except LogError as error:
        what = f"refused: {error.key}"
    seconds = time.process_time() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([what, seconds, most / 1024]))


def main() -> None:
    rows, largest = [], 0.0
    for name, make in INPUTS.items():
        with tempfile.NamedTemporaryFile() as file:
            size = file.write(make())
            file.flush()
            command = [sys.executable, "-m", "benchmarks.log_memory", file.name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        what, seconds, most = json.loads(done.stdout)
        if not what.startswith("refused"):
            largest = max(largest, most)
        rows.append([name, f"{size / 2**20:.0f}", what, f"{seconds:.1f}", f"{most:.0f}"])
        print(*rows[-1], flush=True)
    head = ["input", "MiB", "what comes of it", "seconds of one core", "MiB of memory at most"]
    lines = [
        *table(head, rows),
        "Read and diagnosed, each by a process of its own. Linux counts what its parent held when "
        "it began, so that small numbers are bounds from above. The largest that is accepted takes "
        f"{largest:.0f} MiB (goal: {MOST:,}).", "",
        made(),
    ]  # fmt: skip
    write(__file__, "Memory of the largest logs", lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        main()
