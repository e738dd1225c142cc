// Student's t: `node student_t.mjs MODULE FREEDOMS POINTS PROBABILITIES`, JSON lists; prints the
// tails [freedom][point] and the points [freedom][probability] as JSON.

import { pathToFileURL } from "node:url";

const [modulePath, ...lists] = process.argv.slice(2);
const { tPoint, tTail } = await import(pathToFileURL(modulePath));
const [freedoms, points, probabilities] = lists.map((list) => JSON.parse(list));
const tails = freedoms.map((n) => points.map((t) => tTail(t, n)));
const reached = freedoms.map((n) => probabilities.map((p) => tPoint(p, n)));
console.log(JSON.stringify({ tails, points: reached }));
