// A loss curve arranged by epoch, which every later question is put to: the twin of
// esp_lib/diagnosis/signs/grid.py.
//
// A grid is {y, phase, epochs, bins, firstEpoch, repeats}: `y` has epochs x bins cells, each the
// mean of its points or NaN, `phase` where in the epoch they lie; `repeats` is after how many
// epochs points fall on the same steps again (0: never); `inside` holds the variance within the
// cells of each epoch.

import { measure } from "../../sawtooth/measurement.js";
import { average, finiteMean, rint, totalOf } from "../../sawtooth/sums.js";

export const MAX_BINS = 400; // parts of an epoch
const MAX_CELLS = 40_000;
const MAX_SEARCHED = 4_096; // parts of a run in which lengths are searched
const FILLED = 0.7; // of the parts of a run that must hold points

/**
 * Points by epoch.
 *
 * @param {Float64Array} steps increasing
 * @param {Float64Array} loss one for each step
 * @param {number} stepsPerEpoch need not be whole
 * @param {number} window steps from one point to the next, which a point is taken to average
 * @param {number} most parts of an epoch
 */
export function arrange(steps, loss, stepsPerEpoch, window, most = MAX_BINS) {
  const T = stepsPerEpoch;
  const lowOf = (step) => (step - window) / T;
  const highOf = (step) => (step - 1e-9 * T) / T;
  const inside = (step) => {
    // a thousandth of an epoch is forgiven: T may be known no better
    return window < T / 2 ? lowOf(step) >= Math.floor(highOf(step)) - 1e-3 : true;
  };
  let start = 0;
  while (start < steps.length && !inside(steps[start])) start++;
  let end = steps.length;
  while (end > start && !inside(steps[end - 1])) end--;
  if (start === end) {
    const one = { y: Float64Array.of(NaN), phase: Float64Array.of(0.5), epochs: 1, bins: 1 };
    return { ...one, firstEpoch: 0, repeats: 0, inside: Float64Array.of(0) };
  }
  const firstEpoch = Math.floor(highOf(steps[start]));
  const epochs = Math.floor(highOf(steps[end - 1])) - firstEpoch + 1;
  const points = Math.max(1, rint(T / window));
  const bins = Math.max(1, Math.min(points, most, Math.max(8, Math.floor(MAX_CELLS / epochs))));
  const count = new Int32Array(epochs * bins);
  const y = new Float64Array(epochs * bins);
  const phase = new Float64Array(epochs * bins);
  const phaseOf = (step) => {
    const high = highOf(step);
    return Math.min(Math.max((lowOf(step) + high) / 2 - Math.floor(high), 0), 1 - 1e-12);
  };
  const cellOf = (step) =>
    (Math.floor(highOf(step)) - firstEpoch) * bins + Math.floor(phaseOf(step) * bins);
  for (let i = start; i < end; i++) {
    if (!inside(steps[i])) continue;
    const at = phaseOf(steps[i]);
    const cell = cellOf(steps[i]);
    count[cell] += 1;
    y[cell] += loss[i];
    phase[cell] += at;
  }
  for (let cell = 0; cell < y.length; cell++) {
    y[cell] /= count[cell];
    phase[cell] = count[cell] ? phase[cell] / count[cell] : centerOf(cell % bins, bins);
  }
  const square = new Float64Array(epochs * bins);
  for (let i = start; i < end; i++) {
    if (!inside(steps[i])) continue;
    const cell = cellOf(steps[i]);
    square[cell] += (loss[i] - y[cell]) ** 2;
  }
  const within = Float64Array.from({ length: epochs }, (_, row) => {
    const number = count.subarray(row * bins, (row + 1) * bins).reduce((sum, n) => sum + n, 0);
    return totalOf(bins, (b) => square[row * bins + b]) / number;
  });
  const repeats = repeatsAfter(steps, T, window);
  return { y, phase, epochs, bins, firstEpoch, repeats, inside: within };
}

const centerOf = (bin, bins) => (bin + 0.5) / bins;

