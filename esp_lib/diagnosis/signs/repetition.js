// Does the noise of a log come again after some number of steps? Then the order of its data repeats:
// the twin of esp_lib/diagnosis/signs/repetition.py, where the method is explained.

import { cellWidth, inCells } from "./grid.js";
import { rint } from "../../sawtooth/sums.js";

const BESIDE = 2; // points at either side of a boundary that are left out: drops repeat in any order
const CLIPPED = 4; // standard deviations of a difference
const LEAST = 15; // pairs of points

/**
 * Correlates the noise of a curve with itself, from one estimated epoch on to half the run.
 *
 * @param {Float64Array} steps increasing, from 1
 * @param {Float64Array} loss one for each step
 * @param {number} length the estimated steps in an epoch
 * @param {number} interval steps from one point to the next
 * @returns {{correlation, error, steps}} where it is clearest; NaN if it cannot be asked
 */
export function comesAgain(steps, loss, length, interval) {
  const best = { correlation: NaN, error: NaN, steps: NaN };
  const width = cellWidth(steps, interval);
  const y = inCells(steps, loss, interval, width);
  if (y === null) return best;
  const { bend, far } = scaledBends(y, length / width);
  const last = Math.floor(bend.length / 2);
  let surest = -Infinity;
  for (let lag = Math.max(1, rint(length / width)); lag <= last; lag++) {
    let [product, pairs] = [0, 0];
    for (let i = lag; i < bend.length; i++) {
      product += bend[i] * bend[i - lag];
      pairs += far[i] & far[i - lag];
    }
    // second differences of white noise correlate with their neighbours: 35/18 fewer count
    const sure = product / Math.sqrt((35 / 18) * pairs);
    if (pairs < LEAST || !(sure > surest)) continue;
    surest = sure;
    best.correlation = product / pairs;
    best.error = Math.sqrt(35 / 18 / pairs);
    best.steps = lag * width;
  }
  return best;
}

/** Second differences in their standard deviation in each epoch, 0 beside boundaries: {bend, far}. */
function scaledBends(y, length) {
  const size = Math.max(0, y.length - 2);
  const bend = new Float64Array(size);
  const far = new Uint8Array(size);
  const rows = Math.floor((size + 0.5) / length) + 1;
  const number = new Float64Array(rows);
  const square = new Float64Array(rows);
  const epochOf = (i) => (i + 1.5) / length;
  for (let i = 0; i < size; i++) {
    const epoch = epochOf(i);
    if (Math.abs(epoch - rint(epoch)) * length <= BESIDE) continue;
    far[i] = 1;
    bend[i] = y[i + 2] - 2 * y[i + 1] + y[i];
    number[Math.floor(epoch)] += 1;
    square[Math.floor(epoch)] += bend[i] ** 2;
  }
  for (let i = 0; i < size; i++) {
    const row = Math.floor(epochOf(i));
    const scale = Math.sqrt(square[row] / Math.max(number[row], 1));
    if (!(scale > 0)) far[i] = 0;
    bend[i] = far[i] ? Math.min(Math.max(bend[i] / scale, -CLIPPED), CLIPPED) : 0;
  }
  return { bend, far };
}
