// The budget explorer's arithmetic; plans are [task, t, f, p], budgets [task, budget].

const timed = (make) => {
  const began = performance.now();
  return [make(), performance.now() - began];
};

export default async (load, jobs) => {
  const math = await load("finetuning/early_stopping");
  const { readTask } = await load("widgets/finetuning/episodes");
  const tasks = jobs.tasks.map(readTask);
  return {
    score: tasks.map(({ score }) => Array.from(score)),
    plans: jobs.plans.map(([k, t, f, p]) =>
      timed(() => math.expected(math.law(tasks[k], math.pointOf(f, tasks[k].points)), t, p)),
    ),
    full: jobs.plans.map(([k, t]) => math.expectedBest(math.until(tasks[k], tasks[k].points), t)),
    budgets: jobs.budgets.map(([k, budget]) => timed(() => math.bestPlan(tasks[k], budget))),
    examples: jobs.examples.map(([k, seed, t, point]) => math.example(tasks[k], seed, t, point)),
  };
};
