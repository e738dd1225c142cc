"""The built pages in Chromium: live without a network, for everyone, in both themes and widths.

Requests that leave the machine are refused and recorded; one of them, or one console error, fails
the test in which it happened. Screenshots go to `_build/screenshots/`.
"""

import contextlib
import functools
import json
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import yaml

from esp_lib import measure
from esp_lib.widgets import sawtooth
from tests.conftest import ROOT, require

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for chapter in TOC["chapters"])]
PLAY, LANDING = "book/play", "book/index"
EXPLORERS = ("sawtooth", "why", "two-samples", "similarity")
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
SHOTS = ROOT / "_build" / "screenshots"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
LOCAL = ("file:", "blob:", "data:", "http://127.0.0.1:")


@pytest.fixture(scope="module")
def book(built_book):
    """The HTML folder; it has to be the self-hosted kind."""
    bundle = built_book / "_static/esp-vendor/widgets.js"
    require(
        bundle.exists(), "the pages' JavaScript was not bundled (no Node when the book was built)"
    )
    return built_book


@pytest.fixture(scope="module")
def site(book):
    """Address of the book on a server of this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(book))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(chromium):
    with playwright_api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=str(chromium), args=FLAGS)
        yield program
        program.close()


@pytest.fixture
def open_page(browser):
    """A function that opens pages and notes what goes wrong on them; checked when the test ends."""
    wrong, contexts = [], []

    def note_request(route):
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            wrong.append(f"request to {route.request.url}")
            route.abort()

    def open_one(url, *, width=1440, theme="light", wait=True, **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, **options
        )
        contexts.append(context)
        context.route("**/*", note_request)
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.goto(url)
        if wait:
            wait_for_explorers(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == []


def wait_for_explorers(page):
    """Until every explorer of the page has drawn, and MathJax has typeset."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('.esp-fallback')].every((f) => f.hidden)",
        timeout=20_000,
    )
    page.evaluate("() => globalThis.MathJax?.startup?.promise.then(() => true)")


def explorer(page, name="sawtooth"):
    return page.locator(f'[data-explorer="{name}"]')


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


