"""The reference of `esp_lib` in the book, made from its docstrings.

Sphinx's own extensions do the work: autodoc and, for docstrings in Google's style, napoleon
(https://www.sphinx-doc.org/en/master/usage/extensions/napoleon.html). Docstrings are plain text,
with names in `single backticks`; `as_literals` writes them as reStructuredText has it. Fields of a
class are described by the comments beside them, where its docstring does not. Types of
other packages are shown without a link, since that would take their inventories from the network;
one of ours that leads nowhere is a warning, which stops the build.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.typing import stringify_annotation

CODE = re.compile(r"(`+[^`\n]+`+)")
ARRAY = re.compile(
    r"(?:~?numpy\.)?ndarray\[tuple\[(?:~?typing\.)?Any, \.\.\.\], "
    r"(?:~?numpy\.)?dtype\[~?([\w.]+)\]\]"
)
ALIASES = {  # by what they stand for, which is all that is left of them
    stringify_annotation(alias, "smart"): name
    for alias, name in ((str | ArrayLike, "str | ArrayLike"), (ArrayLike, "ArrayLike"))
}
BUILTIN = re.compile(r"<built-in function (\w+)>")
EMPHASIS = re.compile(r"(?<![\w*])(\*\w+\*)(?![\w*])")
MARKUP = re.compile(r"[*|\\]|(?<=\w)_(?!\w)")  # what reStructuredText would take for its own


def configure(app: Sphinx, config: Config) -> None:
    """Complete the configuration (event `config-inited`)."""
    config.autodoc_default_options = {
        "members": True,
        "member-order": "bysource",
        "ignore-module-all": True,  # what a module passes on is described where it is defined
    }
    config.autodoc_typehints_format = "short"
    config.autodoc_class_signature = "mixed"
    config.napoleon_use_ivar = True  # fields are described once, in the list of the class
    config.napoleon_attr_annotations = False  # and their types once, in its signature
    config.napoleon_use_rtype = False
    # not installed where the book is built
    config.autodoc_mock_imports = ["triton", "keras", "lightning", "transformers"]
    config.add_module_names = False
    config.nitpick_ignore_regex = [*config.nitpick_ignore_regex, (r"py:.*", r"(?!esp_lib\b).*")]


def shorten_types(
    app: Sphinx,
    what: str,
    name: str,
    thing: object,
    options: Any,
    signature: str | None,
    result: str | None,
) -> tuple[str | None, str | None]:
    """Write types and defaults as the code does (event `autodoc-process-signature`).

    A signature that is not Python, e.g. by a default `<factory>`, would be shown without links.
    """
    signature, result = _shorten(signature), _shorten(result)
    if signature and inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            if field.init and field.default_factory is not dataclasses.MISSING:
                made = f"{getattr(field.default_factory, '__name__', 'make')}()"
                signature = signature.replace("<factory>", made, 1)
    return signature, result


def _shorten(text: str | None) -> str | None:
    if not text:
        return text
    for long, short in ALIASES.items():
        text = text.replace(long, short)
    return BUILTIN.sub(r"\1", ARRAY.sub(r"NDArray[\1]", text))


def as_literals(
    app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    """Rewrite a docstring as reStructuredText, in place (event `autodoc-process-docstring`)."""
    if what == "class" and not any(line.strip() == "Attributes:" for line in lines):
        notes = field_notes(thing)
        lines += ["", "Attributes:", *(f"    {n}: {text}" for n, text in notes.items())] * bool(
            notes
        )
    example = False
    for index, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = (part for code in CODE.split(line) for part in EMPHASIS.split(code))
            lines[index] = "".join(map(_escape, parts))


def field_notes(thing: object) -> dict[str, str]:
    """The comments that end the lines of a class's fields, by the fields' names."""
    source = textwrap.dedent(inspect.getsource(thing)) if inspect.isclass(thing) else "pass"
    notes = {}
    for node in getattr(ast.parse(source).body[0], "body", []):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            line = source.splitlines()[(node.end_lineno or node.lineno) - 1]
            comment = line.encode()[node.end_col_offset :].decode().strip()  # columns are bytes
            if comment.startswith("# ") and not node.target.id.startswith("_"):
                notes[node.target.id] = comment.removeprefix("# ")
    return notes


def leave_out(
    app: Sphinx, what: str, name: str, thing: object, skip: bool, options: Any
) -> bool | None:
    """Skip the fields of named tuples, which say no more than their numbers."""
    text = str(getattr(thing, "__doc__", "") or "")
    return True if text.startswith("Alias for field number") else None


def _escape(part: str) -> str:
    """Code as a literal, words in emphasis as they are, text with its marks escaped."""
    if CODE.fullmatch(part):
        return f"``{part.strip('`')}``"
    if EMPHASIS.fullmatch(part):
        return part
    return MARKUP.sub(lambda mark: "\\" + mark[0], part)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what the reference needs."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("config-inited", configure)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-docstring", as_literals, priority=400)  # before napoleon
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
