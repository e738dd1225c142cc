// Trains the small network; returns its three lists of losses.

export default async (load, { ids, words, config, steps }) => {
  const { train } = await load("small_network");
  const found = { training: [], seen: [], heldOut: [] };
  for (const step of train(Uint16Array.from(ids), words, config)) {
    for (const [name, loss] of Object.entries(step)) found[name].push(loss);
    if (found.training.length === steps) break;
  }
  return found;
};
