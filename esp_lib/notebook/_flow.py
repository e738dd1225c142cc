"""Which names a piece of Python code reads, writes, and sets anew.

Read is what a name held before; what the code itself assigns first is its own. This is the local
step of a live-variable analysis (A. Aho, M. Lam, R. Sethi, J. Ullman, Compilers, 2nd ed., 9.2.5)
over the syntax tree. Loops are taken to run at least once. A call of a method, or an assignment to
a part, writes without setting anew.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

Names = frozenset[str]
NONE: Names = frozenset()


@dataclass(frozen=True)
class Flow:
    """What becomes of names."""

    reads: Names = NONE  # as they were before
    writes: Names = NONE
    sets: Names = NONE  # those of `writes` of which nothing is left

    def then(self, other: "Flow") -> "Flow":
        """This first and then the other."""
        reads = self.reads | (other.reads - self.sets)
        return Flow(reads, self.writes | other.writes, self.sets | other.sets)

    def either(self, other: "Flow") -> "Flow":
        """One of both."""
        return Flow(self.reads | other.reads, self.writes | other.writes, self.sets & other.sets)


def flow(nodes: Iterable[ast.stmt], fixed: Names = NONE) -> Flow:
    """What statements do, one after the other.

    Args:
        nodes: the statements.
        fixed: names that calls leave as they are, such as modules.
    """
    whole = Flow()
    for node in nodes:
        whole = whole.then(_statement(node, fixed))
    return whole


def _statement(node: ast.stmt, fixed: Names) -> Flow:
    if isinstance(node, ast.For):
        body = flow(node.body, fixed)
        drawn = _sources(node.target, node.iter, body.writes - body.sets)
        items = _value(node.iter).then(_target(node.target)).then(body)
        return items.then(flow(node.orelse, fixed)).then(Flow(NONE, drawn))
    if isinstance(node, ast.While):
        return _value(node.test).then(flow([*node.body, *node.orelse], fixed))
    if isinstance(node, ast.If):
        branches = flow(node.body, fixed).either(flow(node.orelse, fixed))
        return _value(node.test).then(branches)
    if isinstance(node, ast.With):
        head = Flow()
        for item in node.items:
            head = head.then(_value(item.context_expr))
            head = head.then(_target(item.optional_vars)) if item.optional_vars else head
        return head.then(flow(node.body, fixed))
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return Flow(free(node), frozenset([node.name]), frozenset([node.name]))
    if isinstance(node, ast.Assign):
        whole = _value(node.value)
        for target in node.targets:
            whole = whole.then(_target(target))
        return whole
    if isinstance(node, ast.AnnAssign):
        return _value(node.value).then(_target(node.target)) if node.value else Flow()
    if isinstance(node, ast.AugAssign):
        own = frozenset(dotted(node.target)[:1])
        return _value(node.value).then(Flow(own | free(node.target), own))
    if isinstance(node, ast.Expr):
        return _value(node.value).then(Flow(NONE, _changed(node.value, fixed)))
    if isinstance(node, ast.Import | ast.ImportFrom):
        return Flow()
    inner = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)]
    return Flow(free(node), frozenset(_stored(node)) | flow(inner, fixed).writes)


def _value(node: ast.expr) -> Flow:
    """What an expression does; names that it gives with := are its own."""
    own = frozenset(_stored(node))
    return Flow(free(node) - own, own, own)


def _target(node: ast.expr) -> Flow:
    """An assignment to a name, to a part of one, or to several of these."""
    if isinstance(node, ast.Name):
        return Flow(NONE, frozenset([node.id]), frozenset([node.id]))
    if isinstance(node, ast.Tuple | ast.List):
        whole = Flow()
        for part in node.elts:
            whole = whole.then(_target(part))
        return whole
    if isinstance(node, ast.Starred):
        return _target(node.value)
    return Flow(free(node), frozenset(dotted(node)[:1]))


def _changed(node: ast.expr, fixed: Names) -> Names:
    """What a call changes: ax in `ax.plot(x)`, and in `draw(ax, x)` too."""
    if not isinstance(node, ast.Call):
        return NONE
    base = dotted(node.func)[:1] if isinstance(node.func, ast.Attribute) else []
    if base and not set(base) <= fixed:
        return frozenset(base)
    return frozenset(part.id for part in node.args[:1] if isinstance(part, ast.Name)) - fixed


def _sources(target: ast.expr, values: ast.expr, changed: Names) -> Names:
    """The names behind a loop's variables that its body changes: `for ax in (left, right): ...`."""
    if isinstance(target, ast.Name) and target.id in changed:
        parts = values.elts if isinstance(values, ast.Tuple | ast.List) else [values]
        return frozenset(part.id for part in parts if isinstance(part, ast.Name))
    found: set[str] = set()
    if isinstance(target, ast.Tuple) and isinstance(values, ast.Tuple | ast.List):
        for row in values.elts:
            if isinstance(row, ast.Tuple) and len(row.elts) == len(target.elts):
                for one, value in zip(target.elts, row.elts, strict=True):
                    found |= _sources(one, value, changed) if isinstance(value, ast.Name) else set()
    return frozenset(found)


def free(node: ast.AST) -> Names:
    """The names that code looks up outside itself, in its functions and comprehensions too."""
    if isinstance(node, ast.Name):
        return frozenset([node.id]) if isinstance(node.ctx, ast.Load) else NONE
    if isinstance(node, COMPREHENSIONS):
        own: Names = NONE
        found: Names = NONE
        for part in node.generators:
            found |= free(part.iter) - own
            own |= frozenset(_stored(part.target))
            found |= frozenset().union(*map(free, part.ifs)) - own
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return found | (frozenset().union(*map(free, values)) - own)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = [part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)]
        inside = node.body if isinstance(node.body, list) else [node.body]
        around = [part for part in ast.iter_child_nodes(node) if part not in inside]
        own = frozenset([*arguments, *(name for part in inside for name in _stored(part))])
        return frozenset().union(*map(free, around)) | (frozenset().union(*map(free, inside)) - own)
    return frozenset().union(*map(free, ast.iter_child_nodes(node)))


def _stored(node: ast.AST) -> Iterator[str]:
    """The names that code gives in its own scope."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, DEFINITIONS):
        yield node.name
    if isinstance(node, (*DEFINITIONS, *COMPREHENSIONS, ast.Lambda)):
        return
    for part in ast.iter_child_nodes(node):
        yield from _stored(part)


def dotted(node: ast.AST) -> list[str]:
    """The names of `a.b[0].c`, as ["a", "b", "c"]; empty where it does not start with a name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*head, node.attr] if (head := dotted(node.value)) else []
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    return []
