// Diagnoses logs: `node diagnose.mjs FOLDER JOBS OUT`; FOLDER holds the modules, JOBS a JSON
// list of [log, stepsPerEpoch], or of [{base64, choices}, stepsPerEpoch] for logs that are to be
// read; OUT gets a JSON list of [diagnosis, text]. NaN becomes null, also in the arrays of a log.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, jobsPath, outPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${folder}/${name}.js`));
const { diagnose } = await load("diagnosis/diagnosis");
const { asText } = await load("diagnosis/report");
const numbers = (list) => list && Float64Array.from(list, (value) => value ?? NaN);

async function logOf(given) {
  if (given.base64) {
    const { parseLog } = await load("logs/read");
    return parseLog(new Uint8Array(Buffer.from(given.base64, "base64")), given.choices);
  }
  const { validation } = given;
  return {
    ...given,
    steps: numbers(given.steps),
    loss: numbers(given.loss),
    learningRate: numbers(given.learningRate),
    validation: validation && {
      steps: numbers(validation.steps),
      losses: numbers(validation.losses),
    },
  };
}

const answers = [];
for (const [given, stepsPerEpoch] of JSON.parse(readFileSync(jobsPath, "utf8"))) {
  const log = await logOf(given);
  const diagnosis = diagnose(log, stepsPerEpoch);
  answers.push([{ ...diagnosis, log: null }, asText(diagnosis)]);
}
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
writeFileSync(outPath, JSON.stringify(answers, plain));
