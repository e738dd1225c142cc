"""What every chapter's notebook shares: checked parameters, claims, numbers in text, provenance.

A chapter opens with `chapter = Chapter("05_replication", globals())` right after its parameters,
states what it finds through `chapter.claim(...)`, and closes with `chapter.claims()` and
`chapter.foot()`.
"""

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from esp_lib._checks import choice
from esp_lib._device import device_name
from esp_lib._environment import commit, versions
from esp_lib.notebook.page import Page, folded_page
from esp_lib.notebook.parameters import SCHEMAS, check_parameters

KNOWN = ("refuted", "not reproduced", "not testable")  # of a claim that does not hold
SAME_NUMBERS = ("device", "train", "workers")  # parameters of how a chapter is run


@dataclass(frozen=True)
class Claim:
    """A statement that the chapter asserts in code."""

    name: str
    statement: str
    measured: str
    tolerance: str
    holds: bool
    values: tuple[float, ...] = ()  # the numbers behind `measured`, with all their digits
    known: str = ""  # one of `KNOWN` where the chapter says that it does not hold, and why

    @property
    def state(self) -> str:
        """Is it as the chapter says? "holds", one of `KNOWN`, or "fails"."""
        if self.holds == bool(self.known):
            return "fails"
        return self.known or "holds"


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
    namespace: InitVar[Mapping[str, Any]]
    parameters: dict[str, Any] = field(init=False)
    stated: list[Claim] = field(init=False, default_factory=list)
    started: float = field(init=False, default_factory=time.perf_counter)

    def __post_init__(self, namespace: Mapping[str, Any]) -> None:
        self.parameters = check_parameters(SCHEMAS[self.name], namespace)

    def claim(
        self,
        name: str,
        statement: str,
        *,
        measured: str,
        tolerance: str,
        holds: bool,
        values: ArrayLike | Sequence[ArrayLike] = (),
        known: str = "",
    ) -> None:
        """Assert a statement; it is reported, held or not, by `claims`.

        Args:
            name: unique in the chapter; tests and other pages refer to it.
            statement: what is claimed, in a sentence.
            measured: the measured value, as text with its unit.
            tolerance: what would count as holding.
            holds: whether it does.
            values: the numbers behind `measured`, unrounded: the book's fingerprint holds them.
            known: for a statement that is known not to hold, as the chapter explains: "refuted"
                where its source's own conditions hold, "not reproduced" where the network is of
                another size, "not testable" where nothing here can decide. It fails if it holds.

        Raises:
            ValueError: the name is taken, or `known` is none of `KNOWN`.
        """
        if name in [claim.name for claim in self.stated]:
            raise ValueError(f"name must be new in {self.name}, got {name!r} again")
        if known:
            choice("known", known, KNOWN)
        numbers = _numbers(values)
        self.stated.append(Claim(name, statement, measured, tolerance, bool(holds), numbers, known))

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
        page = folded_page(
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


def _numbers(values: ArrayLike | Sequence[ArrayLike]) -> tuple[float, ...]:
    """All numbers of an array, or of a sequence of arrays of any shapes, in order."""
    if isinstance(values, (list, tuple)):
        return tuple(number for value in values for number in _numbers(value))
    return tuple(np.asarray(values, dtype=float).ravel().tolist())
