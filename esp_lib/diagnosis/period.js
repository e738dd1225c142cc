// How many steps has an epoch? Estimated from the curve alone, where nothing else says it: the twin
// of esp_lib/diagnosis/period.py, where the method is explained.

import { arrange, coarsen, toothOf } from "./grid.js";
import { noiseRepeats } from "./features.js";
import { argmax, average, finiteMedian, rint, squaresAbout, total, totalOf } from "../sawtooth/sums.js";
import { TOOTH_LEVEL } from "../sawtooth/measurement.js";

const MAX_SEARCHED = 4_096; // points of the curve in which is searched
const REFINE_BINS = 40; // parts of an epoch are enough to compare neighbouring lengths
const LEAST_CELLS = 8; // points of it in an epoch
const LEAST_EPOCHS = 2.5; // so that there are two boundaries
const PERIOD_PARTS = [5, 4, 3, 2]; // of a period that are told from it
const MOST_MULTIPLES = 12; // multiples of a period that are told from it

/**
 * Estimates the steps in an epoch.
 *
 * @param {Float64Array} steps increasing, counted from 1 at the start of the run
 * @param {Float64Array} loss one for each step
 * @param {number} interval steps from one point to the next
 * @returns {{steps, pValue, error, tries}} `steps` is NaN where nothing is convincing; `pValue` is
 *   corrected for the number of lengths that were tried
 */
export function findPeriod(steps, loss, interval) {
  const whole = steps[steps.length - 1];
  const width = Math.max(interval, whole / MAX_SEARCHED);
  const y = inCells(steps, loss, interval, width);
  if (y === null) return { steps: NaN, pValue: 1, error: NaN, tries: 0 };
  const cells = y.length;
  const lengths = candidateLengths(cells);
  const scales = new Map();
  const score = new Float64Array(lengths.length).fill(-Infinity);
  for (let m = 2; m <= lengths[lengths.length - 1] / 4; m *= 2) {
    const edges = edgesAt(y, m);
    scales.set(m, edges);
    lengths.forEach((length, i) => {
      if (length >= 4 * m && length < 8 * m) score[i] = comb(edges, length, cells);
    });
  }
  const { best, error } = refine(fundamental(lengths[argmax(score)], scales, cells), y);

  let length = wholeLength(best * width, error * width);
  const again = shapeCycle(
    arrange(steps, loss, length, interval),
    Math.trunc(whole / length / LEAST_EPOCHS),
  );
  if (again > 1) length *= again;
  length = sameOrder(steps, loss, length, error * width, interval);
  const grid = arrange(steps, loss, length, interval);
  const p = grid.epochs >= 2 ? toothOf(grid).pValue : 1;
  const pValue = Number.isFinite(p) ? Math.min(1, p * lengths.length) : 1;
  if (pValue >= TOOTH_LEVEL) return { steps: NaN, pValue, error: NaN, tries: lengths.length };
  return { steps: length, pValue, error: error * width, tries: lengths.length };
}

/** The loss in cells of `width` steps, gaps filled by straight lines; null if there are too few. */
function inCells(steps, loss, interval, width) {
  const cells = Math.trunc(steps[steps.length - 1] / width + 1e-9);
  if (cells < LEAST_CELLS * LEAST_EPOCHS) return null;
  const count = new Int32Array(cells);
  const sums = new Float64Array(cells);
  const center = average(loss);
  steps.forEach((step, i) => {
    const at = Math.floor((step - interval / 2) / width);
    const cell = Math.min(Math.max(at, 0), cells - 1);
    count[cell] += 1;
    sums[cell] += loss[i] - center;
  });
  const filled = [];
  count.forEach((number, cell) => number && filled.push(cell));
  if (filled.length < 0.7 * cells) return null;
  const y = sums.map((sum, cell) => sum / count[cell]);
  y.fill(y[filled[0]], 0, filled[0]);
  y.fill(y[filled[filled.length - 1]], filled[filled.length - 1]);
  for (let k = 1; k < filled.length; k++) {
    const [low, high] = [filled[k - 1], filled[k]];
    const slope = (y[high] - y[low]) / (high - low);
    for (let cell = low + 1; cell < high; cell++) y[cell] = slope * (cell - low) + y[low];
  }
  return y;
}

/** Lengths in cells; neighbours differ by half a cell at the end. */
function candidateLengths(cells) {
  const lengths = [LEAST_CELLS];
  let last = LEAST_CELLS;
  while (last < cells / LEAST_EPOCHS) {
    last = (last * 0.5) / cells > 1e-3 ? last * (1 + 0.5 / cells) : last + 1e-3;
    lengths.push(last);
  }
  return lengths;
}

/** A length, or one within the error at which the noise of epochs comes again. */
function sameOrder(steps, loss, length, error, interval) {
  let best = length;
  let most = 4.5;
  const epochs = Math.max(1, steps[steps.length - 1] / length); // else drops would drift
  const reach = Math.min(3, Math.ceil(error), Math.trunc((0.05 * length) / epochs));
  for (let other = rint(length) - reach; other <= rint(length) + reach; other++) {
    if (other < LEAST_CELLS * interval) continue;
    const repeat = noiseRepeats(arrange(steps, loss, other, interval));
    if (repeat.correlation > 0.25 && repeat.correlation / repeat.error > most) {
      best = other;
      most = repeat.correlation / repeat.error;
    }
  }
  return best;
}

