"""The explorer of early scores in Chromium, and plans judged on other seeds in the other one."""

import json

import pytest

from esp_lib.widgets import BudgetExplorer, EarlyExplorer
from tests.browsing import drawing, explorer, field, make_page, state, type_in, wait_for
from tests.finetuning.episodes import tasks

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    made = EarlyExplorer(tasks(40, 10), metric={"CoLA": "Matthews correlation"})
    return make_page(made, folder=tmp_path_factory.mktemp("early"))


def test_the_line_is_dragged_and_says_what_it_stops(open_page, url):
    page = open_page(url)
    fresh = EarlyExplorer(tasks(40, 10))
    for settings in ({}, {"p": 3}, {"f": 1, "p": 40}, {"task": "CoLA", "f": 0.1, "p": 9}):
        for key, value in settings.items():
            if key == "task":
                field(page, key, "early").locator("select").select_option(value)
            else:
                type_in(page, key, str(value), "early")
            wait_for(page, "early", f"s.settings.{key} === {json.dumps(value)}")
        fresh.set(**settings)
        shown, found = state(page, "early"), fresh.found
        assert shown["kept"] == found.kept.tolist()
        values = [found.rho, found.line, found.best_kept, found.best]
        keys = ("rho", "line", "best_kept", "best")
        assert [shown[key] for key in keys] == pytest.approx(values)
        dots = explorer(page, "early").locator(".esp-curves circle")
        assert dots.count() == 40
        status = explorer(page, "early").get_by_role("status")
        words = "No episode is stopped" if settings.get("p") == 40 else "the one that ends best"
        playwright_api.expect(status).to_contain_text(words)
    before = drawing(page, "early")
    handle = field(page, "p", "early").locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    wait_for(page, "early", "s.settings.p === 10")
    assert drawing(page, "early") != before


def test_a_plan_is_judged_on_other_seeds_in_the_page(open_page, tmp_path):
    other = {label: (score[:30], loss[:30]) for label, (score, loss) in tasks(60).items()}
    made = BudgetExplorer(tasks(40), others=other, t=20, p=3, budget=9)
    page = open_page(make_page(made, folder=tmp_path))
    cells = explorer(page, "budget").locator(".esp-readout tbody td").all_text_contents()
    assert cells[5] == f"{made.held_out.expected:.4f}"
    assert cells[7] == f"{made.held_out.full:.4f}"
    assert state(page, "budget")["judged"] == pytest.approx(made.held_out.expected)
    status = explorer(page, "budget").get_by_role("status")
    playwright_api.expect(status).to_contain_text("On other seeds it finds")
