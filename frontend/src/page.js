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

async function showViews(manager, models) {
  const views = [];
  for (const tag of document.querySelectorAll(VIEW)) {
    const model = models.find((item) => item.model_id === JSON.parse(tag.textContent).model_id);
    if (!model) continue;
    shimMathJax();
    const place = document.createElement("div");
    tag.before(place);
    const view = await manager.create_view(model);
    Widget.attach(view.luminoWidget, place);
    views.push(view);
  }
  window.addEventListener("resize", () => {
    for (const view of views) {
      MessageLoop.postMessage(view.luminoWidget, Widget.ResizeMessage.UnknownSize);
    }
  });
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
    await showViews(manager, models);
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
