"""Text from outside of the repository."""

import os
from pathlib import Path

import pytest


def shared_text(monkeypatch) -> None:
    """WikiText-2 from outside of the repository; else the test is skipped."""
    folder = os.environ.get("ESP_SHARED")
    if not folder or not (Path(folder) / "data" / "wikitext-2").is_dir():
        pytest.skip("ESP_SHARED does not name a folder with data/wikitext-2")
    monkeypatch.setenv("ESP_DATA", str(Path(folder) / "data"))
