// What the theme's HTML leaves out for readers who use a keyboard or listen to the page.
//
// 1. Every box of an article that scrolls sideways can be reached by keyboard. A box that fits is
//    left out of the tab order; the check is repeated when sizes change.
// 2. Folded code is called what its button says, not by MyST-NB's "Toggle hidden content".
// 3. An entry of the bibliography is an item of its list; docutils gives it a withdrawn role.

const BOXES = [
  ".esp-scroll",
  ".cell_output .text_html",
  ".cell_output .output",
  ".pst-scrollable-table-container",
  ".highlight pre",
  "div.math",
  'mjx-container[display="true"]',
].map((selector) => `article ${selector}`);

function mark(box) {
  const style = getComputedStyle(box);
  const scrolls = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(style.overflowX);
  const marked = box.hasAttribute("data-esp-scrolls");
  if (scrolls && !marked && !box.hasAttribute("tabindex")) {
    box.tabIndex = 0;
    box.setAttribute("data-esp-scrolls", "");
  } else if (!scrolls && marked) {
    box.removeAttribute("tabindex");
    box.removeAttribute("data-esp-scrolls");
  }
}

const sizes = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));

function watch() {
  for (const box of document.querySelectorAll(BOXES.join(","))) sizes.observe(box);
}

watch();
window.addEventListener("load", () => globalThis.MathJax?.startup?.promise.then(watch));

for (const button of document.querySelectorAll("article details > summary[aria-label]")) {
  button.removeAttribute("aria-label");
}

for (const entry of document.querySelectorAll('[role="doc-biblioentry"]')) {
  entry.setAttribute("role", "listitem");
}
