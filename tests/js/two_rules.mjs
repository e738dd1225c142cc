// Two rules in the page: `node two_rules.mjs FOLDER JOBS`, JOBS is JSON: {rules, settings: [...]};
// prints JSON: of each setting and each of its two rules the loss of each step, the word and the line.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, jobsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, name)));
const { conclude, lineOf, runOf } = await load("widgets/comparison/two_rules.js");
const { makeLayout, makeOrder, sampleProblem, simulate, twoMoment } = await load("quadratic/simulation.js");

const { rules, settings } = JSON.parse(readFileSync(jobsPath, "utf8"));
const answers = settings.map((one) =>
  [one.first, one.second].map((name) => {
    const run = runOf(rules[name], one);
    const problem = sampleProblem(10000, 10000, run.seed);
    problem.b.fill(0.75);
    const layout = makeLayout(problem, makeOrder(run.order, 10000, run.epochs, run.batch_size, run.seed), run.batch_size);
    const loss = simulate(layout, twoMoment(run, layout.steps));
    const found = conclude(loss);
    return { loss: Array.from(loss), word: found.word, line: lineOf(name, run.lr, found) };
  }),
);
console.log(JSON.stringify(answers));
