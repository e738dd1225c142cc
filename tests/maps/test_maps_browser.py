"""The explorer of maps in Chromium, on small pages of its own: alone, and beside the sawtooth."""

import json
import re

import numpy as np
import pytest

from esp_lib.widgets import SawtoothExplorer, sawtooth
from esp_lib.widgets.maps import maps as module
from tests.browsing import drawing, explorer, field, make_page, set_width, state, wait_for
from tests.maps.small_maps import small_maps

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "maps"


@pytest.fixture(scope="module")
def made():
    """The explorer of the pages, in Python."""
    return small_maps()


@pytest.fixture(scope="module")
def pages(made, tmp_path_factory):
    """Addresses of a page with the maps alone, and of one with the sawtooth too."""
    folder = tmp_path_factory.mktemp("pages")
    return {
        "maps": make_page(made, folder=folder, name="maps"),
        "play": make_page(made, SawtoothExplorer(), folder=folder, name="play"),
    }


def view(page):
    return explorer(page, NAME).locator(".esp-map-view")


def reading(page):
    return explorer(page, NAME).locator(".esp-map-read").inner_text()


def place(page):
    """The cursor and the window of the map."""
    return json.loads(explorer(page, NAME).locator(".esp-map").get_attribute("data-view"))


def window(page):
    return {key: place(page)["view"][key] for key in ("left", "bottom", "width", "height")}


WHOLE = {"left": 0, "bottom": 0, "width": 12, "height": 12}


def centre(page, column, row, columns=12, rows=12):
    """Where a cell of the whole map lies on the page."""
    box = view(page).bounding_box()
    x = box["x"] + (column + 0.5) / columns * box["width"]
    return x, box["y"] + (1 - (row + 0.5) / rows) * box["height"]


def read_values(page):
    """Every number of the reading, and the whole text."""
    text = reading(page).replace("\u2212", "-")
    return [float(n) for n in re.findall(r"(?<=[ :])-?\d[\d.]*(?:e-?\d+)?(?=[,.:])", text)], text


def settings_in(address):
    return dict(pair.split("=") for pair in address.split("?", 1)[1].split("&"))


def test_hover_reads_the_numbers_of_the_library(open_page, pages, made):
    page = open_page(pages["maps"])
    found = made.maps["map-beta2-eps"]
    some = [(0, 11), (5, 6), (11, 11), (3, 8), (0, 0)]
    assert np.isnan(found.amplitude[0, 0])
    for column, row in some:
        page.mouse.move(*centre(page, column, row))
        numbers, text = read_values(page)
        where, rest = numbers[:2], numbers[2:]
        assert where == pytest.approx([found.x[column], found.y[row]], rel=1e-3)
        if np.isnan(found.amplitude[row, column]):
            assert "the loss ends above its start" in text
        else:
            expected = [found.amplitude[row, column], found.loss[row, column]]
            assert rest == [float(f"{value:.2e}") for value in expected]


def test_keys_read_zoom_and_open(open_page, pages, made):
    page = open_page(pages["maps"])
    view(page).focus()
    page.keyboard.press("Home")
    for _ in range(20):  # stops at the edge
        page.keyboard.press("ArrowUp")
    assert (place(page)["column"], place(page)["row"]) == (0, 11)
    for key, column, row in (
        ("ArrowRight", 1, 11), ("ArrowDown", 1, 10), ("End", 11, 10), ("ArrowLeft", 10, 10),
        ("PageDown", 10, 8), ("PageUp", 10, 10),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert (place(page)["column"], place(page)["row"]) == (column, row), key
    found = made.maps["map-beta2-eps"]
    assert read_values(page)[0][0] == pytest.approx(found.x[10], rel=1e-3)
    assert window(page) == WHOLE
    page.keyboard.press("+")
    page.keyboard.press("+")
    near = window(page)
    assert near["width"] == pytest.approx(12 / 1.5**2)
    assert near["left"] <= 10 <= near["left"] + near["width"] - 1
    for _ in range(10):  # the window follows the cursor
        page.keyboard.press("ArrowLeft")
    assert window(page)["left"] == 0
    page.keyboard.press("-")
    assert window(page)["width"] == pytest.approx(8)
    page.keyboard.press("0")
    assert window(page) == WHOLE
    live = explorer(page, NAME).locator(".esp-map-read")
    assert live.get_attribute("aria-live") == "polite"


def test_wheel_zooms_about_the_pointer_and_leaves_the_page_alone(open_page, pages):
    page = open_page(pages["maps"])
    page.mouse.move(*centre(page, 2, 9))
    page.mouse.wheel(0, -300)  # without Ctrl, the page's own
    page.wait_for_timeout(100)
    assert window(page) == WHOLE
    before = reading(page)
    wide = "JSON.parse(document.querySelector('.esp-map').dataset.view).view.width"
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"{wide} < 12")
    page.mouse.move(*(c + 1 for c in centre(page, 2, 9)))  # the point under it has not moved
    assert reading(page) == before
    page.mouse.wheel(0, 300)
    page.mouse.wheel(0, 300)
    page.wait_for_function(f"{wide} === 12")
    page.keyboard.up("Control")


