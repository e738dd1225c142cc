"""What an executed notebook proves: its claims, its figures, and what made them.

`chapter.py` and `figures/page.py` put a record beside all that they show, under the key "esp_lib"
of the output's metadata (https://nbformat.readthedocs.io/en/latest/format_description.html).
Here the records are read back, and what must not change from build to build gets a fingerprint.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esp_lib.notebook.lineage import Lineage, trace

KEY = "esp_lib"


@dataclass(frozen=True)
class Figure:
    """A figure of a page.

    Attributes:
        name: its anchor, unique on the page.
        number: such as "5.1".
        caption: what it shows.
        csv: all numbers drawn, see `figures.numbers.figure_csv`.
        lineage: what in the notebook it comes from.
    """

    name: str
    number: str
    caption: str
    csv: str
    lineage: Lineage

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
        made: as `Chapter.foot` records it: chapter, parameters, seconds, date, device, versions,
            commit, and the variables that hold seeds, recorded runs and keys of these. Empty where
            the notebook stopped before its foot.
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

    def seeds(self, figure: Figure) -> list[int]:
        """The seeds that a figure depends on, of recorded runs too, sorted."""
        own = set(figure.lineage.seeds)
        for name, values in self.made.get("seeds", {}).items():
            own |= set(values) if name in figure.lineage.names else set()
        return sorted(own | {run["seed"] for run in self.runs(figure)})

    def runs(self, figure: Figure) -> list[Mapping[str, Any]]:
        """The recorded runs that a figure depends on: run, seed, device and commit of each.

        A variable with some of another one's runs was made from that, perhaps for a later figure.
        """
        held = {
            name: {run["run"]: run for run in runs}
            for name, runs in self.made.get("runs", {}).items()
            if name in figure.lineage.names
        }
        named = [
            re.escape(key)
            for name, keys in self.made.get("keys", {}).items()
            if name in figure.lineage.names
            for key in keys
        ]
        own: dict[str, Mapping[str, Any]] = {}
        for name, runs in held.items():
            if not any(runs.keys() < others.keys() for others in held.values()):
                parts = figure.lineage.keys.get(name)
                keys = "" if parts is None else "|".join([*parts, *named])
                read = {
                    label: run
                    for label, run in runs.items()
                    if keys and re.fullmatch(keys, run.get("key", ""))
                }
                own |= read or runs
        return list(own.values())

    def parameters(self, figure: Figure) -> dict[str, Any]:
        """Those of the chapter's parameters that a figure depends on."""
        given = self.made.get("parameters", {})
        return {name: value for name, value in given.items() if name in figure.lineage.names}


def read_notebook(path: str | Path) -> Ledger | None:
    """What an executed notebook has shown.

    Args:
        path: a notebook, as Jupyter, papermill or the book's build writes it.

    Returns:
        Its claims, figures and circumstances; None if it has not run or shows none of them.

    Raises:
        ValueError: the file is no notebook.
    """
    try:
        cells = json.loads(Path(path).read_text(encoding="utf8"))["cells"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"path must name a notebook, got {str(path)!r}: {error!r}") from error
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in code]
    claims: tuple[Mapping[str, Any], ...] = ()
    figures: list[Figure] = []
    made: Mapping[str, Any] = {}
    for index, cell in enumerate(code):
        for output in cell.get("outputs", []):
            record = output.get("metadata", {}).get(KEY, {})
            if "figure" in record:
                figures.append(Figure(**record["figure"], lineage=trace(sources, index)))
            claims = tuple(record.get("claims", claims))
            made = record.get("made", made)
    return Ledger(claims, tuple(figures), made) if claims or figures or made else None


def book_fingerprint(ledgers: Iterable[Ledger]) -> str:
    """SHA-256 over the fingerprints of all chapters, in order."""
    return _digest([ledger.fingerprint for ledger in ledgers])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
