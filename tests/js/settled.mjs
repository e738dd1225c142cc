// What the sawtooth explorer says: `node settled.mjs FOLDER JOBS`, JOBS is JSON, a list of settings;
// prints JSON: the answer of `settled`, and the sentence.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, jobsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, name)));
const { makeLayout, makeOrder, sampleProblem, simulate, twoMoment } = await load("quadratic/simulation.js");
const { settled } = await load("sawtooth/pattern.js");
const { describe } = await load("widgets/front/words.js");

const answers = JSON.parse(readFileSync(jobsPath, "utf8")).map((job) => {
  const problem = sampleProblem(10000, 10000, job.seed);
  const order = makeOrder(job.order, 10000, 60, job.batch_size, job.seed);
  const layout = makeLayout(problem, order, job.batch_size);
  const found = settled(simulate(layout, twoMoment(job, layout.steps)), 10000 / job.batch_size);
  const { drop = null, rise = null, amplitude = null, shape = null } = found.tooth ?? {};
  return { pattern: found.pattern, drop, rise, amplitude, shape, sentence: describe(found) };
});
console.log(JSON.stringify(answers));
