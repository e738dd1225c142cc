// Overfitting, which is another question than the sawtooth: the twin of
// esp_lib/diagnosis/signs/overfitting.py.

import { average, finiteMedian, total, totalOf } from "../../sawtooth/sums.js";

/**
 * Does the validation loss rise while the training loss falls?
 *
 * @param {Float64Array} steps of the training loss
 * @param {Float64Array} loss training loss
 * @param {{steps, losses}|null} validation
 * @returns {{verdict, bestStep}} "rises while training falls", "does not rise" or "cannot tell"
 */
export function findOverfitting(steps, loss, validation) {
  if (validation === null || validation.losses.length < 4) {
    return { verdict: "cannot tell", bestStep: NaN };
  }
  const v = Float64Array.from(validation.losses);
  let best = 0;
  for (let i = 1; i < v.length; i++) if (v[i] < v[best]) best = i;
  const bestStep = validation.steps[best];
  const late = v.subarray(v.length - Math.max(2, Math.floor(v.length / 3)));
  const rise = average(late) - v[best];
  const after = v.subarray(best);
  if (after.length < 3) return { verdict: "does not rise", bestStep };
  const x = after.map((_, i) => i - (after.length - 1) / 2);
  const spread = totalOf(x.length, (i) => x[i] * x[i]);
  const slope = totalOf(x.length, (i) => x[i] * after[i]) / spread;
  const level = average(after);
  const rest = after.map((value, i) => (value - level - slope * x[i]) ** 2);
  const error = Math.sqrt(total(rest) / Math.max(after.length - 2, 1) / spread);
  const change = v.subarray(1).map((value, i) => Math.abs(value - v[i]));
  const last = steps[steps.length - 1];
  const before = loss.filter((_, i) => steps[i] <= bestStep && steps[i] > 0.7 * bestStep);
  const end = loss.filter((_, i) => steps[i] > last - 0.3 * bestStep);
  const falls = before.length > 0 && end.length > 0 && average(end) < average(before);
  const rises = slope > 3 * error && rise > 0.5 * finiteMedian(change);
  if (rises && falls) return { verdict: "rises while training falls", bestStep };
  return { verdict: rises ? "cannot tell" : "does not rise", bestStep };
}
