// Explorer of start many, stop early, continue some: plans for recorded fine-tuning episodes.
//
// The numbers are means over all draws, computed exactly (early_stopping.js); the curves are those of
// one draw. Python packs the records (budget.py).

import {
  bestPlan,
  cost,
  errorReduction,
  example,
  expected,
  expectedBest,
  law,
  pointOf,
  until,
  wholeOf,
} from "../../finetuning/early_stopping.js";
import { createChart, tightAxis } from "../front/chart.js";
import { mountExplorer } from "../base.js";
import { button } from "../front/host.js";
import { readTask } from "./episodes.js";
import { rounded } from "../front/settings.js";

const COLORS = { stopped: "var(--esp-grey)", continued: "var(--esp-blue)", best: "var(--esp-purple)" };
const SEEDS = 2 ** 32;

const number = (value) => value.toFixed(4).replace(/^-/, "\u2212");
const amount = (value) => String(Number(value.toFixed(2)));
const counted = (n, one) => `${n} ${one}${Number(n) === 1 ? "" : "s"}`;

/** Curves of some episodes as one line with gaps: each until evaluation `point`. */
function curvesOf({ score, points }, episodes, point, epochs) {
  const x = [];
  const y = [];
  for (const i of episodes) {
    for (let k = 0; k < point; k++) {
      x.push(((k + 1) / points) * epochs);
      y.push(score[i * points + k]);
    }
    x.push(NaN);
    y.push(NaN);
  }
  return { x: Float64Array.from(x), y: Float64Array.from(y) };
}

/** The episode of a draw whose best score is highest, and the evaluation where it is, from 0. */
function bestOf({ score, points }, drawn, p, point) {
  let best = { value: -Infinity };
  drawn.forEach((i, rank) => {
    const seen = rank < p ? points : point;
    for (let k = 0; k < seen; k++) {
      const value = score[i * points + k];
      if (value > best.value) best = { value, episode: i, at: k, seen };
    }
  });
  return best;
}

function createKey(drawing) {
  const key = document.createElement("p");
  key.className = "esp-key";
  const lines = Object.values(COLORS).map((color) => {
    const line = document.createElement("span");
    line.style.color = color;
    return line;
  });
  key.append(...lines);
  drawing.after(key);
  return (...texts) => texts.forEach((text, k) => (lines[k].textContent = text));
}

