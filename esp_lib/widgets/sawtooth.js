// Explorer of the sawtooth: the paper's incremental quadratic problem, live.

import { axisFor, createChart, tightAxis } from "./front/chart.js";
import { colorOf } from "./front/colors.js";
import { mountExplorer } from "./base.js";
import { twoPanels } from "./front/host.js";
import { fourWords } from "./front/four_words.js";
import { numberText } from "./front/settings.js";
import { windows } from "./front/windows.js";
import { describe } from "./front/words.js";
import { createSimulator } from "../quadratic/simulator.js";
import { settled } from "../sawtooth/pattern.js";

const FUNCTIONS = 10000;
const EPOCHS = 10;
const CLOSE = 3; // epochs that are enlarged
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

const ORDER = {
  reshuffle: "reshuffled each epoch",
  fixed: "always in the same order",
  reverse: "each epoch in the reverse of the last",
  replacement: "drawn with replacement",
};

const captionOf = (settings, pinned, same) => {
  const other = same ? "; the pinned curve is the same" : pinned ? `; fainter: ${nameOf(pinned, settings)}` : "";
  return (
    `Ten thousand parabolas, minimized with ${settings.optimizer} (${nameOf(settings)}) in batches of ` +
    `${settings.batch_size}, ${ORDER[settings.order]}${other}. ` +
    `Lines are epoch boundaries. Below, the last ${CLOSE} epochs, enlarged.`
  );
};

/** An axis with room for words above and below the curve. */
function roomier({ y: [low, high], log }) {
  const room = log ? 0 : 0.25 * (high - low);
  return { y: [low - room, high + room], log };
}

function create(drawing) {
  const [whole, close] = twoPanels(drawing, "esp-zoomed");
  const request = createSimulator();
  const requestOn = createSimulator({ outOfSight: true });
  const chart = createChart(whole, {
    title: "Training loss of the incremental quadratic problem against epochs",
    xLabel: "epoch",
    yLabel: "training loss",
  });
  const end = createChart(close, {
    title: "The last epochs, enlarged, with tooth, drop, rise and amplitude drawn on them",
    xLabel: "epoch",
    yLabel: "the same, enlarged",
  });
  let axis = null;
  let closeAxis = null;

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
    const from = ON - Math.floor(ON / 3) + 1;
    return { sentence: describe(found, [from, ON]), state: { pattern: found.pattern, drop, rise, amplitude, shape } };
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
    drawEnd(curves.at(-1), live.loss, perEpoch, hold);
    drawing.closest(".esp-explorer")?.setAttribute("data-optimizer", settings.optimizer);
    const last = live.loss.subarray(live.loss.length - perEpoch);
    const final = last.reduce((sum, value) => sum + value, 0) / perEpoch;
    const state = { final_loss: Number.isFinite(final) ? final : null };
    const same = pinned && JSON.stringify(runOf(settings)) === JSON.stringify(runOf(pinned));
    return { caption: captionOf(settings, pinned, same), state, loss: live.loss };
  }

  function drawEnd({ x, y, color }, loss, perEpoch, hold) {
    const from = x.findIndex((at) => at > EPOCHS - CLOSE);
    const curve = { x: x.subarray(from), y: y.subarray(from), color };
    const within = (value) => value >= closeAxis.y[0] && value <= closeAxis.y[1];
    const seen = curve.y.some((value) => value <= axis.y[1]);
    if (!seen) closeAxis = axis;
    else if (!hold || !closeAxis || !curve.y.every(within)) closeAxis = roomier(tightAxis([curve]));
    const [low, high] = closeAxis.y;
    const middle = [EPOCHS - CLOSE / 2, closeAxis.log ? Math.sqrt(low * high) : (low + high) / 2];
    const away = { line: [middle, middle], text: "out of sight, above the axis", at: middle };
    const words = closeAxis.log ? [] : fourWords(loss, perEpoch, closeAxis.y);
    const notes = seen ? words : [away];
    const boundaries = Array.from({ length: CLOSE - 1 }, (_, k) => EPOCHS - CLOSE + 1 + k);
    end.draw([curve], { x: [EPOCHS - CLOSE, EPOCHS], ...closeAxis, boundaries, notes });
  }
  return { compute, draw, settle };
}

export default { render: (context) => mountExplorer(context, create) };
