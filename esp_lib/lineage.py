"""Where a figure of a notebook comes from: functions, parameters and seeds, read off its code.

The statement that shows a figure is traced backwards through the notebook: a statement belongs to
the figure if it writes a name that a later one of the figure's reads. This is a static backward
slice (M. Weiser, Program slicing, IEEE Trans. Softw. Eng. 10(4), 1984), over whole statements of
the notebook's top level; a call of a method, or an assignment to a part, counts as writing.
"""

import ast
import inspect
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Lineage:
    """What a figure is made of.

    Attributes:
        functions: of this library, with module, e.g. "esp_lib.quadratic.simulate", sorted.
        names: all variables of the notebook that the figure depends on.
        seeds: literal or default seeds of the calls, e.g. 0 for `simulate(problem, rule)`.
    """

    functions: tuple[str, ...]
    names: frozenset[str]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class _Step:
    """A statement of the notebook."""

    node: ast.stmt
    reads: frozenset[str]
    writes: frozenset[str]
    sets: frozenset[str]  # those of `writes` that it replaces as a whole


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
    steps = [_step(node, modules) for node in nodes]
    taken = [steps[-1]]
    needed, names = set(steps[-1].reads), set(steps[-1].reads)
    for step in reversed(steps[:-1]):
        if step.writes & needed:
            taken.append(step)
            needed = (needed - step.sets) | step.reads
            names |= step.reads | step.writes
    imported = _imports(nodes, package)
    found: set[str] = set()
    seeds: set[int] = set()
    for step in taken:
        for node in ast.walk(step.node):
            if not isinstance(node, ast.Name | ast.Attribute):
                continue
            path = _dotted(node)
            thing = _look_up(imported.get(path[0], "") if path else "", path[1:])
            home, name = (getattr(thing, key, "") for key in ("__module__", "__qualname__"))
            if callable(thing) and name and home.split(".")[0] == package:
                found.add(f"{home}.{name}")
        seeds |= _seeds(step.node, imported)
    return Lineage(tuple(sorted(found)), frozenset(names - modules), tuple(sorted(seeds)))


def seeds_of(namespace: Mapping[str, Any]) -> dict[str, list[int]]:
    """Variables that hold seeds, by their name, with their distinct values, sorted."""
    import numpy as np

    found = {}
    for name, value in namespace.items():
        if "seed" not in name.lower() or name.startswith(("_", "num_")) or callable(value):
            continue
        try:
            numbers = np.unique(np.asarray(value))
        except (TypeError, ValueError):
            continue
        if numbers.size and np.issubdtype(numbers.dtype, np.integer):
            found[name] = [int(number) for number in numbers]
    return found


def runs_of(namespace: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Variables that hold run records, by their name: what made each run."""
    from esp_lib.runs import RunRecord

    found: dict[str, list[dict[str, Any]]] = {}

    def records(value: Any, depth: int = 0) -> Iterator[RunRecord]:
        if isinstance(value, RunRecord):
            yield value
        elif depth < 3 and isinstance(value, Mapping):
            for part in value.values():
                yield from records(part, depth + 1)
        elif depth < 3 and isinstance(value, list | tuple):
            for part in value:
                yield from records(part, depth + 1)

    for name, value in namespace.items():
        if not name.startswith("_") and (own := list(records(value))):
            found[name] = [
                {
                    "run": record.label,
                    "seed": record.seed,
                    "device": record.made.get("device", ""),
                    "commit": record.made.get("commit", ""),
                }
                for record in own
            ]
    return found


def _step(node: ast.stmt, modules: frozenset[str]) -> _Step:
    """What a statement reads and writes; what is imported stays as it is."""
    scope = symtable.symtable(ast.unparse(node), "cell", "exec")
    assigned = {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_assigned()}
    reads = _global_reads(scope)
    changed: set[str] = set()
    for part in [] if isinstance(node, ast.FunctionDef | ast.ClassDef) else ast.walk(node):
        targets: list[ast.expr] = []
        if isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
            targets = [part]
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            # ax.plot(x) changes ax, and so may draw(ax, x)
            call = part.value
            targets = [call.func] if isinstance(call.func, ast.Attribute) else []
            if not targets or set(_dotted(call.func)[:1]) <= modules:
                targets = [a for a in call.args[:1] if isinstance(a, ast.Name)]
        changed |= {path[0] for target in targets if (path := _dotted(target))}
    if isinstance(node, ast.For):  # the loop's own variables come from nowhere else
        own = {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        reads, changed, sets = reads - own, changed - own, own
    else:
        simple = isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef)
        sets = assigned - reads if simple else set()
    writes = (assigned | changed) - modules
    return _Step(node, frozenset(reads | changed), frozenset(writes), frozenset(sets))


def _global_reads(scope: symtable.SymbolTable, top: bool = True) -> set[str]:
    """The notebook's variables that a piece of code reads, inside its functions too."""
    own = {
        s.get_name() for s in scope.get_symbols() if s.is_referenced() and (top or s.is_global())
    }
    return own.union(*(_global_reads(child, False) for child in scope.get_children()))


def _dotted(node: ast.AST) -> list[str]:
    """The names of `a.b[0].c`, as ["a", "b", "c"]; empty where it does not start with a name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*head, node.attr] if (head := _dotted(node.value)) else []
    if isinstance(node, ast.Subscript):
        return _dotted(node.value)
    return []


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
        path = _dotted(call.func)
        thing = _look_up(imported.get(path[0], "") if path else "", path[1:])
        try:
            default = inspect.signature(thing).parameters["seed"].default
        except (TypeError, ValueError, KeyError):
            continue
        open_ended = any(k.arg is None for k in call.keywords)  # **settings may give one
        if type(default) is int and not open_ended:
            found.add(default)
    return found
