"""The explorers of the built pages in Chromium: live without a network, for everyone.

Requests that leave the machine are refused and recorded; one of them, or one console error, fails
the test in which it happened (fixture `open_page`).
"""

import contextlib
import json
import re

import pytest

from esp_lib.widgets import SawtoothExplorer, sawtooth
from tests.browsing import drawing, explorer, field, state, type_in, unfold, wait_for

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PLAY, LANDING = "book/play", "book/index"
EXPLORERS = ("sawtooth", "why", "two-samples", "similarity")


# ---------------------------------------------------------------------------- explorers: are live


@pytest.mark.parametrize(("protocol", "most", "least"), [("http", 99, 35), ("file", 2, 12)])
def test_controls_change_the_drawing(open_page, site, book, protocol, most, least):
    """Each of them on a server, the first two of each explorer from a file."""
    base = site if protocol == "http" else book.as_uri()
    page = open_page(f"{base}/{PLAY}.html")
    changed = 0
    for name in EXPLORERS:
        root = explorer(page, name)
        unfold(page, name)
        keys = re.findall(
            r"esp-field-(\w+)",
            " ".join(
                root.locator(".esp-field").evaluate_all(
                    "nodes => nodes.map((node) => node.className)"
                )
            ),
        )
        assert len(keys) >= 3
        for key in keys[:most]:
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
    assert changed >= least


