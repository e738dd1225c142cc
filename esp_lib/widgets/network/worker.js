// Trains the small network aside from the page, and takes another order in between.
//
// In: {ids, words} once; {id, config} starts a run and ends the one before; {id} only ends it.
// Out: {id, training, seen, heldOut, done} after every few steps.

import { EVERY, train } from "../../small_network.js";

let text = null;
let current = null;

const pause = () => new Promise((resolve) => setTimeout(resolve)); // messages come in

self.onmessage = async ({ data }) => {
  if (data.ids) {
    text = data;
    return;
  }
  current = data.id;
  if (!data.config) return;
  const run = train(text.ids, text.words, data.config);
  for (let done = false; !done && current === data.id; ) {
    const losses = { training: [], seen: [], heldOut: [] };
    for (let k = 0; k < EVERY && !done; k++) {
      const step = run.next();
      done = Boolean(step.done);
      for (const [name, loss] of Object.entries(step.value ?? {})) losses[name].push(loss);
    }
    self.postMessage({ id: data.id, done, ...losses });
    await pause();
  }
};
