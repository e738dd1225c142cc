// What the sawtooth explorer says of some settings: the answer of `settled`, and the sentence.

export default async (load, jobs) => {
  const { makeLayout, makeOrder, sampleProblem, simulate, twoMoment } = await load("quadratic/simulation");
  const { settled } = await load("sawtooth/pattern");
  const { describe } = await load("widgets/front/words");
  return jobs.map((job) => {
    const problem = sampleProblem(10000, 10000, job.seed);
    const order = makeOrder(job.order, 10000, 60, job.batch_size, job.seed);
    const layout = makeLayout(problem, order, job.batch_size);
    const found = settled(simulate(layout, twoMoment(job, layout.steps)), 10000 / job.batch_size);
    const { drop = null, rise = null, amplitude = null, shape = null } = found.tooth ?? {};
    return { pattern: found.pattern, drop, rise, amplitude, shape, sentence: describe(found, [41, 60]) };
  });
};