def test_page_shows_the_numbers_of_the_library(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    unfold(page)
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
        word, expected = SawtoothExplorer(**found["settings"]).settled
        wait_for(page, "sawtooth", "s.pattern")
        found = state(page)
        assert found["final_loss"] == pytest.approx(curve.by_epoch()[-1].mean(), rel=1e-9)
        assert found["amplitude"] == pytest.approx(float(expected.amplitude), rel=1e-9)
        assert found["drop"] == pytest.approx(float(expected.drop), rel=1e-9)
        assert (found["pattern"], found["shape"]) == (word, expected.shape)
        assert found["ms"] > 0


def test_diverging_run_is_said_and_drawn(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    type_in(page, "beta2", "0.7")
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.7")
    wait_for(page, "sawtooth", "s.pattern === 'diverges'")
    say = explorer(page).get_by_role("status")
    playwright_api.expect(say).to_contain_text("diverges")
    page = open_page(f"{site}/{PLAY}.html")
    type_in(page, "beta2", "0.7", "why")
    wait_for(page, "why", "s.settings.beta2 === 0.7 && s.diverged")
    say = explorer(page, "why").get_by_role("status")
    playwright_api.expect(say).to_contain_text("the run diverges")


def test_state_is_of_one_moment(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    page.evaluate(
        """() => {
          const root = document.querySelector('[data-explorer="sawtooth"]');
          globalThis.seen = [];
          new MutationObserver(() => seen.push(JSON.parse(root.dataset.state)))
            .observe(root, {attributeFilter: ['data-state']});
        }"""
    )
    box = field(page, "beta2").locator("input")
    for k in range(12):
        type_in(page, "beta2", f"{0.8 + k / 100:.2f}")
        explorer(page).get_by_role("button", name="Pin this curve").click()
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.91 && s.pinned.beta2 === 0.91")
    assert box.input_value() == "0.91"
    for seen in page.evaluate("seen"):
        assert seen["pinned"]["beta2"] in (0.999, *[round(0.8 + k / 100, 2) for k in range(12)])
        mean = sawtooth.run(seen["settings"]).by_epoch()[-1].mean()
        assert seen["final_loss"] == pytest.approx(mean, rel=1e-9)


def test_long_names_of_curves_stand_under_the_plot(open_page, site):
    page = open_page(f"{site}/{LANDING}.html", width=390)
    key = explorer(page).locator(".esp-key")
    assert key.count() == 0
    fragment = "#sawtooth?order=reverse&eps=1e-5&lr=0.01&beta1=0.5&batch_size=200&pin.beta2=0.999"
    pinned = "&pin.order=fixed&pin.eps=1e-8&pin.lr=0.06&pin.beta1=0.9&pin.batch_size=100"
    page.evaluate(f"location.hash = '{fragment}{pinned}'")
    wait_for(page, "sawtooth", "s.settings.order === 'reverse'")
    assert key.locator("span").count() == 2
    assert "learning rate 0.01" in key.inner_text()
    names = explorer(page).locator(".esp-name")
    assert sorted(names.all_text_contents()) == ["live", "pinned"]
    assert all(name.bounding_box()["x"] > 0 for name in names.all())
    explorer(page).get_by_role("button", name="Reset").click()
    wait_for(page, "sawtooth", "s.settings.order === 'reshuffle'")
    assert key.count() == 0


def test_the_dark_theme_is_printed_in_light_colours(open_page, site):
    page = open_page(f"{site}/{LANDING}.html", theme="dark")
    page.emulate_media(media="print")
    ink = "() => getComputedStyle(document.querySelector('article p:not([class])')).color"
    assert max(map(int, re.findall(r"\d+", page.evaluate(ink))[:3])) < 100
    color = "() => getComputedStyle(document.documentElement).getPropertyValue('--esp-paper')"
    assert page.evaluate(color).strip() == "#ffffff"


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
    chart = explorer(page).locator(".esp-chart").first
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
    end = explorer(page).locator(".esp-chart").last
    assert "out of sight" in end.text_content()  # and not an empty frame
    page.mouse.up()
    page.wait_for_timeout(200)
    assert axis() != still  # the run diverges: the axis follows when the slider is let go
    assert chart.bounding_box() == box


# --------------------------------------------------------------------------- in front, and behind


def test_newcomers_meet_two_settings_and_the_rest_is_one_click_away(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    fields = explorer(page).locator(".esp-field:visible")
    assert fields.count() == 2
    assert explorer(page).locator(".esp-drawn text:not(:empty)").all_text_contents() == [
        "one tooth", "rise", "drop", "amplitude",
    ]  # fmt: skip
    more = explorer(page).get_by_role("button", name="More settings")
    more.focus()
    page.keyboard.press("Enter")
    playwright_api.expect(fields).to_have_count(len(sawtooth.FIELDS) + 1)  # and the presets
    assert explorer(page).get_by_role("button", name="Fewer settings").count() == 1


def test_a_link_opens_what_it_sets_at_its_explorer_and_holds_several(open_page, site):
    link = "#why?order=fixed&&sawtooth?eps=1e-5&pin.beta2=0.9"
    page = open_page(f"{site}/{PLAY}.html{link}")
    wait_for(page, "sawtooth", "s.settings.eps === 1e-5 && s.pinned.beta2 === 0.9")
    wait_for(page, "why", "s.settings.order === 'fixed'")
    playwright_api.expect(explorer(page, "why")).to_be_in_viewport()
    playwright_api.expect(field(page, "eps").locator("input")).to_be_visible()
    type_in(page, "beta2", "0.9", "why")
    page.wait_for_function("() => location.hash.startsWith('#why?order=fixed&beta2=0.9')")
    assert "&&sawtooth?eps=1e-5" in page.url


def test_explorers_are_made_when_they_come_near_and_formulas_after_them(open_page, site):
    page = open_page("about:blank", wait=False)
    page.add_init_script(
        """new MutationObserver(() => {
          if (document.querySelector("[data-live]")) globalThis.liveAt ??= performance.now();
        }).observe(document, {subtree: true, childList: true, attributeFilter: ["data-live"]});"""
    )
    page.goto(f"{site}/{PLAY}.html")
    page.wait_for_selector("mjx-container", state="attached")
    asked = page.evaluate(
        """() => performance.getEntriesByType("resource")
          .find((one) => one.name.includes("tex-")).startTime"""
    )
    assert asked >= page.evaluate("liveAt")
    assert page.locator('[data-explorer="similarity"]').count() == 0
    picture = page.locator('.esp-fallback[data-for="similarity"]')
    picture.scroll_into_view_if_needed()
    page.wait_for_selector('[data-explorer="similarity"]')
    assert picture.is_hidden()


def test_the_root_page_keeps_a_links_settings(open_page, site):
    page = open_page(f"{site}/index.html#sawtooth?beta2=0.9", wait=False)
    page.wait_for_url(f"{site}/{LANDING}.html#sawtooth?beta2=0.9")
    page.wait_for_selector('[data-explorer="sawtooth"]')
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.9")


def test_the_caption_follows_the_settings(open_page, site):
    page = open_page(f"{site}/{LANDING}.html#sawtooth?order=fixed&optimizer=RMSProp&beta2=0.99")
    caption = explorer(page).locator(".esp-what")
    playwright_api.expect(caption).to_contain_text("RMSProp (β 0.99) in batches of 100, always")


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_moves_when_the_explorer_takes_the_pictures_place(open_page, site, width):
    page = open_page("about:blank", width=width, wait=False)
    page.add_init_script(
        """globalThis.moved = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((e) => { moved += e.value; }))
          .observe({type: 'layout-shift', buffered: true});"""
    )
    page.goto(f"{site}/{LANDING}.html")
    page.wait_for_selector("[data-live]")
    wait_for(page, "sawtooth", "s.pattern")
    assert page.evaluate("moved") < 0.02


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(("key", "text", "words"), [
    ("beta2", "1.2", "β₂ must be a number of at least 0 and below 1, got 1.2"),
    ("eps", "abc", "ε must be a number of at least 1e-12 and at most 0.01, got abc"),
    ("seed", "-1", "Seed must be a whole number"),
    ("lr", "", "Learning rate must be a number of at least 1e-4"),
])  # fmt: skip
def test_bad_input_is_refused_beside_the_control(open_page, site, key, text, words):
    page = open_page(f"{site}/{LANDING}.html")
    unfold(page)
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


@pytest.mark.parametrize(("text", "shown", "value"), [
    (" 0.80 ", "0.8", 0.8), ("-0", "0", 0), ("0.12345678", "0.123457", 0.123457),
])  # fmt: skip
def test_what_is_read_is_shown(open_page, site, text, shown, value):
    page = open_page(f"{site}/{LANDING}.html")
    type_in(page, "beta2", text)
    playwright_api.expect(field(page, "beta2").locator("input")).to_have_value(shown)
    wait_for(page, "sawtooth", f"s.settings.beta2 === {value}")


def test_reset_takes_back_what_was_refused(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    type_in(page, "beta2", "0.9999999")
    alert = field(page, "beta2").get_by_role("alert")
    playwright_api.expect(alert).to_contain_text("below 1")
    explorer(page).get_by_role("button", name="Reset").click()
    playwright_api.expect(alert).to_have_count(0)
    playwright_api.expect(field(page, "beta2").locator("input")).to_have_value("0.8")
    assert state(page)["settings"] == sawtooth.DEFAULTS


def test_vectors_of_zeros_have_no_arrow(open_page, site):
    page = open_page(f"{site}/{PLAY}.html")  # which fails on a console error
    arrows = explorer(page, "similarity").locator(".esp-tip")
    assert arrows.count() == 3
    type_in(page, "gradient", "0, 0, 0", "similarity")
    wait_for(page, "similarity", "s.cosine === null")
    assert arrows.count() == 2
    type_in(page, "m", "0 0 -0", "similarity")
    wait_for(page, "similarity", "s.settings.m.every((x) => x === 0)")
    assert arrows.count() == 0


# ---------------------------------------------------------------------------------- for everyone


def test_result_is_said_in_a_sentence(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    say = explorer(page).get_by_role("status")
    assert say.get_attribute("aria-live") == "polite"
    settled = "Sawtooth: once the loss has settled (epochs 41 to 60), it drops by"
    playwright_api.expect(say).to_contain_text(settled)
    say.evaluate(
        """node => {
          globalThis.said = [];
          new MutationObserver(() => said.push(node.textContent)).observe(node, {childList: true});
        }"""
    )
    field(page, "order").locator("select").select_option(label="fixed")
    playwright_api.expect(say).to_contain_text("No tooth")
    assert page.evaluate("said[0]") == "Measuring …"  # not what was true of the curve before


def test_a_network_says_that_it_is_training_and_that_it_was_stopped(open_page, site):
    page = open_page(f"{site}/{PLAY}.html")
    root = explorer(page, "network")
    root.locator(".esp-drawing").scroll_into_view_if_needed()
    say = root.get_by_role("status")
    playwright_api.expect(say).to_have_text(re.compile(r"Training: epoch \d+ of 10\."))
    root.get_by_role("button", name="Stop").click()
    playwright_api.expect(say).to_have_text(re.compile("Press Start"))


def test_fingers_find_the_controls(open_page, site):
    page = open_page(f"{site}/{PLAY}.html", width=390)
    for name in ("sawtooth", "network"):
        unfold(page, name)
        for part in explorer(page, name).locator("input, select, button, .noUi-handle").all():
            if part.is_visible():
                box = part.bounding_box()
                assert min(box["width"], box["height"]) >= 24, part.get_attribute("class")


@pytest.mark.parametrize(
    ("motion", "animation"), [("reduce", "none"), ("no-preference", "esp-reveal")]
)
def test_motion_is_reduced_on_request(open_page, site, motion, animation):
    page = open_page(f"{site}/{LANDING}.html", reduced_motion=motion)
    curves = explorer(page).locator(".esp-curves").first
    assert curves.evaluate("node => getComputedStyle(node).animationName") == animation


def test_the_slider_ends_at_the_papers_value_and_more_can_be_typed(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    field(page, "beta2").locator(".noUi-handle").press("End")
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.999")
    type_in(page, "beta2", "0.9999")
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.9999")
    page.wait_for_timeout(400)
    assert state(page)["settings"]["beta2"] == 0.9999


def test_static_figure_stays_where_the_scripts_cannot_be_loaded(browser, site):
    context = browser.new_context()
    page = context.new_page()
    with contextlib.closing(context):
        page.route("**/esp-vendor/widgets.js*", lambda route: route.abort())
        page.goto(f"{site}/{LANDING}.html")
        page.wait_for_timeout(800)
        assert page.locator(".esp-fallback").is_visible()
