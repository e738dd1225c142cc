// The link between an explorer's settings and its ipywidgets controls.
//
// Python links (jslink) each control to a trait of the plot: `NAME_text` to a text box,
// `NAME_slider` to a slider, `NAME_index` to a dropdown, `NAME_on` to a check box. Here these traits
// are read into `settings`, and settings are written back to them. A slider may snap a typed value
// to its next step or to its end; such an echo is not taken for a change.

import { button } from "./host.js";
import { inSteps, read, rounded, sliderEnd, write } from "./settings.js";

const NEAR = 0.51; // steps

/** The outermost box of the explorer that `el` is drawn in, once it is on the page. */
export const rootOf = (el) => el.closest(".esp-explorer");

/** Shows or removes a message beside a control (or below the drawing if there is no control). */
function showMessage(el, name, text) {
  const root = rootOf(el);
  const field = root?.querySelector(`.esp-field-${name}`) ?? el.querySelector(".esp-notes");
  if (!field) return;
  const id = `${el.id}-${name}-error`;
  let note = document.getElementById(id);
  const input = field.querySelector("input, select");
  if (!text) {
    note?.remove();
    input?.removeAttribute("aria-invalid");
    input?.removeAttribute("aria-describedby");
    return;
  }
  if (!note) {
    note = document.createElement("p");
    note.id = id;
    note.className = "esp-error";
    note.setAttribute("role", "alert");
    field.append(note);
  }
  note.textContent = text;
  input?.setAttribute("aria-invalid", "true");
  input?.setAttribute("aria-describedby", id);
}

/** Names for slider handles, marks at the paper's values: what ipywidgets leaves out. */
function dress(field, box, settings) {
  const handle = box.querySelector(".noUi-handle");
  const track = box.querySelector(".slider-container");
  if (!handle || !track) return;
  handle.setAttribute("aria-label", `${field.label}, slider`);
  handle.setAttribute("aria-valuetext", write(field, settings[field.name]));
  if (track.querySelector(".esp-mark")) return;
  const low = inSteps(field, field.low);
  const span = inSteps(field, sliderEnd(field)) - low;
  for (const value of field.marks ?? []) {
    const mark = document.createElement("span");
    mark.className = "esp-mark";
    mark.title = `the paper's ${write(field, value)}`;
    mark.style.left = `${(100 * (inSteps(field, value) - low)) / span}%`;
    track.append(mark);
  }
}

/** A button that shows the settings that are not seen at once; they show if one of them is set. */
function fold(root, id) {
  const first = root.querySelector(".esp-behind");
  if (!first || root.querySelector(".esp-more")) return;
  const more = button("More settings", () => {
    const open = root.toggleAttribute("data-more");
    more.setAttribute("aria-expanded", String(open));
    more.textContent = open ? "Fewer settings" : "More settings";
  });
  more.className = "esp-more";
  more.setAttribute("aria-expanded", "false");
  first.parentElement.id ||= `${id}-controls`;
  more.setAttribute("aria-controls", first.parentElement.id);
  first.before(more);
}

/**
 * @param model the anywidget model with traits fields, settings and the linked ones
 * @param {HTMLElement} el the element of the plot, with an id
 * @param {() => void} onChange called after settings changed, whoever changed them
 */
export function bindControls(model, el, onChange) {
  const fields = model.get("fields");
  const withSlider = (field) => field.kind === "number" && field.step > 0;

  /** The controls of a field show its setting; its message goes. */
  function mirrorField(field) {
    const value = model.get("settings")[field.name];
    if (field.kind === "choice") {
      model.set(`${field.name}_index`, field.options.indexOf(value));
    } else if (field.kind === "switch") {
      model.set(`${field.name}_on`, value);
    } else {
      model.set(`${field.name}_text`, write(field, value));
    }
    if (withSlider(field)) {
      const at = inSteps(field, model.get(`${field.name}_slider`));
      if (!(Math.abs(at - inSteps(field, Math.min(value, sliderEnd(field)))) < NEAR)) model.set(`${field.name}_slider`, value);
    }
    showMessage(el, field.name, "");
  }

  /** Text boxes, sliders and dropdowns show the settings; messages go. */
  function mirror() {
    fields.forEach(mirrorField);
    showMessage(el, "link", "");
    model.save_changes();
    dressAll();
  }

  function dressAll() {
    const root = rootOf(el);
    const settings = model.get("settings");
    if (root) fold(root, el.id);
    for (const field of fields) {
      const box = root?.querySelector(`.esp-field-${field.name}`);
      if (box && withSlider(field)) dress(field, box, settings);
    }
  }

  function change(field, value) {
    const settings = model.get("settings");
    if (write(field, settings[field.name]) === write(field, value)) {
      showMessage(el, field.name, "");
      return;
    }
    model.set("settings", { ...settings, [field.name]: value });
    model.save_changes();
  }

  function onText(field) {
    try {
      change(field, read(field, model.get(`${field.name}_text`)));
      mirrorField(field);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      showMessage(el, field.name, error.message);
    }
  }

  function onSlider(field) {
    const value = rounded(model.get(`${field.name}_slider`));
    const now = Math.min(model.get("settings")[field.name], sliderEnd(field));
    if (Math.abs(inSteps(field, value) - inSteps(field, now)) < NEAR) return;
    change(field, value);
  }

  for (const field of fields) {
    const { name } = field;
    if (field.kind === "choice") {
      model.on(`change:${name}_index`, () => change(field, field.options[model.get(`${name}_index`)]));
    } else if (field.kind === "switch") {
      model.on(`change:${name}_on`, () => change(field, model.get(`${name}_on`)));
    } else {
      // Later: while a link brings a value here, it takes none back.
      model.on(`change:${name}_text`, () => queueMicrotask(() => onText(field)));
    }
    if (withSlider(field)) model.on(`change:${name}_slider`, () => onSlider(field));
  }
  model.on("change:settings", () => {
    mirror();
    onChange();
  });

  // Controls are drawn one by one, before or after the plot: look again when something is added.
  function watch() {
    const root = rootOf(el);
    if (!root) {
      requestAnimationFrame(watch);
      return;
    }
    new MutationObserver(dressAll).observe(root, { childList: true, subtree: true });
    dressAll();
  }
  watch();

  /** Opens the fold if it hides a setting that differs from those at the start. */
  function unfold(start) {
    const root = rootOf(el);
    const hidden = ({ name }) => root?.querySelector(`.esp-field-${name}.esp-behind`);
    const settings = model.get("settings");
    const differs = (field) => write(field, settings[field.name]) !== write(field, start[field.name]);
    if (root?.hasAttribute("data-more") || !fields.some((f) => differs(f) && hidden(f))) return;
    root.querySelector(".esp-more")?.click();
  }

  return { fields, mirror, unfold, message: (name, text) => showMessage(el, name, text) };
}
