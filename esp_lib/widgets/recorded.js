// Explorer of recorded runs: curves made elsewhere, averaged and smoothed again as the reader asks.
// Python packs the losses (esp_lib/widgets/recorded.py); nothing here is simulated.

import { measure } from "../sawtooth/measurement.js";
import { average } from "../sawtooth/sums.js";
import { createChart, tightAxis } from "./front/chart.js";
import { mountExplorer } from "./base.js";
import { unpack } from "./packing.js";
import { windows } from "./front/windows.js";

/** Smoothing as the paper's published script has it; `c` = 1 leaves the points as they are. */
export function smooth(y, c) {
  const out = Float64Array.from(y);
  for (let k = 1; k < out.length; k++) out[k] = (1 - c) * out[k - 1] + c * out[k];
  return out;
}

/** Epochs at the start that are left out: the first half of five or more, as in the chapters. */
const firstHalf = (steps, perEpoch) => {
  const epochs = Math.floor(steps / perEpoch);
  return epochs >= 5 ? Math.floor(epochs / 2) : 0;
};

const orNull = (value) => (Number.isFinite(value) ? value : null);

/** Mean drop and rise in means of windows of steps, from epoch `skip` on; null where windows are too long for it. */
function measureWindows(means, every, perEpoch, skip) {
  if (every > perEpoch) return { drop: null, rise: null };
  const steps = Float64Array.from(means, (_, k) => (k + 1) * every);
  const { drop, rise } = measure(means, perEpoch, { steps, window: every, skip, folding: false });
  return { drop: orNull(drop), rise: orNull(rise) };
}

/**
 * How far the drawn curve falls from the last window that ends in an epoch to the first that begins
 * after it, and how far it rises from the first window inside an epoch to the last: means over the
 * same boundaries and epochs.
 *
 * @param {Float64Array} y what is drawn, smoothed or not; point k ends at step (k + 1) every
 * @param {number} skip epochs at the start that are left out
 * @returns {{fall, climb}} null where there is no such point
 */
function measureDrawn(y, every, perEpoch, skip) {
  const last = (epoch) => Math.floor(((epoch + 1) * perEpoch) / every) - 1;
  const first = (epoch) => Math.ceil((epoch * perEpoch) / every);
  const falls = [];
  const climbs = [];
  for (let epoch = skip; last(epoch) < y.length; epoch++) {
    if (last(epoch) >= first(epoch)) climbs.push(y[last(epoch)] - y[first(epoch)]);
    falls.push(y[last(epoch)] - y[first(epoch + 1)]);
  }
  const meanOf = (values) => orNull(average(values.filter(Number.isFinite)));
  return { fall: meanOf(falls), climb: meanOf(climbs) };
}

/** A run at some settings: what is drawn, and the tooth of it, measured and as drawn. */
export function view({ loss, perEpoch }, { every, smoothing }, group) {
  const { x, y: means } = windows(loss, every / group, perEpoch / group);
  const y = smooth(means, smoothing);
  const skip = firstHalf(loss.length * group, perEpoch);
  return { x, y, ...measureWindows(means, every, perEpoch, skip), ...measureDrawn(y, every, perEpoch, skip) };
}

/** A function that writes losses of a run, to about a thousandth of what its steps span. */
function writer({ loss, perEpoch }, group) {
  const skip = (firstHalf(loss.length * group, perEpoch) * perEpoch) / group;
  const seen = loss.slice(Math.ceil(skip)).filter(Number.isFinite);
  const high = seen.reduce((most, value) => Math.max(most, value), -Infinity);
  const span = high - seen.reduce((least, value) => Math.min(least, value), Infinity);
  const decimals = span > 0 ? Math.min(6, Math.max(0, 3 - Math.round(Math.log10(span / 2)))) : 3;
  return (value) => (value === null ? "–" : value.toFixed(decimals).replace(/^-/, "\u2212"));
}

/** The numbers of each run that is shown; the other rows are unseen, so that the page keeps its height. */
function createTable(drawing, title) {
  const table = document.createElement("table");
  table.className = "esp-readout";
  drawing.parentElement.append(table); // last: unseen rows leave no gap
  const cell = (row, tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    row.append(node);
    return node;
  };
  return function fill(rows) {
    const caption = document.createElement("caption");
    caption.textContent = title;
    const head = document.createElement("thead");
    const names = head.insertRow();
    cell(names, "th", "Run", { scope: "col" });
    for (const name of ["drop", "rise", "drop as drawn", "rise as drawn"]) {
      cell(names, "th", name, { scope: "col" });
    }
    const body = document.createElement("tbody");
    for (const { label, short, color, texts, seen } of rows) {
      const row = body.insertRow(seen ? body.querySelectorAll("tr:not(.esp-unseen)").length : -1);
      row.classList.toggle("esp-unseen", !seen);
      const name = cell(row, "th", label, { scope: "row" });
      name.style.color = color;
      const letter = document.createElement("span"); // of the name in a narrow drawing
      letter.className = "esp-short";
      letter.textContent = `${short}: `;
      name.prepend(letter);
      for (const text of texts) cell(row, "td", text);
    }
    table.replaceChildren(caption, head, body);
  };
}

