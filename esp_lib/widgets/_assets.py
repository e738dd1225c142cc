"""The front end of an explorer as one module, put together from the files in `js/`.

anywidget takes one ES module as text. The files in `js/` are plain modules that import each other
by relative path; here they are written one after the other, each once, dependencies first, each in
a scope of its own. So JupyterLab and the built page run the same text, and neither needs Node.
Where a file says `sourceOf("x.js")`, it gets the text of x.js put together in the same way, to
start a worker from it.
"""

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
IMPORT = re.compile(r'^import\s+\{([^}]*)\}\s+from\s+"\./([\w.]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
SOURCE = re.compile(r'sourceOf\("([\w.]+)"\)')


def collect(name: str, done: list[str]) -> list[str]:
    """`name` and what it imports, dependencies first, without those already in `done`."""
    for _, dependency in IMPORT.findall(_read(name)):
        if dependency not in done:
            collect(dependency, done)
    if name not in done:
        done.append(name)
    return done


def bundle(name: str) -> str:
    """The module `name` with everything that it imports, as one text."""
    *dependencies, _ = collect(name, [])
    return "\n".join([*map(_scoped, dependencies), _linked(_read(name))])


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _scoped(name: str) -> str:
    """A module as a constant that holds its exports."""
    text = _read(name)
    exports = ", ".join(EXPORT.findall(text))
    return f"const {_constant(name)} = (() => {{\n{_linked(text)}return {{ {exports} }};\n}})();"


def _constant(name: str) -> str:
    return name.replace(".", "_")  # chart.js: chart_js


def _linked(text: str) -> str:
    """A module's text that takes its imports from those constants; a default export stays."""
    text = IMPORT.sub(
        lambda match: f"const {{{match[1].replace(' as ', ': ')}}} = {_constant(match[2])};\n",
        EXPORT.sub("", text),
    )
    if wrong := re.search(r"^(import|export (?!default))\b.*", text, re.MULTILINE):
        raise ValueError(
            f'only `import {{…}} from "./file.js"` and exports of functions, constants and classes '
            f"can be bundled, got {wrong[0]!r}"
        )
    return text


@cache
def front_end(name: str) -> str:
    """The module of an explorer, with the source of the worker that it starts, if any."""
    return SOURCE.sub(lambda match: json.dumps(bundle(match[1])), bundle(name))


@cache
def style() -> str:
    """The style sheet of all explorers."""
    sheets = ("explorer.css", "your_run.css", "maps.css")
    return "\n".join((FOLDER.parent / sheet).read_text(encoding="utf-8") for sheet in sheets)
