// The early-score explorer's arithmetic; looks are [task, evaluation from 1, p].

export default async (load, { tasks, looks }) => {
  const { earlyAndFinal } = await load("finetuning/early_scores");
  const { readTask } = await load("widgets/finetuning/episodes");
  const read = tasks.map(readTask);
  return looks.map(([k, point, p]) => {
    const { rho, line, kept, bestKept, best } = earlyAndFinal(read[k], point, p);
    return { rho, line, kept: Array.from(kept), bestKept, best };
  });
};
