"""What every chapter's notebook shares: checked parameters, claims, numbers in text, provenance.

A chapter opens with `chapter = Chapter("05_replication", globals())` right after its parameters,
states what it finds through `chapter.claim(...)`, and closes with `chapter.claims()` and
`chapter.foot()`.
"""

import html
import importlib.metadata
import platform
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.lineage import keys_of, runs_of, seeds_of
from esp_lib.parameters import SCHEMAS, check_parameters

if TYPE_CHECKING:
    from esp_lib.runs import RunRecord


SAME_NUMBERS = ("device", "train", "workers")  # parameters of how a chapter is run


@dataclass(frozen=True)
class Page:
    """A piece of HTML, or of Markdown, that notebooks display."""

    text: str
    mime: str = "text/html"
    record: Mapping[str, Any] = field(default_factory=dict)  # the same for `ledger.read_notebook`

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        plain = re.sub(r"<[^>]+>", " ", self.text) if self.mime == "text/html" else self.text
        shown = {self.mime: self.text, "text/plain": html.unescape(plain)}
        return shown, {"esp_lib": dict(self.record)} if self.record else {}


@dataclass(frozen=True)
class Claim:
    """A statement that the chapter asserts in code."""

    name: str
    statement: str
    measured: str
    tolerance: str
    holds: bool
    values: tuple[float, ...] = ()  # the numbers behind `measured`, with all their digits
    refuted: bool = False  # the chapter says that it does not hold, and why

    @property
    def state(self) -> str:
        """Is it as the chapter says? "holds", "refuted" (as is known), or "fails"."""
        if self.holds != self.refuted:
            return "holds" if self.holds else "refuted"
        return "fails"


@dataclass
class Chapter:
    """One run of one chapter.

    Args:
        name: the notebook's name, a key of `parameters.SCHEMAS`.
        namespace: the notebook's `globals()`, read once for the parameters.

    Raises:
        ValueError: a parameter is unknown, missing or out of range.
    """

    name: str
    namespace: Mapping[str, Any]
    parameters: dict[str, Any] = field(init=False)
    stated: list[Claim] = field(init=False, default_factory=list)
    started: float = field(init=False, default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.parameters = check_parameters(SCHEMAS[self.name], self.namespace)

    def claim(
        self,
        name: str,
        statement: str,
        *,
        measured: str,
        tolerance: str,
        holds: bool,
        values: ArrayLike | Sequence[ArrayLike] = (),
        refuted: bool = False,
    ) -> None:
        """Assert a statement; it is reported, held or not, by `claims`.

        Args:
            name: unique in the chapter; tests and other pages refer to it.
            statement: what is claimed, in a sentence.
            measured: the measured value, as text with its unit.
            tolerance: what would count as holding.
            holds: whether it does.
            values: the numbers behind `measured`, unrounded: the book's fingerprint holds them.
            refuted: a statement of the paper's that is known not to hold, as the chapter explains;
                it fails if it holds.

        Raises:
            ValueError: the name is taken.
        """
        if name in [claim.name for claim in self.stated]:
            raise ValueError(f"name must be new in {self.name}, got {name!r} again")
        numbers = _numbers(values)
        self.stated.append(
            Claim(name, statement, measured, tolerance, bool(holds), numbers, refuted)
        )

    def claims(self) -> Page:
        """The table of all claims so far."""
        rows = "".join(
            f'<tr id="claim-{html.escape(c.name)}" data-claim="{html.escape(c.name)}" '
            f'data-holds="{str(c.holds).lower()}" data-state="{c.state}">'
            + "".join(f"<td>{html.escape(t)}</td>" for t in (c.statement, c.measured, c.tolerance))
            + f"<td>{c.state}</td></tr>"
            for c in self.stated
        )
        held = sum(c.holds for c in self.stated)
        head = "".join(
            f'<th scope="col">{t}</th>' for t in ("Claim", "Measured", "Tolerance", "Holds?")
        )
        page = _folded(
            f"Claims of this chapter: {held} of {len(self.stated)} hold",
            self._other_settings() + '<table class="esp-claims">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
            is_open=held < len(self.stated),
        )
        record = [
            asdict(c) | {"state": c.state, "values": [repr(v) for v in c.values]}
            for c in self.stated
        ]
        return replace(page, record={"claims": record})

    def _other_settings(self) -> str:
        """A remark where parameters that change numbers are not the chapter's own."""
        schema = SCHEMAS[self.name]
        changed = [
            f"{name} = {value!r}"
            for name, value in self.parameters.items()
            if name not in SAME_NUMBERS and value != schema[name].default
        ]
        if not changed:
            return ""
        return (
            "<p>The claims are made for the chapter's own settings. This run has "
            f"{html.escape(', '.join(changed))}: what fails here need not fail there.</p>"
        )

    def foot(self) -> Page:
        """When, on what, with which versions, commit and parameters the page was computed."""
        seconds = time.perf_counter() - self.started
        page = provenance(self.parameters, seconds)
        made = {
            "chapter": self.name,
            "parameters": self.parameters,
            "seconds": seconds,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": device_name(str(self.parameters.get("device", "cpu"))),
            "versions": versions(),
            "commit": commit(),
            "seeds": seeds_of(self.namespace),
            "runs": runs_of(self.namespace),
            "keys": keys_of(self.namespace),
        }
        return replace(page, record={"made": made})


def provenance(parameters: Mapping[str, Any] | None = None, seconds: float | None = None) -> Page:
    """The foot of a page: when, on what, with which versions and commit it was computed."""
    took = "" if seconds is None else f", in {seconds:.0f} seconds"
    settings = parameters or {}
    lines = {
        "Computed": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC{took}",
        "On": device_name(str(settings.get("device", "cpu"))),
        "With": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "Code": commit(),
    }
    if settings:
        lines["Parameters"] = ", ".join(f"{k} = {v!r}" for k, v in settings.items())
    body = "<br>".join(f"<b>{k}</b>: {html.escape(v)}" for k, v in lines.items())
    return Page(f'<footer class="esp-provenance">{body}</footer>')


def say(markdown: str) -> Page:
    """A passage of text with computed numbers in it."""
    return Page(markdown, "text/markdown")


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], caption: str, folded: bool = False
) -> Page:
    """A table of text and numbers; the first cell of each row names it.

    Args:
        head: column headings.
        rows: one sequence of cells a row.
        caption: what the table shows.
        folded: show the caption alone until the reader opens the table.
    """
    lines = []
    for first, *rest in rows:
        cells = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in rest)
        lines.append(f'<tr><th scope="row">{html.escape(str(first))}</th>{cells}</tr>')
    top = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    title = "" if folded else f"<caption>{html.escape(caption)}</caption>"
    body = (
        f'<table class="esp-table">{title}'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )
    return _folded(caption, body) if folded else Page(_scroll(caption, body))


