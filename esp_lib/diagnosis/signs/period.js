// How many steps has an epoch? Estimated from the curve alone, where nothing else says it: the twin
// of esp_lib/diagnosis/signs/period.py, where the method is explained.

import { tTail } from "../../sawtooth/student_t.js";
import { argmax, finiteMedian, rint, squaresAbout, total, totalOf } from "../../sawtooth/sums.js";
import { noiseRepeats } from "./features.js";
import { MAX_BINS, arrange, cellWidth, coarsen, filledShare, inCells, toothOf } from "./grid.js";

const REFINE_BINS = 40; // parts of an epoch are enough to compare neighbouring lengths
const LEAST_CELLS = 8; // points of it in an epoch
const LEAST_EPOCHS = 2.5; // so that there are two boundaries
const FINE = 16; // candidates move the last boundary by this part of an epoch
const APART = 8; // lengths that move it by this part are told apart
const KEPT = 3; // candidates of an octave that are measured
const NEARLY = 0.97; // share of the surest drop at which lengths are not told apart
export const LEVEL = 5e-4; // of the corrected p-value: an order of the data may look like teeth
const MANY = 1_000_000; // degrees of freedom: the normal distribution
const CLEAR = 3; // variance between phases over that of noise from which the loss repeats
const ASIDE = 0.03; // twice how far from a length, as a share of it, another may repeat better
const BETTER = 1.3; // how much more it must vary between phases at another length
const MANY_POINTS = 10; // in a part of an epoch, beside which the steps that are tried are few
const GUESS = 0.5; // of the corrected p-value, from which no length is named at all
const APART_BY = 3; // standard errors by which another length must repeat better
const HALF = 0.5; // of an epoch's parts that must hold points
const ALTERNATING = 3; // how much more noise differs from its neighbours in turns than otherwise
const MOST_MULTIPLES = 12; // multiples of a period that are told from it

/**
 * Estimates the steps in an epoch.
 *
 * @param {Float64Array} steps increasing, counted from 1 at the start of the run
 * @param {Float64Array} loss one for each step
 * @param {number} interval steps from one point to the next
 * @returns {{steps, pValue, error, tries}} `steps` is NaN where nothing is convincing; `pValue` is
 *   corrected for the number of lengths that could have been told apart
 */
export function findPeriod(steps, loss, interval) {
  const nothing = { steps: NaN, pValue: 1, error: NaN, tries: 0 };
  const whole = steps[steps.length - 1];
  const width = cellWidth(steps, interval);
  const y = inCells(steps, loss, interval, width);
  if (y === null) return nothing;
  const cells = y.length;
  if (cells <= LEAST_CELLS * LEAST_EPOCHS) return nothing;
  const short = shortlist(y);
  const sure = short.map((one) => sureness(one.length, y));
  if (!sure.some((one) => one > 0)) return nothing;
  const { length: surest, usual } = short[argmax(sure)];
  const { best: refined, error } = refine(surest, y);
  const best = folded(refined, y);
  const first = wholeLength(best * width, error * width);
  let length = first;
  let grid = arrange(steps, loss, length, interval);
  const most = Math.trunc(whole / length / LEAST_EPOCHS);
  const drops = Array.from(toothOf(grid).drops.filter(Number.isFinite), (drop) => Float64Array.of(drop));
  const again = Math.max(cycle(drops, most), shapeCycle(grid, most), levelCycle(grid, most));
  if (again > 1) length *= again;
  length = sameOrder(steps, loss, length, error * width, interval);
  if (length !== first) grid = arrange(steps, loss, length, interval);
  const p = grid.epochs >= 2 ? pValueOf(toothOf(grid), usual) : 1;
  const tries = triesOf(length / width, cells);
  const pValue = Number.isFinite(p) ? Math.min(1, p * tries) : 1;
  if (pValue >= GUESS) return { steps: NaN, pValue, error: NaN, tries };
  return { steps: length, pValue, error: error * width, tries };
}

/** Lengths that could have been told apart: those of the octave of one, times the octaves. */
function triesOf(length, cells) {
  const octaves = Math.log2(cells / LEAST_EPOCHS / LEAST_CELLS);
  return Math.ceil(Math.max(1, (APART * cells / length) * Math.log(2)) * Math.max(1, octaves));
}

