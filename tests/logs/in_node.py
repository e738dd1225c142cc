"""Logs read by the page and by the library, and what the two must have in common."""

import base64
import json
import random
from itertools import starmap

from esp_lib.logs.formats import LogError
from esp_lib.logs.log import Log
from esp_lib.logs.read import parse_log
from tests.node import module, run_node

# Refusals in the words of a library, which are others in JavaScript.
OWN_WORDS = (
    "the text begins as JSON",
    "“Pattern” must",
    "the JSON is nested",
    "the file cannot be",
)


CHOICES = {
    "column": "column", "validation_column": "validationColumn", "pattern": "pattern",
    "log_every": "logEvery", "run": "run",
}  # fmt: skip


def listed(values):
    """An array as JSON has it: NaN is None."""
    return None if values is None else [None if x != x else x for x in values.tolist()]


def as_json(log: Log) -> dict[str, object]:
    """A log under the names of JavaScript."""
    valid = log.validation and dict(
        zip(("steps", "losses"), map(listed, log.validation), strict=True)
    )
    return {
        "steps": listed(log.steps), "loss": listed(log.loss), "epochs": listed(log.epochs),
        "validation": valid, "learningRate": listed(log.learning_rate),
        "stepsPerEpoch": log.steps_per_epoch, "stepsPerEpochError": log.steps_per_epoch_error,
        "interval": log.interval, "averaged": log.averaged, "source": log.source,
        "notes": list(log.notes), "leftOut": log.left_out, "runs": list(log.runs),
    }  # fmt: skip


def read_in_python(data, choices):
    """The log as `as_json`, or {"error": message}."""
    try:
        return as_json(parse_log(data, voice="page", **choices))
    except LogError as error:
        return {"error": str(error)}


def read_in_node(node, folder, jobs):
    """The logs of all jobs (data, choices), read by one process."""
    rows = [
        ({"text": data} if isinstance(data, str) else {"base64": base64.b64encode(data).decode()},
         {CHOICES[name]: value for name, value in choices.items()})
        for data, choices in jobs
    ]  # fmt: skip
    (folder / "jobs.json").write_text(json.dumps(rows))
    run_node(node, "logs.mjs", module(folder, "logs/read.js"), folder / "jobs.json", folder / "out")
    return json.loads((folder / "out").read_text("utf8"), parse_int=float)


def same(expected, found):
    """Whether both are the same log, bit for bit, or both refused, in the same words if ours."""
    if "error" not in expected:
        return expected == found
    if expected["error"].startswith(OWN_WORDS):
        return "error" in found
    return expected == found


def compare(node, folder, jobs):
    """Read all jobs on both sides.

    Returns:
        How many were read, and the jobs on which the sides differ, with what they say.
    """
    expected = list(starmap(read_in_python, jobs))
    found = read_in_node(node, folder, jobs)
    wrong = [
        (data[:300], choices, *({k: one.get(k) for k in one if one[k] != other.get(k)}
         for one, other in ((a, b), (b, a))))
        for (data, choices), a, b in zip(jobs, expected, found, strict=True)
        if not same(a, b)
    ]  # fmt: skip
    return sum("error" not in one for one in expected), wrong


def mangled(contents, count, seed):
    """`count` files with bytes cut out, flipped, doubled, inserted, spliced, or all random."""
    rng = random.Random(seed)
    extras = [b"\x00", b"\xff\xfe", b"1e999", b'"', b"{", b"[[", b"nan,", b"-1", b"9" * 400,
              b"\n\n", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"\x1c", b"\xc2\xa0",
              b",", b";",
              b"\t", b"NaN", b"-Infinity", b"#", b" - ", b"loss", b"val_loss", b"epoch", b"\\",
              b"null",
              b"\r", b"0", b".", b"_", b"1e-3", b"[1]", b"{}", b"true"]  # fmt: skip
    for trial in range(count):
        if trial % 20 == 0:
            alphabet = rng.choice(
                [bytes(range(256)), b'0123456789.,;\t \n#"-eE', b'{}[]",:\\NaN1 loss\n']
            )
            yield bytes(rng.choices(alphabet, k=rng.randrange(1, 400)))
            continue
        data = bytearray(rng.choice(contents)[: rng.choice([100, 300, 3_000, 30_000])])
        for _ in range(rng.randrange(1, 8)):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(6):
                case 0:
                    data[at : at + rng.randrange(1, 200)] = b""
                case 1 if data:
                    data[at % len(data)] ^= 1 << rng.randrange(8)
                case 2:
                    data[at:at] = data[at : at + rng.randrange(1, 500)]
                case 3:
                    other = rng.choice(contents)
                    begin = rng.randrange(len(other))
                    data[at:] = other[begin : begin + rng.randrange(1, 1_000)]
                case _:
                    data[at:at] = rng.choice(extras)
        yield bytes(data)
