// Trains the small network: `node small_network.mjs MODULE JOB`, JOB is JSON {ids, words, config,
// steps}; prints the three lists of losses as JSON.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, jobPath] = process.argv.slice(2);
const { train } = await import(pathToFileURL(modulePath));
const { ids, words, config, steps } = JSON.parse(readFileSync(jobPath, "utf8"));
const found = { training: [], seen: [], heldOut: [] };
for (const step of train(Uint16Array.from(ids), words, config)) {
  for (const [name, loss] of Object.entries(step)) found[name].push(loss);
  if (found.training.length === steps) break;
}
console.log(JSON.stringify(found));