/** The p-value of a drop, also if all lengths of its octave drop surer than noise does. */
function pValueOf(tooth, scale) {
  if (!(scale > 1)) return tooth.pValue;
  const sure = tooth.dropError > 0 ? tooth.drop / tooth.dropError / scale : Infinity;
  return Math.max(tooth.pValue, tTail(sure, MANY));
}

/** Of each octave of lengths, in cells, those with the surest drop: {length, usual}, as in Python. */
function shortlist(y) {
  const cells = y.length;
  const lengths = [LEAST_CELLS];
  while (lengths.at(-1) < cells / LEAST_EPOCHS) {
    lengths.push(lengths.at(-1) * (1 + lengths.at(-1) / cells / FINE));
  }
  lengths.pop();
  const sure = surenessOfAll(y, lengths);
  const octaves = new Map();
  lengths.forEach((length, i) => {
    const octave = Math.floor(Math.log2(length / LEAST_CELLS));
    if (!octaves.has(octave)) octaves.set(octave, []);
    octaves.get(octave).push(i);
  });
  const isPeak = (i) => sure[i] > 0 && !(sure[i - 1] > sure[i] || sure[i + 1] > sure[i]);
  let usual = Infinity; // in the octave, up to this one, where it is least
  return [...octaves.values()].flatMap((all) => {
    const values = Float64Array.from(all, (i) => sure[i]);
    const center = finiteMedian(values);
    const middle = finiteMedian(values.map((value) => Math.abs(value - center)));
    usual = Math.min(usual, Math.max(1, 1.4826 * middle));
    const best = all.filter(isPeak).sort((a, b) => sure[b] - sure[a] || a - b).slice(0, KEPT);
    return best.map((i) => ({ length: lengths[i], usual }));
  });
}

/** For each length, the mean drop over its error, if epochs are so long. */
function surenessOfAll(y, lengths) {
  const sums = [0, 1, 2].map(() => new Float64Array(y.length + 1));
  for (let i = 0; i < y.length; i++) {
    sums[0][i + 1] = sums[0][i] + y[i];
    sums[1][i + 1] = sums[1][i] + i * y[i];
    sums[2][i + 1] = sums[2][i] + y[i] * y[i];
  }
  return lengths.map((length) => {
    const epochs = Math.floor(y.length / length + 1e-9);
    const skip = epochs >= 5 ? 1 : 0;
    let [drops, squares, freedom, points, last] = [0, 0, 0, 0, 0];
    for (let k = skip; k < epochs; k++) {
      const [a, b] = [rint(k * length), rint((k + 1) * length)];
      const n = b - a;
      const level = (sums[0][b] - sums[0][a]) / n;
      const xy = sums[1][b] - sums[1][a] - (a + (n - 1) / 2) * level * n;
      const slope = xy / ((n * (n * n - 1)) / 12);
      const half = (slope * n) / 2;
      if (k > skip) drops += last - (level - half);
      last = level + half;
      squares += sums[2][b] - sums[2][a] - level * level * n - slope * xy;
      freedom += n - 2;
      points += n;
    }
    const boundaries = Math.max(epochs - skip - 1, 1);
    const variance = (Math.max(squares / freedom, 1e-300) * 12 * boundaries) / points;
    return drops / boundaries / Math.sqrt(variance / boundaries);
  });
}

/** A length, or one within the error at which the noise of epochs comes again, if that shows. */
function sameOrder(steps, loss, length, error, interval) {
  if (length / interval > MANY_POINTS * MAX_BINS) return length;
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
  return length;
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

/**
 * After how many rows they come again: 1 if they do not differ but by chance, or so many `times` as
 * much.
 */
function cycle(rows, most, times = 1) {
  if (rows.length < 4) return 1;
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
    if (ratio > times * far && within < 0.7 * least) {
      best = j;
      least = within;
    }
  }
  return best;
}

