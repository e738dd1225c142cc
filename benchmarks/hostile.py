"""Attacks in full: wrong calls, broken records, and how many of them broke something.

Run with `python -m benchmarks.hostile`; it prints the table and writes it to
`benchmarks/hostile.md`. The tests run the same attacks in small. A wrong call breaks if it ends in
anything but a result, or a ValueError or TypeError that names the argument, or if it takes more
than 20 s or 1 GiB.
"""

from datetime import UTC, datetime
from pathlib import Path

from esp_lib._environment import commit, versions
from tests.hostile import calls

RANDOM = 5_000  # calls with one or two random hostile values


def attacks() -> list[tuple[str, int, list[str]]]:
    """What was tried, how often, and what broke."""
    one = sum(len(call.arguments) for call in calls.CALLS) * len(calls.HOSTILE)
    return [
        ("calls with one hostile value, each for each argument", one, calls.each()),
        ("calls with one or two hostile values, at random", RANDOM, calls.broken(RANDOM, 0)),
    ]


def main() -> None:
    rows = attacks()
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Attacks: what was tried, and what broke",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {used}. Rewritten by "
        "`python -m benchmarks.hostile`.",
        "",
        "| attack | tried | broke |",
        "|---|---|---|",
        *(f"| {what} | {tried:,} | {len(broke)} |" for what, tried, broke in rows),
    ]
    for _, _, broke in rows:
        lines += [f"- `{line}`" for line in broke]
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
