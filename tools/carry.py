"""Take the chapters of recorded runs to a GPU machine that has no network.

Source of the method: pip's downloads for another platform,
https://pip.pypa.io/en/stable/cli/pip_download/, and the metadata in a wheel,
https://packaging.python.org/en/latest/specifications/core-metadata/.

That machine needs Python with PyTorch, NumPy and Matplotlib. `pack` runs where there is a network,
in `.venv` (`make carry`): it downloads, for that machine's Python, the wheels that the chapters
need beyond those three and what those pull in. `run` needs nothing but the machine's own Python: it
unpacks the wheels into the same folder, where no other program sees them, and runs the chapters
with papermill. `python` calls that Python with the same packages for anything else.

Usage: `python tools/carry.py pack [--python 3.12] [--machine x86_64] [--data FOLDER]` here, then
`python3 tools/carry.py run -p profile paper -p device cuda` there; docs/gpu.md says the rest.
"""

from __future__ import annotations

import argparse
import email
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "carry"
THERE = ("torch", "numpy", "matplotlib")
NEEDED = (
    "anywidget", "ipykernel", "ipywidgets", "papermill", "pyyaml", "scipy", "tokenizers", "tqdm",
)  # fmt: skip
NOT_NEEDED = (  # required by what is needed, and imported only for what the chapters do not do
    "aiohttp",  # papermill: notebooks on the web
    "debugpy",  # ipykernel: a debugger
    "huggingface-hub",  # tokenizers: trained ones from there
    "jedi",  # IPython: completion of names
    "jupyterlab-widgets",  # ipywidgets: for an open JupyterLab
    "widgetsnbextension",  # ipywidgets: for an open Notebook
)
TEXTS = ("wikitext-2", "glue")  # folders of data: of pre-training, and of fine-tuning
GLIBC = 28  # wheels for glibc 2.28 (2018) and older
MACHINES = ("x86_64", "aarch64")

Requires = Callable[[str], Iterable[str]]  # package name -> its requirement lines


# ------------------------------------------------------------------------------ with a network


def closure(names: Iterable[str], requires: Requires, environment: dict[str, str]) -> set[str]:
    """The packages, and everything they pull in.

    Args:
        names: packages to begin with.
        requires: the requirement lines of a package, as in its metadata.
        environment: the markers' variables, e.g. {"python_version": "3.12"}.

    Returns:
        Names in PyPI's normal form.
    """
    from packaging.requirements import Requirement

    done: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(name) for name in names]
    while todo:
        wanted = todo.pop()
        name, extras = canonical(wanted.name), frozenset(wanted.extras)
        if name in NOT_NEEDED or (name, extras) in done:
            continue
        done.add((name, extras))
        children = map(Requirement, requires(name))
        todo += [child for child in children if applies(child, extras, environment)]
    return {name for name, _ in done}


def applies(wanted: Requirement, extras: Iterable[str], environment: dict[str, str]) -> bool:
    """Whether a requirement holds in an environment, for a package installed with these extras."""
    if wanted.marker is None:
        return True
    return any(wanted.marker.evaluate({**environment, "extra": e}) for e in ("", *extras))


def canonical(name: str) -> str:
    """A package name in PyPI's normal form, e.g. `Types_PyYAML` as `types-pyyaml`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_requires(wheel: Path) -> list[str]:
    """The requirement lines in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        metadata = email.message_from_string(archive.read(name).decode("utf8"))
    return metadata.get_all("Requires-Dist") or []


def markers(python: str, machine: str) -> dict[str, str]:
    """The markers' variables of a Linux machine."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def platforms(machine: str) -> list[str]:
    """What wheels for a Linux machine may be called; pip matches these names exactly."""
    old = {"x86_64": ["manylinux1", "manylinux2010", "manylinux2014"], "aarch64": ["manylinux2014"]}
    newer = [f"manylinux_2_{minor}" for minor in range(5, GLIBC + 1)]
    return [f"{tag}_{machine}" for tag in (*old[machine], *newer)]


def pack(
    python: str, machine: str, data: Path | None, folder: Path, download: Callable[[str], Path]
) -> set[str]:
    """Fill the folder with the wheels, and with WikiText-2 if it is given.

    Args:
        python: of the machine without a network, e.g. "3.12".
        machine: its processor, one of `MACHINES`.
        data: a folder that holds `wikitext-2` and perhaps `glue`, or None.
        folder: what will be carried; what an earlier call left there goes.
        download: puts the wheel of a package into `folder / "wheels"` and returns its path.

    Returns:
        The names of the packages carried.
    """
    wheels: dict[str, Path] = {}

    def requires(name: str) -> list[str]:
        wheels[name] = wheels.get(name) or download(name)
        return wheel_requires(wheels[name])

    environment = markers(python, machine)
    there = closure(THERE, installed_requires, environment)
    needed = closure(NEEDED, lambda name: () if name in there else requires(name), environment)
    for wheel in (folder / "wheels").glob("*.whl"):
        if wheel not in wheels.values():
            wheel.unlink()  # of an earlier call
    shutil.rmtree(folder / "site", ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
    (folder / "data.zip").unlink(missing_ok=True)
    if data is not None:
        with zipfile.ZipFile(folder / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for name in TEXTS for p in (data / name).rglob("*")):
                archive.write(path, path.relative_to(data))
    facts = {"python": python, "machine": machine}
    (folder / "machine.json").write_text(json.dumps(facts), encoding="utf8")
    return needed - there


def installed_requires(name: str) -> list[str]:
    """The requirement lines of a package installed here; of one that is not, none."""
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def pip_download(python: str, machine: str, folder: Path) -> Callable[[str], Path]:
    """A function that downloads one wheel, in the version that requirements.lock says."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf8")
    pins = dict(line.split("==") for line in lock.splitlines() if "==" in line)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder / "wheels")]
    command += ["--implementation", "cp", "--python-version", python]
    for tag in platforms(machine):
        command += ["--platform", tag]

    def download(name: str) -> Path:
        wanted = f"{name}=={pins[name]}" if name in pins else name
        print(f"   {wanted}", flush=True)
        subprocess.run([*command, wanted], check=True)
        found = [p for p in (folder / "wheels").glob("*.whl") if _is_wheel_of(p, name, pins)]
        return max(found, key=lambda p: p.stat().st_mtime)

    return download


