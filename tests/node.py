"""The package's JavaScript in Node: its modules as files, and scripts that use them."""

import subprocess
from pathlib import Path

from esp_lib.widgets._assets import PACKAGE, collect, data_files

SCRIPTS = Path(__file__).parent / "js"


def module(folder: Path, name: str) -> Path:
    """A module of the package, e.g. "logs/read.js", with what it imports, as Node can import it."""
    (folder / "package.json").write_text('{"type": "module"}')
    for part in [*collect(name, []), *data_files(name)]:
        place = folder / part
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text((PACKAGE / part).read_text("utf-8"), "utf-8")
    return folder / name


def run_node(node: str, script: str, *arguments: object) -> str:
    """What a script of `tests/js` prints."""
    done = subprocess.run(
        [node, SCRIPTS / script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
