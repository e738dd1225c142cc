"""Fixtures that several test files share: the built book, Chromium, Node.

- `ESP_BUILT_BOOK=FOLDER` names an HTML folder to test instead of building one.
- `ESP_CHROMIUM=PATH` names the browser; by default Debian's.
- `ESP_REQUIRE_BROWSER=1` makes a missing browser or Node a failure instead of a skip.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
CHROMIUM = Path(os.environ.get("ESP_CHROMIUM", "/usr/bin/chromium"))
SOURCES = ("_config.yml", "_toc.yml", "book", "esp_lib", "results", "frontend/package-lock.json")


def newest(path: Path) -> float:
    """Time of the last change of a file, or of any file in a folder."""
    if path.is_file():
        return path.stat().st_mtime
    files = (
        p for p in path.rglob("*") if p.is_file() and not {"__pycache__", "vendor"} & {*p.parts}
    )
    return max((p.stat().st_mtime for p in files), default=0.0)


def is_fresh(html: Path) -> bool:
    """Whether a complete build is there and nothing that it was made from changed since."""
    index = html / "searchindex.js"  # written last
    return index.is_file() and index.stat().st_mtime >= max(newest(ROOT / s) for s in SOURCES)


def require(found: bool, what: str) -> None:
    """Skip the test, or fail it where everything has to be there."""
    if found:
        return
    if os.environ.get("ESP_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what}, and ESP_REQUIRE_BROWSER=1")
    pytest.skip(what)


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder with the book's HTML; built into `_build/html` once if no fresh build is there."""
    from filelock import FileLock

    given = os.environ.get("ESP_BUILT_BOOK")
    if given:
        return Path(given).resolve()
    (ROOT / "_build").mkdir(exist_ok=True)
    with FileLock(ROOT / "_build" / "build.lock"):
        if not is_fresh(HTML):
            command = ["jupyter-book", "build", ".", "--all", "-W", "-n", "--keep-going"]
            program = Path(sys.executable).with_name(command[0])
            done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, (
                f"the book does not build:\n{(done.stdout + done.stderr)[-4000:]}"
            )
    return HTML


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of Chromium; the test is skipped where there is none."""
    require(CHROMIUM.exists(), f"no browser at {CHROMIUM} (set ESP_CHROMIUM)")
    return CHROMIUM


@pytest.fixture(scope="session")
def node() -> str:
    """The `node` program; the test is skipped where there is none."""
    program = shutil.which("node")
    require(program is not None, "no Node on this machine")
    assert program is not None
    return program
