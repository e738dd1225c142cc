"""What made a number: versions of Python and of the packages, and the commit."""

import importlib.metadata
import importlib.util
import platform
import subprocess
from pathlib import Path

EXTRAS = {  # of pyproject.toml, by the package that is missed
    "torch": "bert", "tokenizers": "bert", "tqdm": "bert", "filelock": "bert",
    "matplotlib": "figures", "ipywidgets": "widgets", "anywidget": "widgets",
    "datasets": "hub", "distributed": "dask", "transformers": "finetuning",
    "safetensors": "finetuning",
}  # fmt: skip


def what_installs(error: ModuleNotFoundError) -> str:
    """What is missing, and the extra that brings it; raises the error where no extra does."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        raise error
    return f"{package} is not installed: pip install 'esp_lib[{EXTRAS[package]}]'"


def need(*packages: str) -> None:
    """ModuleNotFoundError for the first of some packages that is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def versions() -> dict[str, str]:
    """Versions of Python, of this library and of what its numbers depend on."""
    found = {"Python": platform.python_version()}
    for package in ("esp_lib", "numpy", "scipy", "numba", "torch", "tokenizers", "matplotlib"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of the code, with "and changes" where files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        head = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "not from a repository"
    return f"commit {head}" + (" and changes" if changed else "")
