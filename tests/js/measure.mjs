// Measures curves: `node measure.mjs MODULE JOBS LOSSES`; JOBS is JSON, a list of {points, perEpoch,
// options}, LOSSES their points one after the other as float64. Prints JSON; NaN becomes null.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, jobsPath, lossPath] = process.argv.slice(2);
const { measure } = await import(pathToFileURL(modulePath));
const bytes = readFileSync(lossPath);
const losses = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
let at = 0;
const results = JSON.parse(readFileSync(jobsPath, "utf8")).map(({ points, perEpoch, options }) => {
  const steps = options.steps && Float64Array.from(options.steps);
  const found = measure(losses.slice(at, (at += points)), perEpoch, { ...options, steps });
  return { ...found, drops: [...found.drops], profile: [...found.profile] };
});
console.log(JSON.stringify(results));
