"""The repository keeps its own promises: pins, versions, clean notebooks, a light import."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock import GPU_PACKAGES, SOURCES, direct_requirements
from tools.run_chapters import list_chapters

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
README = (ROOT / "README.md").read_text(encoding="utf8")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


def tracked_files() -> list[Path]:
    """Files that git tracks, and new ones that it does not ignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def pinned(lines: list[str]) -> dict[str, str]:
    """{canonical name: version} of the lines that hold here; fails on one that is no exact pin."""
    requirements = [Requirement(line) for line in lines]
    here = [one for one in requirements if one.marker is None or one.marker.evaluate()]
    exact = re.compile(r"==[\w.!+]+")
    loose = [str(one) for one in requirements if not exact.fullmatch(str(one.specifier))]
    assert loose == []
    return {canonicalize_name(one.name): str(one.specifier)[2:] for one in here}


DIRECT = pinned([line for name in SOURCES for line in direct_requirements(ROOT / name)])
LOCKED = pinned(direct_requirements(ROOT / "requirements.lock"))

# ------------------------------------------------------------------------------------- notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_without_outputs(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code
    assert [cell.source for cell in code if cell.outputs or cell.execution_count] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_one_parameters_cell(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.cell_type for cell in tagged] == ["code"]


def test_toc_lists_every_notebook_and_nothing_that_is_missing():
    toc = yaml.safe_load(read("_toc.yml"))
    files = [toc["root"], *(chapter["file"] for chapter in toc["chapters"])]
    missing = [
        f for f in files if not any((ROOT / f"{f}{end}").exists() for end in (".md", ".ipynb"))
    ]
    assert missing == []
    assert list_chapters() == NOTEBOOKS  # in the order of their numbers


# ---------------------------------------------------------------------------------- requirements


def test_lock_has_every_direct_requirement_at_its_pin():
    direct = {name: pin for name, pin in DIRECT.items() if not GPU_PACKAGES.match(name)}
    assert {name: LOCKED.get(name) for name in direct} == direct


def test_lock_has_everything_that_the_requirements_pull_in_here():
    """Walks the installed packages' own metadata, so a stale lock shows on either Python."""
    found: dict[str, str] = {}
    todo = [Requirement(f"{name}=={version}") for name, version in DIRECT.items()]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name in found and not requirement.extras:
            continue
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution.version.split("+")[0]
        for line in distribution.requires or []:
            child = Requirement(line)
            environments = [{"extra": extra} for extra in ("", *requirement.extras)]
            if child.marker is None or any(map(child.marker.evaluate, environments)):
                todo.append(child)
    found = {name: version for name, version in found.items() if not GPU_PACKAGES.match(name)}
    assert len(found) > len(DIRECT)
    assert {name: LOCKED.get(name) for name in found} == found


def test_readme_says_what_each_requirement_is_for():
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", README.split("## Dependencies")[1], flags=re.M)
    named = {canonicalize_name(name.strip()) for row in rows for name in row.split(",")}
    assert set(DIRECT) - named == set()


def test_hooks_use_the_pinned_linter():
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    pins = pinned([line for hook in hooks for line in hook["additional_dependencies"]])
    assert pins.keys() == {"nbstripout", "ruff"}
    assert pins["ruff"] == DIRECT["ruff"]


# --------------------------------------------------------------------------------------- package


def test_import_loads_numpy_alone():
    heavy = {"torch", "matplotlib", "ipywidgets", "anywidget", "numba", "scipy", "IPython"}
    code = (
        f"import sys, esp_lib; print(*sorted({heavy!r} & set(sys.modules)), 'numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.split() == ["True"]


def test_explorers_do_without_scipy_stats():
    """It takes a second to import, in the kernel of every chapter."""
    pytest.importorskip("anywidget")
    code = "import sys, esp_lib.widgets; print('scipy.stats' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert result.stdout.split() == ["False"]


def test_readme_example_runs(capsys: pytest.CaptureFixture[str]):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    exec(compile(example, "README.md", "exec"), {})
    amplitude, p_value = map(float, capsys.readouterr().out.split())
    assert amplitude > 0.1
    assert p_value < 1e-6


def test_versions_agree():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    citation = yaml.safe_load(read("CITATION.cff"))
    release = re.search(r"^## \[(\d[^\]]*)\] - (\S+)$", read("CHANGELOG.md"), flags=re.M)
    assert release is not None
    assert (citation["version"], citation["date-released"]) == release.groups()
    assert version == release[1]


# ------------------------------------------------------------------------------------ repository


def test_readme_names_every_command():
    targets = re.findall(r"^([a-z-]+):.*## ", read("Makefile"), flags=re.M)
    assert {"book", "test", "serve", "figures", "bench", "clean"} <= set(targets)
    assert [t for t in targets if t != "help" and not re.search(rf"`?make {t}\b", README)] == []


def test_readme_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", README)
    local = [a or b for a, b in targets if not (a or b).startswith("https://")]
    assert local
    assert [name for name in local if not (ROOT / name).exists()] == []


def test_continuous_integration_calls_the_documented_test_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make test$", script.read_text(encoding="utf8"), flags=re.M)
    assert re.search(r"^make test\b", README, flags=re.M)


def test_the_published_book_has_its_pdf():
    steps = yaml.safe_load(read(".github/workflows/book.yml"))["jobs"]["test"]["steps"]
    done = [step.get("run") or step.get("uses", "") for step in steps]
    publish = next(i for i, what in enumerate(done) if "upload-pages-artifact" in what)
    keep = next(i for i, what in enumerate(done) if "upload-artifact" in what)
    assert done.index("bash .ci/run") < done.index("make pdf") < min(keep, publish)


# Written so that they do not match themselves.
MACHINE_PATHS = re.compile(r"/(?:work|root|tmp)[/]\w|/home[/](?!runner)\w|\.\.[/]shared|C:\\Users")
REGISTRIES = re.compile(
    r"registry\.npmjs[.]org|registry\.yarnpkg[.]com|pypi\.org[/]simple|pythonhosted[.]org"
)


def test_tracked_files_name_no_machine_and_no_registry():
    found = []
    for path in tracked_files():
        text = path.read_text(encoding="utf8", errors="ignore")
        for pattern in (MACHINE_PATHS, REGISTRIES):
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in pattern.finditer(text)]
    assert found == []


def test_no_third_party_javascript_is_committed():
    names = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    assert [
        name for name in names if "node_modules/" in name or name.startswith("book/vendor/")
    ] == []
    assert '"resolved"' not in read("frontend/package-lock.json")
