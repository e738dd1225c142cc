"""Pieces of a page that a notebook displays: sentences and tables with computed numbers."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from esp_lib.records.record import RunRecord
from esp_lib.sawtooth.statistics import mean_error


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


def say(markdown: str) -> Page:
    """A passage of text with computed numbers in it."""
    return Page(markdown, "text/markdown")


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], caption: str, folded: bool = False
) -> Page:
    """A table of text and numbers; the first cell of each row names it.

    If `folded`, the caption alone is shown until the reader opens the table.
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
    return folded_page(caption, body) if folded else Page(_scroll(caption, body))


def made_table(records: Sequence[RunRecord]) -> Page:
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


def folded_page(title: str, body: str, is_open: bool = False) -> Page:
    """A title that opens its body."""
    state = ' open=""' if is_open else ""
    return Page(
        f'<details class="esp-fold"{state}>'
        f"<summary>{html.escape(title)}</summary>{_scroll(title, body)}</details>"
    )


def rounded(value: float, error: float) -> str:
    r"""`value` ± `error`, both to the error's first digit, or its first two if it starts with 1.

    The spaces do not break: a number and its error stay on one line.

    >>> rounded(1.2345, 0.0456), rounded(24983.0, 347.0)
    ('1.23\xa0±\xa00.05', '25000\xa0±\xa0300')
    """
    if not 0 < error < float("inf"):
        return f"{value:.4g}".replace("-", "−")
    digits, exponent = f"{error:.1e}".split("e")
    decimals = (1 if digits.startswith("1") else 0) - int(exponent)
    value, error, shown = round(value, decimals), round(error, decimals), max(0, decimals)
    return f"{value:.{shown}f}\u00a0±\u00a0{error:.{shown}f}".replace("-", "−")


def rounded_mean(values: ArrayLike, unit: float = 1.0) -> str:
    """Mean and standard error over runs as `rounded` writes them.

    `values` (runs,) are given in `unit`.
    """
    return rounded(*(float(part) / unit for part in mean_error(values)))


def like(value: float, error: float) -> str:
    """A value with as many digits as one with this standard error has."""
    return rounded(value, error).split("\u00a0±")[0]


def percent(value: float) -> str:
    """A relative error, in whole per cent from ten on, with a space that does not break."""
    text = f"{100 * value:+.{0 if abs(value) >= 0.1 else 1}f}"
    return ("0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")) + "\u00a0%"


def short(value: float) -> str:
    """A power of ten such as 1e-8, with a hyphen that does not break."""
    return f"{value:.0e}".replace("e-0", "e-").replace("-", "\u2011")


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, e.g. "+0.12" or "−0.12"."""
    return f"{value:+.{digits}f}".replace("-", "−")


def share_text(share: float) -> str:
    """A share in whole per cent; an estimate below zero is zero."""
    return f"{100 * max(share, 0):.0f} %"


def p_text(p: float) -> str:
    """A p-value as readers need it: "p = 0.02", "p < 1e-10" for anything smaller than that."""
    return "p < 1e-10" if p < 1e-10 else f"p = {p:.2g}"
