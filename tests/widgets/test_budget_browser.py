"""The explorer of budgets in Chromium, on a small page of its own."""

import re

import pytest

from esp_lib.finetuning.early_stopping import compare
from esp_lib.widgets import BudgetExplorer
from tests.browsing import drawing, explorer, field, make_page, state, type_in, wait_for
from tests.finetuning.episodes import tasks

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "budget"
METRIC = {"CoLA": "Matthews correlation"}


@pytest.fixture(scope="module")
def made():
    """The explorer of the page, in Python."""
    return BudgetExplorer(tasks(), metric=METRIC)


@pytest.fixture(scope="module")
def url(made, tmp_path_factory):
    """Address of the page."""
    return make_page(made, folder=tmp_path_factory.mktemp("page"))


def check_against(page, fresh):
    """The page shows what the library computes at the same settings."""
    shown, outcome = state(page, NAME), fresh.outcome
    assert shown["found"] == pytest.approx(outcome.expected, rel=1e-9)
    assert shown["full"] == pytest.approx(outcome.full, rel=1e-9)
    assert shown["reduction"] == pytest.approx(outcome.reduction, rel=1e-7)
    assert (shown["used"], shown["paid"]) == pytest.approx((outcome.plan.cost, outcome.budget))
    assert shown["drawn"] == fresh.example.tolist()
    cells = explorer(page, NAME).locator(".esp-readout tbody td").all_text_contents()
    for cell, value in ((cells[1], outcome.expected), (cells[3], outcome.full)):
        assert cell == f"{value:.4f}".replace("-", "\u2212")


def test_page_shows_the_numbers_of_the_library(open_page, url):
    page = open_page(url)
    check_against(page, BudgetExplorer(tasks(), metric=METRIC))
    for settings in (
        {"t": 40, "f": 0.3, "p": 4, "budget": 15},
        {"t": 8, "f": 0.5, "p": 20, "budget": 12},
        {"t": 100, "f": 0.2, "p": 10, "budget": 6.5, "draw": 3},
    ):
        for key, value in settings.items():
            type_in(page, key, str(value), NAME)
        wait_for(
            page, NAME, " && ".join(f"s.settings.{key} === {v}" for key, v in settings.items())
        )
        check_against(page, BudgetExplorer(tasks(), **settings))
    status = explorer(page, NAME).get_by_role("status")
    playwright_api.expect(status).to_contain_text("more than the budget of 6.5; it is compared")
    before = drawing(page, NAME)
    field(page, "task", NAME).locator("select").select_option("CoLA")
    wait_for(page, NAME, "s.settings.task === 'CoLA'")
    check_against(page, BudgetExplorer(tasks(), task="CoLA", **settings))
    assert drawing(page, NAME) != before
    axes = explorer(page, NAME).locator(".esp-axes")
    assert axes.text_content().endswith("Matthews correlation")


def test_button_takes_the_best_plan(open_page, url):
    page = open_page(url)
    fresh = BudgetExplorer(tasks(), metric=METRIC)
    for task, paid in (("SST-2", 10), ("CoLA", 4), ("RTE", 20)):
        field(page, "task", NAME).locator("select").select_option(task)
        type_in(page, "budget", str(paid), NAME)
        wait_for(page, NAME, f"s.settings.task === '{task}' && s.settings.budget === {paid}")
        explorer(page, NAME).get_by_role("button", name="Best plan for this budget").press("Enter")
        fresh.set(task=task, budget=paid)
        plan = fresh.take_best_plan().plan
        wait_for(page, NAME, f"s.plan.t === {plan.t} && s.plan.p === {plan.p}")
        assert state(page, NAME)["plan"]["f"] == plan.f
        check_against(page, fresh)
        for key in ("t", "p"):
            box = field(page, key, NAME).locator("input")
            assert box.input_value() == str(getattr(plan, key))
        assert compare(fresh.task.score, fresh.task.loss, plan, paid) == fresh.outcome


def test_curves_of_an_example_are_drawn_and_drawn_again(open_page, url):
    page = open_page(url)
    type_in(page, "t", "7", NAME)
    type_in(page, "p", "2", NAME)
    wait_for(page, NAME, "s.settings.t === 7 && s.settings.p === 2")
    paths = explorer(page, NAME).locator(".esp-curves path")
    stop, stopped, going, best = (paths.nth(k).get_attribute("d") for k in range(4))
    assert (stopped.count("M"), stopped.count("L")) == (5, 5 * 7)  # to the eighth evaluation
    assert (going.count("M"), going.count("L")) == (2, 2 * 29)
    assert best.count("M") == 1
    edge = re.match(r"M([\d.]+)", stop)[1]
    assert set(re.findall(r"L([\d.]+) [\d.]+(?=M|$)", stopped)) == {edge}
    key = explorer(page, NAME).locator(".esp-key")
    playwright_api.expect(key).to_contain_text("5 stopped after 0.8 epochs")
    playwright_api.expect(key).to_contain_text("2 episodes trained to the end")
    numbers = explorer(page, NAME).locator(".esp-readout").text_content()
    seen = {stopped}
    for n in (1, 2, 3):
        explorer(page, NAME).get_by_role("button", name="Another draw").click()
        wait_for(page, NAME, f"s.settings.draw === {n}")
        seen.add(paths.nth(1).get_attribute("d"))
        assert explorer(page, NAME).locator(".esp-readout").text_content() == numbers
    assert len(seen) == 4
    explorer(page, NAME).get_by_role("button", name="Reset").click()
    wait_for(page, NAME, "s.settings.draw === 0 && s.settings.t === 23")


def test_sliders_move_by_keyboard_and_nothing_jumps(open_page, url):
    page = open_page(url)
    chart = explorer(page, NAME).locator(".esp-chart")
    box, axes = chart.bounding_box(), chart.locator(".esp-axes").inner_html()
    for key in ("budget", "t", "f", "p"):
        before, was = drawing(page, NAME), state(page, NAME)["settings"][key]
        table = explorer(page, NAME).locator(".esp-readout").text_content()
        handle = field(page, key, NAME).locator(".noUi-handle")
        handle.focus()
        handle.press("ArrowRight")
        wait_for(page, NAME, f"s.settings.{key} > {was}")
        assert explorer(page, NAME).locator(".esp-readout").text_content() != table, key
        if key != "budget":
            assert drawing(page, NAME) != before, key
    assert state(page, NAME)["plan"]["f"] == pytest.approx(9 / 30)
    assert chart.bounding_box() == box
    assert chart.locator(".esp-axes").inner_html() == axes
    assert state(page, NAME)["ms"] < 2000
