"""The map that predicts, in Chromium: dragged, moved by keys, and put to the library's numbers."""

import numpy as np
import pytest

from esp_lib.widgets import PredictExplorer
from tests.browsing import explorer, field, make_page, state, wait_for
from tests.widgets.recordings import plane

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "predict"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    betas = plane(np.linspace(0.5, 0.96, 24), np.linspace(0.4, 0.995, 24))
    floors = plane(np.geomspace(1e-13, 1e-3, 24), np.linspace(0.72, 0.995, 24), 0.9)
    return make_page(PredictExplorer(betas, floors), folder=tmp_path_factory.mktemp(NAME))


def pad(page):
    return explorer(page, NAME).locator(".esp-pad")


def test_the_point_is_dragged_and_both_teeth_follow(open_page, url):
    page = open_page(url)
    words = explorer(page, NAME).get_by_role("status")
    playwright_api.expect(words).to_contain_text("β₂ is below β₁² = 0.81")
    point = pad(page).locator("circle").last.bounding_box()
    x, y = point["x"] + point["width"] / 2, point["y"] + point["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60)
    page.mouse.up()
    wait_for(page, NAME, "s.settings.beta2 > 0.85")
    playwright_api.expect(words).to_contain_text("die out")
    shown = state(page, NAME)
    assert shown["settings"]["beta1"] == pytest.approx(0.9, abs=0.01)
    settings = {key: shown["settings"][key] for key in ("plane", "beta1", "beta2", "eps", "seed")}
    empty = plane([0.5, 0.9])
    own, seen = PredictExplorer(empty, empty, **settings).teeth
    expected = [own.drop, own.amplitude, seen.drop, seen.amplitude]
    keys = ("predicted_drop", "predicted_amplitude", "drop", "amplitude")
    assert [shown[key] for key in keys] == pytest.approx([float(v) for v in expected], rel=1e-6)


def test_keys_move_the_point_and_the_other_map_has_the_other_setting(open_page, url):
    page = open_page(url)
    pad(page).focus()
    for key, name, value in (("ArrowUp", "beta2", 0.805), ("ArrowLeft", "beta1", 0.895),
                             ("PageDown", "beta2", 0.755), ("Home", "beta1", 0.845)):  # fmt: skip
        page.keyboard.press(key)
        wait_for(page, NAME, f"s.settings.{name} === {value}")
    assert "β₁ 0.845, β₂ 0.755" in pad(page).get_attribute("aria-label")
    field(page, "plane", NAME).locator("select").select_option(index=1)
    wait_for(page, NAME, "s.settings.plane.startsWith('ε')")
    pad(page).focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, NAME, "s.settings.eps === 1.3e-8")
    assert state(page, NAME)["settings"]["beta1"] == 0.845
    page.wait_for_function("() => location.hash.startsWith('#predict?plane=')")
