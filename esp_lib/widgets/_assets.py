"""The front end of an explorer as one module, put together from the files in `js/`.

anywidget takes one ES module as text. The files in `js/` are plain modules that import each other
by relative path; here they are written one after the other, each once, dependencies first, and
without the words that only separate files need. So JupyterLab and the built page run the same
text, and neither needs Node. Where a file says `sourceOf("x.js")`, it gets the text of x.js put
together in the same way, to start a worker from it.
"""

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"\./([\w.]+)";\n', re.MULTILINE)
SOURCE = re.compile(r'sourceOf\("([\w.]+)"\)')
EXPORT = re.compile(r"^export (?=(?:async )?function|const|let|class)", re.MULTILINE)


def collect(name: str, done: list[str]) -> list[str]:
    """`name` and what it imports, dependencies first, without those already in `done`."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for dependency in IMPORT.findall(text):
        if dependency not in done:
            collect(dependency, done)
    if name not in done:
        done.append(name)
    return done


def bundle(name: str) -> str:
    """The module `name` with everything that it imports, as one text."""
    texts = ((FOLDER / part).read_text(encoding="utf-8") for part in collect(name, []))
    return "\n".join(_check_names(EXPORT.sub("", IMPORT.sub("", text))) for text in texts)


def _check_names(text: str) -> str:
    if re.search(r"^import\b", text, re.MULTILINE):
        raise ValueError(f'only `import {{…}} from "./file.js"` can be bundled, got {text[:200]!r}')
    return text


@cache
def front_end(name: str) -> str:
    """The module of an explorer, with the source of the worker that it starts, if any."""
    return SOURCE.sub(lambda match: json.dumps(bundle(match[1])), bundle(name))


@cache
def style() -> str:
    """The style sheet of all explorers."""
    sheets = ("explorer.css", "your_run.css")
    return "\n".join((FOLDER.parent / sheet).read_text(encoding="utf-8") for sheet in sheets)
