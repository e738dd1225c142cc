"""How fast and how heavy the explorers are on the built pages, in Chromium.

`python -m benchmarks.explorer [HTML FOLDER]` measures, on a server of this machine,

- latency: from a key press on the beta2 slider to the frame that shows the new curve is painted;
- first curve: from the start of navigation to the first live curve being painted, and the same at
  some distance from the server;
- weight: what the browser receives for the page, each file gzipped at level 6;
- on every page with explorers, with the processor slowed down sixfold as a phone's would be: from
  the start of navigation until the page's scripts have run and the explorers in sight are live;
  from the jump to its last explorer, at once, until that is live; and errors in the console;

prints a table and writes it to `benchmarks/explorer.md`. Chromium is Debian's; `ESP_CHROMIUM`
names another.
"""

import gzip
import os
import statistics
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks._page import made, table, write
from tests.browsing import wait_for_explorers
from tools.print_book import served

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("ESP_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PAGE = "book/index.html"
PRESSES = 60
VISITS = 7
SLOWED = 6  # times
DISTANT = {  # ms, and bytes a second
    "offline": False, "latency": 100, "downloadThroughput": 1e6, "uploadThroughput": 1e6,
}  # fmt: skip
# Of the explorers that are within a screen of what is seen, and not folded away.
IN_SIGHT_LIVE = """() => document.readyState === "complete" &&
  [...document.querySelectorAll(".esp-fallback:not([hidden])")].every((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return !one.checkVisibility() || bottom < -innerHeight || top > 2 * innerHeight;
  })"""
LAST_LIVE = """async () => {
  const figures = [...document.querySelectorAll(".esp-fallback")];
  const last = figures.findLast((one) => !one.closest("details:not([open])"));
  const began = performance.now();
  last.parentElement.scrollIntoView();
  while (!last.hidden) await new Promise((done) => setTimeout(done, 5));
  return (performance.now() - began) / 1000;
}"""
LIVE = "() => document.querySelector('[data-explorer=\"sawtooth\"]')"

# Presses a key, and waits until the state of a later drawing, written after its frame was painted.
PRESS = """
async (presses) => {
  const root = document.querySelector('[data-explorer="sawtooth"]');
  const handle = root.querySelector('.esp-field-beta2 .noUi-handle');
  const times = [];
  for (let k = 0; k < presses; k++) {
    const key = 'ArrowLeft'; // every press asks for a curve that was not computed before
    const drawn = new Promise((done) => {
      const value = () => JSON.parse(root.dataset.state).settings.beta2;
      const before = value();
      const watch = new MutationObserver(() => {
        if (value() === before) return;
        watch.disconnect();
        done(performance.now());
      });
      watch.observe(root, {attributeFilter: ['data-state']});
    });
    const event = new KeyboardEvent('keydown', {key, bubbles: true});
    const began = performance.now();
    handle.dispatchEvent(event);
    times.push(await drawn - began);
    handle.dispatchEvent(new KeyboardEvent('keyup', {key, bubbles: true}));
    await new Promise((done) => setTimeout(done, 40 + 13 * (k % 5)));
  }
  return times;
}
"""

FIRST = """
() => new Promise((done) => {
  const look = () => document.querySelector('[data-explorer="sawtooth"]')
    ? done(performance.now()) : setTimeout(look, 2);
  look();
})
"""


def measure_latency(browser: Browser, url: str) -> list[float]:
    """Milliseconds from key press to painted drawing, one a press."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    page.wait_for_function(LIVE)
    page.wait_for_timeout(2500)  # the first drawing's animation is over
    times: list[float] = page.evaluate(PRESS, PRESSES)
    page.close()
    return times


def measure_first_curve(browser: Browser, url: str, *, distant: bool = False) -> float:
    """Milliseconds from navigation to the first live curve, with an empty cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    if distant:
        context.new_cdp_session(page).send("Network.emulateNetworkConditions", DISTANT)
    page.goto(url, wait_until="commit")
    found: float = page.evaluate(FIRST)
    context.close()
    return found


def measure_weight(browser: Browser, url: str) -> dict[str, int]:
    """Gzipped bytes of each file that the page loads."""
    weights: dict[str, int] = {}
    page = browser.new_page(viewport={"width": 1440, "height": 900})

    def note(response) -> None:
        if response.url.startswith("http") and response.ok:
            weights[response.url.split("?")[0]] = len(gzip.compress(response.body(), 6))

    page.on("response", note)
    page.goto(url, wait_until="networkidle")
    wait_for_explorers(page)
    page.wait_for_timeout(500)
    page.close()
    return weights


def measure_slowed(browser: Browser, url: str) -> tuple[float, float, int]:
    """On a phone: seconds until usable, seconds of the jump, and errors in the console."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    errors: list[str] = []

    def note(said) -> None:
        if said.type == "error":
            errors.append(said.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    page.goto(url, wait_until="commit")
    page.wait_for_function(IN_SIGHT_LIVE, timeout=60_000)
    usable: float = page.evaluate("() => performance.now()") / 1000
    jump: float = page.evaluate(LAST_LIVE)
    context.close()
    return usable, jump, len(errors)


def lines_of(
    latency: list[float],
    first: list[float],
    distant: list[float],
    weights: dict[str, int],
    slowed: dict[str, tuple[float, float, int, int]],
    version: str,
) -> list[str]:
    """The measurements as Markdown, with their goals; of `slowed` seconds, jump, errors, bytes."""
    ranked = sorted(latency)
    spread = f"{ranked[len(ranked) // 10]:.0f} to {ranked[-len(ranked) // 10]:.0f}"
    heaviest = sorted(weights.items(), key=lambda item: -item[1])[:4]
    rows = [
        ("input event to painted drawing, median (middle 80 %)",
         f"{statistics.median(latency):.1f} ms ({spread})", "at most 40 ms"),
        ("navigation to first live curve, median (slowest)",
         f"{statistics.median(first):.0f} ms ({max(first):.0f})", "at most 1,200 ms"),
        (f"the same, {DISTANT['latency']} ms from the server, 8 Mbit/s",
         f"{statistics.median(distant):.0f} ms ({max(distant):.0f})", ""),
        ("landing page, gzipped", f"{sum(weights.values()) / 1e6:.2f} MB", "at most 1.4 MB"),
    ]  # fmt: skip
    parts = "; ".join(f"{name.rsplit('/', 1)[-1]} {size / 1e3:.0f} kB" for name, size in heaviest)
    return [
        *table(["what", "measured", "goal"], rows),
        f"{PRESSES} key presses, {VISITS} visits with an empty cache, {len(weights)} files; the "
        f"heaviest: {parts}.",
        "",
        *table(
            [
                f"page, processor slowed {SLOWED} times",
                "usable after (goal 6 s)",
                "last explorer, jumped to then",
                "errors",
                "gzipped",
            ],
            [
                (name, f"{usable:.1f} s", f"{jump:.1f} s", str(errors), f"{size / 1e6:.2f} MB")
                for name, (usable, jump, errors, size) in slowed.items()
            ],
        ),
        f"Chromium {version}, {os.cpu_count()} cores. {made()}",
    ]


def main() -> None:
    """Measure, print and write the table."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_build/html")
    if not (folder / PAGE).exists():
        raise SystemExit(f"no {PAGE} in {folder}: run `make book` first")
    with served(folder) as site, sync_playwright() as playwright:
        url = f"{site}/{PAGE}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        print("measuring the first curve", flush=True)
        first = [measure_first_curve(browser, url) for _ in range(VISITS)]
        distant = [measure_first_curve(browser, url, distant=True) for _ in range(VISITS)]
        print("measuring latency", flush=True)
        latency = measure_latency(browser, url)
        slowed, weights = {}, {}
        for path in sorted(folder.glob("book/*.html")):
            if "esp-fallback" not in path.read_text("utf8"):
                continue
            print(f"slowing down {path.stem}", flush=True)
            address = f"{site}/book/{path.name}"
            weights[address] = measure_weight(browser, address)
            total = sum(weights[address].values())
            slowed[path.stem] = (*measure_slowed(browser, address), total)
        lines = lines_of(latency, first, distant, weights[url], slowed, browser.version)
        browser.close()
    write(__file__, "The explorers on their pages", lines, about=" after `make book`.")


if __name__ == "__main__":
    main()