def _is_wheel_of(path: Path, name: str, pins: dict[str, str]) -> bool:
    found, version, *_ = path.name.split("-")
    return canonical(found) == name and version == pins.get(name, version)


# --------------------------------------------------------------------------- without a network


def unpack(folder: Path) -> None:
    """Unpack wheels and data, where that has not been done.

    Raises:
        ValueError: nothing was carried, or it is for another Python or processor.
    """
    try:
        made_for = json.loads((folder / "machine.json").read_text(encoding="utf8"))
    except FileNotFoundError:
        raise ValueError(
            f"nothing was carried to {folder}: run `make carry` on a machine with a network, and "
            "copy the repository with its folder carry/"
        ) from None
    here = {"python": ".".join(platform.python_version_tuple()[:2]), "machine": platform.machine()}
    if here != made_for:
        raise ValueError(
            f"the wheels in {folder} are for Python {made_for['python']} on {made_for['machine']}, "
            f"this is Python {here['python']} on {here['machine']}: call this script with the "
            "other Python, or, where there is a network, run "
            f'make carry CARRY="--python {here["python"]} --machine {here["machine"]}"'
        )
    _unpack(sorted((folder / "wheels").glob("*.whl")), folder / "site")
    _unpack(sorted(folder.glob("data.zip")), folder / "data")


def _unpack(archives: list[Path], target: Path) -> None:
    """Unpack archives into one folder, unless it holds just these already."""
    names = "".join(f"{path.name} {path.stat().st_size}\n" for path in archives)
    marker = target / "unpacked.txt"
    if not names or (marker.exists() and marker.read_text(encoding="utf8") == names):
        return
    print(f"== unpacking {target}", flush=True)
    shutil.rmtree(target, ignore_errors=True)
    for path in archives:
        shutil.unpack_archive(path, target, "zip")
    marker.write_text(names, encoding="utf8")


def chapters(root: Path = ROOT) -> list[str]:
    """The chapters that show recorded runs: those that ask for their records."""
    found = sorted((root / "book").glob("*.ipynb"))
    asks = re.compile(r"\bget_(runs|episodes)\(")
    return [path.stem for path in found if asks.search(path.read_text(encoding="utf8"))]


def environment_there(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment in which the chapters run: the carried packages first, and the text."""
    paths = [str(folder / "site"), *filter(None, [environment.get("PYTHONPATH")])]
    found = {**environment, "PYTHONPATH": os.pathsep.join(paths)}
    if (folder / "data").exists():
        found.setdefault("ESP_DATA", str(folder / "data"))
    return found


def call(words: list[str], folder: Path = FOLDER) -> int:
    """Call this Python with the carried packages; returns its exit status, 2 if there are none."""
    try:
        unpack(folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    environment = environment_there(folder, dict(os.environ))
    return subprocess.run([sys.executable, *words], env=environment).returncode


# ----------------------------------------------------------------------------------- both sides


def main(arguments: list[str] | None = None) -> int:
    """Pack, or run; return the exit status."""
    parser = argparse.ArgumentParser(description="Take chapters to a machine without a network.")
    actions = parser.add_subparsers(dest="action", required=True)
    packing = actions.add_parser("pack", help="download what is needed there")
    packing.add_argument("--python", default="3.12", help="its version there, e.g. 3.12")
    packing.add_argument("--machine", default="x86_64", choices=MACHINES)
    data = os.environ.get("ESP_DATA")
    packing.add_argument(
        "--data", type=Path, default=data, help="folder with wikitext-2 (and glue) in it"
    )
    actions.add_parser("run", help="run chapters there; takes the words of run_chapters.py")
    actions.add_parser("python", help="call Python there, e.g. python -m esp_lib runs list")
    options, words = parser.parse_known_args(arguments)
    if options.action == "python":
        return call(words)
    if options.action == "run":
        script = str(ROOT / "tools" / "run_chapters.py")
        known = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
        return call([script, *([] if known & set(words) else chapters()), *words])
    if words:
        parser.error(f"pack does not take {' '.join(words)}")
    if not re.fullmatch(r"3\.\d+", options.python):
        parser.error(f"--python must be a version like 3.12, got {options.python!r}")
    if options.data and not (options.data / "wikitext-2" / "wiki.train.tokens").is_file():
        parser.error(f"--data must hold wikitext-2/wiki.train.tokens, got {options.data}")
    print(f"== packing for Python {options.python} on {options.machine}", flush=True)
    download = pip_download(options.python, options.machine, FOLDER)
    packed = pack(options.python, options.machine, options.data, FOLDER, download)
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    text = "with WikiText-2" if options.data else "without a text, since ESP_DATA names none"
    print(f"== {len(packed)} packages {text}, {size / 2**20:.0f} MiB in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
