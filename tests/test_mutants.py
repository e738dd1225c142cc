"""The mutation benchmark itself: which changes it makes, and that it tells dead from alive."""

import multiprocessing
import os

import pytest

from benchmarks._equivalent import EQUIVALENT
from benchmarks._mutate import mutants_of
from benchmarks.mutants import ROOT, TARGETS, Target, judge

SOURCE = '''"""A text with 1 + 1 in it."""
LIMIT = 0


def above(x, limit=1):
    """The larger of x and the limit: max(x, 1)."""
    if not isinstance(x, int):
        raise ValueError(f"x must be an integer, got {x + 1}")
    return LIMIT if x < LIMIT else x
'''
TEST = """from esp_lib.tiny import above

def test_above():
    assert [above(x) for x in (-1, 0, 2)] == [0, 0, 2]
"""


def changes(source: str) -> list[str]:
    return [mutant.change for mutant in mutants_of(source)]


def test_texts_defaults_and_errors_are_left_alone():
    assert changes(SOURCE) == [
        "LIMIT = «0» -> 1",
        "if «not isinstance(x, int)»: -> isinstance(x, int)",
        "return «LIMIT if x < LIMIT else x» -> x if x < LIMIT else LIMIT",
        "return LIMIT if «x < LIMIT» else x -> x <= LIMIT",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a + b", ["«a + b» -> a - b", "«a + b» -> a"]),
        ("a ** 2", ["«a ** 2» -> a * 2", "a ** «2» -> 3"]),
        ("-a", ["«-a» -> a"]),
        ("a and b", ["«a and b» -> a or b"]),
        ("0.5 * a", ["«0.5 * a» -> 0.5 / a", "«0.5» * a -> 1.0"]),
        ("np.sqrt(a)", ["«np.sqrt(a)» -> a"]),
        ("np.maximum(a, b)", ["«np.maximum(a, b)» -> np.minimum(a, b)"]),
        ("np.where(a, b, c)", ["«np.where(a, b, c)» -> np.where(a, c, b)"]),
        ("zip(a, b, strict=True)", []),
    ],
)
def test_what_a_change_is(line, expected):
    assert changes(f"def f(a, b, c):\n    {line}\n") == expected


def test_a_mutant_differs_in_one_place_and_compiles():
    source = "def é(a):\n    a += 1\n    return 'é', a * 2\n"  # columns count bytes
    made = mutants_of(source)
    assert [mutant.name for mutant in made] == [
        "é: «a += 1» -> a -= 1",
        "é: «a += 1» -> pass",
        "é: a += «1» -> 2",
        "é: return 'é', «a * 2» -> a / 2",
        "é: return 'é', a * «2» -> 3",
    ]
    for mutant in made:
        compile(mutant.source, "mutant", "exec")
        pairs = zip(source.splitlines(), mutant.source.splitlines(), strict=True)
        assert [k for k, (a, b) in enumerate(pairs, 1) if a != b] == [mutant.line]


def test_equal_lines_are_told_apart():
    names = [mutant.name for mutant in mutants_of("def f(a):\n    -a\n    -a\n")]
    assert names == ["f: «-a» -> a", "f: «-a» -> a (2)"]


@pytest.mark.skipif(os.name != "posix", reason="limits processor time as POSIX does")
def test_a_wrong_change_is_killed_and_an_equivalent_one_lives(tmp_path):
    (tmp_path / "esp_lib").mkdir()
    (tmp_path / "esp_lib" / "__init__.py").write_text("")
    (tmp_path / "test_tiny.py").write_text(TEST)
    context = multiprocessing.get_context("forkserver")
    found = {}
    for mutant in mutants_of(SOURCE)[2:]:
        (tmp_path / "esp_lib" / "tiny.py").write_text(mutant.source)
        found[mutant.change] = judge(context, tmp_path, Target(("test_tiny.py",)))
    assert found == {
        "return «LIMIT if x < LIMIT else x» -> x if x < LIMIT else LIMIT": "test_above",
        "return LIMIT if «x < LIMIT» else x -> x <= LIMIT": None,
    }


def test_what_is_called_equivalent_is_a_mutant():
    names = {
        f"{module}, {mutant.name}"
        for module in TARGETS
        for mutant in mutants_of((ROOT / "esp_lib" / f"{module}.py").read_text("utf8"))
    }
    gone = set(EQUIVALENT) - names
    assert not gone, "the code changed: bring benchmarks/_equivalent.py up to date"
