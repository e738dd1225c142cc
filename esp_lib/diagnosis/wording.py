"""The words of the diagnosis, as data: every sentence once, for the command, Python and the page.

The table is `wording.json`, which the page's JavaScript reads as well; fields such as {drop:.3n}
are filled as `esp_lib.logs.formats.fill` does. What to do about each cause comes with the section
of the book that shows it.
"""

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from esp_lib.logs.formats import VOICES, fill

WORDING: dict[str, Any] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
Sentence = tuple[str, dict[str, Any]]  # a key of the table, and what fills it


def sentence(part: str, key: str, values: dict[str, Any], voice: str = "library") -> str:
    """A sentence of one part of the table.

    Args:
        part: "headlines", "what", "bug", "reasons", "numbers", "wrong" or "frame".
        key: of the sentence.
        values: what fills it.
        voice: what options are called: as by the "library", the "command" or the "page".
    """
    return fill(WORDING[part][key], VOICES[voice] | values)


def bug(cause: str | None, verdict: str, likely: bool = False) -> str:
    """Whether a cause is a bug, in a sentence."""
    key = cause or verdict
    sure: str = WORDING["bug"][key]
    return str(WORDING["bug"].get(f"{key} likely", sure)) if likely else sure


def advice(cause: str | None) -> list[tuple[str, str]]:
    """What to do about a cause: sentences and the sections of the book that show it."""
    return [(what, link) for what, link in WORDING["advice"][cause or "null"]]


def section(link: str, voice: str = "library") -> str:
    """Where a section of the book is: its address if the package knows it, else its name."""
    if voice != "page" and (book := book_address()):
        return f"{book}/{link}"
    page, _, anchor = link.partition("#")
    values = {"chapter": int(page[:2]), "title": anchor.replace("-", " ")}
    return sentence("frame", "section of" if anchor else "section", values)


@cache
def book_address() -> str:
    """The address of the book in the package's metadata; "" if there is none."""
    try:
        urls = metadata("esp_lib").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls if ", " in url)
    return str(named.get("Documentation", "")).rstrip("/")