def test_buttons_zoom_and_a_drag_moves_the_window_without_opening(open_page, pages):
    page = open_page(pages["maps"])
    address = page.url
    zoom_in, whole = (
        explorer(page, NAME).get_by_role("button", name=name) for name in ("Zoom in", "Whole map")
    )
    zoom_in.click()
    zoom_in.click()
    before, pixels = window(page), drawing(page, NAME)
    x, y = centre(page, 6, 6)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 40, steps=4)
    page.mouse.up()
    after = window(page)
    assert after["left"] < before["left"]
    assert after["bottom"] < before["bottom"]
    assert drawing(page, NAME) != pixels  # axes too
    assert page.url == address
    whole.click()
    assert window(page) == WHOLE


def assert_is_short_and_in_cell(value, values, k):
    assert np.abs(values - value).argmin() == k
    assert len(f"{value:g}") <= 6


def test_a_click_leads_to_the_page_with_the_explorer(open_page, pages, made):
    page = open_page(pages["maps"])
    found = made.maps["map-beta2-eps"]
    page.mouse.click(*centre(page, 4, 7))
    page.wait_for_url("**/play.html#sawtooth*")
    page.wait_for_function("document.querySelector('[data-explorer=sawtooth]')?.dataset.state")
    shown = state(page)["settings"]
    assert_is_short_and_in_cell(shown["eps"], found.x, 4)
    assert_is_short_and_in_cell(shown["beta2"], found.y, 7)
    base = dict(made.configs["map-beta2-eps"].base)
    assert {key: shown[key] for key in ("beta1", "lr", "batch_size")} == {
        key: base[key] for key in ("beta1", "lr", "batch_size")
    }


@pytest.mark.parametrize("title", list(module.TITLES.values())[1:])
def test_enter_brings_the_point_to_the_explorer_of_the_same_page(open_page, pages, made, title):
    page = open_page(pages["play"])
    field(page, "map", NAME).locator("select").select_option(title)
    wait_for(page, NAME, f"s.settings.map === {json.dumps(title)}")
    page.wait_for_function("location.hash.startsWith('#maps')")  # written a moment later
    name = next(key for key, text in module.TITLES.items() if text == title)
    found, config = made.maps[name], made.configs[name]
    view(page).focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    at = place(page)
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash.startsWith('#sawtooth')")
    before = json.dumps(sawtooth.DEFAULTS)
    wait_for(page, "sawtooth", f"Object.entries({before}).some(([k, v]) => s.settings[k] !== v)")
    shown = state(page)
    for axis, values, k in ((config.x, found.x, at["column"]), (config.y, found.y, at["row"])):
        assert_is_short_and_in_cell(shown["settings"][axis.name], values, k)
    assert shown["pinned"]["beta2"] == 0.999  # the pinned curve stays
    assert explorer(page).get_by_role("alert").count() == 0
    tooth = state(page)
    if not np.isnan(found.amplitude[at["row"], at["column"]]):  # one noisy problem each
        error = abs(tooth["final_loss"] - found.loss[at["row"], at["column"]])
        assert error < 0.15 * tooth["final_loss"]
    assert explorer(page).evaluate("node => node === document.activeElement")
    playwright_api.expect(explorer(page)).to_be_in_viewport()


