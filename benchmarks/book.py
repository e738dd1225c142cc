"""How long the book takes to build, chapter by chapter.

Run with `python -m benchmarks.book` on a machine that does nothing else. It builds the book anew,
as `make book` does after installation, and writes `benchmarks/book.md`. Compiled loops are compiled
again, as on a fresh clone.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._page import made, table, write

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = re.compile(r"(\w+)\.ipynb: Executed notebook in ([\d.]+) seconds")
GOAL = 240  # seconds, of the whole build on two idle cores


def build() -> tuple[dict[str, float], float]:
    """Seconds of each chapter's execution, and of the whole build."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "--all"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NUMBA_CACHE_DIR": cache, "NO_COLOR": "1"},
        )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"the book does not build:\n{done.stderr[-3000:]}")
    return {
        name: float(took) for name, took in EXECUTED.findall(done.stderr + done.stdout)
    }, seconds


def main() -> None:
    """Build, print the table, write it."""
    chapters, whole = build()
    rows = [[name, f"{took:.0f}"] for name, took in sorted(chapters.items())]
    lines = [
        f"The whole build took **{whole:.0f} s**; the goal is {GOAL} s on two idle cores. "
        "Chapters are executed side by side, which makes each of them slower.",
        "",
        *table(["page", "executed in, s"], rows),
        made(),
    ]
    write(__file__, "Building the book", lines)


if __name__ == "__main__":
    main()