/** Steps in a part of a run where lengths are searched: those of a point, or more. */
export const cellWidth = (steps, interval) => Math.max(interval, steps[steps.length - 1] / MAX_SEARCHED);

/**
 * The loss less its mean in equal parts of the run, `width` steps each, and not of epochs; gaps are
 * bridged. Null if more than three of ten parts hold no point.
 */
export function inCells(steps, loss, interval, width) {
  const cells = Math.trunc(steps[steps.length - 1] / width + 1e-9);
  if (cells < 1) return null;
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
  if (filled.length < FILLED * cells) return null;
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

const commonDivisor = (a, b) => (b === 0 ? a : commonDivisor(b, a % b));

/** After how many epochs points fall on the same steps again; 0 if they never do. */
function repeatsAfter(steps, T, window) {
  if (!Number.isInteger(T) || !Number.isInteger(window) || window < 1) return 0;
  let odd = 0;
  for (let i = 1; i < steps.length; i++) if ((steps[i] - steps[i - 1]) % window) odd += 1;
  return odd > 0.01 * (steps.length - 1) ? 0 : window / commonDivisor(T, window);
}

/** The share of the parts of an epoch (a row) that hold points. */
export function filledShare({ y, bins }, row) {
  let count = 0;
  for (let b = 0; b < bins; b++) count += Number.isFinite(y[row * bins + b]);
  return count / bins;
}

/**
 * `measure` of a grid; `skip` epochs are left out at the start, by default as it does, where an
 * epoch counts if half of it holds points.
 */
export function toothOf(grid, skip = null) {
  const { y, phase, epochs, bins } = grid;
  if (skip === null) {
    let whole = 0;
    for (let row = 0; row < epochs; row++) whole += filledShare(grid, row) >= 0.5;
    skip = whole >= 5 ? 1 : 0;
  }
  const tooth = measure(y, bins, { skip });
  let far = 0;
  phase.forEach((at, cell) => {
    far = Math.max(far, Math.abs(at - centerOf(cell % bins, bins)));
  });
  if (far * bins < 1e-3) return tooth;
  // Points beside the middles of their parts: fit lines where they are, fold as above.
  const fine = 2 * bins;
  const half = 0.5 / fine; // so that windows stay in their epoch
  const steps = phase.map((at, cell) => {
    const epoch = Math.floor(cell / bins);
    return (epoch + Math.min(Math.max(at, half), 1 - half)) * fine + 0.5;
  });
  return { ...tooth, ...measure(y, fine, { steps, skip, folding: false }) };
}

/** Standard deviation of a point about the line of its epoch, and not of the mean of a cell. */
export function noiseOf(grid) {
  const { noise } = toothOf(grid);
  return Math.sqrt(noise ** 2 + finiteMean(grid.inside.subarray(grid.epochs >= 5 ? 1 : 0)));
}

/** The grid with some epochs (rows) left blank. */
export function without(grid, rows) {
  const y = grid.y.slice();
  for (const row of rows) y.fill(NaN, row * grid.bins, (row + 1) * grid.bins);
  return { ...grid, y };
}

/** Where each of `parts` nearly equal parts of `bins` begins, and where the last one ends. */
export function partEdges(bins, parts) {
  return Array.from({ length: parts + 1 }, (_, i) => rint((i * bins) / parts));
}

/** The grid with parts joined, `width` of them to one. */
export function coarsen(grid, width) {
  const { epochs } = grid;
  const bins = Math.floor(grid.bins / width);
  const edges = partEdges(grid.bins, bins);
  const y = new Float64Array(epochs * bins);
  for (let cell = 0; cell < y.length; cell++) {
    const b = cell % bins;
    const at = Math.floor(cell / bins) * grid.bins + edges[b];
    const part = grid.y.subarray(at, at + edges[b + 1] - edges[b]);
    const count = part.reduce((sum, value) => sum + Number.isFinite(value), 0);
    y[cell] = totalOf(part.length, (i) => (Number.isFinite(part[i]) ? part[i] : 0)) / count;
  }
  const phase = y.map((_, cell) => centerOf(cell % bins, bins));
  return { ...grid, y, phase, bins };
}