function sentenceOf(shown, every) {
  if (!shown.length) return "No run is chosen.";
  const steps = every === 1 ? "single steps" : `means of ${every} steps`;
  const known = shown.filter(({ drop }) => drop !== null).sort((p, q) => p.drop - q.drop);
  if (!known.length) {
    return (
      `Drawn from ${steps}: too few windows lie inside an epoch to measure a drop, ` +
      `although the training runs are the same.`
    );
  }
  const one = ({ label, drop, fall, text }) => `${text(drop)} (${label}; as drawn, ${text(fall)})`;
  const ends = known.length > 2 ? [known[0], known.at(-1)] : known;
  const drops = ends.map(one).join(known.length > 2 ? " to " : ", ");
  return `Mean drop at an epoch boundary, measured in ${steps}: ${drops}.`;
}

/** What there is of each run in series `s`, ready to be drawn. */
function prepare(runs, s, group) {
  return runs.map(({ label, color, perEpoch, losses, steps, validation }, k) => {
    const run = { loss: unpack(losses[s]), perEpoch };
    const checks = validation[s]
      ? { x: Float64Array.from(steps, (step) => step / perEpoch), y: unpack(validation[s]) }
      : { x: new Float64Array(), y: new Float64Array() };
    const look = { label, short: "abcdef"[k], color: `var(--esp-${color})` };
    return { ...run, ...look, key: `run${k + 1}`, checks, text: writer(run, group) };
  });
}

function create(drawing, { group, runs, series }) {
  const chart = createChart(drawing, {
    title: "Loss of recorded training runs against epochs",
    xLabel: "epoch",
    yLabel: series[0],
  });
  const prepared = series.map((_, s) => prepare(runs, s, group));
  const names = prepared[0].map(({ label, short }) => ({ label, short }));
  const epochs = Math.max(...prepared[0].map(({ loss, perEpoch }) => (loss.length * group) / perEpoch));
  const late = prepared[0].every(({ loss, perEpoch }) => firstHalf(loss.length * group, perEpoch));
  const title = "Mean drop at epoch boundaries and rise between them";
  const fill = createTable(drawing, late ? `${title}, second half of training` : title);
  let axis = null;

  function compute(settings) {
    const s = settings.series === undefined ? 0 : series.indexOf(settings.series);
    const chosen = prepared[s].filter(({ key }) => settings[key]);
    return { s, shown: chosen.map((run) => ({ ...run, ...view(run, settings, group) })) };
  }

  function draw({ s, shown }, { settings, hold }) {
    const cut = ({ x, y }) => {
      const first = x.findIndex((at) => at > settings.start);
      const from = first < 0 ? x.length : first;
      return { x: x.subarray(from), y: y.subarray(from) };
    };
    const curves = shown.map(({ label, short, color, ...run }) => ({ label, short, color, ...cut(run) }));
    if (settings.validation) {
      curves.unshift(...shown.map(({ color, checks }) => ({ color, faint: true, ...cut(checks) })));
    }
    if (!hold || !axis) axis = { x: [settings.start, epochs], ...tightAxis(curves) };
    const boundaries = [];
    for (let at = axis.x[0] + 1; at < epochs; at++) boundaries.push(at);
    chart.draw(curves, { ...axis, boundaries, yName: series[s], beside: names });
    const numbers = shown.map(({ key, label, drop, rise, fall, climb }) => ({ key, label, drop, rise, fall, climb }));
    fill(
      prepared[s].map(({ key, text, ...run }) => {
        const found = numbers.find((one) => one.key === key);
        const { drop = null, rise = null, fall = null, climb = null } = found ?? {};
        return { ...run, texts: [drop, rise, fall, climb].map(text), seen: found !== undefined };
      }),
    );
    const loss = Float64Array.from(shown.flatMap(({ y }) => Array.from(y)));
    return { sentence: sentenceOf(shown, settings.every), state: { runs: numbers }, loss };
  }
  return { compute, draw };
}

export default {
  render: (context) =>
    mountExplorer(context, (drawing) => create(drawing, context.model.get("data"))),
};