def made_table(records: Sequence["RunRecord"]) -> Page:
    """What made each recorded run: profile, device, versions, date, seconds and commit; folded."""
    rows = []
    for record in records:
        made = record.made
        versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
        date = made["date"].replace("T", " ").removesuffix("+00:00") + " UTC"
        outcome = record.status + (f": {record.message}" if record.message else "")
        seconds = f"{made['seconds']:,.0f}"
        rows.append(
            [
                record.label,
                record.profile,
                outcome,
                made["device"],
                date,
                seconds,
                made["commit"],
                versions,
            ]
        )
    head = ["Run", "Profile", "Outcome", "On", "When", "Seconds", "Code", "With"]
    title = f"The {len(rows)} recorded runs of this page: what made them"
    return table(head, rows, title, folded=True)


def _scroll(label: str, body: str) -> str:
    """A box that scrolls sideways by itself and that the keyboard can reach."""
    label = html.escape(label, quote=True)
    return f'<div class="esp-scroll" role="region" tabindex="0" aria-label="{label}">{body}</div>'


def _folded(title: str, body: str, is_open: bool = False) -> Page:
    """A title that opens its body."""
    state = ' open=""' if is_open else ""
    return Page(
        f'<details class="esp-fold"{state}>'
        f"<summary>{html.escape(title)}</summary>{_scroll(title, body)}</details>"
    )


def rounded(value: float, error: float) -> str:
    """`value` ± `error`, both to the error's first digit, or its first two if it starts with 1.

    >>> rounded(1.2345, 0.0456), rounded(24983.0, 347.0)
    ('1.23 ± 0.05', '25000 ± 300')
    """
    if not 0 < error < float("inf"):
        return f"{value:.4g}".replace("-", "−")
    digits, exponent = f"{error:.1e}".split("e")
    decimals = (1 if digits.startswith("1") else 0) - int(exponent)
    value, error, shown = round(value, decimals), round(error, decimals), max(0, decimals)
    return f"{value:.{shown}f} ± {error:.{shown}f}".replace("-", "−")


def p_text(p: float) -> str:
    """A p-value as readers need it: "p = 0.02", "p < 1e-10" for anything smaller than that."""
    return "p < 1e-10" if p < 1e-10 else f"p = {p:.2g}"


def _numbers(values: ArrayLike | Sequence[ArrayLike]) -> tuple[float, ...]:
    """All numbers of an array, or of a sequence of arrays of any shapes, in order."""
    if isinstance(values, (list, tuple)):
        return tuple(number for value in values for number in _numbers(value))
    return tuple(np.asarray(values, dtype=float).ravel().tolist())


def versions() -> dict[str, str]:
    """Versions of Python, of this library and of what its numbers depend on."""
    found = {"Python": platform.python_version()}
    for package in ("esp_lib", "numpy", "scipy", "numba", "torch", "tokenizers", "matplotlib"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def device_name(device: str) -> str:
    """The processor, or the GPU where one is used, and how many cores."""
    if device != "cpu":
        import torch

        return f"{torch.cuda.get_device_name(device)} ({device})"
    import os

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"model name\s*:\s*(.+)", info.read_text())
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def commit() -> str:
    """The commit of the code, with "and changes" where files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True,
            check=True,
        ).stdout.strip()  # fmt: skip

    try:
        head = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "not from a repository"
    return f"commit {head}" + (" and changes" if changed else "")
