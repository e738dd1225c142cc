// Explorer of the reason: how stale a batch's functions are along the epoch, beside the loss.
//
// The staleness of a visit is the number of steps since the same function was visited last. Under
// reshuffling its mean grows through the epoch, and so does the loss.

import { axisFor, createChart } from "./front/chart.js";
import { colorOf } from "./front/colors.js";
import { mountExplorer } from "./base.js";
import { diverges, short } from "./front/measure.js";
import { createSimulator } from "../quadratic/simulator.js";

const FUNCTIONS = 10000;
const FIXED = { optimizer: "Adam", eps: 1e-8, lr: 0.06 };
const SKIP = 4; // epochs at the start, where the loss still falls

/** Mean over epochs from `SKIP` on, at each step of the epoch. */
export function fold(values, perEpoch) {
  const epochs = Math.floor(values.length / perEpoch);
  return Float64Array.from({ length: perEpoch }, (_, q) => {
    let total = 0;
    for (let k = SKIP; k < epochs; k++) total += values[k * perEpoch + q];
    return total / (epochs - SKIP);
  });
}

/** Slope of the least-squares line, per epoch. */
function slope(y) {
  const n = y.length;
  const center = (n - 1) / 2;
  let top = 0;
  let bottom = 0;
  y.forEach((value, q) => {
    top += (q - center) * value;
    bottom += (q - center) ** 2;
  });
  return (n * top) / bottom;
}

/** What the order alone says about step q of an epoch of T steps, both counted from 0. */
export const EXPECTED = {
  reshuffle: (q, T) => q + (T + 1) / 2,
  fixed: (_, T) => T,
  reverse: (q) => 2 * q + 1,
  replacement: null, // no phase: a geometric waiting time, cut off by the start of the run
};

function create(drawing) {
  drawing.classList.add("esp-split");
  const panels = [0, 1].map(() => {
    const panel = document.createElement("div");
    drawing.append(panel);
    return panel;
  });
  const stale = createChart(panels[0], {
    title: "Mean staleness of a batch against the step of the epoch",
    xLabel: "step of the epoch",
    yLabel: "staleness (steps)",
  });
  const losses = createChart(panels[1], {
    title: "Mean loss against the step of the epoch",
    xLabel: "step of the epoch",
    yLabel: "training loss",
  });
  const request = createSimulator();
  let axis = null;

  async function compute(settings) {
    const results = await request([{ ...FIXED, ...settings }]);
    return results && results[0];
  }

  function draw({ loss, staleness }, { settings, hold }) {
    const perEpoch = FUNCTIONS / settings.batch_size;
    const x = Float64Array.from({ length: perEpoch }, (_, q) => q);
    const age = fold(staleness, perEpoch);
    const level = fold(loss, perEpoch);
    const expected = EXPECTED[settings.order];
    if (!hold || !axis) axis = axisFor([{ y: level }]);
    const ages = [{ x, y: age, color: "var(--esp-purple)", label: "measured" }];
    if (expected) {
      ages.unshift({
        x, y: x.map((q) => expected(q, perEpoch)), color: "var(--esp-grey)", label: "expected", faint: true,
      });
    }
    const xs = [0, perEpoch - 1];
    stale.draw(ages, { x: xs, y: [0, 2.1 * perEpoch] });
    losses.draw([{ x, y: level, color: colorOf({ ...FIXED, ...settings }) }], { x: xs, ...axis });
    const rise = { age: slope(age), loss: slope(level) };
    const diverged = diverges(loss, perEpoch);
    const ageWords = Math.abs(rise.age) < 0.05 * perEpoch
      ? "stays the same"
      : `grows by ${short(rise.age)} steps`;
    const lossWords = diverged ? "diverges" : `changes by ${short(rise.loss)}`;
    const sentence = `From the start of an epoch to its end, the mean staleness of a batch ${ageWords}, and the loss ${lossWords}.`;
    const state = { final_loss: diverged ? null : level.at(-1), amplitude: diverged ? null : rise.loss, staleness_rise: rise.age, diverged };
    return { sentence, state, loss };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
