"""The package as an index shows it and as a source distribution carries it."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

import pytest
import yaml

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_what_an_index_shows_has_no_link_into_the_repository():
    text = (ROOT / PROJECT["readme"]).read_text("utf8")
    targets = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text)
    assert targets
    assert all(link.startswith("https://") for pair in targets for link in pair if link)
    assert all(url.startswith("https://") for url in PROJECT.get("urls", {}).values())
    for extra in re.findall(r"`esp_lib\[(\w+)\]`", text):
        assert extra in PROJECT["optional-dependencies"]


def test_the_example_that_an_index_shows_runs(capsys):
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / PROJECT["readme"]).read_text("utf8"), flags=re.S
    )
    exec(compile(example, "package.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_workflow_tries_every_python_that_the_package_names():
    named = [
        line.split(" :: ")[-1]
        for line in PROJECT["classifiers"]
        if re.search(r"Python :: 3\.\d+$", line)
    ]
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
    assert workflow["jobs"]["library"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_both_locks_are_looked_up_on_a_schedule():
    workflow = yaml.safe_load((ROOT / ".github/workflows/audit.yml").read_text())
    runs = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any("pip-audit" in run and "requirements.lock" in run for run in runs)
    assert any("npm audit" in run for run in runs)
    assert workflow[True]["schedule"]  # YAML reads "on" as true


@pytest.mark.slow
def test_a_source_distribution_has_every_file_and_its_tests_run(tmp_path):
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    if not (ROOT / ".git").exists():
        pytest.skip("not from a repository")
    tree = tmp_path / "tree"
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    code = "import setuptools.build_meta as b; b.build_sdist('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    (packed,) = (tree / "dist").glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    (root,) = (tmp_path / "out").iterdir()
    missing = [name for name in filter(None, listed) if not (root / name).exists()]
    assert [name for name in missing if (ROOT / name).exists()] == []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sampling"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
