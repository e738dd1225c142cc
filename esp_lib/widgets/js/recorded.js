// Explorer of recorded runs: curves made elsewhere, averaged and smoothed again as the reader asks.
// Python packs the losses (esp_lib/widgets/recorded.py); nothing here is simulated.

import { axisFor, createChart } from "./chart.js";
import { mountExplorer } from "./explorer.js";
import { measureDrawn, measureWindows, skipped } from "./recorded_tooth.js";
import { windows } from "./windows.js";

const MISSING = 65535; // the code of a loss that is not finite

/** Losses from blocks of 16-bit codes, each block on its own grid: low + unit * code. */
export function unpack({ codes, block, low, unit }) {
  const text = atob(codes);
  return Float64Array.from({ length: text.length / 2 }, (_, k) => {
    const code = text.charCodeAt(2 * k) + 256 * text.charCodeAt(2 * k + 1);
    const at = Math.floor(k / block);
    return code === MISSING ? NaN : low[at] + unit[at] * code;
  });
}

/** Smoothing as the paper's published script has it; `c` = 1 leaves the points as they are. */
export function smooth(y, c) {
  const out = Float64Array.from(y);
  for (let k = 1; k < out.length; k++) out[k] = (1 - c) * out[k - 1] + c * out[k];
  return out;
}

/** A run at some settings: what is drawn, and the tooth of it, measured and as drawn. */
export function view({ loss, perEpoch }, { every, smoothing }, group) {
  const { x, y: means } = windows(loss, every / group, perEpoch / group);
  const y = smooth(means, smoothing);
  return { x, y, ...measureWindows(means, every, perEpoch), ...measureDrawn(y, every, perEpoch) };
}

/** Axis around what is seen, with room for names; logarithmic when a run blows up. */
function tightAxis(curves) {
  const { y, log } = axisFor(curves);
  const values = curves.flatMap((curve) => Array.from(curve.y)).filter(Number.isFinite);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (log || !(high > low)) return { y, log };
  return { y: [low - 0.06 * (high - low), high + 0.06 * (high - low)], log };
}

/** Decimals that losses of such curves are told with: a thousandth of how far they fall. */
function decimalsFor(runs) {
  const spans = runs.map(({ loss, perEpoch, group }) => {
    const { y } = windows(loss, Math.max(1, Math.floor(perEpoch / group)), perEpoch);
    const seen = y.slice(skipped(loss.length * group, perEpoch)).filter(Number.isFinite);
    return seen.length > 1 ? Math.max(...seen) - Math.min(...seen) : 0;
  });
  const largest = Math.max(...spans);
  return largest > 0 ? Math.min(6, Math.max(0, 3 - Math.round(Math.log10(largest)))) : 3;
}

/** The numbers of each run, one row each, so that the page keeps its height. */
function createTable(drawing) {
  const table = document.createElement("table");
  table.className = "esp-readout";
  drawing.after(table);
  const cell = (row, tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    row.append(node);
    return node;
  };
  return function fill(rows, text) {
    const caption = document.createElement("caption");
    caption.textContent = "Mean drop at epoch boundaries and rise between them, after the first epoch";
    const head = document.createElement("thead");
    const names = head.insertRow();
    cell(names, "th", "Run", { scope: "col" });
    for (const name of ["drop", "rise", "drop as drawn", "rise as drawn"]) {
      cell(names, "th", name, { scope: "col" });
    }
    const body = document.createElement("tbody");
    for (const { label, short, color, values } of rows) {
      const row = body.insertRow();
      const name = cell(row, "th", label, { scope: "row" });
      name.style.color = color;
      const letter = document.createElement("span"); // of the name in a narrow drawing
      letter.className = "esp-short";
      letter.textContent = `${short}: `;
      name.prepend(letter);
      for (const value of values) cell(row, "td", text(value));
    }
    table.replaceChildren(caption, head, body);
  };
}

