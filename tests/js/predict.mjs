// The prediction in the page: `node predict.mjs FOLDER JOBS`, JOBS is JSON: {classes, settings: [...]};
// prints JSON: of each setting the predicted loss of each step, and the sentence with that as both curves.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, jobsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, name)));
const { predictedLoss, sentenceOf, unpackClasses } = await load("widgets/predict/predict.js");
const { measure } = await load("sawtooth/measurement.js");

const { classes, settings } = JSON.parse(readFileSync(jobsPath, "utf8"));
const points = unpackClasses(classes);
const answers = settings.map((one) => {
  const loss = predictedLoss(points, one);
  const tooth = measure(loss, 100, { skip: 4 });
  return { loss: Array.from(loss), sentence: sentenceOf(tooth, tooth, one) };
});
console.log(JSON.stringify(answers));
