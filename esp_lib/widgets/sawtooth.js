// Explorer of the sawtooth: the paper's incremental quadratic problem, live.

import { axisFor, createChart } from "./front/chart.js";
import { colorOf } from "./front/colors.js";
import { mountExplorer } from "./base.js";
import { numberText } from "./front/settings.js";
import { windows } from "./front/windows.js";
import { describe } from "./front/words.js";
import { createSimulator } from "../quadratic/simulator.js";
import { settled } from "../sawtooth/pattern.js";

const FUNCTIONS = 10000;
const EPOCHS = 10;
const ON = 60; // epochs of the run that goes on out of sight; what is said is about its last third

function nameOf(settings, other) {
  const symbol = settings.optimizer === "RMSProp" ? "β" : "β₂";
  const value = settings.optimizer === "SGD" ? `momentum ${settings.beta1}` : `${symbol} ${settings.beta2}`;
  if (!other) return value;
  const differs = (key) => settings[key] !== other[key];
  const extra = [
    differs("optimizer") && settings.optimizer,
    differs("order") && settings.order,
    differs("eps") && `ε ${numberText(settings.eps)}`,
    differs("beta1") && settings.optimizer !== "SGD" && `β₁ ${settings.beta1}`,
    differs("lr") && `learning rate ${numberText(settings.lr)}`,
    differs("batch_size") && `batch ${settings.batch_size}`,
    differs("seed") && `seed ${settings.seed}`,
  ].filter(Boolean);
  return [value, ...extra].join(", ");
}

function create(drawing) {
  const request = createSimulator();
  const requestOn = createSimulator({ outOfSight: true });
  const chart = createChart(drawing, {
    title: "Training loss of the incremental quadratic problem against epochs",
    xLabel: "epoch",
    yLabel: "training loss",
  });
  let axis = null;

  // Plot every and optimizer-independent settings do not change the run: keep them out of its key.
  const runOf = ({ optimizer, beta1, beta2, eps, lr, order, batch_size, seed }) => ({
    optimizer, beta1, beta2, eps, lr, order, batch_size, seed,
  });

  async function compute(settings, pinned) {
    const list = pinned ? [runOf(settings), runOf(pinned)] : [runOf(settings)];
    return request(list);
  }

  /** What the run does when it goes on; null when overtaken. */
  async function settle(settings) {
    const results = await requestOn([{ ...runOf(settings), epochs: ON }]);
    if (!results) return null;
    const found = settled(results[0].loss, FUNCTIONS / settings.batch_size);
    const { drop = null, rise = null, amplitude = null, shape = "none" } = found.tooth ?? {};
    return { sentence: describe(found), state: { pattern: found.pattern, drop, rise, amplitude, shape } };
  }

  function draw([live, reference], { settings, pinned, hold }) {
    const perEpoch = FUNCTIONS / settings.batch_size;
    const curves = [
      {
        ...windows(live.loss, settings.every, perEpoch),
        color: colorOf(settings),
        label: nameOf(settings, pinned),
        short: "live",
      },
    ];
    if (pinned && reference) {
      const pinnedEpoch = FUNCTIONS / pinned.batch_size;
      curves.unshift({
        ...windows(reference.loss, settings.every, pinnedEpoch),
        color: colorOf(pinned),
        label: `pinned: ${nameOf(pinned, settings)}`,
        short: "pinned",
        faint: true,
      });
    }
    if (!hold || !axis) axis = axisFor(curves);
    const boundaries = Array.from({ length: EPOCHS - 1 }, (_, k) => k + 1);
    chart.draw(curves, { x: [0, EPOCHS], ...axis, boundaries });
    drawing.closest(".esp-explorer")?.setAttribute("data-optimizer", settings.optimizer);
    const last = live.loss.subarray(live.loss.length - perEpoch);
    const final = last.reduce((sum, value) => sum + value, 0) / perEpoch;
    return { state: { final_loss: Number.isFinite(final) ? final : null }, loss: live.loss };
  }
  return { compute, draw, settle };
}

export default { render: (context) => mountExplorer(context, create) };
