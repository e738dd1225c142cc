"""Do the tests notice small mistakes in the update rules and in `measure`? Mutation testing.

Run with `python -m benchmarks.mutants`: 40 minutes on one core. It writes `benchmarks/mutants.md`.
After tests were added, `--survivors` tries those again that the file does not list as killed;
MODULE ... and `--only TEXT` try some and write nothing.

Each mutant of `benchmarks._mutate` is put into a copy of the library and its tests, in a temporary
folder, and tested in a process of its own with a limit on processor time. It is killed if a test
fails. The loops that Numba compiles run as plain Python for it.

Libraries (mutmut, cosmic-ray) were not taken: they start Python anew for each mutant, and loading
torch and SciPy takes ten times as long as the tests. Here the processes are forked from one that
has loaded both.
"""

import argparse
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from queue import SimpleQueue

from benchmarks._equivalent import EQUIVALENT
from benchmarks._mutate import Mutant, mutants_of

ROOT = Path(__file__).resolve().parent.parent
PRELOADED = ["numpy", "scipy.stats", "numba", "torch", "torch._dynamo", "pytest"]
CPU_SECONDS = 60  # for one mutant; the tests take less than ten
WALL_SECONDS = 1200  # a net below that, for a process that sleeps


@dataclass(frozen=True)
class Target:
    """A module and the tests that are to notice its mutants, quick ones first."""

    tests: tuple[str, ...]
    jit: bool = True  # False: compiled loops run as Python; the tests must be small


KILLED_IN = "## Killed in "
TABLES = "tests/test_optimizers.py::test_table_form_equals_textbook_form"
WORDS = "tests/test_threefry.py::test_compiled_table_is_the_same"
SHUFFLES = (
    "tests/test_orders.py::test_reshuffle_against_twin",
    "tests/test_orders.py::test_replacement_against_twin_and_distinct_within_a_batch",
)
TWIN = "tests/test_quadratic.py::test_every_step_equals_the_twin"
TARGETS = {
    "optimizers": Target((TABLES, "tests/test_optimizers.py")),
    "optimizers_other": Target(("tests/test_optimizers_other.py",)),
    "optimizers_parts": Target(("tests/test_comparison.py", "-k", "part or undivided or uncorr")),
    "kernel": Target((WORDS, *SHUFFLES, TWIN), jit=False),
    "sawtooth": Target(("tests/test_sawtooth_twin.py", "tests/test_sawtooth.py")),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant."""

    module: str
    mutant: Mutant
    killed_by: str | None  # the first test that failed, "time", "the process died"; None: nothing

    @property
    def name(self) -> str:
        return f"{self.module}, {self.mutant.name}"


# ----------------------------------------------------------------------------- in the child process


class _FirstFailure:
    """A plugin of pytest that notes the first test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid.partition("::")[2]


def _run_tests(folder: str, target: Target, answer: Connection) -> None:
    """Run the target's tests in a copy of the repository and send the first that fails."""
    import numba
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    vars(numba.config)["DISABLE_JIT"] = not target.jit
    first = _FirstFailure()
    options = ["-x", "-q", "-m", "not timing", "-p", "no:cacheprovider"]
    code = pytest.main([*options, *target.tests], plugins=[first])
    assert sys.modules["esp_lib"].__file__ == f"{folder}/esp_lib/__init__.py"
    answer.send("" if code == 0 else first.name or "no test could start")
    answer.close()


# --------------------------------------------------------------------------------------- the judge


def judge(context: ForkServerContext, folder: Path, target: Target) -> str | None:
    """What kills the library in `folder`; None if its tests pass."""
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run_tests, args=(str(folder), target, sending))
    process.start()
    sending.close()
    try:
        found = receiving.recv() if receiving.poll(WALL_SECONDS) else "time"
    except EOFError:
        found = "the process died"
    if process.is_alive() and found == "time":
        process.kill()
    process.join()
    if process.exitcode == -24:  # SIGXCPU
        found = "time"
    return found or None


def copy_library(folder: Path) -> Path:
    """A copy of the library and its tests, with what Numba compiled, which keeps its file times."""
    for name in ("esp_lib", "tests"):
        ignored = shutil.ignore_patterns("widgets", "published", "js")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy2(ROOT / "pyproject.toml", folder)
    return folder


