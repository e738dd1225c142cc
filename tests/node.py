"""The package's JavaScript in Node: its modules as files, and scripts that use them."""

import json
import subprocess
from pathlib import Path
from typing import Any

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


def ask(node: str, folder: Path, script: str, job: object, *modules: str) -> Any:
    """The answer of a script of `tests/js` to a job, about modules of the package."""
    for name in modules:
        module(folder, name)
    done = subprocess.run(
        [node, SCRIPTS / "run.mjs", script, folder],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def evaluate(node: str, path: Path, code: str, *arguments: object) -> Any:
    """The value, in JSON's types, of JavaScript about a module `m` and the arguments `args`."""
    script = f"""import({path.as_uri()!r}).then((m) => {{
      const args = process.argv.slice(1).map(JSON.parse);
      console.log(JSON.stringify({code}));
    }})"""
    given = map(json.dumps, arguments)
    done = subprocess.run([node, "-e", script, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
