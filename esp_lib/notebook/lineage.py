"""Where a figure of a notebook comes from: functions, parameters and seeds, read off its code.

The statement that shows a figure is traced backwards through the notebook: a statement belongs to
the figure if it writes a name that a later one of the figure's reads. This is a static backward
slice (M. Weiser, Program slicing, IEEE Trans. Softw. Eng. 10(4), 1984), over whole statements of
the notebook's top level; `_flow.py` says what each of them reads and writes.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from esp_lib.notebook._flow import Flow, dotted, flow


@dataclass(frozen=True)
class Lineage:
    """What a figure is made of.

    Attributes:
        functions: of this library, with module, e.g. "esp_lib.sampling.orders.make_order".
        names: all variables of the notebook that the figure depends on.
        seeds: literal or default seeds of the calls, e.g. 0 for `simulate(problem, rule)`.
        keys: for each variable of which only parts are read, as in `runs["a"]`, what the keys may
            be: regular expressions, of every text in the code since the variable was set.
    """

    functions: tuple[str, ...]
    names: frozenset[str]
    seeds: tuple[int, ...]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def trace(cells: Sequence[str], shown: int, package: str = "esp_lib") -> Lineage:
    """Where what a cell shows comes from.

    Args:
        cells: the notebook's code cells, in order.
        shown: index of the cell; its last statement is traced.
        package: whose functions are listed.

    Raises:
        SyntaxError: a cell is not Python.
    """
    nodes = [node for source in cells[: shown + 1] for node in ast.parse(source).body]
    if not nodes:
        return Lineage((), frozenset(), ())
    modules = frozenset(
        (alias.asname or alias.name).split(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    steps = [(node, flow([node], modules)) for node in nodes]
    taken = [steps[-1]]
    needed, names = set(steps[-1][1].reads), set(steps[-1][1].reads)
    for node, own in reversed(steps[:-1]):
        if own.writes & needed - modules:
            taken.append((node, own))
            needed = (needed - own.sets) | own.reads
            names |= own.reads | own.writes
    imported = _imports(nodes, package)
    found: set[str] = set()
    seeds: set[int] = set()
    for node, _ in taken:
        for part in _walk(node):
            if isinstance(part, ast.Name | ast.Attribute):
                path = dotted(part)
                thing = _look_up(imported.get(path[0], "") if path else "", path[1:])
                found |= {name for one in _makers(thing) if (name := _name(one, package))}
        seeds |= _seeds(node, imported)
    keys = _keys(taken[::-1])
    return Lineage(tuple(sorted(found)), frozenset(names - modules), tuple(sorted(seeds)), keys)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All of a syntax tree but annotations, which make nothing."""
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for part in value if isinstance(value, list) else [value]:
                yield from _walk(part) if isinstance(part, ast.AST) else ()


def _makers(thing: Any) -> Iterator[Any]:
    """A function or class, with what an explorer's class calls; what a constant's parts are."""
    if isinstance(thing, list | tuple):
        for part in thing:
            yield from _makers(part)
        if hasattr(thing, "_fields"):
            yield type(thing)
    elif isinstance(thing, Mapping):
        yield from _makers(list(thing.values()))
    elif not callable(thing):
        yield type(thing)
    else:
        yield thing
        if isinstance(thing, type) and thing.__module__.startswith("esp_lib.widgets"):
            code = thing.__init__.__code__  # type: ignore[misc]
            inner = [part.co_names for part in code.co_consts if inspect.iscode(part)]
            called = {name for own in (code.co_names, *inner) for name in own}
            yield from (
                own
                for name in called
                if inspect.isfunction(own := thing.__init__.__globals__.get(name))  # type: ignore[misc]
                and own.__module__ != thing.__module__
            )


def _name(thing: Any, package: str) -> str:
    """The full name of a function or class of the package, or nothing."""
    home, name = (getattr(thing, key, "") for key in ("__module__", "__qualname__"))
    return f"{home}.{name}" if name and home.split(".")[0] == package else ""


def _keys(steps: Sequence[tuple[ast.stmt, Flow]]) -> dict[str, tuple[str, ...]]:
    """`Lineage.keys` of statements in their order."""
    parts, whole = set[str](), set[str]()
    since: dict[str, set[str]] = {}
    for node, own in steps:
        inside = {
            id(part.value)
            for part in _walk(node)
            if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name)
        }
        for part in _walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                (parts if id(part) in inside else whole).add(part.id)
        for found in since.values():
            found.update(_texts(node))
        since |= {name: set() for name in own.sets}
    return {name: tuple(sorted(since.get(name, ()))) for name in sorted(parts - whole)}