function sentenceOf(shown, every, text) {
  if (!shown.length) return "No run is chosen.";
  const steps = every === 1 ? "single steps" : `means of ${every} steps`;
  const known = shown.filter(({ drop }) => drop !== null).sort((p, q) => p.drop - q.drop);
  if (!known.length) {
    return (
      `Drawn from ${steps}: too few windows lie inside an epoch to measure a drop, ` +
      `although the training runs are the same.`
    );
  }
  const one = ({ label, drop, fall }) => `${text(drop)} for ${label}, drawn as ${text(fall)}`;
  const ends = known.length > 2 ? [known[0], known.at(-1)] : known;
  const drops = ends.map(one).join(known.length > 2 ? "; to " : "; ");
  return `Mean drop at an epoch boundary, measured in ${steps}: ${drops}.`;
}

function create(drawing, { group, runs, series }) {
  const chart = createChart(drawing, {
    title: "Loss of recorded training runs against epochs",
    xLabel: "epoch",
    yLabel: series[0],
  });
  const fill = createTable(drawing);
  const names = runs.map(({ label }, k) => ({ label, short: "abcdef"[k] }));
  const colors = runs.map(({ color }) => `var(--esp-${color})`);
  const unpacked = series.map((_, s) =>
    runs.map(({ perEpoch, losses }) => ({ loss: unpack(losses[s]), perEpoch, group })),
  );
  const checks = series.map((_, s) =>
    runs.map(({ perEpoch, steps, validation }) => ({
      x: Float64Array.from(validation[s] ? steps : [], (step) => step / perEpoch),
      y: validation[s] ? unpack(validation[s]) : new Float64Array(),
    })),
  );
  const decimals = unpacked.map(decimalsFor);
  const epochs = Math.max(...unpacked[0].map(({ loss, perEpoch }) => (loss.length * group) / perEpoch));
  let axis = null;

  function compute(settings) {
    const s = settings.series === undefined ? 0 : series.indexOf(settings.series);
    const shown = runs.flatMap((_, k) =>
      settings[`run${k + 1}`] ? [{ k, ...names[k], color: colors[k], ...view(unpacked[s][k], settings, group) }] : [],
    );
    return { s, shown };
  }

  function draw({ s, shown }, { settings, hold }) {
    const start = settings.start ?? 0;
    const from = ({ x, y, ...rest }) => {
      const first = x.findIndex((at) => at > start);
      const seen = first < 0 ? x.length : first;
      return { ...rest, x: x.subarray(seen), y: y.subarray(seen) };
    };
    const curves = shown.map(({ x, y, color, label, short }) => from({ x, y, color, label, short }));
    if (settings.validation) {
      curves.unshift(...shown.map(({ k, color }) => from({ ...checks[s][k], color, faint: true })));
    }
    if (!hold || !axis) axis = { x: [start, epochs], ...tightAxis(curves) };
    const boundaries = [];
    for (let at = Math.floor(axis.x[0]) + 1; at < epochs; at++) boundaries.push(at);
    chart.draw(curves, { ...axis, boundaries, yName: series[s], beside: names });
    const text = (value) =>
      value === null ? "–" : value.toFixed(decimals[s]).replace(/^-/, "\u2212");
    const rows = runs.map((_, k) => {
      const { drop = null, rise = null, fall = null, climb = null } = shown.find((run) => run.k === k) ?? {};
      return { ...names[k], color: colors[k], values: [drop, rise, fall, climb] };
    });
    fill(rows, text);
    const state = { runs: shown.map(({ label, drop, rise, fall, climb }) => ({ label, drop, rise, fall, climb })) };
    const loss = Float64Array.from(shown.flatMap(({ y }) => Array.from(y)));
    return { sentence: sentenceOf(shown, settings.every, text), state, loss };
  }
  return { compute, draw };
}

export default {
  render: (context) =>
    mountExplorer(context, (drawing) => create(drawing, context.model.get("data"))),
};
