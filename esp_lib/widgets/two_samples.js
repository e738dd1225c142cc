// Explorer of the two-sample toy: two samples pull one parameter in opposite directions.
// Source: Fig. 12 of Liu and Ma (2025); the twin of `alternate` in esp_lib/mechanism/batches.py. Losses are
// l_A = x and l_B = -x; a visit does m <- momentum m + gradient, x <- x - m, and its loss is taken
// before that.

import { createChart } from "./front/chart.js";
import { mountExplorer } from "./base.js";
import { short } from "./front/words.js";

const EPOCHS = 8;
const SIGN = { A: 1, B: -1 };

/** The samples visited: "AB,AB" repeats one order, "AB,BA" turns every other epoch round. */
export function visits(sequence) {
  const [first, second] = sequence.split(",");
  return Array.from({ length: EPOCHS }, (_, k) => (k % 2 ? second : first)).join("");
}

/** x, and the loss of the visited sample, before each update. */
export function run({ sequence, momentum, x0 }) {
  let x = x0;
  let m = 0;
  const xs = [];
  const loss = [];
  for (const sample of visits(sequence)) {
    xs.push(x);
    loss.push(SIGN[sample] * x);
    m = momentum * m + SIGN[sample];
    x -= m;
  }
  return { xs: Float64Array.from(xs), loss: Float64Array.from(loss) };
}

/** Mean fall of a sample's loss from one visit to the next, where those follow each other. */
export function fallWhenRepeated(loss, names) {
  const falls = [];
  for (let k = 1; k < names.length; k++) {
    if (names[k] === names[k - 1]) falls.push(loss[k - 1] - loss[k]);
  }
  return falls.length ? falls.reduce((sum, fall) => sum + fall, 0) / falls.length : null;
}

function create(drawing) {
  const chart = createChart(drawing, {
    title: "Loss of the visited sample against visits, for two samples",
    xLabel: "visit",
    yLabel: "loss of the visited sample",
  });
  let span = 0;

  const compute = run;

  function draw({ xs, loss }, { settings, hold }) {
    const names = visits(settings.sequence);
    const x = Float64Array.from(loss, (_, k) => k + 1);
    const largest = Math.max(...loss.map(Math.abs), 1e-9);
    if (!hold || !span) span = 1.25 * largest;
    const grey = "var(--esp-grey)";
    const dots = (sample) => ({
      x, y: loss, hideLine: true, color: sample === "A" ? "var(--esp-blue)" : "var(--esp-purple)",
      dots: [...names].flatMap((name, k) => (name === sample ? [k] : [])), letter: sample,
    });
    const boundaries = Array.from({ length: EPOCHS - 1 }, (_, k) => 2 * k + 2.5);
    const view = { x: [0.5, 2 * EPOCHS + 0.5], y: [-span, span], boundaries };
    const line = { x, y: loss, color: grey, faint: true };
    chart.draw([{ x: view.x, y: [0, 0], color: grey, faint: true }, line, dots("A"), dots("B")], view);
    const fall = fallWhenRepeated(loss, names);
    const settled = xs.slice(-8);
    const swing = Math.max(...settled) - Math.min(...settled);
    const found =
      fall === null
        ? "No sample is visited twice in a row."
        : `A sample visited twice in a row has a loss lower by ${short(fall)} the second time, on average.`;
    const sentence = `${found} With momentum ${settings.momentum}, x swings by ${short(swing)} in the last four epochs.`;
    const state = { final_loss: loss.at(-1), amplitude: swing, fall };
    return { sentence, state, loss };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