def _texts(node: ast.AST) -> Iterator[str]:
    """Regular expressions of the texts in a piece of code; what is put into one may be anything."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        if parts:
            pieces = (
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*"
                for part in node.values
            )
            yield "".join(pieces)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    for part in ast.iter_child_nodes(node):
        if not isinstance(node, ast.JoinedStr) or isinstance(part, ast.FormattedValue):
            yield from _texts(part)


def seeds_of(namespace: Mapping[str, Any]) -> dict[str, list[int]]:
    """Variables that hold seeds, by their name, with their distinct values, sorted.

    Named so are arrays of seeds. Objects of this library whose attribute `seeds` is a number, such
    as `maps.grid.MapConfig`, hold the seeds 0, 1, ... up to it.
    """
    import numpy as np

    def counted(value: Any, depth: int = 0) -> int:
        if isinstance(value, Mapping):
            parts = list(value.values())
        elif type(value).__module__.startswith("esp_lib.") and not isinstance(value, type):
            count = getattr(value, "seeds", None)
            if type(count) is int:
                return count
            parts = list(getattr(value, "__dict__", {}).values())
        else:
            return 0
        return max((counted(part, depth + 1) for part in parts if depth < 2), default=0)

    found = {}
    for name, value in namespace.items():
        if name.startswith("_"):
            continue
        if count := counted(value):
            found[name] = list(range(count))
        if "seed" not in name.lower() or name.startswith("num_") or callable(value):
            continue
        try:
            numbers = np.unique(np.asarray(value))
        except (TypeError, ValueError):
            continue
        if numbers.size and np.issubdtype(numbers.dtype, np.integer):
            found[name] = [int(number) for number in numbers]
    return found


def runs_of(namespace: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Variables that hold run records, by their name: what made each run, and its key if any."""
    from esp_lib.records.record import RunRecord

    found: dict[str, list[dict[str, Any]]] = {}

    def records(value: Any, key: Any = None, depth: int = 0) -> Iterator[tuple[Any, RunRecord]]:
        if isinstance(value, RunRecord):
            yield key, value
        elif depth < 3 and isinstance(value, Mapping):
            for name, part in value.items():
                yield from records(part, name if depth == 0 else key, depth + 1)
        elif depth < 3 and isinstance(value, list | tuple):
            for part in value:
                yield from records(part, key, depth + 1)

    for name, value in namespace.items():
        if not name.startswith("_") and (own := list(records(value))):
            found[name] = [
                {
                    "key": key if isinstance(key, str) else "",
                    "run": record.label,
                    "seed": record.seed,
                    "device": record.made.get("device", ""),
                    "commit": record.made.get("commit", ""),
                }
                for key, record in own
            ]
    return found


def keys_of(namespace: Mapping[str, Any]) -> dict[str, list[str]]:
    """Variables that hold some, not all, of the keys of a variable with run records."""
    runs = runs_of(namespace)
    every = [{run["key"] for run in own if run["key"]} for own in runs.values()]
    found = {}
    for name, value in namespace.items():
        if isinstance(value, Mapping | list | tuple) and name not in runs:
            texts = [text for text in value if isinstance(text, str)]
            if texts and any(set(texts) < own for own in every) and len(texts) == len(value):
                found[name] = texts
    return found


def _imports(nodes: Iterable[ast.stmt], package: str) -> dict[str, str]:
    """The names that a notebook imports from a package, with what they stand for."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == package:
                    whole = alias.asname is not None
                    found[alias.asname or package] = alias.name if whole else package
    return found


def _look_up(name: str, attributes: Sequence[str] = ()) -> Any:
    """The object of a dotted name, or None."""
    if not name:
        return None
    module, _, last = name.rpartition(".")
    try:
        thing = getattr(import_module(module), last) if module else import_module(name)
    except AttributeError:
        thing = import_module(name)
    except ImportError:
        return None
    for attribute in attributes:
        thing = getattr(thing, attribute, None)
    return thing


def _seeds(node: ast.stmt, imported: Mapping[str, str]) -> set[int]:
    """Literal and default seeds of the calls in a statement."""
    found: set[int] = set()
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        given = [keyword for keyword in call.keywords if keyword.arg == "seed"]
        if given:
            value = given[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, int):
                found.add(value.value)
            continue
        path = dotted(call.func)
        thing = _look_up(imported.get(path[0], "") if path else "", path[1:])
        try:
            default = inspect.signature(thing).parameters["seed"].default
        except (TypeError, ValueError, KeyError):
            continue
        open_ended = any(k.arg is None for k in call.keywords)  # **settings may give one
        if type(default) is int and not open_ended:
            found.add(default)
    return found
