// The widget manager of a static page: no kernel, no server, no other host.
//
// A built page holds the state of its widgets in one script tag and one view tag for each place
// where a widget is shown (https://ipywidgets.readthedocs.io/en/stable/embedding.html). This
// manager makes the models from the state and puts a view in front of each view tag. Classes come
// from this bundle alone: base, controls and anywidget.

import * as base from "@jupyter-widgets/base";
import * as controls from "@jupyter-widgets/controls";
import { ManagerBase } from "@jupyter-widgets/base-manager";
import { MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';
const PATIENCE = 2000; // ms that the next view waits for the drawing of one

/** anywidget's front end is an AMD module: give it the one dependency that it asks for. */
function loadAnywidget() {
  const before = globalThis.define;
  let module;
  globalThis.define = (_names, factory) => {
    module = factory(base);
  };
  require("anywidget");
  globalThis.define = before;
  return module;
}

const MODULES = {
  "@jupyter-widgets/base": base,
  "@jupyter-widgets/controls": controls,
  anywidget: loadAnywidget(),
};

class PageManager extends ManagerBase {
  async loadClass(className, moduleName) {
    const found = MODULES[moduleName]?.[className];
    if (!found) throw new Error(`${className} of ${moduleName} is not part of this page's bundle`);
    return found;
  }

  async _get_comm_info() {
    return {};
  }

  async _create_comm() {
    throw new Error("a static page has no kernel to talk to");
  }
}

/** The controls call MathJax 2's queue to typeset labels; MathJax 3 has no such thing. */
function shimMathJax() {
  const typeset = ([, , element]) => globalThis.MathJax?.typesetPromise?.([element]);
  if (globalThis.MathJax) globalThis.MathJax.Hub ??= { Queue: typeset };
}

/** Shows a model where its tag stands; a promise of its first drawing, for which none waits long. */
async function showView(manager, model, tag) {
  shimMathJax();
  const place = document.createElement("div");
  tag.before(place);
  const view = await manager.create_view(model);
  Widget.attach(view.luminoWidget, place);
  window.addEventListener("resize", () => {
    MessageLoop.postMessage(view.luminoWidget, Widget.ResizeMessage.UnknownSize);
  });
  await new Promise((done) => {
    view.el.addEventListener("esp-live", done, { once: true });
    setTimeout(done, PATIENCE);
  });
}

/**
 * Shows each model when its place is within a screen of what the reader sees, in the order of the
 * page; all of them where the address holds the settings of one.
 */
function showViews(manager, models) {
  const waiting = new Map(); // place -> what shows its model
  for (const tag of document.querySelectorAll(VIEW)) {
    const model = models.find((item) => item.model_id === JSON.parse(tag.textContent).model_id);
    if (model) waiting.set(tag.parentElement, () => showView(manager, model, tag));
  }
  let last = Promise.resolve(); // one after another: the first is live the sooner
  const show = (places) => {
    for (const place of places) {
      near.unobserve(place);
      last = last.then(waiting.get(place)).catch(console.error);
      waiting.delete(place);
    }
    last.then(afterLoading).then(loadMathJax);
  };
  const near = new IntersectionObserver(
    (entries) => show(entries.filter((one) => one.isIntersecting).map((one) => one.target)),
    { rootMargin: "100% 0%" },
  );
  const showNamed = () => {
    if (location.hash.includes("?")) show([...waiting.keys()]);
  };
  for (const place of waiting.keys()) near.observe(place);
  window.addEventListener("hashchange", showNamed);
  showNamed();
  if (!waiting.size) show([]);
}

async function afterLoading() {
  if (document.readyState === "complete") return;
  await new Promise((done) => window.addEventListener("load", done, { once: true }));
}

/** Formulas come after the explorers in sight: MathJax keeps a phone busy for seconds. */
function loadMathJax() {
  const waiting = document.querySelector('script[type="text/later"]');
  if (!waiting) return;
  const script = document.createElement("script");
  script.src = waiting.src;
  waiting.replaceWith(script);
}

/** anywidget gives a widget two seconds to start, too few for a slow machine: wait for a minute. */
function waitLonger() {
  const timeout = AbortSignal.timeout;
  AbortSignal.timeout = (ms) => timeout.call(AbortSignal, Math.max(ms, 60_000));
  return () => {
    AbortSignal.timeout = timeout;
  };
}

async function main() {
  const style = document.createElement("style");
  style.textContent = WIDGET_CSS; // put in by build.mjs
  document.head.prepend(style);
  shimMathJax();
  for (const tag of document.querySelectorAll(STATE)) {
    const manager = new PageManager();
    const restore = waitLonger(); // models are made here
    const models = await manager.set_state(JSON.parse(tag.textContent));
    restore();
    showViews(manager, models);
  }
}

// The script is asynchronous: the page may still be read, and then `main` waits for its end.
if (document.readyState !== "loading") main();
else document.addEventListener("readystatechange", main, { once: true });
