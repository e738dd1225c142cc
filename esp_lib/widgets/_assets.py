"""The front end of an explorer as one module, put together from the files in `js/`.

anywidget takes one ES module as text. The files in `js/` are plain modules that import each other
by relative path; here they are written one after the other, each once, dependencies first, and
without the words that only separate files need. So JupyterLab and the built page run the same
text, and neither needs Node.
"""

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"\./([\w.]+)";\n', re.MULTILINE)
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
    """The module of an explorer, with the worker's source in it where it is used."""
    text = bundle(name)
    if "WORKER_SOURCE" in text:
        text = f"const WORKER_SOURCE = {json.dumps(bundle('worker.js'))};\n{text}"
    return text


@cache
def style() -> str:
    """The style sheet of all explorers."""
    return (FOLDER.parent / "explorer.css").read_text(encoding="utf-8")
