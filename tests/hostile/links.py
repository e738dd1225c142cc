"""Links to an explorer, mangled at random: what one may set is a setting that Python accepts."""

import random
from dataclasses import asdict

from esp_lib.widgets import sawtooth
from esp_lib.widgets.fields import check_settings
from tests.node import ask

LINK = "#why?order=fixed&&sawtooth?beta2=0.8&eps=1e-5&order=reverse&batch_size=200&pin.lr=0.01"
EXTRAS = [*"&=?#%+-.,;'\"<>\\/ ", "&&", "%E0%A4%A", "%00", "NaN", "1e999", "-1", "0x10", "pin.",
          "__proto__=1", "constructor=1", "\u2212", "\u0661", "\U0001f600", "9" * 400]  # fmt: skip


def mangled(count, seed):
    """`count` links with parts cut out, doubled, moved or put in."""
    rng = random.Random(seed)
    for _ in range(count):
        link = LINK
        for _ in range(rng.randrange(1, 6)):
            at, end = sorted(rng.randrange(len(link) + 1) for _ in range(2))
            part = rng.choice(["", link[at:end] * 2, rng.choice(EXTRAS), rng.choice(EXTRAS)])
            link = link[:at] + part + link[min(end, at + rng.randrange(12)) :]
        yield link


def broken_links(node, folder, count, seed):
    """Lines about links that end neither in good settings nor in a sentence, and how many did."""
    links = list(mangled(count, seed))
    job = {
        "name": "sawtooth", "fields": [asdict(field) for field in sawtooth.FIELDS],
        "settings": sawtooth.DEFAULTS, "links": links,
    }  # fmt: skip
    broken, ends = [], {"read": 0, "refused": 0, "of others": 0}
    answers = ask(node, folder, "links", job, "widgets/front/settings.js")
    for link, found in zip(links, answers, strict=True):
        if found is None:
            ends["of others"] += 1
        elif "refused" in found:
            ends["refused"] += 1
            if not found["refused"].startswith("RangeError: "):
                broken.append(f"{link}: {found['refused']}")
        else:
            ends["read"] += 1
            for settings in filter(None, (found["settings"], found["pinned"])):
                try:
                    check_settings(sawtooth.FIELDS, settings, sawtooth.DEFAULTS)
                except (ValueError, TypeError) as error:
                    broken.append(f"{link}: {error}")
    return broken, ends
