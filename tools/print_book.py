"""Print the built book as one PDF, with Chromium.

Every page of `_build/html` that `_toc.yml` lists, the library's reference left out, is joined into
one document and printed by a headless browser (https://playwright.dev/python/docs/api/class-page,
`page.pdf`). Explorers appear as the drawings that hold their place. The PDF goes into the built
book, and the page of downloads shows its link.

Usage: `python tools/print_book.py [--html FOLDER]`; `find_browser` says which browser.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]

FLAGS = ["--no-sandbox", "--disable-gpu"]
LEFT_OUT = "book/api/"

# Runs in the browser: joins the articles of `pages`, links between them made links within.
JOIN = """async (pages) => {
  const slug = (page) => page.replaceAll("/", "-");
  const body = document.createElement("div");
  let mathjax = "";
  let settings = ""; // of MathJax, in a script of each page with formulas
  for (const page of pages) {
    const base = new URL(`/${page}.html`, location.origin);
    const html = await (await fetch(base)).text();
    const other = new DOMParser().parseFromString(html, "text/html");
    const script = other.querySelector("script[src*='tex-']");
    if (script) {
      mathjax = new URL(script.getAttribute("src"), base).href;
      const inline = [...other.scripts].find(({ text }) => text.includes("window.MathJax"));
      settings = inline?.text ?? "";
    }
    const article = other.querySelector("article.bd-article");
    for (const node of article.querySelectorAll("script, .headerlink, .esp-narrow, [hidden]"))
      node.remove();
    for (const node of article.querySelectorAll("[id]")) node.id = `${slug(page)}-${node.id}`;
    for (const node of article.querySelectorAll("[href]")) {
      const raw = node.getAttribute("href");
      const to = new URL(raw, base);
      const name = to.pathname.slice(1).replace(/\\.html$/, "");
      if (to.origin !== location.origin) continue;
      if (pages.includes(name))
        node.setAttribute("href", `#${slug(name)}${to.hash && "-" + to.hash.slice(1)}`);
      else if (raw.startsWith("#")) node.setAttribute("href", `#${slug(page)}-${raw.slice(1)}`);
      else node.removeAttribute("href"); // a file, or a page that is left out
    }
    for (const node of article.querySelectorAll("img[src]"))
      node.src = new URL(node.getAttribute("src"), base).href;
    for (const node of article.querySelectorAll("details.esp-fold")) node.open = true;
    const html_ids = article.innerHTML.replace(/url\\(#/g, `url(#${slug(page)}-`);
    const section = document.createElement("article");
    section.className = "bd-article esp-printed";
    section.id = slug(page);
    section.innerHTML = html_ids;
    body.append(section);
  }
  document.title = "The Epochal Sawtooth";
  document.documentElement.dataset.theme = "light";
  document.body.className = "";
  document.body.replaceChildren(body);
  const style = document.createElement("style");
  style.textContent = `.esp-printed + .esp-printed { break-before: page; }
    body { min-height: 0; } figure, tr { break-inside: avoid; }
    details.hide > summary, .copybtn { display: none; }
    .esp-scroll, .cell_output .text_html { overflow: visible !important; }`;
  document.head.append(style);
  if (mathjax) {
    document.head.append(Object.assign(document.createElement("script"), { text: settings }));
    await new Promise((done) => {
      const script = Object.assign(document.createElement("script"), { src: mathjax });
      script.onload = script.onerror = done;
      document.head.append(script);
    });
    await globalThis.MathJax?.startup?.promise;
  }
  await document.fonts.ready;
  return document.querySelectorAll(".math:not(:has(mjx-container))").length;
}"""


def list_pages(html: Path, toc: Path) -> list[str]:
    """The built pages that are printed, in the book's order.

    Raises:
        FileNotFoundError: the book has not been built.
    """
    if not (html / "index.html").exists():
        raise FileNotFoundError(f"no built book at {html}: run make book first")
    listed = yaml.safe_load(toc.read_text(encoding="utf8"))
    names = [listed["root"], *(chapter["file"] for chapter in listed["chapters"])]
    built = [name for name in names if (html / f"{name}.html").exists()]
    return [name for name in built if not name.startswith(LEFT_OUT)]


@contextlib.contextmanager
def served(
    folder: Path, handler: type[SimpleHTTPRequestHandler] = SimpleHTTPRequestHandler
) -> Iterator[str]:
    """Address of a folder on a server of this machine, which says nothing."""
    quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
    answer = functools.partial(quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def print_book(html: Path, pages: list[str], target: Path, browser: Path) -> int:
    """Join the pages and print them into `target`.

    Returns:
        How many formulas stand in it as they were typed, since MathJax could not be loaded.
    """
    from playwright.sync_api import sync_playwright

    with served(html) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(browser), args=FLAGS)
        page = chromium.new_page(viewport={"width": 800, "height": 1100})
        page.set_default_timeout(300_000)
        page.goto(f"{address}/genindex.html")
        raw: int = page.evaluate(JOIN, pages)
        draft = target.with_suffix(".tmp")
        page.pdf(
            path=str(draft),
            format="A4",
            outline=True,
            tagged=True,
            margin={"top": "15mm", "bottom": "15mm", "left": "15mm", "right": "15mm"},
        )
        draft.replace(target)
        chromium.close()
    return raw


def find_browser() -> Path:
    """The browser that `ESP_CHROMIUM` names, else one of Debian's.

    The one without windows comes first: it opens a page in half the time.
    """
    names = ("chromium-headless-shell", "chromium")
    found = os.environ.get("ESP_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    return Path(found or "/usr/bin/chromium")


def main(arguments: list[str] | None = None) -> int:
    """Print the book; return the exit status."""
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    from esp_downloads import PDF, uncover_pdf

    parser = argparse.ArgumentParser(description="Print the built book as one PDF.")
    parser.add_argument("--html", type=Path, default=ROOT / "_build" / "html")
    options = parser.parse_args(arguments)
    browser = find_browser()
    if not browser.exists():
        print(f"no browser at {browser}: ESP_CHROMIUM names one", file=sys.stderr)
        return 1
    try:
        pages = list_pages(options.html, ROOT / "_toc.yml")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    target = options.html / PDF
    if raw := print_book(options.html, pages, target, browser):
        print(f"{raw} formulas are printed as TeX: the pages' MathJax did not load")
    uncover_pdf(options.html)
    print(f"== {target}: {len(pages)} pages of the book, {target.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
