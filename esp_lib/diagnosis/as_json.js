// A diagnosis as strict JSON: the twin of `as_json` in esp_lib/diagnosis/report.py, with its names.

import { adviceFor } from "./report.js";

const NAMES = [
  "verdict", "pValue", "amplitude", "amplitudeInterval", "drop", "rise", "noise", "shape",
  "stepsPerEpoch", "stepsPerEpochSource", "stepsPerEpochConfidence", "epochs", "pointsPerEpoch",
  "cause", "causeConfidence", "reasons", "overfitting", "bestValidationStep", "noiseRepeats",
  "correlation",
];

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What is not finite is null. */
export function asJson(diagnosis, log, words) {
  const values = Object.fromEntries(NAMES.map((name) => [snake(name), diagnosis[name]]));
  values.advice = adviceFor(diagnosis, words).map(([text, link]) => ({ text, link }));
  values.profile = { phase: Array.from(diagnosis.phase), loss: Array.from(diagnosis.profile) };
  values.log = { source: log.source, points: log.loss.length, notes: log.notes };
  return `${JSON.stringify(values, null, 2)}\n`;
}
