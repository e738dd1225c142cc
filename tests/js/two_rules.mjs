// Two rules: of each setting and each of its two rules the loss of each step, the word and the line.

export default async (load, { rules, settings }) => {
  const { conclude, lineOf, runOf } = await load("widgets/comparison/two_rules");
  const { makeLayout, makeOrder, sampleProblem, simulate, twoMoment } = await load("quadratic/simulation");
  return settings.map((one) =>
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
};
