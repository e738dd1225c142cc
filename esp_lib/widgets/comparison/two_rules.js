// Explorer of two rules side by side: two optimizers, the learning rate dragged, tooth and loss.

import { axisFor, createChart, tightAxis } from "../front/chart.js";
import { windows } from "../front/windows.js";
import { short } from "../front/words.js";
import { mountExplorer } from "../base.js";
import { twoPanels } from "../front/host.js";
import { createSimulator } from "../../quadratic/simulator.js";
import { measure } from "../../sawtooth/measurement.js";
import { pattern } from "../../sawtooth/pattern.js";

const EPOCHS = 10;
const PER_EPOCH = 100;
const BATCH = 100;
const EVERY = 5; // steps in a drawn point
const CLOSE = 3; // epochs that are enlarged
const FLOOR = 0.75; // the mean of b
const COLORS = ["var(--esp-ink)", "var(--esp-purple)"];

/** A rule at some settings, as the simulation takes it. */
export const runOf = ({ optimizer, beta1, eps, lr }, { rate, beta2, seed }) => ({
  optimizer, beta1, beta2, eps, lr: lr * rate, seed, order: "reshuffle", batch_size: BATCH, epochs: EPOCHS,
});

/** Pattern, tooth of the second half and loss of the last epoch. */
export function conclude(loss) {
  const tooth = measure(loss, PER_EPOCH, { skip: EPOCHS / 2 });
  const last = loss.subarray(loss.length - PER_EPOCH).reduce((sum, value) => sum + value, 0) / PER_EPOCH;
  return { word: pattern(loss, PER_EPOCH, tooth), tooth, last };
}

const SAID = {
  diverges: () => "diverges",
  none: () => "no tooth: no drop stands out from the noise",
  staircase: ({ drop }) => `staircase: drops by ${short(drop)} at each boundary and does not climb in between`,
  sawtooth: ({ drop, rise }) => `sawtooth: drops by ${short(drop)} at each boundary and rises by ${short(rise)} in between`,
};

/** One line about one run. */
export function lineOf(name, rate, { word, tooth, last }) {
  const end = word === "diverges" ? "" : `; loss of the last epoch ${last.toFixed(3)}`;
  return `${name}, learning rate ${Number(rate.toPrecision(2))}: ${SAID[word](tooth)}${end}.`;
}

function create(drawing, { rules }) {
  const [whole, close] = twoPanels(drawing, "esp-zoomed");
  drawing.parentElement.querySelector(".esp-say").classList.add("esp-lines");
  const chart = createChart(whole, {
    title: "Training loss of two optimizers against epochs", xLabel: "epoch", yLabel: "training loss",
  });
  const end = createChart(close, {
    title: "The last epochs, enlarged", xLabel: "epoch", yLabel: "the same, enlarged",
  });
  const request = createSimulator();
  let axes = null;

  async function compute(settings) {
    const results = await request([settings.first, settings.second].map((name) => runOf(rules[name], settings)));
    return results?.map(({ loss, floor }) => loss.map((value, t) => value - floor[t] / BATCH + FLOOR)) ?? null;
  }

  function draw(losses, { settings, hold }) {
    const names = [settings.first, settings.second];
    const curves = losses.map((loss, k) => ({ ...windows(loss, EVERY, PER_EPOCH), color: COLORS[k], label: names[k], short: names[k] }));
    const from = curves[0].x.findIndex((at) => at > EPOCHS - CLOSE);
    const ends = curves.map(({ x, y, color }) => ({ x: x.subarray(from), y: y.subarray(from), color }));
    if (!hold || !axes) axes = [axisFor(curves), tightAxis(ends)];
    const boundaries = Array.from({ length: EPOCHS - 1 }, (_, k) => k + 1);
    chart.draw(curves, { x: [0, EPOCHS], ...axes[0], boundaries });
    end.draw(ends, { x: [EPOCHS - CLOSE, EPOCHS], ...axes[1], boundaries: boundaries.slice(EPOCHS - CLOSE) });
    const found = losses.map(conclude);
    const sentence = found.map((one, k) => lineOf(names[k], rules[names[k]].lr * settings.rate, one)).join("\n");
    const forgetful = names.filter((name) => rules[name].forgets);
    const beta2 = forgetful.length ? ` β₂ ${settings.beta2} for ${[...new Set(forgetful)].join(" and ")}.` : " Neither has a β₂.";
    const times = settings.rate === 1 ? "" : `${short(settings.rate)} times `;
    const caption = `Each at ${times}the learning rate that ends ten epochs lowest (at β₂ 0.999, if it has one).${beta2} Tooth: of epochs 6 to 10.`;
    const state = {
      final_loss: Number.isFinite(found[0].last) ? found[0].last : null,
      patterns: found.map(({ word }) => word),
      drops: found.map(({ tooth }) => tooth.drop),
      rises: found.map(({ tooth }) => tooth.rise),
      last: found.map(({ last }) => last),
    };
    return { sentence, caption, state, loss: losses[0] };
  }
  return { compute, draw };
}

export default {
  render: (context) => mountExplorer(context, (drawing) => create(drawing, context.model.get("data"))),
};
