"""What an executed notebook proves: its claims, its figures, and what made them.

`chapter.py` and `figures/page.py` put a record beside all that they show, under the key "esp_lib"
of the output's metadata (https://nbformat.readthedocs.io/en/latest/format_description.html).
Here the records are read back, and what must not change from build to build gets a fingerprint.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = "esp_lib"


@dataclass(frozen=True)
class Figure:
    """A figure of a page.

    Attributes:
        name: its anchor, unique on the page.
        number: such as "5.1".
        caption: what it shows.
        csv: all numbers drawn, see `figures.numbers.figure_csv`.
        seeds: that it rests on, of recorded runs too, sorted.
        runs: the recorded runs that it rests on: run, profile, status, seed, device and commit of
            each.
        svg: its first panel; no part of the fingerprint.
    """

    name: str
    number: str
    caption: str
    csv: str
    seeds: Sequence[int]
    runs: Sequence[Mapping[str, Any]]
    svg: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the numbers drawn."""
        return hashlib.sha256(self.csv.encode()).hexdigest()


@dataclass(frozen=True)
class Ledger:
    """What one run of a chapter has shown.

    Attributes:
        claims: as `Chapter.claims` records them: name, statement, measured, tolerance, holds, state
            and values, the numbers with all their digits as text.
        figures: in the order of the page.
        made: as `Chapter.foot` records it: chapter, parameters, seconds, date, device, versions and
            commit. Empty where the notebook stopped before its foot.
    """

    claims: tuple[Mapping[str, Any], ...]
    figures: tuple[Figure, ...]
    made: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all claims and of the numbers of all figures; no time, date or place in it."""
        claims = [
            [claim[key] for key in ("name", "measured", "tolerance", "state", "values")]
            for claim in self.claims
        ]
        return _digest([claims, [[figure.name, figure.fingerprint] for figure in self.figures]])


def read_notebook(path: str | Path) -> Ledger | None:
    """What an executed notebook has shown.

    The file is as Jupyter, papermill or the book's build writes it.

    Returns:
        Its claims, figures and circumstances; None if it has not run or shows none of them.

    Raises:
        ValueError: the file is no notebook.
    """
    try:
        cells = json.loads(Path(path).read_text(encoding="utf8"))["cells"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"path must name a notebook, got {str(path)!r}: {error!r}") from error
    claims: tuple[Mapping[str, Any], ...] = ()
    figures: list[Figure] = []
    made: Mapping[str, Any] = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            record = output.get("metadata", {}).get(KEY, {})
            if "figure" in record:
                svg = "".join(output["data"].get("image/svg+xml", ""))
                figures.append(Figure(**record["figure"], svg=svg))
            claims = tuple(record.get("claims", claims))
            made = record.get("made", made)
    return Ledger(claims, tuple(figures), made) if claims or figures or made else None


def book_fingerprint(ledgers: Iterable[Ledger]) -> str:
    """SHA-256 over the fingerprints of all chapters, in order."""
    return _digest([ledger.fingerprint for ledger in ledgers])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
