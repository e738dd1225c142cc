// Explorer of early scores against final ones: each dot an episode, and a line that stops the worst.

import { earlyAndFinal } from "../../finetuning/early_scores.js";
import { pointOf } from "../../finetuning/early_stopping.js";
import { mountExplorer } from "../base.js";
import { createChart } from "../front/chart.js";
import { readTask } from "./episodes.js";

const number = (value, digits) => value.toFixed(digits).replace(/^-/, "\u2212");

/** What the line does, in words. */
function sentenceOf({ rho, bestKept, best }, p, size, epoch) {
  const after = `after ${epoch} ${epoch === 1 ? "epoch" : "epochs"}`;
  const said = rho === null
    ? `Scores ${after} are all the same and say nothing about the end`
    : `Scores ${after} rank the episodes like their final ones with \u03c1 = ${number(rho, 2)}`;
  if (p === size) return `${said}. No episode is stopped.`;
  const found = best > bestKept
    ? `the line stops the one that ends best: ${number(best, 3)} against ${number(bestKept, 3)}`
    : `the one that ends best (${number(best, 3)}) is among the ${p} continued`;
  return `${said}; ${found}.`;
}

function create(drawing, model) {
  const { epochs, tasks: packed } = model.get("data");
  const tasks = packed.map(readTask);
  const chart = createChart(drawing, {
    title: "Final score of each episode against its score early in training",
    xLabel: "early score",
    yLabel: "final score",
  });

  function compute(settings) {
    const task = tasks[Math.max(0, tasks.findIndex(({ label }) => label === settings.task))];
    const point = pointOf(settings.f, task.points);
    return { task, point, ...earlyAndFinal(task, point, settings.p) };
  }

  function draw(result, { settings }) {
    const { task, point, early, final, kept, line, rho, bestKept, best } = result;
    const epoch = Number(((point / task.points) * epochs).toFixed(2));
    const around = (values) => {
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const room = 0.08 * (high - low || 0.1);
      return [low - room, high + room];
    };
    const view = {
      x: around(early),
      y: around(final),
      xName: `${task.metric} after ${epoch} ${epoch === 1 ? "epoch" : "epochs"}`,
      yName: `final ${task.metric}`,
    };
    const stopped = Array.from(early, (_, i) => i).filter((i) => !kept.includes(i));
    const dots = (rows, color) => ({
      x: Float64Array.from(rows, (i) => early[i]), y: Float64Array.from(rows, (i) => final[i]),
      color, hideLine: true, dots: Array.from(rows, (_, k) => k),
    });
    chart.draw(
      [
        dots(stopped, "var(--esp-grey)"),
        dots(Array.from(kept), "var(--esp-blue)"),
        { x: [line, line], y: view.y, color: "var(--esp-purple)" },
      ],
      view,
    );
    const sentence = sentenceOf(result, settings.p, task.size, epoch);
    return { sentence, state: { rho, line, kept: Array.from(kept), best_kept: bestKept, best } };
  }
  return { compute, draw };
}

export default {
  render: (context) => mountExplorer(context, (drawing) => create(drawing, context.model)),
};