def run_all(untried: list[Outcome], workers: int) -> list[Outcome]:
    """The outcome of every mutant; `workers` at once, each in a copy of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for k in range(workers):
            copies.put(copy_library(Path(name).resolve() / str(k)))

        def try_one(module: str, source: str | None) -> str | None:
            folder = copies.get()
            path = folder / "esp_lib" / f"{module}.py"
            try:
                if source is not None:
                    path.write_text(source, encoding="utf8")
                return judge(context, folder, TARGETS[module])
            finally:
                shutil.copy2(ROOT / "esp_lib" / f"{module}.py", path)
                copies.put(folder)

        def try_mutant(outcome: Outcome) -> Outcome:
            killer = try_one(outcome.module, outcome.mutant.source)
            print(f"{'survived' if killer is None else 'killed':8} {outcome.name}", flush=True)
            return replace(outcome, killed_by=killer)

        for module in {outcome.module for outcome in untried}:
            if failed := try_one(module, None):
                raise SystemExit(f"the tests of {module} fail without a mutant: {failed}")
        return list(pool.map(try_mutant, untried))


# -------------------------------------------------------------------------------------- the report


def report(outcomes: list[Outcome], mutants: dict[str, list[Mutant]]) -> str:
    """The tables, as Markdown."""
    from esp_lib.chapter import commit, device_name

    lines = ["| module | mutants | killed | equivalent | survived |", "|---|---|---|---|---|"]
    for module in mutants:
        own = [outcome for outcome in outcomes if outcome.module == module]
        alive = [outcome for outcome in own if outcome.killed_by is None]
        same = sum(outcome.name in EQUIVALENT for outcome in alive)
        counts = (len(own), len(own) - len(alive), same, len(alive) - same)
        lines.append(row(code(module), *map(str, counts)))
    lines += ["", f"On {device_name('cpu')}, {commit()}.", "", "## Not killed", ""]
    alive = [outcome for outcome in outcomes if outcome.killed_by is None]
    lines += ["| module | line | mutant | why |", "|---|---|---|---|"] if alive else ["None."]
    for outcome in alive:
        mutant, why = outcome.mutant, EQUIVALENT.get(outcome.name, "**to be killed**")
        lines.append(row(code(outcome.module), str(mutant.line), code(mutant.name), why))
    for module in mutants:
        lines += ["", KILLED_IN + code(module), ""]
        lines += ["| line | mutant | killed by |", "|---|---|---|"]
        for outcome in outcomes:
            if outcome.module == module and outcome.killed_by is not None:
                mutant, killer = outcome.mutant, outcome.killed_by
                lines.append(row(str(mutant.line), code(mutant.name), code(killer)))
    return "\n".join(lines) + "\n"


def row(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """A cell of a table, as code."""
    return "`" + text.replace("|", "\\|") + "`"


def known_kills(text: str) -> dict[str, str]:
    """What killed each mutant, by `Outcome.name`, as a report says."""
    found = {}
    for section in text.split(KILLED_IN)[1:]:
        module = section.split("`")[1]
        for name, killer in re.findall(r"^\| \d+ \| `(.+)` \| `(.+)` \|$", section, flags=re.M):
            found[f"{module}, {name}".replace("\\|", "|")] = killer.replace("\\|", "|")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module", nargs="*", choices=[[], *TARGETS], help="by default all")
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--survivors", action="store_true", help="those not killed before")
    parser.add_argument("--workers", type=int, default=1, help="mutants at once; by default 1")
    options = parser.parse_args()
    page = Path(__file__).with_suffix(".md")
    killed = known_kills(page.read_text(encoding="utf8")) if options.survivors else {}
    mutants = {
        module: mutants_of((ROOT / "esp_lib" / f"{module}.py").read_text(encoding="utf8"))
        for module in options.module or TARGETS
    }
    named = [
        Outcome(module, mutant, killed.get(f"{module}, {mutant.name}"))
        for module, made in mutants.items()
        for mutant in made
        if options.only in mutant.name
    ]
    tried = run_all([outcome for outcome in named if outcome.killed_by is None], options.workers)
    again = {outcome.name: outcome for outcome in tried}
    text = report([again.get(outcome.name, outcome) for outcome in named], mutants)
    print(text.partition(KILLED_IN)[0])
    if not options.module and not options.only:
        page.write_text(
            "# Mutants of the update rules and of `measure`\n\n"
            "Repeat with `make mutants`; `benchmarks/mutants.py` says what is done. In each line "
            "of code, what is in «» became what is behind the arrow. An equivalent mutant computes "
            "the same, or differs where no measurement could tell.\n\n" + text,
            encoding="utf8",
        )


if __name__ == "__main__":
    main()