function createTable(drawing) {
  const table = document.createElement("table");
  table.className = "esp-readout";
  table.createCaption().textContent = "Mean over all draws of recorded episodes";
  const head = table.createTHead().insertRow();
  for (const name of ["", "costs (episodes)", "best score"]) {
    const cell = document.createElement(name ? "th" : "td");
    cell.textContent = name;
    if (name) cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  drawing.after(table);
  return (rows) => {
    body.replaceChildren();
    for (const [name, ...texts] of rows) {
      const row = body.insertRow();
      const title = document.createElement("th");
      title.scope = "row";
      title.textContent = name;
      row.append(title);
      for (const text of texts) row.insertCell().textContent = text;
    }
  };
}

/** What the plan is, what it finds, and what else to know about it, in words. */
function sentenceOf(result, asked, epochs) {
  const { t, p, point, points, paid, used, budget, found, full, whole, reduction } = result;
  const stop = amount((point / points) * epochs);
  const one = t === 1;
  const what = p < t
    ? `Starting ${t} and continuing the best ${p === 1 ? "one" : p} after ${counted(stop, "epoch")}`
    : `Training ${counted(t, "episode")} to the end`;
  const than = `${counted(whole, "episode")} trained fully find${whole === 1 ? "s" : ""} ${number(full)}`;
  const percent = Math.abs(100 * (reduction ?? 0)).toFixed(1);
  const share = reduction === null ? "" : `: ${percent} % ${reduction < 0 ? "more" : "less"} error`;
  const over = used > budget + 1e-9
    ? `This plan costs ${amount(used)} fully trained episodes, more than the budget of ${amount(budget)}; it is compared with full training for ${amount(paid)}. `
    : "";
  const few = asked.p > t ? `No more than ${one ? "the one" : `the ${t}`} started can be continued. ` : "";
  const held = result.judged === null
    ? ""
    : ` On other seeds it finds ${number(result.judged)}, full training ${number(result.judgedFull)}.`;
  return `${over}${few}${what} finds ${number(found)} on average; ${than}${share}.${held}`;
}

function create(drawing, model) {
  const { epochs, tasks: packed, others: elsewhere } = model.get("data");
  const tasks = packed.map(readTask);
  const others = elsewhere.map(readTask); // of other seeds, on which plans are judged
  const axes = tasks.map(({ score }) => ({ x: [0, 1.015 * epochs], y: tightAxis([{ y: score }]).y }));
  drawing.classList.add("esp-many");
  const chart = createChart(drawing, {
    title: "Validation score of recorded fine-tuning episodes against epochs",
    xLabel: "epoch",
    yLabel: tasks[0].metric,
  });
  const fillTable = createTable(drawing);
  const fillKey = createKey(drawing);
  const laws = new Map(); // the last one of each task: sliders ask for it again and again

  const taskOf = (settings) => {
    const at = tasks.findIndex(({ label }) => label === settings.task);
    return Math.max(0, at); // a single task has no control
  };
  function lawOf(at, point) {
    if (laws.get(at)?.point !== point) laws.set(at, { point, law: law(tasks[at], point) });
    return laws.get(at).law;
  }
  function take(changes) {
    model.set("settings", { ...model.get("settings"), ...changes });
    model.save_changes();
  }
  drawing.parentElement.querySelector(".esp-buttons").append(
    button("Best plan for this budget", () => {
      const settings = model.get("settings");
      const { t, f, p } = bestPlan(tasks[taskOf(settings)], settings.budget);
      take({ t, f: rounded(f), p });
    }),
    button("Another draw", () => take({ draw: (model.get("settings").draw + 1) % SEEDS })),
  );

  function compute(settings) {
    const at = taskOf(settings);
    const { size, points } = tasks[at];
    const point = pointOf(settings.f, points);
    const { t, budget } = settings;
    const p = Math.min(settings.p, t);
    const used = cost({ t, f: point / points, p });
    const paid = Math.max(budget, used);
    const whole = wholeOf(paid, size);
    const found = expected(lawOf(at, point), t, p);
    const full = expectedBest(until(tasks[at], points), whole);
    const drawn = example(tasks[at], settings.draw, t, point);
    const reduction = errorReduction(found, full);
    const other = others[at];
    const judged = other ? expected(law(other, point), t, p) : null;
    const judgedFull = other ? expectedBest(until(other, points), wholeOf(paid, other.size)) : null;
    return { at, t, p, point, points, used, paid, budget, whole, found, full, reduction, judged, judgedFull, drawn };
  }

  function draw(result, { settings }) {
    const { at, t, p, point, points, used, whole, found, full, drawn } = result;
    const task = tasks[at];
    const axis = axes[at];
    const best = bestOf(task, drawn, p, point);
    const stop = (point / points) * epochs;
    const curves = [
      { x: [stop, stop], y: axis.y, color: "var(--esp-ink)", faint: true },
      { ...curvesOf(task, drawn.slice(p), point, epochs), color: COLORS.stopped },
      { ...curvesOf(task, drawn.slice(0, p), points, epochs), color: COLORS.continued },
      { ...curvesOf(task, [best.episode], best.seen, epochs), color: COLORS.best, dots: [best.at] },
    ];
    const boundaries = Array.from({ length: Math.ceil(epochs) - 1 }, (_, k) => k + 1);
    chart.draw(curves, { ...axis, boundaries, yName: task.metric });
    fillTable([
      ["This plan", amount(used), number(found)],
      [`${counted(whole, "episode")} trained fully`, String(whole), number(full)],
      ...(result.judged === null
        ? []
        : [
            ["This plan, other seeds", amount(used), number(result.judged)],
            ["Trained fully, other seeds", String(whole), number(result.judgedFull)],
          ]),
    ]);
    fillKey(
      p < t && point < points ? `${t - p} stopped after ${counted(amount(stop), "epoch")}` : "none stopped",
      `${counted(p, "episode")} trained to the end`,
      `best found in this draw: ${number(best.value)}`,
    );
    const plan = { t, f: point / points, p };
    const { paid, reduction, judged } = result;
    const state = { plan, used, paid, found, full, reduction, judged, drawn, best: best.value };
    return { sentence: sentenceOf(result, settings, epochs), state };
  }
  return { compute, draw };
}

export default {
  render: (context) => mountExplorer(context, (drawing) => create(drawing, context.model)),
};
