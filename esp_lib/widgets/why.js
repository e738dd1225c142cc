// Explorer of the reason: how stale a batch's functions are along the epoch, beside the loss.
//
// The staleness of a visit is the number of steps since the same function was visited last. Under
// reshuffling its mean grows through the epoch, and so does the loss. The run that is shown starts
// near the minima, where the tooth is settled after four epochs; whether a run diverges is asked of
// the one that starts at the paper's x = 3, as everywhere.

import { axisFor, createChart } from "./front/chart.js";
import { colorOf } from "./front/colors.js";
import { mountExplorer } from "./base.js";
import { twoPanels } from "./front/host.js";
import { short } from "./front/words.js";
import { createSimulator } from "../quadratic/simulator.js";
import { diverges } from "../sawtooth/pattern.js";

const FUNCTIONS = 10000;
const FIXED = { optimizer: "Adam", eps: 1e-8, lr: 0.06 };
const SKIP = 4; // epochs from x = 0 until the tooth is settled
const CLEAR = 4; // standard errors of a tenth of an epoch from which a change is one

/** Mean over epochs from `SKIP` on, at each step of the epoch. */
export function fold(values, perEpoch) {
  const epochs = Math.floor(values.length / perEpoch);
  return Float64Array.from({ length: perEpoch }, (_, q) => {
    let total = 0;
    for (let k = SKIP; k < epochs; k++) total += values[k * perEpoch + q];
    return total / (epochs - SKIP);
  });
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The way of a curve along the epoch: the values where it begins, turns and ends, as means of a tenth
 * of the epoch; [begin, end] if it does not turn, [level] if nothing stands out from its scatter.
 */
export function way(y) {
  const size = Math.max(1, Math.floor(y.length / 10));
  const tenths = Array.from({ length: y.length - size + 1 }, (_, q) => mean(y.subarray(q, q + size)));
  const steps = y.subarray(1).map((value, q) => (value - y[q]) ** 2);
  const clear = CLEAR * Math.sqrt(mean(steps) / 2 / size);
  const [first, last] = [tenths[0], tenths.at(-1)];
  const [low, high] = [Math.min(...tenths), Math.max(...tenths)];
  if (!(high - low > clear)) return [mean(y)];
  if (Math.min(first, last) - low > clear) return [first, low, last];
  if (high - Math.max(first, last) > clear) return [first, high, last];
  return [first, last];
}

/** A way in words: "rises from 1.3 to 1.9". */
export function wayInWords(values) {
  const texts = values.map(short);
  if (values.length === 1) return `stays near ${texts[0]}`;
  const go = (from, to) => (to > from ? "rises" : "falls");
  const start = `${go(values[0], values[1])} from ${texts[0]} to ${texts[1]}`;
  return values.length === 2 ? start : `${start}, then ${go(values[1], values[2])} to ${texts[2]}`;
}

/** What the order alone says about step q of an epoch of T steps, both counted from 0. */
export const EXPECTED = {
  reshuffle: (q, T) => q + (T + 1) / 2,
  fixed: (_, T) => T,
  reverse: (q) => 2 * q + 1,
  replacement: null, // no phase: a geometric waiting time, cut off by the start of the run
};

function create(drawing) {
  const panels = twoPanels(drawing, "esp-split");
  const stale = createChart(panels[0], {
    title: "Mean staleness of a batch against the step of the epoch",
    xLabel: "step of the epoch",
    yLabel: "staleness (steps)",
  });
  const tooth = createChart(panels[1], {
    title: "Mean loss against the step of the epoch",
    xLabel: "step of the epoch",
    yLabel: "training loss",
  });
  const request = createSimulator();
  let axis = null;

  async function compute(settings) {
    const run = { ...FIXED, ...settings };
    const results = await request([{ ...run, x0: 0 }, run]);
    if (!results) return null;
    const [{ loss, staleness }, fromStart] = results;
    return { loss, staleness, diverged: diverges(fromStart.loss, FUNCTIONS / settings.batch_size) };
  }

  function draw({ loss, staleness, diverged }, { settings, hold }) {
    const perEpoch = FUNCTIONS / settings.batch_size;
    const x = Float64Array.from({ length: perEpoch }, (_, q) => q);
    const age = fold(staleness, perEpoch);
    const level = fold(loss, perEpoch);
    const expected = EXPECTED[settings.order];
    if (!hold || !axis) axis = axisFor([{ y: level }]);
    const lines = [{ x, y: age, color: "var(--esp-purple)", label: "measured" }];
    if (expected) {
      lines.unshift({
        x, y: x.map((q) => expected(q, perEpoch)), color: "var(--esp-grey)", label: "expected", faint: true,
      });
    }
    const xs = [0, perEpoch - 1];
    stale.draw(lines, { x: xs, y: [0, 2.1 * perEpoch] });
    tooth.draw([{ x, y: level, color: colorOf({ ...FIXED, ...settings }) }], { x: xs, ...axis });
    const [ages, losses] = [way(age), way(level)];
    const lossWords = diverged ? "and the run diverges" : `and the loss ${wayInWords(losses)}`;
    const sentence = `Along an epoch the mean staleness of a batch ${wayInWords(ages)} steps, ${lossWords}.`;
    const state = { final_loss: diverged ? null : level.at(-1), ages, losses: diverged ? null : losses, diverged };
    return { sentence, state, loss };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