def test_switches_change_the_drawing_and_the_address_keeps_them(open_page, pages, made):
    page = open_page(pages["maps"])
    before = picture(page)
    field(page, "show", NAME).locator("select").select_option("final loss")
    wait_for(page, NAME, "s.settings.show === 'final loss'")
    assert picture(page) != before
    say = explorer(page, NAME).get_by_role("status")
    playwright_api.expect(say).to_contain_text("the final loss goes from")
    field(page, "map", NAME).locator("select").select_option("learning rate and batch size")
    wait_for(page, NAME, "s.cells === 132")
    assert state(page, NAME)["hatched"] == np.isnan(made.maps["map-batch"].amplitude).sum()
    page.wait_for_function("location.hash.includes('learning')")
    other = open_page(page.url)
    wait_for(other, NAME, "s.cells === 132 && s.settings.show === 'final loss'")
    assert picture(other) == picture(page)


def picture(page):
    return explorer(page, NAME).locator("canvas").evaluate("node => node.toDataURL()")


def test_cells_are_painted_in_their_places(open_page, pages, made):
    """Transparent over the hatch where the loss ends above its start; else lighter for more."""
    page = open_page(pages["maps"])
    found = made.maps["map-beta2-eps"].amplitude
    size = explorer(page, NAME).locator("canvas").evaluate("node => [node.width, node.height]")
    cells = [(0, 0), (4, 6), (11, 11), (2, 9), (8, 1), (0, 8)]
    light = {}
    for column, row in cells:
        *rgb, opacity = (
            explorer(page, NAME)
            .locator("canvas")
            .evaluate(
                "(node, [x, y]) => [...node.getContext('2d').getImageData(x, y, 1, 1).data]",
                [int((column + 0.5) / 12 * size[0]), int((1 - (row + 0.5) / 12) * size[1])],
            )
        )
        assert opacity == (0 if np.isnan(found[row, column]) else 255)
        if opacity:
            light[found[row, column]] = np.dot(rgb, [0.2126, 0.7152, 0.0722])
    assert len(light) == 5
    assert [light[value] for value in sorted(light)] == sorted(light.values())


def test_a_first_touch_reads_and_a_second_opens(open_page, pages):
    page = open_page(pages["maps"], has_touch=True)
    address = page.url
    page.touchscreen.tap(*centre(page, 3, 8))
    assert (place(page)["column"], place(page)["row"]) == (3, 8)
    assert page.url == address
    page.touchscreen.tap(*centre(page, 3, 8))
    page.wait_for_url("**/play.html#sawtooth*")


def test_two_fingers_zoom_about_the_point_between_them_and_open_nothing(open_page, pages):
    page = open_page(pages["maps"], has_touch=True)
    address = page.url
    x, y = centre(page, 5.5, 5.5)
    session = page.context.new_cdp_session(page)

    def touch(kind, *distances):
        points = [{"x": x + d, "y": y, "id": k} for k, d in enumerate(distances)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -30)
    touch("touchStart", -30, 30)
    for distance in (40, 50, 60):
        touch("touchMove", -distance, distance)
    touch("touchEnd", -60)
    touch("touchEnd")
    near = window(page)
    assert near["width"] == pytest.approx(6, rel=0.02)
    assert near["left"] + near["width"] / 2 == pytest.approx(6, abs=0.1)
    assert page.url == address
    page.touchscreen.tap(x, y)  # one finger reads again
    assert page.url == address
    assert (place(page)["column"], place(page)["row"]) in {(5, 5), (5, 6), (6, 5), (6, 6)}


def test_link_goes_to_the_explorer_of_the_page(open_page, pages):
    page = open_page(pages["play"])
    link = explorer(page, NAME).locator(".esp-map-open")
    link.hover()
    assert link.get_attribute("href").startswith("#sawtooth?")


def test_labels_of_axes_are_on_the_page_at_each_width(open_page, pages):
    page = open_page(pages["maps"], reduced_motion="reduce")
    for width in (1440, 390):
        set_width(page, width)
        for text in explorer(page, NAME).locator(".esp-map-axes text").all():
            box = text.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
