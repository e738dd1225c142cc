// Explorer of a network that trains while it is looked at: the loss that is logged, and two that are not.

import { createChart } from "../front/chart.js";
import { colorOf } from "../front/colors.js";
import { button } from "../front/host.js";
import { windows } from "../front/windows.js";
import { describe, short } from "../front/words.js";
import { mountExplorer } from "../base.js";
import { BATCH, EPOCHS, EVERY, EXAMPLES } from "../../small_network.js";
import { pattern } from "../../sawtooth/pattern.js";
import { measure } from "../../sawtooth/measurement.js";

const PER_EPOCH = EXAMPLES / BATCH;
const SKIP = 4; // epochs at the start, where the loss falls fast
const DRAWN = 5; // steps in a drawn point
const HIGH = 7; // nats, of the axis
const SMALL = 0.1; // of the logged drop: by less than that the fixed part does not follow
const NAMES = ["held out", "logged", "fixed part"].map((label) => ({ label, short: label }));

/** Word numbers from two bytes each, low byte first, in base64. */
function unpackText(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Uint16Array(bytes.buffer);
}

function startWorker({ text, words }) {
  const source = new Blob([sourceOf("./worker.js")], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(source));
  worker.postMessage({ ids: unpackText(text), words });
  return worker;
}

/** What a finished run shows: the tooth of the log, and the fixed part's drop; see `describe`. */
export function conclude({ training, seen }) {
  const tooth = measure(Float64Array.from(training), PER_EPOCH, { skip: SKIP });
  const word = pattern(Float64Array.from(training), PER_EPOCH, tooth);
  const fixed = measure(Float64Array.from(seen), PER_EPOCH / EVERY, { skip: SKIP });
  return { word, tooth, fixed };
}

/** The run in words; that the cliff is in the log alone is said only where the fixed part has none. */
export function sentenceOf({ word, tooth, fixed }, { fresh, shuffle }) {
  if (word === "diverges") return describe({ pattern: word }, [SKIP + 1, EPOCHS]);
  if (word === "none") {
    const why = fresh ? " No example comes twice, so none is known by heart." : "";
    return `No tooth in the log: no drop at the epoch boundaries stands out from the noise.${why}`;
  }
  const climb = word === "sawtooth" ? `rises by ${short(tooth.rise)} in between` : "does not climb in between: a staircase";
  const chance = word === "sawtooth" && !shuffle && !fresh ? " (in a fixed order by chance: the same batches come late each time)" : "";
  const log = `From epoch ${SKIP + 1} on the logged loss drops by ${short(tooth.drop)} at each boundary and ${climb}${chance}.`;
  const share = fixed.drop / tooth.drop;
  if (share > SMALL) return `${log} The fixed part drops by ${short(fixed.drop)} there, too.`;
  const there = share < -SMALL ? `rises by ${short(-fixed.drop)}` : "moves by less than a tenth of that";
  return `${log} The fixed part ${there} there: the cliff is in the log, not in the network.`;
}

function create(drawing, refresh, data) {
  const chart = createChart(drawing, {
    title: "Loss of a network in training against epochs", xLabel: "epoch", yLabel: "loss (nats)",
  });
  const toggle = button("Start", () => (run?.running ? stop() : begin()));
  drawing.parentElement.querySelector(".esp-buttons").prepend(toggle);
  let worker = null;
  let run = null;
  let count = 0;
  let begun = false;

  function show() {
    toggle.textContent = run.running ? "Stop" : "Start";
    refresh();
  }

  function begin() {
    begun = true;
    worker ??= startWorker(data);
    worker.onmessage = ({ data: { id, done, ...losses } }) => {
      if (id !== run.id || !run.running) return;
      for (const [name, list] of Object.entries(losses)) run[name].push(...list);
      if (done) Object.assign(run, { running: false, found: conclude(run) });
      show();
    };
    Object.assign(run, { id: ++count, training: [], seen: [], heldOut: [], found: null, running: true });
    worker.postMessage({ id: run.id, config: { beta1: 0.9, ...run.settings } });
    show();
  }

  function stop() {
    run.running = false;
    worker.postMessage({ id: ++count });
    show();
  }

  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  new IntersectionObserver((entries, observer) => {
    if (!run || !entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    if (!begun && !calm) begin();
  }, { threshold: 0.5 }).observe(drawing);

  function compute(settings) {
    run = { settings, training: [], seen: [], heldOut: [], found: null, running: false };
    if (begun) queueMicrotask(begin); // once it is drawn
    return run;
  }

  function draw({ training, seen, heldOut, found, running }, { settings }) {
    const sparse = (values) => {
      const y = Float64Array.from(values);
      return { y, x: y.map((_, k) => ((k + 1) * EVERY) / PER_EPOCH) };
    };
    const curves = [
      { ...sparse(heldOut), color: "var(--esp-grey)", label: "held out", faint: true },
      { ...windows(Float64Array.from(training), DRAWN, PER_EPOCH), color: colorOf(settings), label: "logged" },
      { ...sparse(seen), color: "var(--esp-ink)", label: "fixed part" },
    ].filter(({ y }) => y.length);
    const high = Math.max(HIGH, ...curves.map(({ y }) => 1.04 * Math.max(...y.filter(Number.isFinite))));
    const boundaries = Array.from({ length: EPOCHS - 1 }, (_, k) => k + 1);
    chart.draw(curves, { x: [0, EPOCHS], y: [0, Math.min(high, 1e6)], log: false, boundaries, beside: NAMES });
    const state = { steps: training.length, running, pattern: found?.word ?? null };
    if (found) Object.assign(state, { drop: found.tooth.drop, rise: found.tooth.rise, fixed_drop: found.fixed.drop });
    const examples = settings.fresh ? "new examples each epoch" : `the same ${EXAMPLES.toLocaleString("en")} examples`;
    const order = settings.fresh ? "" : settings.shuffle ? ", reshuffled each epoch" : ", always in the same order";
    const caption = `Predicting the next word of Python's help texts with Adam, β₂ ${settings.beta2}: ${examples}${order}. Trained in your browser.`;
    const epoch = Math.min(EPOCHS, Math.floor(training.length / PER_EPOCH) + 1);
    const stopped = training.length ? `Stopped in epoch ${epoch} of ${EPOCHS}. Press Start to begin anew.` : "Press Start to train.";
    const sentence = found ? sentenceOf(found, settings) : running ? undefined : stopped;
    const waiting = `Training: epoch ${epoch} of ${EPOCHS}.`;
    return { sentence, waiting, caption, state, loss: Float64Array.from(training) };
  }
  return { compute, draw };
}

export default {
  render: (context) =>
    mountExplorer(context, (drawing, refresh) => create(drawing, refresh, context.model.get("data"))),
};
