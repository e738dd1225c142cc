// The small explorers' arithmetic.

export default async (load, { similarity, samples, orders }) => {
  const { cosine } = await load("widgets/similarity");
  const two = await load("widgets/two_samples");
  const why = await load("widgets/why");
  const { makeOrder, staleness } = await load("quadratic/simulation");
  return {
    similarity: similarity.map((job) => Array.from({ length: 101 }, (_, k) => cosine(job, k / 100))),
    samples: samples.map((job) => Array.from(two.run(job).loss)),
    orders: orders.map(({ order, seed, batch_size: batch }) =>
      Array.from(staleness(makeOrder(order, 10000, 10, batch, seed), 10000, batch)),
    ),
    expected: Object.fromEntries(
      Object.entries(why.EXPECTED).map(([name, rule]) => [
        name,
        rule && Array.from({ length: 50 }, (_, q) => rule(q, 50)),
      ]),
    ),
  };
};
