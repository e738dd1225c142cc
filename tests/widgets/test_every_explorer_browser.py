"""Every explorer in Chromium, on a small page of its own: whole, named, pictured without it."""

import numpy as np
import pytest

from esp_lib.widgets import (
    BudgetExplorer,
    EarlyExplorer,
    NetworkExplorer,
    OneVisitExplorer,
    PredictExplorer,
    RecordedExplorer,
    SawtoothExplorer,
    SimilarityExplorer,
    TwoRulesExplorer,
    TwoSampleExplorer,
    WhyExplorer,
    YourRun,
)
from tests.browsing import LOOKS, each_look, make_page, unfold
from tests.finetuning.episodes import tasks
from tests.maps.small_maps import small_maps
from tests.widgets.recordings import RATES, plane, recordings

pytestmark = pytest.mark.browser

MADE = {
    "budget": lambda: BudgetExplorer(tasks()),
    "early": lambda: EarlyExplorer(tasks(40, 10)),
    "maps": small_maps,
    "network": NetworkExplorer,
    "one-visit": OneVisitExplorer,
    "predict": lambda: PredictExplorer(plane(np.arange(0.5, 0.9, 0.1)), plane([1e-10, 1e-4])),
    "recorded": lambda: RecordedExplorer(recordings(3)),
    "sawtooth": SawtoothExplorer,
    "similarity": SimilarityExplorer,
    "two-rules": lambda: TwoRulesExplorer(RATES),
    "two-samples": TwoSampleExplorer,
    "why": WhyExplorer,
    "your-run": YourRun,
}


@pytest.fixture(scope="module", params=MADE)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def url(name, tmp_path_factory):
    return make_page(MADE[name](), folder=tmp_path_factory.mktemp(name))


def test_page_is_whole_in_both_themes_and_widths(open_page, url):
    page = open_page(url, reduced_motion="reduce")
    assert [*each_look(page)] == LOOKS


def test_every_control_has_a_name_and_takes_the_keyboard(open_page, url, name):
    page = open_page(url)
    unfold(page, name)
    parts = page.locator("input, select, textarea, button, a, [tabindex='0']").all()
    seen = [part for part in parts if part.is_visible()]
    assert len(seen) >= 4
    for part in seen:
        text = part.evaluate(
            """node => node.getAttribute('aria-label') || node.labels?.[0]?.textContent
                 || node.textContent"""
        )
        assert text.strip()
        part.focus()
        assert part.evaluate("node => node === document.activeElement && node.tabIndex >= 0")
        assert part.evaluate(
            """node => !node.matches(':focus-visible')
                 || getComputedStyle(node).outlineStyle !== 'none'"""
        )


def test_without_javascript_a_static_figure_stands_there(open_page, url):
    page = open_page(url, java_script_enabled=False, wait=False)
    figure = page.locator(".esp-fallback")
    assert figure.is_visible()
    assert figure.locator("svg path").count() > 3
    assert len(figure.locator("figcaption").inner_text()) > 40
