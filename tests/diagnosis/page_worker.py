"""What the page answers to a log, in Node, and whether that is what Python answers."""

import base64
import json
import math
import subprocess
from pathlib import Path

from esp_lib.widgets._assets import bundle

SCRIPT = Path(__file__).parents[1] / "js" / "your_run.mjs"


def page_answers(node, folder, jobs):
    """The worker's answers to some jobs (data, options of `parse_log`, steps per epoch)."""
    rows = [
        {"data": base64.b64encode(data.encode() if isinstance(data, str) else data).decode(),
         "read": read, "stepsPerEpoch": steps}
        for data, read, steps in jobs
    ]  # fmt: skip
    (folder / "worker.js").write_text(bundle("widgets/your_run/worker.js"), encoding="utf-8")
    (folder / "jobs.json").write_text(json.dumps(rows), encoding="utf-8")
    files = [folder / name for name in ("worker.js", "jobs.json", "answers.json")]
    done = subprocess.run([node, SCRIPT, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(files[-1].read_text("utf-8"))


def close(one, other):
    """Whether two JSON values are the same, numbers to a billionth."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (one, other))
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=0.0) if numbers else one == other
