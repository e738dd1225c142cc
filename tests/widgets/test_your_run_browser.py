"""The explorer of the reader's own run in Chromium, on a small page of its own.

Requests that leave the machine are refused and fail the test (fixture `open_page`).
"""

import json
import shutil

import numpy as np
import pytest

from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.report import as_json, as_text
from esp_lib.diagnosis.trial.examples import example_logs
from esp_lib.diagnosis.trial.synthetic import RIGHT
from esp_lib.diagnosis.trial.synthetic_files import corpus
from esp_lib.diagnosis.wording import advice, section
from esp_lib.logs.read import parse_log
from esp_lib.widgets import YourRun
from tests.browsing import bundle, each_look, explorer, page_text, state, wait_for
from tests.diagnosis.page_worker import close
from tools.print_book import served

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "your-run"
EXAMPLES = example_logs()
SLOW = r"^(\d+)+x(?P<loss>\d)"  # takes for ever on a line of digits


def write_page(folder, made):
    """A page with what a page of the book has; returns its path."""
    shutil.copy(bundle(), folder / "widgets.js")
    path = folder / "index.html"
    path.write_text(page_text(made, script="widgets.js"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_page(folder, YourRun())
    return folder


@pytest.fixture(scope="module")
def url(folder):
    """Address of the page, as a file."""
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def at_server(folder):
    """Address of the page on a server of this machine."""
    with served(folder) as address:
        yield f"{address}/index.html"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    return folder, corpus(folder)


def part(page, selector):
    return explorer(page, NAME).locator(selector)


def button(page, name):
    return explorer(page, NAME).get_by_role("button", name=name, exact=True)


def verdict(page):
    return part(page, ".esp-verdict").inner_text()


def choose(page, *paths):
    part(page, "input[type=file]").set_input_files([str(path) for path in paths])


def drop(page, name, text):
    """Drop a file on the form, as a browser reports it."""
    page.evaluate(
        """([selector, name, text]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], name));
          const target = document.querySelector(selector);
          for (const kind of ['dragenter', 'dragover', 'drop']) {
            const event = {dataTransfer, bubbles: true, cancelable: true};
            target.dispatchEvent(new DragEvent(kind, event));
          }
        }""",
        [".esp-your-run .esp-input", name, text],
    )


def finish(page, file):
    wait_for(page, NAME, f"!s.busy && s.file === {json.dumps(file)}")


@pytest.mark.parametrize("protocol", ["file", "http"])
def test_examples_are_diagnosed_on_the_page_alone(open_page, url, at_server, protocol):
    page = open_page(url if protocol == "file" else at_server)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for example in EXAMPLES:
        button(page, example.title).click()
        finish(page, example.file)
        right, cause = RIGHT[example.run.label]
        found = state(page, NAME)
        assert (found["verdict"], found["cause"]) == (right, cause)
        expected = diagnose(parse_log(example.text, voice="page"), example.steps_per_epoch)
        assert verdict(page) == expected.headline
        assert button(page, example.title).get_attribute("aria-pressed") == "true"
        assert part(page, ".esp-your-run .esp-curves path, .esp-curves path").count() >= 2
    assert all(one.startswith("blob:") for one in asked)  # the worker's source
    say = part(page, ".esp-private").inner_text()
    assert "in your browser" in say
    assert "Nothing is uploaded" in say


def test_a_chosen_file_gives_what_python_gives(open_page, url, logs):
    page = open_page(url)
    folder, files = logs
    for name in ("trainer_state.json", "metrics.csv", "tqdm.log", "events.out.tfevents.1"):
        choose(page, folder / name)
        finish(page, name)
        log = parse_log((folder / name).read_bytes(), voice="page")
        expected = diagnose(log)
        with page.expect_download() as download:
            button(page, "Download JSON").click()
        assert download.value.suggested_filename == "diagnosis.json"
        values = json.loads(download.value.path().read_text("utf-8"))
        assert close(values, json.loads(as_json(expected, "page")))
        assert as_text(expected, "page").startswith(verdict(page))
        items = part(page, "li").all_inner_texts()
        assert set(expected.reasons) <= set(items)
        assert set(log.notes) <= set(items)
    assert files


def test_a_dropped_file_is_diagnosed_and_the_zone_shows_it(open_page, url):
    page = open_page(url)
    form = part(page, ".esp-input")
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(['x'], 'x'));
          document.querySelector('.esp-input').dispatchEvent(
            new DragEvent('dragenter', {dataTransfer, bubbles: true}));
        }"""
    )
    assert form.get_attribute("data-over") == "true"
    drop(page, "mine.log", EXAMPLES[4].text)
    finish(page, "mine.log")
    assert form.get_attribute("data-over") is None
    assert state(page, NAME)["cause"] == "running average"


def test_pasted_text_is_diagnosed_with_the_options(open_page, url):
    page = open_page(url)
    text = EXAMPLES[2].text
    box = explorer(page, NAME).get_by_label("or paste its text")
    steps = explorer(page, NAME).get_by_label("Steps per epoch")
    box.fill(text)
    steps.fill("100")
    steps.press("Enter")
    finish(page, "pasted text")
    assert state(page, NAME)["cause"] == "fixed order"
    assert "as you said" in part(page, "dl").inner_text()
    steps.fill("")
    box.fill("a,b\n1,2\n")
    button(page, "Diagnose").click()
    wait_for(page, NAME, "s.refused")
    column = explorer(page, NAME).get_by_label("Loss column")
    column.fill("b")
    column.press("Enter")
    wait_for(page, NAME, "!s.refused && s.points === 1")
    assert verdict(page).startswith("Cannot tell: ")


@pytest.mark.parametrize("size", ["small", "large"])
def test_pasting_is_enough(open_page, url, size):
    page = open_page(url)
    text = EXAMPLES[1].text
    if size == "large":  # not shown in the box, which would crawl
        loss = np.random.default_rng(0).normal(size=40_000)
        text = "step,loss\n" + "\n".join(f"{k},{v:.4f}" for k, v in enumerate(loss, 1))
    page.evaluate(
        """(text) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData('text/plain', text);
          const box = document.querySelector('.esp-your-run textarea');
          box.focus();
          const go = box.dispatchEvent(
            new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true}));
          if (go) {
            box.value = text;
            box.dispatchEvent(new InputEvent('input', {bubbles: true}));
          }
        }""",
        text,
    )
    finish(page, "pasted text")
    assert state(page, NAME)["points"] == text.count("\n") - (size == "small")
    shown = part(page, "textarea").input_value()
    assert shown == (text if size == "small" else "")


@pytest.mark.parametrize(("text", "words"), [
    ("", "the log is empty"), ("hello\nworld\n", "no"), ("a,b\n1,2\n", "no column reads as"),
    ('{"a": [1, 2', "JSON"),
])  # fmt: skip
def test_what_cannot_be_read_is_said_in_a_sentence(open_page, url, text, words):
    page = open_page(url)
    if text:
        drop(page, "x.txt", text)
        wait_for(page, NAME, "s.refused")
        alert = part(page, ".esp-error:not([hidden])")
        assert alert.get_attribute("role") == "alert"
        assert alert.inner_text().startswith("x.txt: ")
        assert words in alert.inner_text()
        assert not part(page, ".esp-verdict").is_visible()
        assert not part(page, "dl").is_visible()
        button(page, "None").click()  # and the next log is diagnosed
        finish(page, "metrics.csv")
        assert alert.count() == 0
    else:
        part(page, "textarea").fill("")
        button(page, "Diagnose").click()
        assert "log first" in part(page, ".esp-status").inner_text()


def test_wrong_steps_are_refused_beside_the_field(open_page, url):
    page = open_page(url)
    before = state(page, NAME)
    steps = explorer(page, NAME).get_by_label("Steps per epoch")
    steps.fill("ten")
    steps.press("Enter")
    alert = part(page, ".esp-input .esp-error")
    playwright_api.expect(alert).to_have_text(
        "Steps per epoch must be a number of at least 1, got ten"
    )
    assert steps.get_attribute("aria-invalid") == "true"
    assert steps.get_attribute("aria-describedby") == alert.get_attribute("id")
    assert state(page, NAME) == before
    steps.fill("400")
    steps.press("Enter")
    playwright_api.expect(alert).to_be_hidden()
    assert steps.get_attribute("aria-invalid") is None


def test_a_run_of_several_is_chosen(open_page, url):
    page = open_page(url)
    once = "".join(f"step {i} loss {3 - i / 10:.2f}\n" for i in range(1, 13))
    drop(page, "runs.log", 2 * once)
    finish(page, "runs.log")
    assert "This is run 1 of the 2 in the log." in part(page, ".esp-answer").inner_text()
    which = explorer(page, NAME).get_by_label("Run, of several")
    which.fill("2")
    which.press("Enter")
    playwright_api.expect(part(page, ".esp-answer")).to_contain_text("This is run 2 of the 2")


def test_a_file_that_changed_since_it_was_chosen_is_said_so(open_page, url, tmp_path):
    page = open_page(url)
    log = tmp_path / "grows.log"
    log.write_text(EXAMPLES[2].text)
    choose(page, log)
    finish(page, "grows.log")
    log.write_text(EXAMPLES[2].text + "step 100000 loss 2.0\n")
    button(page, "Diagnose").click()
    wait_for(page, NAME, "s.refused")
    assert "has changed or moved" in part(page, ".esp-error:not([hidden])").inner_text()
    with page.expect_file_chooser() as chooser:  # the same file again
        part(page, 'input[type="file"]').click()
    chooser.value.set_files(str(log))
    wait_for(page, NAME, "!s.busy && !s.refused")


def test_a_pattern_that_takes_for_ever_can_be_cancelled(open_page, url):
    page = open_page(url)
    part(page, "textarea").fill("1" * 60 + "\n")
    pattern = explorer(page, NAME).get_by_label("Pattern, for text")
    pattern.fill(SLOW)
    pattern.press("Enter")
    wait_for(page, NAME, "s.busy")
    assert "Reading pasted text" in part(page, ".esp-status").inner_text()
    assert page.evaluate("1 + 1") == 2  # the page itself goes on
    button(page, "Cancel").click()
    wait_for(page, NAME, "!s.busy")
    assert part(page, ".esp-status").inner_text() == "Cancelled."
    assert not button(page, "Cancel").is_visible()
    assert verdict(page).startswith("Yes: ")  # of the log before
    pattern.press("Enter")
    wait_for(page, NAME, "s.busy")
    button(page, "None").click()  # another log overtakes it
    finish(page, "metrics.csv")
    assert state(page, NAME)["verdict"] == "none"


def test_a_diagnosis_is_given_up_after_its_time(open_page, tmp_path):
    page = open_page(write_page(tmp_path, YourRun(time_limit=3)).as_uri())
    part(page, "textarea").fill("1" * 60 + "\n")
    pattern = explorer(page, NAME).get_by_label("Pattern, for text")
    pattern.fill(SLOW)
    pattern.press("Enter")
    wait_for(page, NAME, "s.refused")
    alert = part(page, ".esp-error:not([hidden])").inner_text()
    assert "took longer than 3 seconds" in alert
    assert "simpler" in alert


def test_the_report_is_copied_as_the_command_prints_it(open_page, url):
    page = open_page(url)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button(page, "Copy as text").click()
    playwright_api.expect(explorer(page, NAME).get_by_text("Copied.")).to_be_visible()
    log = parse_log(EXAMPLES[0].text, voice="page")
    assert page.evaluate("navigator.clipboard.readText()") == as_text(diagnose(log), "page")


def test_advice_links_to_the_chapters(open_page, url):
    page = open_page(url)
    links = part(page, "li a")
    found = links.evaluate_all("nodes => nodes.map((n) => [n.getAttribute('href'), n.textContent])")
    told = [[link, section(link, "page")] for _, link in advice("reshuffling")]
    assert found == told
    assert found[0][1] == "the book, chapter 1, “what to do about it”"


def test_many_rows_are_drawn_thin_and_whole(open_page, url):
    page = open_page(url)
    rng = np.random.default_rng(0)
    step = np.arange(1, 200_001)
    loss = 2 + 0.1 * ((step - 1) % 10_000) / 1e4 + 0.1 * rng.normal(size=step.size)
    loss[123_456] = 7.0
    drop(page, "long.csv", "step,loss\n" + "\n".join(f"{s},{v:.4f}" for s, v in enumerate(loss, 1)))
    finish(page, "long.csv")
    found = state(page, NAME)
    assert (found["points"], found["verdict"]) == (200_000, "sawtooth")
    paths = part(page, ".esp-pair .esp-curves path")
    assert paths.first.get_attribute("d").count("L") < 2_000
    ticks = part(page, ".esp-pair .esp-y").all_text_contents()
    assert "6" in ticks  # the one point that stands out is drawn


def test_page_is_whole_with_each_answer(open_page, url):
    page = open_page(url, reduced_motion="reduce")
    for example in EXAMPLES[2::2]:
        button(page, example.title).click()
        finish(page, example.file)
        for _, width in each_look(page):
            boxes = [box.bounding_box() for box in part(page, ".esp-pair > div").all()]
            stacked = boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
            assert stacked == (width == 390)


def test_the_answer_is_said_and_a_button_takes_the_keyboard(open_page, url):
    page = open_page(url)
    assert part(page, ".esp-status").get_attribute("role") == "status"
    said = part(page, "[aria-live=polite]")
    assert "It is a sawtooth" in said.inner_text()
    button(page, "None").focus()
    page.keyboard.press("Enter")
    finish(page, "metrics.csv")
    assert "No: the loss does not drop" in said.inner_text()