/** After how many epochs the course of the loss within them comes again. */
function shapeCycle(grid, most) {
  if (grid.bins < LEAST_CELLS || grid.epochs < 6) return 1;
  const { y, bins, epochs } = coarsen(grid, Math.max(2, Math.floor(grid.bins / LEAST_CELLS)));
  const rows = Array.from({ length: epochs - 1 }, (_, r) => y.subarray((r + 1) * bins, (r + 2) * bins))
    .filter((row) => row.every((value) => Number.isFinite(value)));
  if (rows.length < 5) return 1;
  const level = rows.map((row) => total(row) / row.length);
  return cycle(rows.map((row, r) => row.map((value) => value - level[r])), most);
}

/** After how many epochs their levels come again, above and below their neighbours'. */
function levelCycle(grid, most) {
  const { y, bins } = grid;
  const levels = [];
  for (let row = 1; row < grid.epochs; row++) {
    if (!(filledShare(grid, row) > HALF)) continue;
    const here = y.subarray(row * bins, (row + 1) * bins);
    levels.push(totalOf(bins, (b) => (Number.isFinite(here[b]) ? here[b] : 0)) / here.filter(Number.isFinite).length);
  }
  const rows = levels.slice(1, -1).map((level, i) => Float64Array.of(level - (levels[i] + levels[i + 2]) / 2));
  return cycle(rows, most, ALTERNATING);
}

/** The mean drop over its error, and over its spread where drops are to be alike. */
function sureness(length, y, alike = true) {
  const at = Float64Array.from(y, (_, i) => i + 1);
  const tooth = toothOf(arrange(at, y, length, 1, REFINE_BINS));
  if (!(tooth.dropError > 0)) return -Infinity;
  const drops = tooth.drops.filter(Number.isFinite).map((drop) => drop / tooth.dropError);
  if (drops.length < 2) return -Infinity;
  const spread = squaresAbout(drops) / (drops.length - 1) / drops.length;
  return tooth.drop / tooth.dropError / Math.sqrt(1 + (alike ? spread : 0));
}

/** The length, or one near it at which the loss within epochs repeats much better. */
function folded(length, y) {
  const parts = REFINE_BINS / 2;
  const sums = new Float64Array(y.length + 1);
  for (let i = 0; i < y.length; i++) sums[i + 1] = sums[i] + y[i];
  const half = Math.max(1, rint(length / 2));
  const flat = new Float64Array(Math.max(y.length - 2 * half, 0));
  for (let i = 0; i < flat.length; i++) {
    const at = i + half;
    flat[i] = y[at] - (sums[at + half] - sums[at - half]) / (2 * half);
  }
  const near = Array.from({ length: 61 }, (_, i) => length * (1 + ((i - 30) / 60) * Math.min(length / y.length, ASIDE)));
  const spread = near.map((one) => {
    const number = new Float64Array(parts);
    const sum = new Float64Array(parts);
    for (let i = 0; i < flat.length; i++) {
      const part = Math.floor((((i + half + 0.5) / one) % 1) * parts);
      number[part] += 1;
      sum[part] += flat[i];
    }
    return totalOf(parts, (k) => sum[k] ** 2 / Math.max(number[k], 1));
  });
  const best = argmax(spread);
  const all = totalOf(flat.length, (i) => flat[i] ** 2);
  const noise = Math.max(0, all - spread[best]) / Math.max(flat.length - parts, 1);
  const own = spread[30]; // at the length itself
  const error = Math.sqrt(noise * (2 * parts * noise + 4 * Math.max(own - parts * noise, 0)));
  const clear = spread[best] > Math.max(CLEAR * parts * noise, BETTER * own, own + APART_BY * error);
  return clear ? near[best] : length;
}

/** The length near one of the shortlist whose boundaries have the surest drop: {best, error}. */
function refine(candidate, y) {
  const reach = Math.ceil(Math.min((2 * candidate) / FINE, 100)); // cells at the end
  const around = Array.from({ length: 4 * reach + 1 }, (_, i) => candidate * (1 + (0.5 * (i - 2 * reach)) / y.length));
  const length = around[argmax(surenessOfAll(y, around))];
  const near = Array.from({ length: 17 }, (_, i) => length * (1 + (0.25 * (i - 8)) / y.length));
  const sure = near.map((one) => sureness(one, y, false));
  const at = argmax(sure);
  const far = near.map((one, i) => (sure[i] >= NEARLY * sure[at] ? Math.abs(one - near[at]) : 0));
  return { best: near[at], error: Math.max(length / y.length, ...far) };
}
