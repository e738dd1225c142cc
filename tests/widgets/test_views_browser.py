"""Views of the explorers in Chromium: links, presets, the pinned curve and the way back."""

import pytest

from esp_lib.widgets import sawtooth
from tests.browsing import explorer, field, state, type_in, unfold, wait_for

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PLAY, LANDING = "book/play", "book/index"


def test_back_from_a_link_is_the_page_as_it_was(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    page.evaluate("location.hash = '#sawtooth?beta2=0.9'")
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.9 && s.pinned === null")
    page.go_back()
    wait_for(page, "sawtooth", "s.settings.beta2 === 0.8 && s.pinned.beta2 === 0.999")
    page.wait_for_timeout(600)
    assert "#" not in page.url


def test_a_preset_brings_its_pinned_curve(open_page, site):
    page = open_page(f"{site}/{LANDING}.html")
    unfold(page)
    menu = field(page, "preset").locator("select")
    chosen = lambda: menu.input_value().replace("\u00a0", " ")  # noqa: E731
    assert chosen() == "Fig. 19 (a), reshuffle"
    explorer(page).get_by_role("button", name="Remove pin").click()
    wait_for(page, "sawtooth", "s.pinned === null")
    assert chosen() == "(none)"
    label = "Fig. 22, ε 1e-8, β₂ 0.8"  # the same run by another name
    menu.select_option(label=label)
    wait_for(page, "sawtooth", "s.pinned && s.pinned.beta2 === 0.999")
    page.wait_for_timeout(400)
    assert chosen() == label


def test_a_link_reproduces_a_view(open_page, site):
    page = open_page(f"{site}/{PLAY}.html")
    unfold(page)
    field(page, "preset").locator("select").select_option(label="Fig. 19 (c), reverse")
    type_in(page, "eps", "1e-6")
    wait_for(page, "sawtooth", "s.settings.eps === 1e-6 && s.pattern")
    page.wait_for_timeout(600)
    seen, url = state(page), page.url
    assert "#sawtooth?" in url
    again = open_page(url)
    wait_for(again, "sawtooth", "s.settings.eps === 1e-6 && s.pattern")
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
