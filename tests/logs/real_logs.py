"""Real logs of public repositories with labels, which are no part of this repository."""

import csv
import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("ESP_SHARED", "")) / "data/logs"


def labels():
    """Names and labels of the real logs; none where they are not at hand."""
    if not (REAL / "labels.csv").is_file():
        return []
    with (REAL / "labels.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


needs_real = pytest.mark.skipif(not labels(), reason="ESP_SHARED names no folder with data/logs")
