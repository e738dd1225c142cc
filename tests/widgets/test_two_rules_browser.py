"""Two rules side by side, in Chromium: chosen, dragged, and put to the library's numbers."""

import pytest

from esp_lib.widgets import TwoRulesExplorer
from tests.browsing import drawing, explorer, field, make_page, state, type_in, wait_for
from tests.widgets.recordings import RATES

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "two-rules"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return make_page(TwoRulesExplorer(RATES), folder=tmp_path_factory.mktemp(NAME))


def test_rules_are_chosen_and_the_rate_dragged(open_page, url):
    page = open_page(url)
    fresh = TwoRulesExplorer(RATES)
    field(page, "first", NAME).locator("select").select_option("AMSGrad")
    type_in(page, "beta2", "0.8", NAME)
    wait_for(page, NAME, "s.settings.beta2 === 0.8 && s.settings.first === 'AMSGrad'")
    before = drawing(page, NAME)
    handle = field(page, "rate", NAME).locator(".noUi-handle")
    handle.focus()
    for _ in range(4):
        handle.press("ArrowLeft")
    wait_for(page, NAME, "s.settings.rate < 0.7")
    assert drawing(page, NAME) != before
    assert handle.get_attribute("aria-valuetext") == str(state(page, NAME)["settings"]["rate"])
    shown = state(page, NAME)
    fresh.set(**shown["settings"])
    found = fresh.found
    assert shown["patterns"] == [word for word, _ in found]
    drops, rises = ([float(getattr(t, key)) for _, t in found] for key in ("drop", "rise"))
    assert shown["drops"] == pytest.approx(drops, rel=1e-6)
    assert shown["rises"] == pytest.approx(rises, rel=1e-6)
    lines = explorer(page, NAME).get_by_role("status").inner_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["AMSGrad", "Adam"]
    page.wait_for_function("location.hash.startsWith('#two-rules?first=AMSGrad')")
