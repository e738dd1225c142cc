// One of the workers that share a simulation: each runs its part of the blocks of coordinates.
//
// In: { id, settings, part, parts }, the settings with `epochs` (10 if not said) and `x0` (3).
// Out: { id, sums, floor, staleness }, the last two by part 0.
// Problem, order and layout are kept while the settings that they depend on stay the same.

import { blockSums, makeLayout, makeOrder, sampleProblem, staleness, twoMoment } from "./simulation.js";

const FUNCTIONS = 10000;
const DIM = 10000;
const EPOCHS = 10;
const START = 3;

const kept = new Map();

function keep(kind, key, make) {
  const entry = kept.get(kind) ?? [];
  let hit = entry.find((item) => item.key === key);
  if (!hit) {
    hit = { key, value: make() };
    kept.set(kind, [hit, ...entry].slice(0, 3)); // the live curve, the pinned one, and one spare
  }
  return hit.value;
}

function prepare({ seed, order, batch_size: batchSize, epochs = EPOCHS }) {
  const seeded = order === "reshuffle" || order === "replacement";
  const orderKey = `${epochs} ${order} ${seeded ? seed : ""} ${order === "replacement" ? batchSize : ""}`;
  const problem = keep("problem", seed, () => sampleProblem(FUNCTIONS, DIM, seed));
  const visits = keep("order", orderKey, () => makeOrder(order, FUNCTIONS, epochs, batchSize, seed));
  const layoutKey = `${seed} ${orderKey} ${batchSize}`;
  return {
    layout: keep("layout", layoutKey, () => makeLayout(problem, visits, batchSize)),
    stale: keep("stale", layoutKey, () => staleness(visits, FUNCTIONS, batchSize)),
  };
}

self.onmessage = ({ data: { id, settings, part, parts } }) => {
  const { layout, stale } = prepare(settings);
  const from = Math.floor((layout.blocks * part) / parts);
  const to = Math.floor((layout.blocks * (part + 1)) / parts);
  const sums = blockSums(layout, twoMoment(settings, layout.steps), from, to, settings.x0 ?? START);
  const extra = part === 0 ? { floor: layout.floor, staleness: stale } : {};
  self.postMessage({ id, sums, ...extra }, [sums.buffer]);
};
