"""What a reader does with the explorers of a page, as functions of a Playwright page."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ipywidgets.embed import dependency_state, embed_data

ROOT = Path(__file__).resolve().parents[1]
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
BUNDLE = ROOT / "book/vendor/esp-vendor/widgets.js"
PAGE = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Explorers</title>
<style>{style}
body {{ margin: 1rem; background: var(--esp-paper); font-family: sans-serif }}</style>
<script>const dark = matchMedia("(prefers-color-scheme: dark)");
dark.onchange = () => document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
dark.onchange()</script>
<script defer src="{bundle}"></script></head><body><article>{cells}</article>
<script type="application/vnd.jupyter.widget-state+json">{state}</script></body></html>"""
CELL = """<div class="cell_output">{figure}
<script type="application/vnd.jupyter.widget-view+json">{view}</script></div>"""


def require(found, what):
    """Skip the test, or fail it where everything has to be there (`ESP_REQUIRE_BROWSER=1`)."""
    if found:
        return
    if os.environ.get("ESP_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what}, and ESP_REQUIRE_BROWSER=1")
    pytest.skip(what)


def bundle():
    """Path of the pages' JavaScript; the test is skipped where it is not bundled."""
    require(BUNDLE.exists(), "the pages' JavaScript is not bundled (npm run build in frontend/)")
    return BUNDLE


def page_text(*made, script):
    """A page with explorers and the style of the book; `script` is the address of the bundle."""
    state = dependency_state(made, drop_defaults=False)  # without it, all that this process made
    data = embed_data(made, state=state)
    style = [
        (ROOT / "book/css" / name).read_text("utf-8") for name in ("esp.css", "esp-widgets.css")
    ]
    return PAGE.format(
        style="".join(style),
        bundle=script,
        cells="".join(
            CELL.format(figure=one.static_figure(), view=json.dumps(view))
            for one, view in zip(made, data["view_specs"], strict=True)
        ),
        state=json.dumps(data["manager_state"]).replace("</", "<\\/"),
    )


def make_page(*made, folder, name="index"):
    """Address of a page with explorers, written to `folder`."""
    path = folder / f"{name}.html"
    path.write_text(page_text(*made, script=bundle().as_uri()), encoding="utf-8")
    return path.as_uri()


def wait_for_explorers(page):
    """Until every explorer has drawn, as a reader comes to it, and MathJax has typeset."""
    comes = "?" not in urlsplit(page.url).fragment  # where a link names one, all draw at once
    for figure in page.locator(".esp-fallback").all():
        if comes:
            figure.evaluate("(one) => one.parentElement.scrollIntoView()")
        figure.wait_for(state="hidden", timeout=20_000)
    if comes:
        page.evaluate("scrollTo(0, 0)")
    page.wait_for_function(
        "() => !document.querySelector('script[src*=tex-]') || MathJax?.startup?.promise"
    )
    page.evaluate("() => globalThis.MathJax?.startup?.promise.then(() => true)")


def explorer(page, name="sawtooth"):
    return page.locator(f'[data-explorer="{name}"]')


def unfold(page, name="sawtooth"):
    """Show the settings that are one click away."""
    more = explorer(page, name).locator('.esp-more[aria-expanded="false"]')
    if more.count():
        more.click()


def state(page, name="sawtooth"):
    return json.loads(explorer(page, name).get_attribute("data-state"))


def wait_for(page, name, condition):
    """Until `condition`, JavaScript about the state `s`, holds."""
    page.wait_for_function(
        f"""() => {{
          const s = JSON.parse(document.querySelector('[data-explorer="{name}"]').dataset.state);
          return {condition};
        }}""",
        timeout=10_000,
    )


def drawing(page, name="sawtooth"):
    """Everything that is drawn, as text."""
    return explorer(page, name).locator(".esp-drawing").inner_html()


def field(page, key, name="sawtooth"):
    return explorer(page, name).locator(f".esp-field-{key}")


def type_in(page, key, text, name="sawtooth"):
    box = field(page, key, name).locator("input")
    box.fill(text)
    box.press("Enter")
    box.blur()


TWO_FRAMES = "() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))"


LOOKS = [("light", 1440), ("light", 390), ("dark", 390), ("dark", 1440)]
JUDGED = (LOOKS[0], LOOKS[2])  # by axe-core, which is slow: each theme and each width once


def each_look(page):
    """Theme and width of each look of a page, in which it was checked.

    Nothing may be wider than the page, and axe-core has to be content with it.
    """
    require(AXE.exists(), "axe-core is not installed (npm ci in frontend/)")
    if not page.evaluate("() => 'axe' in globalThis"):
        page.add_script_tag(path=AXE)
    for theme, width in LOOKS:
        page.emulate_media(color_scheme=theme)
        set_width(page, width)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if (theme, width) in JUDGED:
            check_axe(page)
        yield theme, width


def set_width(page, width):
    """Make the window so wide, and wait until what is drawn has followed."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(300)
    page.evaluate(TWO_FRAMES)  # observers of sizes have been told


def check_axe(page):
    """axe-core finds no fault in the article.

    Drawings that are hidden from screen readers are left out, to save time: nothing in them may
    take the focus, and of letters in an SVG axe-core says only that it cannot judge their contrast.
    """
    assert page.locator("article svg[aria-hidden=true] :is(a, button, [tabindex])").count() == 0
    found = page.evaluate(
        "() => axe.run({include: 'article', exclude: 'svg[aria-hidden=true]'}, "
        "{resultTypes: ['violations']})"
    )
    violations = [
        (one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"]][:3])
        for one in found["violations"]
    ]
    assert not violations, violations
    assert found["passes"]  # there was something to look at
