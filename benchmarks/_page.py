"""What the benchmarks have in common: times, and the page that each writes beside itself."""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from esp_lib._device import device_name
from esp_lib._environment import commit, versions


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median wall-clock seconds of a call, after one that compiles."""
    call()
    return statistics.median(seconds(call) for _ in range(repeats))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown, and an empty line."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)] + [""]


def made(device: str = "cpu") -> str:
    """What made a page: device, date, commit and versions."""
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{device_name(device)}, {datetime.now(UTC):%Y-%m-%d}, {commit()}, {used}."


def write(script: str, title: str, lines: Sequence[str], about: str = "") -> None:
    """Print the lines and write them beside the benchmark, whose `__file__` is given."""
    path = Path(script)
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    head = f"# {title}\n\nRepeat with `python -m benchmarks.{path.stem}`{about or '.'}\n\n"
    path.with_suffix(".md").write_text(head + text, encoding="utf8")
