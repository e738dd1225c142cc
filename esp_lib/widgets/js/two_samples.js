// Explorer of the two-sample toy: two samples pull one parameter in opposite directions.
// Source: Fig. 12 of Liu and Ma (2025). Losses are l_A = x and l_B = -x; a visit moves x by
// -lr m with m <- momentum m + gradient, and its loss is taken before that.

import { createChart } from "./chart.js";
import { mountExplorer } from "./explorer.js";
import { short } from "./measure.js";

const EPOCHS = 8;
const SIGN = { A: 1, B: -1 };

/** The samples visited: "AB,AB" repeats one order, "AB,BA" turns every other epoch round. */
export function visits(sequence) {
  const [first, second] = sequence.split(",");
  return Array.from({ length: EPOCHS }, (_, k) => (k % 2 ? second : first)).join("");
}

/** Loss of each visited sample before its update. */
export function losses({ sequence, momentum, lr }) {
  let x = 0;
  let m = 0;
  return Float64Array.from(visits(sequence), (sample) => {
    const loss = SIGN[sample] * x;
    m = momentum * m + SIGN[sample];
    x -= lr * m;
    return loss;
  });
}

/** Height of the tooth after the first epochs: a sample's loss at an epoch's end minus its start. */
export function swing(loss) {
  let total = 0;
  for (let k = 2; k < EPOCHS; k++) total += loss[2 * k + 1] - loss[2 * k];
  return total / (EPOCHS - 2);
}

function create(drawing) {
  const chart = createChart(drawing, {
    title: "Loss of the visited sample against visits, for two samples",
    xLabel: "visit",
    yLabel: "loss of the visited sample",
  });
  let span = 0;

  function compute(settings) {
    return losses(settings);
  }

  function draw(loss, { settings, hold }) {
    const names = visits(settings.sequence);
    const x = Float64Array.from(loss, (_, k) => k + 1);
    const largest = Math.max(...loss.map(Math.abs), 1e-9);
    if (!hold || !span) span = 1.25 * largest;
    const grey = "var(--esp-grey)";
    const dots = (sample) => ({
      x, y: loss, hideLine: true, color: sample === "A" ? "var(--esp-blue)" : "var(--esp-orange)",
      dots: [...names].flatMap((name, k) => (name === sample ? [k] : [])), letter: sample,
    });
    const boundaries = Array.from({ length: EPOCHS - 1 }, (_, k) => 2 * k + 2.5);
    const view = { x: [0.5, 2 * EPOCHS + 0.5], y: [-span, span], boundaries };
    const line = { x, y: loss, color: grey, faint: true };
    chart.draw([{ x: view.x, y: [0, 0], color: grey, faint: true }, line, dots("A"), dots("B")], view);
    const tooth = swing(loss);
    const where = settings.sequence === "AB,BA" ? "the same sample twice in a row at each boundary" : "the other sample at each boundary";
    const found = Math.abs(tooth) < 1e-12
      ? "no tooth: the loss at the end of an epoch is that at its start"
      : `a tooth of ${short(tooth)} between the start and the end of an epoch`;
    const sentence = `Sequence ${settings.sequence} meets ${where}; with momentum ${settings.momentum} there is ${found}.`;
    return { sentence, state: { final_loss: loss.at(-1), amplitude: tooth }, loss };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
