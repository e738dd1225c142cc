"""The explorer of recorded runs in Chromium, on a small page of its own.

The page has what a page of the book has: its style sheets, its bundle, the state of the widgets and
one view of them.
"""

import numpy as np
import pytest

from esp_lib.widgets import RecordedExplorer
from tests.browsing import (
    drawing,
    explorer,
    field,
    make_page,
    set_width,
    state,
    type_in,
    wait_for,
)
from tests.widgets.recordings import recordings

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "recorded"


@pytest.fixture(scope="module")
def made():
    """The explorer of the page, in Python."""
    return RecordedExplorer(recordings(3), marks=(10, 38))


@pytest.fixture(scope="module")
def url(made, tmp_path_factory):
    """Address of the page."""
    return make_page(made, folder=tmp_path_factory.mktemp("page"))


def curves(page):
    return explorer(page, NAME).locator(".esp-curves path").count()


def test_each_control_changes_the_drawing(open_page, url):
    page = open_page(url)
    changes = {"every": "38", "smoothing": "0.75", "start": "3"}
    for key, text in changes.items():
        before = drawing(page, NAME)
        type_in(page, key, text, NAME)
        wait_for(page, NAME, f"s.settings.{key} === {text}")
        assert drawing(page, NAME) != before, key
        before = drawing(page, NAME)
        handle = field(page, key, NAME).locator(".noUi-handle")
        handle.focus()
        handle.press("ArrowRight")
        wait_for(page, NAME, f"s.settings.{key} > {text}")
        assert drawing(page, NAME) != before, key
    before = drawing(page, NAME)
    field(page, "series", NAME).locator("select").select_option(index=1)
    wait_for(page, NAME, "s.settings.series === 'NSP loss'")
    assert drawing(page, NAME) != before
    assert explorer(page, NAME).locator(".esp-axes").text_content().endswith("NSP loss")
    for key in ("run1", "run2", "run3", "validation"):
        seen = curves(page)
        box = field(page, key, NAME).locator("input")
        box.focus()
        box.press("Space")
        wait_for(page, NAME, f"s.settings.{key} === {'true' if key == 'validation' else 'false'}")
        assert curves(page) == (seen if key == "validation" else seen - 1)
    status = explorer(page, NAME).get_by_role("status")
    playwright_api.expect(status).to_have_text("No run is chosen.")
    explorer(page, NAME).get_by_role("button", name="Reset").click()
    wait_for(page, NAME, "s.settings.run1 && s.settings.every === 10")
    assert curves(page) == 3
    assert field(page, "run2", NAME).locator("input").is_checked()


def test_page_shows_the_numbers_of_the_library(open_page, url):
    page = open_page(url)
    for every, smoothing in ((10, 1), (38, 0.75), (126, 1)):
        type_in(page, "every", str(every), NAME)
        type_in(page, "smoothing", str(smoothing), NAME)
        wait_for(
            page, NAME, f"s.settings.every === {every} && s.settings.smoothing === {smoothing}"
        )
        fresh = RecordedExplorer(recordings(3), every=every, smoothing=smoothing)
        cells = explorer(page, NAME).locator(".esp-readout tbody tr").all()
        for row, cell, (label, tooth) in zip(
            state(page, NAME)["runs"], cells, fresh.teeth.items(), strict=True
        ):
            assert row["label"] == label
            assert label in cell.text_content()
            for name in ("drop", "rise"):
                value = float(getattr(tooth, name))
                if np.isnan(value):
                    assert row[name] is None
                else:
                    assert row[name] == pytest.approx(value, rel=1e-9)
                    assert f"{value:.3f}".replace("-", "\u2212") in cell.text_content()
        say = explorer(page, NAME).get_by_role("status")
        words = "too few windows" if every == 126 else f"measured in means of {every} steps: 0."
        playwright_api.expect(say).to_contain_text(words)


def test_validation_is_drawn_where_it_was_recorded(open_page, url, made):
    page = open_page(url)
    field(page, "validation", NAME).locator("input").check()
    wait_for(page, NAME, "s.settings.validation")
    faint = explorer(page, NAME).locator(".esp-curves .esp-faint")
    assert faint.count() == 3
    assert faint.first.get_attribute("d").count("L") + 1 == (made.runs[0].steps > 252).sum()


def test_axes_keep_still_while_dragging_and_the_drawing_never_jumps(open_page, url):
    page = open_page(url)
    chart = explorer(page, NAME).locator(".esp-chart")
    box = chart.bounding_box()
    axis = lambda: chart.locator(".esp-axes").inner_html()  # noqa: E731
    still = axis()
    handle = field(page, "every", NAME).locator(".noUi-handle").bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 12):
        page.mouse.move(x + 20 * step, y)
        page.wait_for_timeout(30)
    wait_for(page, NAME, "s.settings.every > 100")
    assert axis() == still
    page.mouse.up()
    page.wait_for_timeout(200)
    assert axis() != still
    assert chart.bounding_box() == box
    for key in ("run1", "run3"):  # rows are unseen, and what is below stays where it is
        field(page, key, NAME).locator("input").uncheck()
        wait_for(page, NAME, f"!s.settings.{key}")
    rows = explorer(page, NAME).locator(".esp-readout tbody tr")
    assert [row.is_visible() for row in rows.all()] == [True, False, False]
    assert "run b" in rows.first.text_content()
    assert chart.bounding_box() == box


def test_names_of_curves_are_on_the_page_at_each_width(open_page, url):
    page = open_page(url, reduced_motion="reduce")
    for width, short in ((1440, False), (390, True)):
        set_width(page, width)
        names = explorer(page, NAME).locator(".esp-name")
        assert names.count() == 3
        if not short:
            assert sorted(names.all_text_contents()) == ["run a", "run b", "run c"]
        for name in names.all():
            box = name.bounding_box()
            assert box["x"] + box["width"] <= width
