"""Run the book's chapters with papermill and keep the executed notebooks.

Source of the method: papermill's Python interface, https://papermill.readthedocs.io.

The chapters are the notebooks that `_toc.yml` lists, in its order. Each gets those of the given
parameters that it declares in its `parameters` cell; a parameter that no chapter declares stops
the run before it starts. A chapter that fails is reported, the others still run, and the exit
status is 1. Works in `.venv` (`make figures`) and with any Python that has papermill and what the
chapters import; `esp_lib` need not be installed.

Usage: `python tools/run_chapters.py [CHAPTER ...] [-p NAME VALUE ...] [--output FOLDER]`, e.g.
`python tools/run_chapters.py 05_replication -p profile paper -p device cuda`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

ROOT = Path(__file__).resolve().parents[1]


def list_chapters(root: Path = ROOT) -> list[Path]:
    """Return the notebooks that `_toc.yml` lists, in its order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))
    parts = toc.get("parts", [toc])
    entries = [toc["root"], *(c["file"] for part in parts for c in part.get("chapters", []))]
    notebooks = [root / entry.removesuffix(".ipynb") for entry in entries]
    return [p for path in notebooks if (p := path.with_name(path.name + ".ipynb")).exists()]


def select(chapters: list[Path], names: list[str]) -> list[Path]:
    """Return the named chapters in the book's order, all of them if no name is given.

    Raises:
        ValueError: if a name is not a chapter's.
    """
    known = [path.stem for path in chapters]
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"chapter must be one of {', '.join(known)}; got {', '.join(unknown)}")
    return [path for path in chapters if not names or path.stem in names]


def split_parameters(chapters: list[Path], given: dict[str, Any]) -> dict[Path, dict[str, Any]]:
    """Return, for each chapter, those of the given parameters that it declares.

    Raises:
        ValueError: if a parameter is declared by none of the chapters.
    """
    declared = {path: set(papermill.inspect_notebook(str(path))) for path in chapters}
    known = set().union(*declared.values())
    if unknown := sorted(set(given) - known):
        allowed = ", ".join(sorted(known)) or "(none)"
        raise ValueError(f"parameter must be one of {allowed}; got {', '.join(unknown)}")
    return {path: {k: v for k, v in given.items() if k in declared[path]} for path in chapters}


def parse_value(text: str) -> Any:
    """Return a command-line value as JSON reads it (`1e-6`, `true`, `[1, 2]`), else as text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def run(path: Path, parameters: dict[str, Any], output: Path) -> str:
    """Execute one chapter in its own folder, as the book's build does.

    Returns:
        An empty string, or what went wrong.
    """
    try:
        papermill.execute_notebook(
            str(path), str(output / path.name), parameters, cwd=str(path.parent)
        )
    except PapermillExecutionError as error:
        return f"failed: {error.ename}: {error.evalue}"
    except Exception as error:  # a kernel that died or cannot start: the other chapters still run
        return f"failed: {type(error).__name__}: {error}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Run the chapters named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Run the book's chapters with papermill.")
    parser.add_argument("chapter", nargs="*", help="e.g. 05_replication; all if none is named")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--output", type=Path, default=ROOT / "_build" / "figures")
    options = parser.parse_args(arguments)
    try:
        chapters = select(list_chapters(), options.chapter)
        given = {name: parse_value(value) for name, value in options.p}
        parameters = split_parameters(chapters, given)
    except ValueError as error:
        parser.error(str(error))

    # The chapters' kernels find esp_lib in this checkout, installed or not.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    options.output.mkdir(parents=True, exist_ok=True)
    failures = 0
    for number, path in enumerate(chapters, start=1):
        print(f"== {number}/{len(chapters)} {path.stem} {parameters[path] or ''}", flush=True)
        start = time.perf_counter()
        problem = run(path, parameters[path], options.output)
        failures += bool(problem)
        seconds = time.perf_counter() - start
        print(f"   {problem or 'done'} ({seconds:.1f} s)", flush=True)
    print(f"== {len(chapters) - failures} of {len(chapters)} chapters ran: {options.output}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
