// Writes a problem and an order: `node problem.mjs MODULE SPEC OUT`.
// OUT gets a, b, c, coordinate and order as float64, which holds all of them exactly.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, specPath, outPath] = process.argv.slice(2);
const { makeOrder, sampleProblem } = await import(pathToFileURL(modulePath));
const { functions, dim, seed, kind, epochs, batch } = JSON.parse(readFileSync(specPath, "utf8"));
const { a, b, c, coordinate } = sampleProblem(functions, dim, seed);
const order = makeOrder(kind, functions, epochs, batch, seed);
const parts = [a, b, c, coordinate, order].map((array) => Buffer.from(Float64Array.from(array).buffer));
writeFileSync(outPath, Buffer.concat(parts));
