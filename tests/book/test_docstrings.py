"""The reference of the library: its examples run, and it leaves no module out."""

import ast
import doctest
import html
import importlib.util
import pkgutil
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import esp_lib
from esp_lib import Curve, QuadraticProblem, measure, simulate
from esp_lib.diagnosis import diagnosis
from esp_lib.logs import read
from tests.conftest import ROOT


def is_empty(package: str) -> bool:
    """Whether a package's `__init__.py` says nothing."""
    return not (ROOT / package.replace(".", "/") / "__init__.py").read_text("utf8")


MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(esp_lib.__path__, "esp_lib.")
    if not any(part.startswith("_") for part in module.name.split("."))
    and not (module.ispkg and is_empty(module.name))
)
WITH_EXAMPLES = [
    name
    for name in MODULES
    if (path := ROOT / f"{name.replace('.', '/')}.py").is_file() and ">>>" in path.read_text("utf8")
]
PAGES = [page for page in sorted((ROOT / "book/api").glob("*.md")) if page.stem != "index"]


def examples(module):
    """The examples of a module's docstrings that are its own."""
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_say_what_happens(name):
    for test in examples(name):
        report: list[str] = []
        result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
        assert result.failed == 0, "".join(report)
        assert result.attempted > 0


@pytest.mark.parametrize(
    "thing",
    [QuadraticProblem, simulate, measure, Curve.every, read.read_log, diagnosis.diagnose],
    ids=lambda thing: thing.__qualname__,
)
def test_the_main_names_have_an_example(thing):
    assert ">>>" in (thing.__doc__ or "")


def test_every_module_is_on_one_page_of_the_reference():
    shown = [
        name for page in PAGES for name in re.findall(r"automodule:: (\S+)", page.read_text("utf8"))
    ]
    assert sorted(shown) == MODULES


def signatures(built_book, page="*"):
    """name -> the HTML of each entry's head in the built reference."""
    pages = (path.read_text() for path in (built_book / "book/api").glob(f"{page}.html"))
    head = re.compile(r'<dt class="sig[^"]*" id="([^"]+)">(.*?)</dt>', re.DOTALL)
    return {name: rest for page in pages for name, rest in head.findall(page)}


def as_text(signature):
    return html.unescape(re.sub(r"<[^>]+>", "", signature))


def test_the_reference_is_in_the_book(built_book):
    curve = as_text(signatures(built_book, "sawtooth")["esp_lib.sawtooth.curve.Curve"])
    assert "loss: NDArray[float64]" in curve.replace("numpy.", "")
    assert "esp_lib.notebook.ledger.read_notebook" in signatures(built_book, "notebook")


def test_every_public_function_and_class_is_in_the_reference(built_book):
    """Also those that are wrapped, e.g. by `functools.cache` or Numba: read from the source."""
    written = set()
    for name in MODULES:
        source = importlib.util.find_spec(name).origin
        for node in ast.parse(Path(source).read_text("utf8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                written.add(f"{name}.{node.name}")
    assert {"esp_lib.bert.corpus.make_corpus", "esp_lib.maps.grid.compute"} < written
    assert written - set(signatures(built_book)) == set()


def test_signatures_are_written_as_in_the_code(built_book):
    found = {name: as_text(one) for name, one in signatures(built_book).items()}
    marks = ("~", "<factory>", "built-in function", "_NestedSequence", " at 0x")
    assert [name for name, text in found.items() if any(mark in text for mark in marks)] == []
    assert "report: Callable[[str], object] = print" in found["esp_lib.records.sweeps.sweep"]
    assert "corpus: CorpusConfig = CorpusConfig()" in found["esp_lib.bert.config.PretrainConfig"]
    assert "order: str | ArrayLike = 'reshuffle'" in found["esp_lib.quadratic.simulation.simulate"]
    head = signatures(built_book, "records")["esp_lib.records.sweeps.sweep"]
    assert 'href="#esp_lib.records.sweeps.Job"' in head


@pytest.fixture
def esp_api(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    return pytest.importorskip("esp_api")


def test_docstrings_become_restructured_text(esp_api):
    lines = ["The norm |g| of `g_t` and *all*, a_ and x_0.", ">>> a * `b`", "c_ | d", "", "e_ end."]
    esp_api.as_literals(None, "", "", None, None, lines)
    assert lines == [
        r"The norm \|g\| of ``g_t`` and *all*, a\_ and x_0.",
        ">>> a * `b`",
        "c_ | d",
        "",
        r"e\_ end.",
    ]


def test_fields_are_described_by_their_comments(esp_api):
    from esp_lib.quadratic.plan import SimulationPlan
    from esp_lib.sawtooth.measurement import Sawtooth

    assert esp_api.field_notes(Sawtooth)["drop_error"] == "its standard error"
    lines = ["What it was asked for."]
    esp_api.as_literals(None, "class", "", SimulationPlan, None, lines)
    assert "    steps: of one run" in lines
    assert esp_api.leave_out(None, "class", "", SimulationPlan.steps, False, None) is True
    assert esp_api.leave_out(None, "class", "", SimulationPlan, False, None) is None


def test_array_types_are_written_as_in_the_code(esp_api):
    long = "(a: ~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~numpy.float64]])"
    short = esp_api.shorten_types(None, "", "", None, None, long, None)
    assert short == ("(a: NDArray[numpy.float64])", None)


def test_defaults_are_written_as_in_the_code(esp_api):
    @dataclass
    class Thing:
        own: list[int] = field(init=False, default_factory=list)
        made: dict[str, int] = field(default_factory=dict)

    raw = "(made: dict[str, int] = <factory>, report: ~typing.Any = <built-in function print>)"
    short, _ = esp_api.shorten_types(None, "class", "", Thing, None, raw, None)
    assert short == "(made: dict[str, int] = dict(), report: ~typing.Any = print)"
