// Where a log goes in: dropped, chosen, pasted, or one of the examples, with three options.

import { button } from "../front/host.js";

const LARGE = 300_000; // characters from which pasted text is not shown: a text box would crawl

/** A node with properties and children. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** What a field says: null for nothing; RangeError for no number of at least 1. */
function readField(name, text, whole) {
  if (!text.trim()) return null;
  const value = Number(text.replaceAll(",", ""));
  if (!(value >= 1 && Number.isFinite(value) && (!whole || Number.isInteger(value)))) {
    throw new RangeError(`${name} must be a ${whole ? "whole " : ""}number of at least 1, got ${text}`);
  }
  return value;
}

export const readSteps = (text) => readField("Steps per epoch", text, false);
export const readRun = (text) => readField("Run", text, true);

/**
 * @param {HTMLElement} el where the form goes
 * @param {string} id prefix of the ids of its parts
 * @param {Array<{title, file, text, steps_per_epoch}>} examples
 * @param {{analyse, cancel}} actions analyse(log, options) and cancel()
 */
export function createForm(el, id, examples, { analyse, cancel }) {
  let log = null; // {name, blob, edited}: what was diagnosed last, or is to be
  let running = 0;

  const file = make("input", { type: "file", id: `${id}-file` });
  const paste = make("textarea", { id: `${id}-paste`, rows: 4, spellcheck: false, autocomplete: "off" });
  const option = (key, label, hint) => {
    const input = make("input", { type: "text", id: `${id}-${key}`, autocomplete: "off", placeholder: hint });
    return { input, field: make("div", {}, make("label", { htmlFor: input.id, textContent: label }), input) };
  };
  const steps = option("steps", "Steps per epoch", "from the log");
  const column = option("column", "Loss column", "found by its name");
  const pattern = option("pattern", "Pattern, for text", "loss=(?<loss>[\\d.]+)");
  const which = option("run", "Run, of several", "the longest");
  const wrong = make("p", { className: "esp-error", id: `${id}-wrong`, hidden: true });
  wrong.setAttribute("role", "alert");
  const go = make("button", { type: "submit", className: "esp-main", textContent: "Diagnose" });
  const stop = button("Cancel", cancel);
  stop.hidden = true;
  const samples = make("div", { className: "esp-buttons" }, make("span", { textContent: "Or try an example:", id: `${id}-examples` }));
  samples.setAttribute("role", "group");
  samples.setAttribute("aria-labelledby", `${id}-examples`);
  const chosen = examples.map((example) => button(example.title, () => take(example)));
  samples.append(...chosen);
  const form = make(
    "form",
    { className: "esp-input", noValidate: true },
    make("label", { className: "esp-big-label", htmlFor: file.id, textContent: "Drop a training log here, or choose a file" }),
    file,
    make("label", { htmlFor: paste.id, textContent: "or paste its text" }),
    paste,
    make("div", { className: "esp-options" }, steps.field, column.field, which.field, pattern.field),
    wrong,
    make("div", { className: "esp-buttons" }, go, stop),
    samples,
    make("p", {
      className: "esp-private",
      textContent: "Your log is analysed in your browser, by this page. Nothing is uploaded.",
    }),
  );
  const status = make("p", { className: "esp-status" });
  status.setAttribute("role", "status");
  el.append(form, status);

  function refuse(text) {
    wrong.textContent = text;
    wrong.hidden = !text;
    for (const [name, value] of [["aria-invalid", "true"], ["aria-describedby", wrong.id]]) {
      if (text) steps.input.setAttribute(name, value);
      else steps.input.removeAttribute(name);
    }
  }

  function start(next) {
    if (next) log = next;
    chosen.forEach((node, k) => node.setAttribute("aria-pressed", String(log?.name === examples[k].file && log.example)));
    if (!log || log.blob.size === 0) {
      refuse("");
      status.textContent = "Drop, choose or paste a log first.";
      return;
    }
    try {
      const stepsPerEpoch = readSteps(steps.input.value);
      refuse("");
      const read = {};
      if (column.input.value.trim()) read.column = column.input.value.trim();
      const run = readRun(which.input.value);
      if (run !== null) read.run = run;
      if (pattern.input.value.trim()) read.pattern = pattern.input.value.trim();
      analyse(log, { read, stepsPerEpoch });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      refuse(error.message);
    }
  }

  function take(example) {
    steps.input.value = example.steps_per_epoch ?? "";
    column.input.value = "";
    pattern.input.value = "";
    which.input.value = "";
    file.value = "";
    paste.value = example.text;
    start({ name: example.file, blob: new Blob([example.text]), example: true });
  }

  function takeFile(one) {
    if (!one) return;
    paste.value = "";
    if (log?.example) steps.input.value = "";
    which.input.value = "";
    start({ name: one.name, blob: one });
  }

  const pasted = (text) => ({ name: "pasted text", blob: new Blob([text]) });

  file.addEventListener("click", () => {
    file.value = ""; // so that the same file, which may have grown, can be chosen again
  });
  file.addEventListener("change", () => takeFile(file.files[0]));
  paste.addEventListener("input", () => {
    if (log?.example) steps.input.value = "";
    file.value = "";
    log = pasted(paste.value);
  });
  paste.addEventListener("paste", (event) => {
    const given = event.clipboardData;
    if (given?.files.length) {
      event.preventDefault();
      takeFile(given.files[0]);
      return;
    }
    const text = given?.getData("text/plain") ?? "";
    if (text.length < LARGE) {
      setTimeout(() => start(), 0); // when it stands in the box
      return;
    }
    event.preventDefault();
    paste.value = "";
    file.value = "";
    if (log?.example) steps.input.value = "";
    start(pasted(text));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });

  let depth = 0; // of nested elements that are dragged over
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  el.addEventListener("dragenter", (event) => {
    if (hasFiles(event) && ++depth) form.dataset.over = "true";
  });
  el.addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) delete form.dataset.over;
  });
  el.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  el.addEventListener("drop", (event) => {
    depth = 0;
    delete form.dataset.over;
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    file.value = "";
    takeFile(event.dataTransfer.files[0]);
  });

  return {
    /** Diagnose the first example, so that there is something to see. */
    start: () => take(examples[0]),
    busy(text) {
      running++;
      status.textContent = text;
      stop.hidden = false;
    },
    /** A diagnosis is over; says whether none has begun since. */
    idle(text) {
      running--;
      if (running > 0) return false;
      status.textContent = text;
      stop.hidden = true;
      return true;
    },
  };
}
