"""The front end of an explorer as one module, put together from the package's JavaScript files.

anywidget takes one ES module as text. The files, each beside the Python that it twins, are plain
modules that import each other by relative path; here they are written one after the other, each
once, dependencies first, each in a scope of its own. So JupyterLab and the built page run the same
text, and neither needs Node. Where a file says `sourceOf("./x.js")`, it gets the text of x.js put
together in the same way, to start a worker from it.

A module's name is its path in the package, e.g. "sawtooth/measurement.js".
"""

import json
import posixpath
import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
IMPORT = re.compile(r'^import\s+\{([^}]*)\}\s+from\s+"(\.[\w./]+)";\n', re.MULTILINE)
DATA = re.compile(
    r'^import (\w+) from "(\.[\w./]+\.json)" with \{ type: "json" \};\n', re.MULTILINE
)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)
SOURCE = re.compile(r'sourceOf\("(\.[\w./]+)"\)')
STYLES = ("front/explorer.css", "your_run/your_run.css", "maps/maps.css", "predict/predict.css")


def collect(name: str, done: list[str]) -> list[str]:
    """`name` and what it imports, dependencies first, without those already in `done`."""
    for _, path in IMPORT.findall(_read(name)):
        if (dependency := _named(path, name)) not in done:
            collect(dependency, done)
    if name not in done:
        done.append(name)
    return done


def bundle(name: str) -> str:
    """The module `name` with everything that it imports, as one text."""
    *dependencies, _ = collect(name, [])
    return "\n".join([*map(_scoped, dependencies), _linked(name)])


def data_files(name: str) -> list[str]:
    """The JSON files that the module `name` and what it imports read."""
    return [
        _named(path, part) for part in collect(name, []) for _, path in DATA.findall(_read(part))
    ]


def _read(name: str) -> str:
    return (PACKAGE / name).read_text(encoding="utf-8")


def _named(path: str, importer: str) -> str:
    """The name of the module that `importer` calls `path`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


def _scoped(name: str) -> str:
    """A module as a constant that holds its exports."""
    exports = ", ".join(EXPORT.findall(_read(name)))
    return f"const {_constant(name)} = (() => {{\n{_linked(name)}return {{ {exports} }};\n}})();"


def _constant(name: str) -> str:
    return re.sub(r"\W", "_", name)  # logs/table.js: logs_table_js


def _linked(name: str) -> str:
    """A module's text that takes its imports from those constants; a default export stays."""
    text = IMPORT.sub(
        lambda match: (
            f"const {{{match[1].replace(' as ', ': ')}}} = {_constant(_named(match[2], name))};\n"
        ),
        EXPORT.sub("", _read(name)),
    )
    text = DATA.sub(
        lambda match: f"const {match[1]} = {_read(_named(match[2], name)).rstrip()};\n", text
    )
    if wrong := re.search(r"^(import|export (?!default))\b.*", text, re.MULTILINE):
        raise ValueError(
            'only `import {…} from "./file.js"`, data from "./file.json" and exports of '
            f"functions, constants and classes can be bundled, got {wrong[0]!r}"
        )
    return SOURCE.sub(lambda match: json.dumps(bundle(_named(match[1], name))), text)


@cache
def front_end(name: str) -> str:
    """The module of an explorer, with the source of the worker that it starts, if any."""
    return bundle(name)


@cache
def style() -> str:
    """The style sheet of all explorers."""
    folder = PACKAGE / "widgets"
    return "\n".join((folder / sheet).read_text(encoding="utf-8") for sheet in STYLES)