# ------------------------------------------------------------------------------------- every page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_in_both_widths(open_page, site, name, theme):
    require(AXE.exists(), "axe-core is not installed (npm ci in frontend/)")
    page = open_page(f"{site}/{name}.html", theme=theme, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.add_script_tag(path=AXE)
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        page.screenshot(
            path=SHOTS / f"{name.split('/')[-1]}-{theme}-{width}.png",
            full_page=True,
            timeout=60_000,
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = page.evaluate("() => axe.run('article', {resultTypes: ['violations']})")
        violations = [
            (
                one["id"],
                [node["target"] for node in one["nodes"]][:3],
                one["nodes"][0]["failureSummary"],
            )
            for one in found["violations"]
        ]
        assert violations == []
        assert found["passes"]  # there was something to look at


def test_no_page_names_another_host_for_what_it_loads(book):
    loads = re.compile(
        r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=\"(?:https?:)?//"
        r"|<link\b(?=[^>]*rel=\"(?:stylesheet|preload|icon|modulepreload|preconnect|dns-prefetch))"
        r"[^>]*href=\"(?:https?:)?//"
        r"|@import\s+(?:url\()?[\"']?(?:https?:)?//",
        re.IGNORECASE,
    )
    pages = list(book.rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert {p.name: m.group() for p in pages if (m := loads.search(p.read_text("utf-8")))} == {}


# ---------------------------------------------------------------------------- explorers: are live


@pytest.mark.parametrize("protocol", ["http", "file"])
def test_each_control_changes_the_drawing(open_page, site, book, protocol):
    base = site if protocol == "http" else book.as_uri()
    page = open_page(f"{base}/{PLAY}.html")
    changed = 0
    for name in EXPLORERS:
        root = explorer(page, name)
        keys = re.findall(r"esp-field-(\w+)", " ".join(
            root.locator(".esp-field").evaluate_all("nodes => nodes.map((node) => node.className)")
        ))  # fmt: skip
        assert len(keys) >= 3
        for key in keys:
            root.get_by_role("button", name="Reset").click()
            page.wait_for_timeout(150)
            for control in ("select", "input", ".noUi-handle"):
                part = field(page, key, name).locator(control)
                if not part.count() or not part.is_visible():
                    continue
                before, settings = drawing(page, name), state(page, name)["settings"]
                if control == "select":
                    last = part.locator("option").count() - 1
                    part.select_option(
                        index=last if part.evaluate("s => s.selectedIndex") != last else 1
                    )
                elif control == "input":
                    value = part.input_value()
                    numbers = [text for text in re.split(r"[,\s]+", value) if text]
                    new = f"{float(numbers[0]) / 2 or 0.5:.3g}" if key != "seed" else "7"
                    type_in(page, key, ", ".join([new, *numbers[1:]]), name)
                else:
                    part.focus()
                    for _ in range(3):
                        part.press("ArrowLeft")
                old = json.dumps(settings, ensure_ascii=False)
                wait_for(page, name, f"JSON.stringify(s.settings) !== JSON.stringify({old})")
                page.wait_for_timeout(30)
                assert drawing(page, name) != before, (name, key, control)
                changed += 1
    assert changed >= 35


def test_page_shows_the_numbers_of_the_library(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    for label in (None, "Fig. 19 (c), reverse", "Fig. 21 (a), RMSProp, reshuffle"):
        if label:
            before = state(page)["settings"]
            field(page, "preset").locator("select").select_option(label=label)
            wait_for(
                page,
                "sawtooth",
                f"JSON.stringify(s.settings) !== JSON.stringify({json.dumps(before)})",
            )
        found = state(page)
        curve = sawtooth.run(found["settings"])
        expected = measure(curve)
        assert found["final_loss"] == pytest.approx(curve.by_epoch()[-1].mean(), rel=1e-9)
        assert found["amplitude"] == pytest.approx(float(expected.amplitude), rel=1e-9)
        assert found["shape"] == expected.shape
        assert found["ms"] > 0


def test_diverging_run_is_said_and_drawn(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    type_in(page, "beta2", "0.7")
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.7")
    assert state(page)["diverged"] is True
    say = explorer(page).get_by_role("status")
    playwright_api.expect(say).to_contain_text("diverges")


# ------------------------------------------------------------------------------ latest value wins


def test_latest_value_wins_and_the_page_never_blocks(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    page.wait_for_timeout(1800)
    longest = page.evaluate(
        """async () => {
          const handle = document.querySelector('.esp-field-beta2 .noUi-handle');
          const frames = [];
          let running = true;
          const tick = (now) => { frames.push(now); if (running) requestAnimationFrame(tick); };
          requestAnimationFrame(tick);
          for (let k = 0; k < 60; k++) {
            handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}));
            await new Promise((done) => setTimeout(done, 10));
          }
          handle.dispatchEvent(new KeyboardEvent('keyup', {key: 'ArrowLeft', bubbles: true}));
          running = false;
          return Math.max(...frames.slice(1).map((now, k) => now - frames[k]));
        }"""
    )
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.74")
    page.wait_for_timeout(500)
    assert field(page, "beta2").locator("input").input_value() == "0.74"
    assert state(page)["settings"]["beta2"] == 0.74
    assert longest < 250  # ms; a run of the simulation on the page itself would add to each frame


def test_axes_keep_still_while_dragging_and_the_drawing_never_jumps(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    chart = explorer(page).locator(".esp-chart")
    box = chart.bounding_box()
    axis = lambda: chart.locator(".esp-y").all_text_contents()  # noqa: E731
    still = axis()
    handle = field(page, "beta2").locator(".noUi-handle").bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 12):
        page.mouse.move(x - 3 * step, y)
        page.wait_for_timeout(40)
    wait_for(page, "sawtooth", "s.settings.beta2 < 0.7")
    assert axis() == still
    assert chart.bounding_box() == box
    page.mouse.up()
    page.wait_for_timeout(200)
    assert axis() != still  # the run diverges: the axis follows when the slider is let go
    assert chart.bounding_box() == box


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(("key", "text", "words"), [
    ("beta2", "1.2", "β₂ must be a number of at least 0 and below 1, got 1.2"),
    ("eps", "abc", "ε must be a number of at least 1e-12 and at most 0.01, got abc"),
    ("seed", "-1", "Seed must be a whole number"),
    ("lr", "", "Learning rate must be a number of at least 1e-4"),
])  # fmt: skip
def test_bad_input_is_refused_beside_the_control(open_page, site, key, text, words):
    page = open_page(f"{site}/{LANDING}.html")
    before, settings = drawing(page), state(page)["settings"]
    type_in(page, key, text)
    alert = field(page, key).get_by_role("alert")
    playwright_api.expect(alert).to_contain_text(words)
    box = field(page, key).locator("input")
    assert box.get_attribute("aria-invalid") == "true"
    assert box.get_attribute("aria-describedby") == alert.get_attribute("id")
    page.wait_for_timeout(400)
    assert state(page)["settings"] == settings
    assert drawing(page) == before
    type_in(page, key, {"seed": "3"}.get(key, "0.005"))
    playwright_api.expect(alert).to_have_count(0)
    wait_for(page, "sawtooth", f"s.settings.{key} === {'3' if key == 'seed' else '0.005'}")
    assert box.get_attribute("aria-invalid") is None


# ----------------------------------------------------------------------------------------- links


def test_a_link_reproduces_a_view(open_page, site):
    page = open_page(f"{site}/{PLAY}.html")
    field(page, "preset").locator("select").select_option(label="Fig. 19 (c), reverse")
    type_in(page, "eps", "1e-6")
    wait_for(page, "sawtooth", "s.settings.eps === 1e-6")
    page.wait_for_timeout(600)
    seen, url = state(page), page.url
    assert "#sawtooth?" in url
    again = open_page(url)
    wait_for(again, "sawtooth", "s.settings.eps === 1e-6")
    found = state(again)
    for key in ("settings", "pinned", "final_loss", "amplitude"):
        assert found[key] == seen[key]
    assert field(again, "order").locator("select").evaluate("s => s.value") == "reverse"
    assert field(again, "eps").locator("input").input_value() == "1e-6"


@pytest.mark.parametrize("fragment", [
    "#sawtooth?beta2=7", "#sawtooth?beta2=0.9&eps=abc", "#sawtooth?beta9=1", "#sawtooth?order=none",
    "#sawtooth?%%%=&pin.beta2=x",
])  # fmt: skip
def test_a_mangled_link_is_refused_with_a_message(open_page, site, fragment):
    page = open_page(f"{site}/{LANDING}.html{fragment}")
    playwright_api.expect(explorer(page).get_by_role("alert")).to_contain_text("was not used")
    assert state(page)["settings"] == sawtooth.DEFAULTS


@pytest.mark.parametrize("fragment", ["#how-to-cite", "#other?x=1", "#sawtooth", "#%E0%A4%A"])
def test_other_fragments_are_left_alone(open_page, site, fragment):
    page = open_page(f"{site}/{LANDING}.html{fragment}")
    assert explorer(page).get_by_role("alert").count() == 0
    assert state(page)["settings"] == sawtooth.DEFAULTS


def test_pin_and_reset(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    type_in(page, "beta2", "0.9")
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.9")
    explorer(page).get_by_role("button", name="Pin this curve").click()
    wait_for(page, "sawtooth", "s.pinned.beta2 === 0.9")
    explorer(page).get_by_role("button", name="Remove pin").click()
    wait_for(page, "sawtooth", "s.pinned === null")
    explorer(page).get_by_role("button", name="Reset").click()
    wait_for(page, "sawtooth", "s.pinned && s.pinned.beta2 === 0.999 && s.settings.beta2 === 0.8")
    assert field(page, "beta2").locator("input").input_value() == "0.8"


# ---------------------------------------------------------------------------------- for everyone


def test_every_control_has_a_name_and_takes_the_keyboard(open_page, site):
    page = open_page(f"{site}/{PLAY}.html")
    for name in EXPLORERS:
        parts = explorer(page, name).locator("input, select, button, .noUi-handle")
        names = parts.evaluate_all(
            """nodes => nodes.map((node) => node.getAttribute('aria-label')
                 || node.labels?.[0]?.textContent || node.textContent)"""
        )
        assert len(names) >= 5
        assert all(text.strip() for text in names)
        for part in parts.all():
            if not part.is_visible():
                continue
            part.focus()
            assert part.evaluate("node => node === document.activeElement && node.tabIndex >= 0")
            assert part.evaluate(
                """node => !node.matches(':focus-visible')
                     || getComputedStyle(node).outlineStyle !== 'none'"""
            )


def test_result_is_said_in_a_sentence(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    say = explorer(page).get_by_role("status")
    assert say.get_attribute("aria-live") == "polite"
    playwright_api.expect(say).to_contain_text("Sawtooth: at each epoch boundary the loss drops by")
    field(page, "order").locator("select").select_option(label="fixed")
    playwright_api.expect(say).to_contain_text("No sawtooth")


@pytest.mark.parametrize(
    ("motion", "animation"), [("reduce", "none"), ("no-preference", "esp-reveal")]
)
def test_motion_is_reduced_on_request(open_page, site, motion, animation):
    page = open_page(f"{site}/{LANDING}.html", reduced_motion=motion)
    curves = explorer(page).locator(".esp-curves")
    assert curves.evaluate("node => getComputedStyle(node).animationName") == animation


@pytest.mark.parametrize("name", [LANDING, PLAY])
def test_without_javascript_a_static_figure_stands_there(open_page, site, name):
    page = open_page(f"{site}/{name}.html", java_script_enabled=False, wait=False)
    figures = page.locator(".esp-fallback")
    assert figures.count() == (1 if name == LANDING else len(EXPLORERS))
    for figure in figures.all():
        assert figure.is_visible()
        assert figure.locator("svg path").count() > 2
        assert "live" in figure.locator("figcaption").inner_text()


def test_static_figure_stays_where_the_scripts_cannot_be_loaded(browser, site):
    context = browser.new_context()
    page = context.new_page()
    with contextlib.closing(context):
        page.route("**/esp-vendor/widgets.js*", lambda route: route.abort())
        page.goto(f"{site}/{LANDING}.html")
        page.wait_for_timeout(800)
        assert page.locator(".esp-fallback").is_visible()


# ------------------------------------------------------------------- the extension behind the pages


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    return pytest.importorskip("esp_book")


def fake_config():
    return SimpleNamespace(
        html_static_path=[], html_theme_options={}, html_context={}, mathjax3_config=None,
        mathjax_path="https://cdn/mathjax.js", nb_ipywidgets_js={"https://cdn/embed.js": {}},
    )  # fmt: skip


def test_without_bundles_the_cdn_defaults_stay(extension, monkeypatch, tmp_path):
    config = fake_config()
    monkeypatch.setattr(extension, "VENDOR", tmp_path)
    monkeypatch.setattr(extension.has_assets, "__defaults__", (tmp_path,))
    extension.configure(None, config)
    assert config.mathjax_path == "https://cdn/mathjax.js"
    assert config.nb_ipywidgets_js == {"https://cdn/embed.js": {}}
    assert str(tmp_path) not in config.html_static_path


def test_buttons_need_the_repositorys_address(extension, monkeypatch):
    monkeypatch.delenv("ESP_REPOSITORY_URL", raising=False)
    config = fake_config()
    extension.configure(None, config)
    assert "http" not in json.dumps(config.html_theme_options)
    monkeypatch.setenv("ESP_REPOSITORY_URL", "https://github.com/someone/something/")
    monkeypatch.setenv("ESP_REPOSITORY_BRANCH", "next")
    config = fake_config()
    extension.configure(None, config)
    options = config.html_theme_options
    assert options["repository_url"] == "https://github.com/someone/something"
    assert options["repository_branch"] == "next"
    assert all(value for key, value in options.items() if key.startswith("use_"))
    assert set(options["launch_buttons"]) >= {"binderhub_url", "colab_url"}
