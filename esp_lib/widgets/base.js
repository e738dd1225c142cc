// What all explorers share: redraw on change with the latest values, axes that keep still while a
// slider is moved, the result in a sentence, buttons, links, and the state on the root element.

import { bindControls, rootOf } from "./front/controls.js";
import { button, goLive, isPage } from "./front/host.js";
import { firstNamed, fromFragment, joinFragment, toFragment } from "./front/settings.js";

const PAUSE = 120; // ms after the last drawing: what takes longer is computed
const SETTLE = 300; // ms after the last drawing: the link is written, Python is told
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
  const caption = make("p", "esp-what");
  const say = make("p", "esp-say");
  say.setAttribute("role", "status");
  say.setAttribute("aria-live", "polite");
  const notes = make("div", "esp-notes");
  const buttons = make("div", "esp-buttons");
  return { drawing, caption, say, notes, buttons };
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
 * @param {(drawing: HTMLElement, refresh: () => void) => {compute, draw, settle}} create
 *   `refresh` draws the last result again, which has grown since;
 *   compute(settings, pinned) -> result, a promise of one, or of null when overtaken;
 *   draw(result, {settings, pinned, hold}) -> {sentence, waiting, caption, state, loss}; `waiting`
 *   is said where there is no sentence yet;
 *   settle(settings), if there is one, takes longer and comes after the drawing: a promise of
 *   {sentence, state}, or of null when overtaken; then `draw` gives no sentence
 */
export function mountExplorer({ model, el }, create) {
  const name = model.get("name");
  const parts = layOut(el);
  const { compute, draw, settle } = create(parts.drawing, refresh);
  const start = { settings: model.get("settings"), pinned: model.get("pinned") };
  let last = null; // what was drawn last: a result, its settings and the pinned ones
  let known = null; // what was settled last: settings, sentence, state
  const timers = {};
  let touched = false; // the reader changed something: the link may be written
  let linked = false; // the view came from a link
  let taking = false; // settings, pinned ones and the preset's name change together

  const pinnedNow = () => (Object.keys(model.get("pinned")).length ? model.get("pinned") : null);
  const hold = watchHold(el, () => {
    if (last) show(last.result, last);
  });

  /** Does something when nothing has been drawn for so long. */
  function later(name, ms, work) {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(work, ms);
  }

  /** The sentence of the drawing, or, until it is known, what it waits for. */
  function say(sentence, waiting = "Measuring …") {
    parts.say.setAttribute("aria-busy", String(hold.on || sentence === undefined));
    parts.say.classList.toggle("esp-late", sentence === undefined);
    const text = sentence ?? waiting;
    if (parts.say.textContent !== text) parts.say.textContent = text;
  }

  function tell({ settings }, state, loss) {
    writeLink();
    if (!loss) return;
    model.set("result", { settings, ...state });
    model.set("result_loss", new DataView(loss.slice().buffer));
    model.save_changes();
  }

  async function settled(view, state, loss) {
    const found = await settle(view.settings);
    if (found === null || last?.settings !== view.settings) return;
    known = { settings: view.settings, ...found };
    const all = { ...state, ...found.state };
    say(found.sentence);
    tell(view, all, loss);
    publish({ settings: view.settings, pinned: pinnedNow(), ...all });
  }

  function show(result, view) {
    const { sentence, waiting, caption = "", state, loss } = draw(result, { ...view, hold: hold.on });
    const isNew = last?.settings !== view.settings;
    last = { result, ...view };
    if (parts.caption.textContent !== caption) parts.caption.textContent = caption;
    if (!settle) say(sentence, waiting);
    else if (isNew) {
      say(undefined);
      later("settle", PAUSE, () => settled(view, state, loss));
    } else if (known?.settings === view.settings) say(known.sentence);
    later("tell", SETTLE, settle ? writeLink : () => tell(view, state, loss));
    return state;
  }

  /** The state, for those who look at the page from outside; kept on the root element. */
  function publish(state) {
    const root = rootOf(el);
    if (!root) return;
    const before = root.dataset.state ? JSON.parse(root.dataset.state) : {};
    root.dataset.explorer = name;
    root.dataset.state = JSON.stringify({ ms: before.ms, ...state });
    if (root.dataset.live) return;
    goLive(root, name);
    controls.unfold(start.settings);
    if (isPage() && firstNamed(location.hash) === name) root.scrollIntoView({ block: "start" });
  }

  function refresh() {
    if (!last) return;
    const { result, settings, pinned } = last;
    publish({ settings, pinned, ...show(result, { settings, pinned }) });
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
        const ms = Math.round(10 * (performance.now() - began)) / 10;
        const more = known?.settings === view.settings ? known.state : {};
        publish({ ...view, ...state, ...more, ms });
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
    controls.unfold(start.settings);
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
    const part = toFragment(name, controls.fields, model.get("settings"), pinnedNow());
    const fragment = joinFragment(location.hash, name, part);
    if (location.hash !== fragment) history.replaceState(history.state, "", fragment);
  }

  function readLink() {
    if (!isPage()) return;
    controls.message("link", "");
    try {
      const view = fromFragment(name, controls.fields, model.get("settings"), location.hash);
      if (view) take(view);
      else if (linked) take(start); // back to the page without such a link
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
