// Runs the problem of simulation.js in workers, so that the page never waits.
//
// `request(settings)` answers with the losses of the latest settings: while a run is under way,
// newer requests replace each other, and those overtaken resolve to null.

import { meanLoss } from "./simulation.js";

/** Workers for all simulators of one page, started when first needed. */
let pool = null;
let aside = null; // one more, for runs out of sight, so that nobody waits for those
let jobs = 0;

function startPool(most) {
  const source = new Blob([sourceOf("./worker.js")], { type: "text/javascript" }); // see _assets.py
  const url = URL.createObjectURL(source);
  const size = Math.max(1, Math.min(most, navigator.hardwareConcurrency || 1));
  const waiting = new Map();
  const workers = Array.from({ length: size }, (_, part) => {
    const worker = new Worker(url);
    worker.onmessage = ({ data }) => {
      const job = waiting.get(data.id);
      job.parts[part] = data;
      if (--job.left > 0) return;
      waiting.delete(data.id);
      job.resolve(job.parts);
    };
    return worker;
  });
  const run = (settings) =>
    new Promise((resolve) => {
      const id = ++jobs;
      waiting.set(id, { parts: [], left: size, resolve });
      workers.forEach((worker, part) => worker.postMessage({ id, settings, part, parts: size }));
    });
  return { run };
}

/** Loss of each step, the sum of its batch's b, and its mean staleness, for complete settings. */
async function run(settings, outOfSight) {
  const workers = outOfSight ? (aside ??= startPool(1)) : (pool ??= startPool(4));
  const parts = await workers.run(settings);
  const { floor, staleness } = parts[0];
  const loss = meanLoss(floor, settings.batch_size, parts.map((part) => part.sums));
  return { loss, floor, staleness };
}

/** A queue of one: the latest request wins; runs out of sight have a worker of their own. */
export function createSimulator({ outOfSight = false } = {}) {
  const cache = new Map();
  let busy = false;
  let next = null;

  async function runCached(settings) {
    const key = JSON.stringify(settings);
    const hit = cache.get(key);
    if (hit) return hit;
    const result = await run(settings, outOfSight);
    cache.set(key, result);
    if (cache.size > 16) cache.delete(cache.keys().next().value);
    return result;
  }

  async function pump() {
    busy = true;
    while (next) {
      const { list, resolve } = next;
      next = null;
      const results = [];
      for (const settings of list) results.push(await runCached(settings));
      resolve(results);
    }
    busy = false;
  }

  return function request(list) {
    next?.resolve(null);
    return new Promise((resolve) => {
      next = { list, resolve };
      if (!busy) pump();
    });
  };
}
