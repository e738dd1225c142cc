// Runs the explorers' worker in Node, as it is shipped: `node simulate.mjs WORKER MODULE JOBS OUT`.
//
// WORKER is the worker's source, MODULE the bundle of quadratic.js; JOBS is JSON, a list of
// settings; OUT gets the losses of all jobs as float64, one after the other. Each job is shared by
// one to three workers, which must not change a digit.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [workerPath, modulePath, jobsPath, outPath] = process.argv.slice(2);
const { meanLoss } = await import(pathToFileURL(modulePath));

const answers = [];
globalThis.self = { postMessage: (data) => answers.push(data) };
new Function(readFileSync(workerPath, "utf8"))();

const all = [];
JSON.parse(readFileSync(jobsPath, "utf8")).forEach((settings, id) => {
  const parts = 1 + (id % 3);
  answers.length = 0;
  for (let part = 0; part < parts; part++) self.onmessage({ data: { id, settings, part, parts } });
  all.push(meanLoss(answers[0].floor, settings.batch_size, answers.map((answer) => answer.sums)));
});
writeFileSync(outPath, Buffer.concat(all.map((loss) => Buffer.from(loss.buffer))));
