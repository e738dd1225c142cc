// What all explorers share: redraw on change with the latest values, axes that keep still while a
// slider is moved, the result in a sentence, buttons, links, and the state on the root element.

import { bindControls, rootOf } from "./front/controls.js";
import { button, goLive, isPage } from "./front/host.js";
import { fromFragment, toFragment } from "./front/settings.js";

const SETTLE = 300; // ms after the last drawing: the sentence is said, the link is written
let count = 0;

function layOut(el) {
  el.id ||= `esp-plot-${++count}`;
  el.classList.add("esp-plot");
  const make = (tag, className) => {
    const node = document.createElement(tag);
    node.className = className;
    el.append(node);
    return node;
  };
  const drawing = make("div", "esp-drawing");
  const say = make("p", "esp-say");
  say.setAttribute("role", "status");
  say.setAttribute("aria-live", "polite");
  const notes = make("div", "esp-notes");
  const buttons = make("div", "esp-buttons");
  return { drawing, say, notes, buttons };
}

/** True while a slider is held, by pointer or by key; calls `onRelease` when it is let go. */
function watchHold(el, onRelease) {
  const hold = { on: false };
  const take = (event) => {
    const root = rootOf(el);
    const slider = event.target.closest?.(".noUi-target");
    if (root && slider && root.contains(slider)) hold.on = true;
  };
  const release = () => {
    if (!hold.on) return;
    hold.on = false;
    onRelease();
  };
  document.addEventListener("pointerdown", take, true);
  document.addEventListener("keydown", take, true);
  for (const name of ["pointerup", "pointercancel", "keyup"]) {
    document.addEventListener(name, release, true);
  }
  return hold;
}

/**
 * @param {{model, el}} context of anywidget's `render`
 * @param {(drawing: HTMLElement) => {compute, draw}} create
 *   compute(settings, pinned) -> result, a promise of one, or of null when overtaken;
 *   draw(result, {settings, pinned, hold}) -> {sentence, state, loss}
 */
export function mountExplorer({ model, el }, create) {
  const name = model.get("name");
  const parts = layOut(el);
  const { compute, draw } = create(parts.drawing);
  const start = { settings: model.get("settings"), pinned: model.get("pinned") };
  let last = null; // what was drawn last: a result, its settings and the pinned ones
  let settle = 0;
  let touched = false; // the reader changed something: the link may be written
  let linked = false; // the view came from a link
  let taking = false; // settings, pinned ones and the preset's name change together

  const pinnedNow = () => (Object.keys(model.get("pinned")).length ? model.get("pinned") : null);
  const hold = watchHold(el, () => {
    if (last) show(last.result, last);
  });

  function show(result, { settings, pinned }) {
    const { sentence, state, loss } = draw(result, { settings, pinned, hold: hold.on });
    last = { result, settings, pinned };
    clearTimeout(settle);
    settle = setTimeout(() => {
      parts.say.textContent = sentence;
      writeLink();
      if (loss) {
        model.set("result", { settings, ...state });
        model.set("result_loss", new DataView(loss.slice().buffer));
        model.save_changes();
      }
    }, SETTLE);
    if (!parts.say.textContent) parts.say.textContent = sentence;
    return state;
  }

  async function update() {
    const began = performance.now();
    const view = { settings: model.get("settings"), pinned: pinnedNow() };
    const result = await compute(view.settings, view.pinned);
    if (result === null) return;
    const state = show(result, view);
    requestAnimationFrame(() => {
      const after = new MessageChannel(); // its message comes after the frame is painted
      after.port1.onmessage = () => {
        const root = rootOf(el);
        if (!root) return;
        const ms = Math.round(10 * (performance.now() - began)) / 10;
        root.dataset.explorer = name;
        root.dataset.state = JSON.stringify({ ...view, ...state, ms });
        goLive(root, name);
      };
      after.port2.postMessage(null);
    });
  }

  function changed() {
    if (taking) return;
    touched = true;
    showPreset();
    update();
  }
  const controls = bindControls(model, el, changed);
  model.on("change:pinned", changed);

  /** Takes over a view; what was typed and refused goes, also if the view is in force. */
  function take({ settings, pinned }) {
    taking = true;
    model.set("pinned", pinned ?? {});
    model.set("settings", settings);
    taking = false;
    model.save_changes();
    controls.mirror();
    changed();
  }

  // The menu of presets shows which one is in force, if any; choosing one applies it.
  const alike = (a, b) => controls.fields.every(({ name: key }) => String(a[key]) === String(b[key]));
  function inForce(preset) {
    const pinned = model.get("pinned");
    return alike(preset.settings, model.get("settings")) && alike(preset.pinned, pinned);
  }
  function showPreset() {
    const presets = model.get("presets");
    const chosen = presets[model.get("preset_index") - 1];
    if (chosen && inForce(chosen)) return; // there may be several
    taking = true;
    model.set("preset_index", presets.findIndex(inForce) + 1);
    taking = false;
    model.save_changes();
  }
  model.on("change:preset_index", () => {
    const preset = model.get("presets")[model.get("preset_index") - 1];
    if (preset && !taking) take(preset);
  });

  function writeLink() {
    if (!touched || !isPage()) return;
    const fragment = toFragment(name, controls.fields, model.get("settings"), pinnedNow());
    if (location.hash !== fragment) history.replaceState(history.state, "", fragment);
  }

  function readLink() {
    if (!isPage()) return;
    controls.message("link", "");
    try {
      const view = fromFragment(name, controls.fields, model.get("settings"), location.hash);
      if (view) take(view);
      else if (linked && !location.hash) take(start); // back to the page without a link
      else return;
      linked = view !== null;
      touched = false;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      controls.message("link", `The link to this page was not used: ${error.message}.`);
    }
  }

  parts.buttons.append(button("Reset", () => take(start)));
  if (model.get("can_pin")) {
    parts.buttons.append(
      button("Pin this curve", () => take({ settings: model.get("settings"), pinned: model.get("settings") })),
      button("Remove pin", () => take({ settings: model.get("settings"), pinned: null })),
    );
  }
  window.addEventListener("hashchange", readLink);
  readLink();
  showPreset();
  update();
}
