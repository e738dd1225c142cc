"""Fixtures that several test files share: the built book, a server of it, Chromium, Node.

- `ESP_BUILT_BOOK=FOLDER` names an HTML folder to test instead of building one.
- `ESP_CHROMIUM=PATH` names the browser; by default Debian's, see `tools.print_book.find_browser`.
- `ESP_REQUIRE_BROWSER=1` makes a missing browser or Node a failure instead of a skip.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import browsing
from tests.browsing import require
from tools.print_book import find_browser, served

ROOT = browsing.ROOT
HTML = ROOT / "_build" / "html"
CHROMIUM = find_browser()
SOURCES = ("_config.yml", "_toc.yml", "book", "esp_lib", "results", "frontend/package-lock.json")

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
LOCAL = ("file:", "blob:", "data:", "http://127.0.0.1:")


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


@pytest.fixture(scope="session")
def book(built_book):
    """The HTML folder; it has to be the self-hosted kind."""
    bundle = built_book / "_static/esp-vendor/widgets.js"
    require(
        bundle.exists(), "the pages' JavaScript was not bundled (no Node when the book was built)"
    )
    return built_book


@pytest.fixture(scope="session")
def site(book):
    """Address of the book on a server of this machine."""
    with served(book) as address:
        yield address


@pytest.fixture(scope="module")  # Playwright holds the event loop: give it back after each file
def browser(chromium):
    """Chromium, headless."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=str(chromium), args=FLAGS)
        yield program
        program.close()


@pytest.fixture
def open_page(browser):
    """A function that opens pages and notes what goes wrong on them; checked when the test ends."""
    wrong, contexts = [], []

    def note_request(route):
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            wrong.append(f"request to {route.request.url}")
            route.abort()

    def open_one(url, *, width=1440, theme="light", wait=True, **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, **options
        )
        contexts.append(context)
        context.route("**/*", note_request)
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.goto(url)
        if wait:
            browsing.wait_for_explorers(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == []
