// Explorer of the map that predicts: drag a setting, see the tooth predicted and simulated.

import { createChart } from "../front/chart.js";
import { numberText } from "../front/settings.js";
import { short } from "../front/words.js";
import { mountExplorer } from "../base.js";
import { twoPanels } from "../front/host.js";
import { pixels } from "../maps/cells.js";
import { integers, threeDigits } from "../packing.js";
import { createSimulator } from "../../quadratic/simulator.js";
import { measure } from "../../sawtooth/measurement.js";
import { predict } from "../../theory/prediction.js";
import { createPad } from "./pad.js";

const RUN = { epochs: 12, perEpoch: 100, batchSize: 100, x0: 0 }; // as in esp_lib/theory/maps.py
const LR = 0.06;
const SKIP = 4; // epochs before the settled part
const BIN = 5; // steps in a drawn point
const FLOOR = 0.75; // the mean of b
const LEAST = 0.15; // of the loss axis, above the floor; its height is this times a power of two
const SHOWN = 2; // epochs: the same one again, so that its end meets its start
const BLOWN_UP = 100; // amplitude
const COLORS = [0.02, 20]; // amplitudes of the first colour and of the last
const STEP = 0.005; // of a beta that is dragged
const GRADIENT = 0.015; // of a lone sample at distance 1: 2 E a / batch

const doubles = (text) => new Float64Array(Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0)).buffer);

/** The classes of `packed_classes` in predict.py. */
export const unpackClasses = (list) =>
  list.map(({ k, share, a, c, visits }) => {
    const codes = integers(visits);
    const [when, who] = [codes.map((code) => code >> 3), codes.map((code) => code & 7)];
    return { k, share, a: doubles(a), c: doubles(c), when, who };
  });

/** The predicted loss of each step at some settings. */
export const predictedLoss = (classes, { beta1, beta2, eps }) =>
  predict(classes, { lr: LR, beta1, beta2, eps }, RUN);

/** Settled loss at each phase of an epoch, in bins. */
export function fold(loss) {
  const y = new Float64Array(RUN.perEpoch / BIN);
  const count = (RUN.epochs - SKIP) * BIN;
  for (let t = SKIP * RUN.perEpoch; t < loss.length; t++) {
    y[Math.floor((t % RUN.perEpoch) / BIN)] += loss[t] / count;
  }
  return y;
}

/** A loss axis that keeps still until the curves need twice the room, or half of it. */
function axisOver(curves) {
  const high = Math.min(1e12, Math.max(...curves.flatMap((y) => Array.from(y)).filter(Number.isFinite)) - FLOOR);
  return [FLOOR, FLOOR + LEAST * 2 ** Math.max(0, Math.ceil(Math.log2((1.08 * high) / LEAST)))];
}

/** What the line beta2 = beta1^2 says about a setting; K* is chapter 6's. */
function lineInWords({ beta1, beta2, eps }) {
  const edge = `β₁² = ${short(beta1 ** 2)}`;
  if (beta2 === beta1 ** 2) return `β₂ is ${edge}: the steps of a coordinate left alone stay equal`;
  if (beta2 > beta1 ** 2) return `β₂ is above ${edge}: the steps of a coordinate left alone die out`;
  const capped = (2 * Math.log((Math.sqrt(1 - beta2) * GRADIENT) / eps)) / Math.log(1 / beta2);
  const end = capped >= 1 ? `grow, until ε stops them after some ${Math.round(capped)} steps` : "would grow, but ε is there at once";
  return `β₂ is below ${edge}: the steps of a coordinate left alone ${end}`;
}

const isTame = ({ amplitude }) => Math.abs(amplitude) < BLOWN_UP;
const toothInWords = (tooth) =>
  isTame(tooth) ? `drop ${short(tooth.drop)}, amplitude ${short(tooth.amplitude)}` : "training blows up";

/** One sentence: both teeth, and the line. */
export function sentenceOf(own, seen, settings) {
  return `Predicted: ${toothInWords(own)}. Simulated: ${toothInWords(seen)}. ${lineInWords(settings)}.`;
}

/** Maps as the pad draws them. */
function padMaps({ planes, ramp }) {
  const layer = { offset: 0, knee: COLORS[0], colors: [Math.asinh(1), Math.asinh(COLORS[1] / COLORS[0])] };
  return planes.map(({ setting, name, fixed, x, y, values }) => {
    const bytes = pixels(threeDigits(values), layer, ramp);
    const colors = Array.from({ length: x.length * y.length }, (_, k) => `rgb(${bytes.slice(4 * k, 4 * k + 3).join(" ")})`);
    const log = setting === "eps";
    return {
      setting, fixed, key: setting, cells: { columns: x.length, rows: y.length, colors },
      x: { name, ends: [x[0], x.at(-1)], log, step: log ? 0.1 : STEP },
      y: { name: "β₂", ends: [y[0], y.at(-1)], step: STEP },
    };
  });
}

/** The line beta2 = beta1^2 on a map, and what is on its sides. */
function lineOn({ setting, x, y }, beta1) {
  const [low, high] = x.ends;
  if (setting === "eps") {
    const edge = beta1 ** 2;
    if (edge < y.ends[0] || edge > y.ends[1]) return { line: [[low, y.ends[0]]], words: [] };
    return { line: [[low, edge], [high, edge]], words: [{ text: "β₂ = β₁²", at: [high / 1.5, edge + 0.006], anchor: "end" }] };
  }
  const from = Math.max(low, Math.sqrt(y.ends[0]));
  const line = Array.from({ length: 41 }, (_, k) => from + (k / 40) * (high - from)).map((beta) => [beta, beta ** 2]);
  const middle = (y.ends[0] + y.ends[1]) / 2;
  return {
    line,
    words: [
      { text: "steps die out", at: [low + 0.02, middle + 0.12], anchor: "start" },
      { text: "β₂ = β₁²", at: [Math.sqrt(middle) - 0.015, middle], anchor: "end" },
      { text: "steps grow", at: [high - 0.02, y.ends[0] + 0.06], anchor: "end" },
    ],
  };
}

function create(drawing, model) {
  const data = model.get("data");
  const classes = unpackClasses(data.classes);
  const maps = padMaps(data);
  const [left, right] = twoPanels(drawing, "esp-split");
  const chart = createChart(right, {
    title: "Settled training loss along an epoch, drawn twice, predicted and simulated",
    xLabel: "phase, one epoch twice", yLabel: "training loss",
  });
  const request = createSimulator();
  const known = new Map(); // predictions by their settings
  let map = maps[0];
  const pad = createPad(left, (x, y) => {
    const settings = model.get("settings");
    const even = (value) => Number((Math.round(value / STEP) * STEP).toFixed(3));
    const moved = map.x.log ? Number(x.toPrecision(2)) : even(x);
    model.set("settings", { ...settings, [map.setting]: moved, beta2: even(y) });
    model.save_changes();
  });

  function predicted({ beta1, beta2, eps }) {
    const key = `${beta1} ${beta2} ${eps}`;
    if (!known.has(key)) {
      if (known.size > 100) known.clear();
      known.set(key, predictedLoss(classes, { beta1, beta2, eps }));
    }
    return known.get(key);
  }

  async function compute(settings) {
    const { beta1, beta2, eps, seed } = settings;
    const run = { optimizer: "Adam", order: "reshuffle", lr: LR, beta1, beta2, eps, seed };
    const running = request([{ ...run, batch_size: RUN.batchSize, epochs: RUN.epochs, x0: RUN.x0 }]);
    const own = predicted(settings); // while the workers simulate
    const results = await running;
    if (!results) return null;
    const [{ loss, floor }] = results;
    return { own, seen: loss.map((value, t) => value - floor[t] / RUN.batchSize + FLOOR) };
  }

  function draw({ own, seen }, { settings }) {
    map = maps.find(({ x }) => settings.plane.startsWith(x.name));
    const point = [settings[map.setting], settings.beta2];
    const where = `${map.x.name} ${numberText(point[0])}, β₂ ${settings.beta2}`;
    pad.draw({ ...map, ...lineOn(map, settings.beta1), point, label: `Map of the predicted amplitude, point at ${where}; arrow keys move it` });
    const shapes = [seen, own].map(fold);
    const twice = shapes.map((y) => Float64Array.from({ length: SHOWN * y.length }, (_, k) => y[k % y.length]));
    const x = twice[0].map((_, k) => ((k + 0.5) * BIN) / RUN.perEpoch);
    chart.draw(
      [
        { x, y: twice[0], color: "var(--esp-grey)", label: "simulated", broad: true },
        { x, y: twice[1], color: "var(--esp-ink)", label: "predicted" },
      ],
      { x: [0, SHOWN], y: axisOver(shapes), log: false, boundaries: [1] },
    );
    const [first, second] = [own, seen].map((loss) => measure(loss, RUN.perEpoch, { skip: SKIP }));
    const caption =
      `Drag the point. Colours: predicted amplitude at ${map.fixed}, from ${COLORS[0]} (dark) to ${COLORS[1]} and more (bright). ` +
      "The curves: the mean epoch once the loss has settled, drawn twice; simulated is one random problem.";
    const state = {
      final_loss: null, drop: second.drop, amplitude: second.amplitude,
      predicted_drop: first.drop, predicted_amplitude: first.amplitude,
    };
    return { sentence: sentenceOf(first, second, settings), caption, state, loss: seen };
  }
  return { compute, draw };
}

export default {
  render: (context) => mountExplorer(context, (drawing) => create(drawing, context.model)),
};
