// Measures curves: `node measure.mjs MODULE LOSSES STEPS PER_EPOCH`, losses as float64; prints JSON.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, lossPath, steps, perEpoch] = process.argv.slice(2);
const { measure } = await import(pathToFileURL(modulePath));
const bytes = readFileSync(lossPath);
const losses = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
const results = [];
for (let at = 0; at < losses.length; at += Number(steps)) {
  results.push(measure(losses.slice(at, at + Number(steps)), Number(perEpoch)));
}
console.log(JSON.stringify(results));
