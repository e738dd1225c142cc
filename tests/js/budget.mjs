// The budget explorer's arithmetic: `node budget.mjs FOLDER JOBS`; prints JSON. JOBS is JSON:
// {tasks: [data of a task], plans: [[task, t, f, p]], budgets: [[task, budget]], examples: [...]}.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, jobsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, `${name}.js`)));
const math = await load("finetuning/early_stopping");
const { readTask: read } = await load("widgets/finetuning/episodes");
const jobs = JSON.parse(readFileSync(jobsPath, "utf8"));
const tasks = jobs.tasks.map(read);

const timed = (make) => {
  const began = performance.now();
  return [make(), performance.now() - began];
};
const answer = {
  score: tasks.map(({ score }) => Array.from(score)),
  plans: jobs.plans.map(([k, t, f, p]) =>
    timed(() => math.expected(math.law(tasks[k], math.pointOf(f, tasks[k].points)), t, p)),
  ),
  full: jobs.plans.map(([k, t]) => math.expectedBest(math.until(tasks[k], tasks[k].points), t)),
  budgets: jobs.budgets.map(([k, budget]) => timed(() => math.bestPlan(tasks[k], budget))),
  examples: jobs.examples.map(([k, seed, t, point]) => math.example(tasks[k], seed, t, point)),
};
console.log(JSON.stringify(answer));
