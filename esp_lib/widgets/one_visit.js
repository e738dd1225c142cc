// Explorer of one coordinate after one visit: does the push die out, or grow until epsilon catches it?

import { createChart, tightAxis } from "./front/chart.js";
import { short } from "./front/words.js";
import { mountExplorer } from "./base.js";
import { pushes } from "../mechanism/one_visit.js";

const SEEN = 1e-4; // of the longest step: shorter ones are not drawn
const GROWS = 1.05; // times the first step: then the push has grown

function sentenceOf(y, { beta1, beta2 }) {
  const edge = beta1 ** 2;
  const ratio = `β₁/√β₂ = ${(beta1 / Math.sqrt(beta2)).toFixed(3)}`;
  const total = short(y.reduce((sum, value) => sum + value, 0));
  const peak = y.indexOf(Math.max(...y));
  if (y[peak] > GROWS * y[0]) {
    const most = short(y[peak] / y[0]);
    return `${ratio}, above 1 (β₂ < β₁² = ${short(edge)}): the push grows to ${most} times its first length in ${peak} steps, then ε catches it. In all x moves by ${total} learning rates.`;
  }
  const side = beta2 > edge ? "below 1 (β₂ > β₁²)" : "not below 1, but ε is there at once";
  return `${ratio}, ${side}: the push dies out. In all x moves by ${total} learning rates.`;
}

function create(drawing) {
  const chart = createChart(drawing, {
    title: "Length of each step after one visit", xLabel: "steps since the visit", yLabel: "step (learning rates)",
  });
  let axis = null;
  const compute = (settings) => pushes(settings);

  function draw(y, { settings, hold }) {
    const high = Math.max(...y);
    const seen = y.map((value) => (value > SEEN * high ? value : NaN));
    const curve = { x: y.map((_, k) => k), y: seen, color: "var(--esp-purple)" };
    const peak = y.indexOf(high);
    if (!hold || !axis) {
      axis = tightAxis([curve]);
      if (!axis.log) axis.y = [0, 1.15 * high];
    }
    chart.draw([{ ...curve, dots: [peak] }], { x: [0, y.length], ...axis });
    const caption = "One visit, then nothing: what Adam still does to the coordinate, step by step.";
    const state = { final_loss: null, amplitude: null, peak, growth: high / y[0] };
    return { sentence: sentenceOf(y, settings), caption, state, loss: y };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
