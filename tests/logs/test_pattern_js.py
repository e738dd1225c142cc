"""Patterns for logs in JavaScript, in Node: they mean there what they mean in Python."""

import json
import re
import subprocess

from tests.logs.in_node import compare, read_in_node
from tests.node import module

PATTERN_LINES = (
    "it=3;L=2.5 µ٣\nnoise\nIT=4;L=nan é_é\nit=5;L=2.25e0 {x}\nabc 7 aa-b]c\tq\n7\nL={5\n"
)
PATTERNS = [
    r"L=(\S+)", r"it=(\d+);L=([\d.]+)", r"(?P<loss>[^\W\d]+)",
    r"(?i)IT=(?P<step>\d+).*L=(?P<loss>\w+)",
    r"(?x) it = (?P<step> \d+ ) ; L= # comment" "\n" r"(?P<loss> [\d.]+ )", r"(?a)(?P<loss>\d)$",
    r"(?P<loss>\d)$", r"\A(?P<x>it)=(?P<loss>\d)", r"(?P<loss>7)\b.*\Z",
    r"(?<=L=)(?P<loss>.{1,4}?)5",
    r"(?<!=)(?P<loss>\d)", r"(?P<loss>\d)(?= aa)", r"(?P<loss>\d)(?!\.)", r"it=(?#no)(?P<loss>\d)",
    r"(?:(?P<step>\d)|x)?=?(?P<loss>\d)", r"(?P<loss>[]3-5])", r"(?P<loss>[\x30-\x39]) aa[-]b\]",
    r"(?P<loss>\d)e0 {x}", r"L=(?P<loss>\d{1,2}.\d{,3})", r"(?P<loss>\d)\u00e9|(?P<step>\d)\t?",
    r"(?s)(?P<loss>.)", r"(?m)^(?P<loss>.)$", r"(?P<loss>\d) \b(?P<val_loss>µ)",
    r"\Bt=(?P<loss>\d)",
    r"(?P<loss>\07|\063)", r"(?P<loss>[\W])", r"(?P<Épo>i)t=(?P<loss>\d)", "L={(?P<loss>.)",
    r"(?P<loss>.)|",
    # refused on both sides
    "(", ")", "[", "a**", "*a", "^*", "(?P<loss>a)(?P<loss>b)", "(?P<1>a)", "(?P<loss>a",
    "(?<loss>a)",
    r"(?P<loss>\q)", r"(?P<loss>\x1)", "(?P<loss>[b-a])", r"(?P<loss>[a-\d])", "(?P<loss>a{3,2})",
    "(?<=a*)(?P<loss>b)", "(?P<x>a)", "(a)(b)(c)", "nothing (b)", "\\", "(?P<loss>a)(?i)", "(?z)a",
    "(?", "(?P", r"\N", r"(?P<loss>\400)", "(?P<loss>zzz)", "a{2}{3}", r"\8",
    "x" * 20_000 + "(", "(" * 20_000,
]  # fmt: skip
PYTHON_ONLY = [
    r"(?P<loss>\d)(?P=loss)?", r"(\d)\1?", r"(?P<loss>(?>\d))", r"(?P<loss>\d++)",
    r"(?P<loss>(?i:I)\w)",
    r"(a)?(?P<loss>(?(1)b|\d))", r"(?P<loss>\d)\N{MICRO SIGN}?",
]  # fmt: skip


MATCHES = """import(process.argv[1]).then(({ compilePattern }) => {
  const [patterns, lines] = JSON.parse(process.argv[2]);
  const matches = ({ expression }) => lines.map((line) => expression.exec(line));
  const all = patterns.map((pattern) => matches(compilePattern(pattern)));
  console.log(JSON.stringify(all, (key, value) => value ?? null));
})"""


def test_patterns_match_what_they_match_in_python(node, tmp_path):
    patterns = PATTERNS[: PATTERNS.index("(")]
    lines = PATTERN_LINES.split("\n")
    given = json.dumps([patterns, lines])
    path = module(tmp_path, "logs/pattern.js").as_uri()
    done = subprocess.run(
        [node, "-e", MATCHES, path, given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    matched = 0
    for pattern, found in zip(patterns, json.loads(done.stdout), strict=True):
        expected = [match and [match[0], *match.groups()]
                    for match in (re.search(pattern, line) for line in lines)]  # fmt: skip
        assert found == expected, pattern
        matched += any(expected)
    assert matched > 0.9 * len(patterns)


def test_patterns_are_read_or_refused_as_in_python(node, tmp_path):
    jobs = [(PATTERN_LINES, {"pattern": pattern}) for pattern in PATTERNS]
    read, wrong = compare(node, tmp_path, jobs)
    assert wrong == []
    assert read > 15
    jobs = [(PATTERN_LINES, {"pattern": pattern}) for pattern in PYTHON_ONLY]
    for answer in read_in_node(node, tmp_path, jobs):
        assert re.search("must do without .*, which only the command", answer["error"])
