"""A chapter in a real JupyterLab: code is folded, it runs, and a slider reaches Python."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.conftest import ROOT

pytestmark = pytest.mark.browser
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")

CHAPTER = "03_factors.ipynb"
TOKEN = "test"
EVERY = """
import gc
from esp_lib.widgets import RecordedExplorer
print(*(o.settings["every"] for o in gc.get_objects() if isinstance(o, RecordedExplorer)))
"""


@pytest.fixture
def lab(tmp_path):
    """Address of a JupyterLab in a folder that holds the chapter, and its folder of kernels."""
    shutil.copy(ROOT / "book" / CHAPTER, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {
        f"JUPYTER{name}_DIR": str(tmp_path / name)
        for name in ("_RUNTIME", "_CONFIG", "LAB_SETTINGS", "LAB_WORKSPACES")
    }
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--port={port}",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={tmp_path}",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env={**os.environ, **folders, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    site = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(f"{site}/api?token={TOKEN}")
        yield site, tmp_path / "_RUNTIME"
    finally:
        server.terminate()  # it shuts its kernels down
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:  # one is busy
            server.kill()
            server.wait()


def wait_until_up(address, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def printed(kernel_file, code):
    """What a running kernel prints."""
    client = BlockingKernelClient(connection_file=str(kernel_file))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        texts = []
        client.execute_interactive(
            code,
            timeout=120,
            output_hook=lambda message: texts.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
    return "".join(texts).strip()


def test_a_chapter_runs_and_its_slider_is_read_in_python(browser, lab):
    site, kernels = lab
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{site}/lab/tree/{CHAPTER}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Placeholder:has-text('import pairwise')", timeout=120_000)
    assert page.get_by_text("from esp_lib.notebook.chapter import Chapter").count() == 0
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    explorer = page.locator('[data-explorer="recorded"]')
    explorer.wait_for(state="attached", timeout=180_000)
    explorer.scroll_into_view_if_needed()
    slider = explorer.locator(".esp-field-every .noUi-handle")
    before = json.loads(explorer.get_attribute("data-state"))["settings"]["every"]
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(before) => JSON.parse(document.querySelector('[data-explorer=recorded]').dataset.state)"
        ".settings.every > before",
        arg=before,
    )
    shown = json.loads(explorer.get_attribute("data-state"))["settings"]["every"]
    (kernel,) = kernels.glob("kernel-*.json")
    assert printed(kernel, EVERY) == str(shown)
    page.close()