/** A whole number of steps: the roundest one within the error. */
function wholeLength(length, error) {
  for (const unit of [1000, 100, 1]) {
    const nearest = rint(length / unit) * unit;
    const far = Math.abs(nearest - length);
    if (nearest > 0 && far <= Math.min(error, 0.02 * length)) return nearest;
  }
  return Math.max(1, rint(length));
}

/** (cells + 1,) the edge before each cell, in units of its usual size; 0 near the ends. */
function edgesAt(y, m) {
  const sums = new Float64Array(y.length + 1);
  for (let i = 0; i < y.length; i++) sums[i + 1] = sums[i] + y[i];
  const first = 2 * m;
  const edge = new Float64Array(Math.max(0, y.length - 4 * m + 1)).map((_, k) => {
    const at = first + k;
    const block = (i) => (sums[at + (i + 1) * m] - sums[at + i * m]) / m;
    return -0.5 * block(-2) + 1.5 * block(-1) - 1.5 * block(0) + 0.5 * block(1);
  });
  const middle = finiteMedian(edge);
  const usual = 1.4826 * finiteMedian(edge.map((value) => Math.abs(value - middle)));
  const out = new Float64Array(y.length + 1);
  if (!(usual > 0)) return out;
  edge.forEach((value, k) => {
    out[first + k] = Math.min(Math.max(value / usual, -30), 30);
  });
  return out;
}

/** Sum of the edges at the multiples of a length over the root of their number. */
function comb(edges, length, cells) {
  let sum = 0;
  let number = 0;
  for (let at = length; at < cells; at = (number + 1) * length) {
    sum += edges[rint(at)];
    number += 1;
  }
  return sum / Math.sqrt(Math.max(number, 1));
}

/** The length, or a part or a multiple of it if the boundaries in between say so. */
function fundamental(length, scales, cells) {
  const drops = (part) => {
    const m = Math.max(2, ...[...scales.keys()].filter((scale) => scale <= part / 4));
    const at = Array.from({ length: Math.trunc(cells / part) }, (_, i) => rint((i + 1) * part));
    const inside = at.filter((cell) => cell >= 2 * m && cell <= cells - 2 * m);
    return Float64Array.from(inside, (cell) => scales.get(m)[cell] / Math.sqrt(m));
  };
  for (const j of PERIOD_PARTS) {
    const part = length / j; // a j-th of it?
    if (part < LEAST_CELLS) continue;
    const all = drops(part);
    const between = all.filter((_, i) => (i + 1) % j !== 0);
    if (between.length < 2) continue;
    const spread = Math.sqrt(squaresAbout(between) / (between.length - 1) / between.length);
    if (average(between) > Math.max(3 * spread, 0.5 * average(all))) return part;
  }
  const rows = Array.from(drops(length), (drop) => Float64Array.of(drop));
  return length * cycle(rows, Math.trunc(cells / LEAST_EPOCHS / length));
}

/** Sum of squared distances of rows from their mean row. */
function squaresWithin(rows) {
  const width = rows[0].length;
  const center = rows[0].map((_, i) => {
    // as NumPy: one column in strands, several from the top down
    if (width === 1) return totalOf(rows.length, (r) => rows[r][0]) / rows.length;
    let sum = 0;
    for (const row of rows) sum += row[i];
    return sum / rows.length;
  });
  return totalOf(rows.length * width, (k) => {
    const i = k % width;
    return (rows[Math.floor(k / width)][i] - center[i]) ** 2;
  });
}

/** After how many rows they come again: 1 if they do not differ but by chance. */
function cycle(rows, most) {
  const all = squaresWithin(rows);
  const features = rows[0].length;
  let best = 1;
  let least = all / Math.max(rows.length - 1, 1);
  for (let j = 2; j <= Math.min(MOST_MULTIPLES, most); j++) {
    const freedom = rows.length - j;
    if (freedom < j) break;
    let within = 0;
    for (let i = 0; i < j; i++) within += squaresWithin(rows.filter((_, r) => r % j === i));
    const ratio = (all - within) / (j - 1) / Math.max(within / freedom, 1e-300);
    const far = 1 + (12 / Math.sqrt(features * (j - 1))) * (1 + 10 / (features * freedom));
    within /= freedom;
    if (ratio > far && within < 0.7 * least) {
      best = j;
      least = within;
    }
  }
  return best;
}

/** After how many epochs the course of the loss within them comes again. */
function shapeCycle(grid, most) {
  if (grid.bins < LEAST_CELLS || grid.epochs < 6) return 1;
  const { y, bins, epochs } = coarsen(grid, Math.floor(grid.bins / LEAST_CELLS));
  const rows = Array.from({ length: epochs - 1 }, (_, r) => y.subarray((r + 1) * bins, (r + 2) * bins))
    .filter((row) => row.every((value) => Number.isFinite(value)));
  if (rows.length < 5) return 1;
  const level = rows.map((row) => total(row) / row.length);
  return cycle(rows.map((row, r) => row.map((value) => value - level[r])), most);
}

/** The length within three cells at the end whose boundaries have the surest drop, and its error. */
function refine(length, y) {
  const step = (0.25 * length) / y.length;
  const at = Float64Array.from(y, (_, i) => i + 1);
  let best = length;
  let most = -Infinity;
  for (let i = -12; i <= 12; i++) {
    const near = length + i * step;
    const tooth = toothOf(arrange(at, y, near, 1, REFINE_BINS));
    const sure = tooth.dropError > 0 ? tooth.drop / tooth.dropError : -Infinity;
    if (sure > most) {
      best = near;
      most = sure;
    }
  }
  return { best, error: 4 * step };
}
