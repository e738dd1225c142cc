// The early-score explorer's arithmetic: `node early.mjs FOLDER JOBS`; prints JSON. JOBS is JSON:
// {tasks: [data of a task], looks: [[task, evaluation from 1, p]]}.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, jobsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, `${name}.js`)));
const { earlyAndFinal } = await load("finetuning/early_scores");
const { readTask } = await load("widgets/finetuning/episodes");
const jobs = JSON.parse(readFileSync(jobsPath, "utf8"));
const tasks = jobs.tasks.map(readTask);
const found = jobs.looks.map(([k, point, p]) => {
  const { rho, line, kept, bestKept, best } = earlyAndFinal(tasks[k], point, p);
  return { rho, line, kept: Array.from(kept), bestKept, best };
});
console.log(JSON.stringify(found));
