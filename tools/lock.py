"""Write `requirements.lock`: the version of every package that the requirement files pull in.

Source of the method: pip's installation report,
https://pip.pypa.io/en/stable/reference/installation-report/.

The lock is a constraints file, not a list to install: pip takes versions from it and installs only
what is asked for. That is why one lock serves Python 3.11 and 3.12 (which differ in a few
packages), and machines with and without a GPU. PyTorch's GPU packages are left out on purpose:
which of them are needed, and in which versions, is written in each build of PyTorch.

Usage: `python tools/lock.py python3.11 python3.12` (or `make lock`). Each interpreter resolves in
an empty environment of its own; the later ones keep the versions that the earlier ones chose.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("requirements.txt", "requirements-dev.txt")
GPU_PACKAGES = re.compile(r"^(nvidia-|cuda-|triton$)")
HEADER = """\
# Written by `make lock` from {sources}; do not edit.
# A constraints file: pip takes versions from here and installs only what is asked for, so one lock
# serves Python 3.11 and 3.12. PyTorch's GPU packages are absent on purpose: which of them are
# needed is written in each build of PyTorch, and a build without a GPU needs none.
"""


def canonical(name: str) -> str:
    """Return a package name in PyPI's normal form, e.g. `Types_PyYAML` as `types-pyyaml`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct_requirements(path: Path) -> list[str]:
    """Return the requirement lines of one file, without comments and pip options."""
    lines = (line.split(" #")[0].strip() for line in path.read_text(encoding="utf8").splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def pins(versions: dict[str, str]) -> str:
    """Return {name: version} as the lines of a constraints file, by name."""
    return "".join(f"{name}=={versions[name]}\n" for name in sorted(versions))


def resolve(python: str, requirements: list[str], known: dict[str, str]) -> dict[str, str]:
    """Ask pip what it would install with this interpreter in an empty environment.

    Args:
        python: command or path of the interpreter.
        requirements: direct requirements, e.g. `["numpy==2.4.6"]`.
        known: versions that are settled already.

    Returns:
        {name: version} of all packages but PyTorch's GPU packages, without local version labels.
    """
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        constraints.write_text(pins(known), encoding="utf8")
        subprocess.run([python, "-m", "venv", f"{folder}/venv"], check=True)
        pip = [f"{folder}/venv/bin/python", "-m", "pip", "install", "--dry-run", "--quiet"]
        pip += ["--ignore-installed", "--report", str(report), "--constraint", str(constraints)]
        subprocess.run([*pip, *requirements], check=True)
        installs = json.loads(report.read_text(encoding="utf8"))["install"]
    found = {canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in installs}
    return {name: v.split("+")[0] for name, v in found.items() if not GPU_PACKAGES.match(name)}


def main(pythons: list[str]) -> None:
    """Resolve the requirement files with each interpreter and write the lock beside them."""
    requirements = [line for name in SOURCES for line in direct_requirements(ROOT / name)]
    versions: dict[str, str] = {}
    for python in pythons:
        print(f"{python}: resolving {len(requirements)} requirements (a minute) ...", flush=True)
        versions |= resolve(python, requirements, versions)
    text = HEADER.format(sources=" and ".join(SOURCES)) + pins(versions)
    (ROOT / "requirements.lock").write_text(text, encoding="utf8")
    print(f"wrote requirements.lock: {len(versions)} packages")


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
