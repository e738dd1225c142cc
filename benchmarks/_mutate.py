"""Small wrong changes of Python source, one at a time: the mutants of mutation testing.

Source: DeMillo, Lipton and Sayward, "Hints on test data selection" (Computer 11(4), 1978, doi
10.1109/C-M.1978.218136). A mutant that no test notices points at something untested, unless it
means the same as the original.

Changed are operators, comparisons, numbers, signs, dropped terms and statements, and pairs of
functions such as max and min, in the bodies of functions and in the numbers that a module defines.
Left alone are texts, annotations, defaults, the messages of errors and `zip`'s `strict=True`, which
asserts.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip
TWINS = {
    "max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "ceil": "floor",
    "floor": "ceil", "zeros": "ones", "ones": "zeros", "argmax": "argmin",
}  # fmt: skip
NEEDLESS = ("sqrt", "abs", "sign", "nan_to_num")  # replaced by their first argument
SKIPPED = (ast.JoinedStr, ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        where: the function, e.g. "Adam.update"; "" at the top of the module.
        line: of the change, from 1.
        change: the line, what changes in «», and what comes in its place: "c = «a + b» -> a - b".
        source: the whole module with the change.
        copy: 1, and more for changes that are the same in another line of the function.
    """

    where: str
    line: int
    change: str
    source: str
    copy: int = 1

    @property
    def name(self) -> str:
        """The mutant without its line, which moves: "Adam.update: c = «a + b» -> a - b"."""
        name = f"{self.where or 'module'}: {self.change}"
        return name if self.copy == 1 else f"{name} ({self.copy})"


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its text; their names differ."""
    made = [
        _mutant(source, where, node, text)
        for where, top in _bodies(ast.parse(source), "")
        for node in _nodes(top)
        for text in _changes(node)
    ]
    found: Counter[str] = Counter()
    numbered = []
    for mutant in sorted(made, key=lambda mutant: mutant.line):
        found[mutant.name] += 1
        numbered.append(replace(mutant, copy=found[mutant.name]))
    return numbered


def _bodies(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """The statements that are changed, each with the function that it is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            inside = f"{where}.{child.name}".lstrip(".")
            yield from ((inside, part) for part in _own(child))
            yield from _bodies(child, inside)
        elif isinstance(child, ast.Assign) and isinstance(node, ast.Module):
            yield "", child


def _own(node: ast.ClassDef | ast.FunctionDef) -> list[ast.stmt]:
    """A function's statements without its text and inner functions; none of a class."""
    if isinstance(node, ast.ClassDef):
        return []
    return [part for part in node.body if not isinstance(part, ast.FunctionDef)]


def _nodes(top: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement that may be changed."""
    if isinstance(top, SKIPPED) or (isinstance(top, ast.keyword) and top.arg == "strict"):
        return
    yield top
    for name, value in ast.iter_fields(top):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _changes(node: ast.AST) -> Iterator[str]:
    """What may stand in a node's place."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in OPERATORS:
                yield ast.unparse(ast.BinOp(left, OPERATORS[type(op)](), right))
            if isinstance(op, ast.Add | ast.Sub):
                yield ast.unparse(left)
        case ast.AugAssign(target, op, value):
            if type(op) in OPERATORS:
                yield ast.unparse(ast.AugAssign(target, OPERATORS[type(op)](), value))
            yield "pass"
        case ast.Compare(left, [op], [right]) if type(op) in COMPARISONS:
            yield ast.unparse(ast.Compare(left, [COMPARISONS[type(op)]()], [right]))
        case ast.BoolOp(op, values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield ast.unparse(ast.BoolOp(other, values))
        case ast.UnaryOp(ast.USub() | ast.Invert() | ast.Not(), operand):
            yield ast.unparse(operand)
        case ast.IfExp(test, body, orelse):
            yield ast.unparse(ast.IfExp(test, orelse, body))
        case ast.Constant(bool() as value):
            yield str(not value)
        case ast.Constant(int() as value):
            yield str(value + 1)
        case ast.Constant(float() as value):
            yield repr(2 * value or 1.0)
        case ast.Call():
            yield from _calls(node)


def _calls(node: ast.Call) -> Iterator[str]:
    """Another function in place of one, its argument in its place, two arguments exchanged."""
    function, arguments = node.func, node.args
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in TWINS:
        other = TWINS[name]
        new: ast.expr = ast.Name(other)
        if isinstance(function, ast.Attribute):
            new = ast.Attribute(function.value, other)
        yield ast.unparse(ast.Call(new, arguments, node.keywords))
    if name in NEEDLESS and arguments:
        yield ast.unparse(arguments[0])
    if name == "where" and len(arguments) == 3:
        yield ast.unparse(ast.Call(function, [arguments[0], arguments[2], arguments[1]], []))


def _mutant(source: str, where: str, node: ast.AST, text: str) -> Mutant:
    """The module with `text` in the node's place."""
    assert isinstance(node, ast.expr | ast.stmt)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    content = source.encode()  # columns count bytes
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    begin = starts[node.lineno - 1] + node.col_offset
    end = starts[node.end_lineno - 1] + node.end_col_offset
    new = f"({text})" if isinstance(node, ast.expr) else text
    changed = content[:begin] + new.encode() + content[end:]
    if node.lineno == node.end_lineno:
        before, after = content[starts[node.lineno - 1] : begin], content[end : starts[node.lineno]]
        rest = after.decode().partition("  #")[0].rstrip()  # without the comment
        old = f"{before.decode().lstrip()}«{content[begin:end].decode()}»{rest}"
    else:
        old = f"«{ast.unparse(node)}»"
    return Mutant(where, node.lineno, f"{old} -> {text}", changed.decode())
