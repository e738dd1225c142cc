// The pattern of a curve in one word: the twin of esp_lib/sawtooth/pattern.py.

import { measure, TOOTH_LEVEL } from "./measurement.js";

const CLIMBS = 2; // standard errors above zero from which a rise is a climb

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Whether a run ends not finite, or its last epoch has over twice the first's loss. */
export function diverges(loss, perEpoch) {
  const last = mean(loss.subarray(loss.length - perEpoch));
  return !Number.isFinite(loss.at(-1)) || last > 2 * mean(loss.subarray(0, perEpoch));
}

/** The word for a run: "diverges", "sawtooth", "staircase" or "none". */
export function pattern(loss, perEpoch, tooth) {
  if (diverges(loss, perEpoch)) return "diverges";
  if (!(tooth.pValue < TOOTH_LEVEL)) return "none";
  return tooth.rise > CLIMBS * tooth.riseError ? "sawtooth" : "staircase";
}

/** The word and the tooth of the last third of a run; the tooth of a run that diverges is null. */
export function settled(loss, perEpoch) {
  const epochs = Math.floor(loss.length / perEpoch);
  if (diverges(loss, perEpoch)) return { pattern: "diverges", tooth: null };
  const tooth = measure(loss, perEpoch, { skip: epochs - Math.floor(epochs / 3) });
  return { pattern: pattern(loss, perEpoch, tooth), tooth };
}
