// The evidence: one log, arranged by epoch, with what can be undone undone, and measured: the twin
// of esp_lib/diagnosis/signs/evidence.py, where the order of things is explained.

import { arrange, coarsen, noiseOf, toothOf, without } from "./grid.js";
import {
  boundaryPoints, commonPattern, neighbourCorrelation, noiseRepeats, outlying, rateSteps, roughness,
  undoRunningMean,
} from "./features.js";
import { waveOf } from "./wave.js";
import { average, searchSorted, squaresAbout, total } from "../../sawtooth/sums.js";
import { TOOTH_LEVEL } from "../../sawtooth/measurement.js";

const MEAN_POINTS = 10; // an epoch, from which a running mean is looked for
export const RUNNING = 8; // early over late scatter from which a log may show a running mean
export const ALIKE = 0.5; // correlation of neighbours from which points are joined
const FEW_PARTS = 12; // of an epoch, below which smoothing shows in differences alone
const JOINED_PARTS = 6; // of an epoch that must be left
const APART = 5; // standard errors from which a boundary point stands apart

/**
 * Collects the evidence.
 *
 * @param {Float64Array} steps increasing, from 1
 * @param {Float64Array} loss finite
 * @param {Float64Array|null} rate learning rate of each point
 * @param {number} stepsPerEpoch need not be whole
 * @param {number} interval steps from one point to the next
 * @returns {object} the fields of Python's `Evidence`
 */
export function collectEvidence(steps, loss, rate, stepsPerEpoch, interval) {
  const T = stepsPerEpoch;
  let grid = arrange(steps, loss, T, interval);
  const plain = toothOf(grid);
  let undone = null;
  let uneven = 1;
  if (T / interval >= MEAN_POINTS) {
    const tried = undoRunningMean(steps, loss, T);
    const { noiseRatio, undoneRatio, undoneMiddle } = tried;
    const even = undoneRatio > 0.2 && undoneRatio < 5 && undoneMiddle > 0.4 && undoneMiddle < 2.5;
    if (noiseRatio > RUNNING && even) {
      undone = tried;
      grid = arrange(steps, undone.loss, T, interval);
    } else if (Number.isFinite(noiseRatio)) uneven = noiseRatio;
  }

  const jumps = rateSteps(rate);
  const { firstEpoch, epochs } = grid;
  const rowOfJump = (i) => Math.ceil(steps[i] / T - 1e-9) - 1 - firstEpoch;
  const rows = [...new Set(jumps.map(rowOfJump))].filter((row) => row >= 0 && row < epochs);
  const jumpsEverywhere = rows.length > 0.4 * epochs;
  if (rows.length && !jumpsEverywhere) grid = without(grid, rows);

  const repeat = noiseRepeats(grid);
  const correlation = (grid.bins >= FEW_PARTS ? neighbourCorrelation : roughness)(grid);
  const edges = boundaryPoints(grid);
  const apart = edges.width > 0 && standApart(edges);
  const width = apart ? edges.width : 0;
  const pattern = commonPattern(grid, width);
  if (width) grid = withoutEdges(grid, width);
  const noise = noiseOf(grid);
  let joined = 1;
  if (correlation > ALIKE) {
    joined = Math.ceil(-4 / Math.log(correlation));
    if (Math.floor(grid.bins / joined) >= JOINED_PARTS) grid = coarsen(grid, joined);
    else joined = 0;
  }
  const tooth = toothOf(grid);
  const late = grid.epochs > 2 ? Math.max(1, Math.floor(grid.epochs / 2)) : 0;
  const settled = toothOf(grid, late);

  let large = [];
  let restPValue = NaN;
  if (!jumps.length && tooth.pValue < TOOTH_LEVEL) {
    large = outlying(tooth.drops);
    const after = large.map((boundary) => tooth.firstBoundary + boundary);
    if (large.length) restPValue = toothOf(without(grid, after)).pValue;
  }
  const boundaries = tooth.drops.reduce((sum, drop) => sum + Number.isFinite(drop), 0);
  return {
    tooth, settled, plain, pointsPerEpoch: T / interval, boundaries, undone, uneven, correlation,
    joined, repeat, pattern, wave: waveOf(grid, tooth.noise), edges, apart, jumps: jumps.length, jumpsEverywhere,
    jumpDrop: jumpsEverywhere ? NaN : dropAt(steps, loss, jumps, T), largeDrops: large.length, restPValue,
    repeated: isRepeated(tooth.drops), regular: regularity(tooth.drops), noise,
  };
}

/** Whether the first or last points of epochs stand apart from the rest. */
function standApart({ first, last, error, noise, neighbours }) {
  const far = Math.abs(last) > Math.abs(first) ? Math.abs(last) : Math.abs(first);
  return far > APART * error && far > 2 * noise && far > 3 * neighbours;
}

/** The grid with `width` parts at both ends of each epoch left blank. */
function withoutEdges(grid, width) {
  const { bins } = grid;
  const edge = (cell) => cell % bins < width || cell % bins >= bins - width;
  return { ...grid, y: grid.y.map((value, cell) => (edge(cell) ? NaN : value)) };
}

/** Mean drop of the loss within a quarter of an epoch of the jumps, in standard errors. */
function dropAt(steps, loss, jumps, T) {
  let drop = 0;
  let variance = 0;
  for (const i of jumps) {
    const before = loss.subarray(searchSorted(steps, steps[i] - T / 4), i);
    const after = loss.subarray(i, searchSorted(steps, steps[i] + T / 4));
    if (Math.min(before.length, after.length) < 2) continue;
    drop += average(before) - average(after);
    for (const part of [before, after]) {
      variance += squaresAbout(part) / (part.length - 1) / part.length;
    }
  }
  return variance > 0 ? drop / Math.sqrt(variance) : NaN;
}

/** Whether a drop is there at most boundaries; at all of them, if they are three or fewer. */
function isRepeated(drops) {
  const sorted = drops.filter((drop) => Number.isFinite(drop)).sort();
  const n = sorted.length;
  if (n === 0) return false;
  const typical = n <= 3 ? sorted[0] : sorted[Math.floor((n - 1) / 2)];
  return typical > (0.25 * total(sorted)) / n;
}

/** Mean over standard error of the drops, as they differ from one another. */
function regularity(drops) {
  const known = drops.filter(Number.isFinite);
  const n = known.length;
  if (n < 2) return NaN;
  const error = Math.sqrt(squaresAbout(known) / (n - 1) / n);
  return error > 0 ? average(known) / error : Infinity;
}
