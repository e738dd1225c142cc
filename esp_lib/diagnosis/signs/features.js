// What else makes a loss curve drop at epoch boundaries, and the signs by which it is told: the
// twin of esp_lib/diagnosis/signs/features.py. Each function asks one question of a log.

import { partEdges } from "./grid.js";
import { average, finiteMean, finiteMedian, rint, total, totalOf } from "../../sawtooth/sums.js";

// Losses with more decimals count as exact.
const LAST_DECIMALS = [[10, 0.1], [100, 0.01], [1e3, 1e-3], [1e4, 1e-4], [1e5, 1e-5], [1e6, 1e-6]];

const known = Number.isFinite;
const squared = (values) => values.map((value) => value * value);
/** Row `r` of a matrix of `width` columns, a view. */
const rowOf = (matrix, r, width) => matrix.subarray(r * width, (r + 1) * width);
/** Mean of the finite values; 0 if there is none. */
const meanOrZero = (row) => {
  const count = row.reduce((sum, value) => sum + known(value), 0);
  return totalOf(row.length, (i) => (known(row[i]) ? row[i] : 0)) / Math.max(count, 1);
};
/** Mean of each column, from the top down as NumPy adds rows. */
const columnMeans = (rows, width) =>
  Float64Array.from({ length: width }, (_, i) => {
    let sum = 0;
    for (const row of rows) sum += row[i];
    return sum / rows.length;
  });
/** All rows one after the other, each through `f` (row, index -> array). */
const joinRows = (rows, f) => {
  const parts = rows.map(f);
  const out = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};
const rowsOf = ({ y, epochs, bins }, first = 0) =>
  Array.from({ length: Math.max(0, epochs - first) }, (_, r) => rowOf(y, r + first, bins));
const larger = (a, b) => (b > a ? b : a); // keeps a NaN that comes first, as Python's max

// --------------------------------------------------------- a mean that begins anew in every epoch

/**
 * Takes the log for a mean over the epoch so far, n mean_n = (n - 1) mean_(n-1) + loss_n.
 *
 * @returns {{loss, noiseRatio, undoneRatio, undoneMiddle}} `loss` is the mean of the steps since
 *   the point before; scatter early in the epoch over late, as logged and after taking apart; and
 *   that in the middle over late
 */
export function undoRunningMean(steps, loss, stepsPerEpoch) {
  const T = stepsPerEpoch;
  const epoch = steps.map((step) => Math.ceil(step / T - 1e-9) - 1);
  // steps of this epoch that are in the mean
  const count = steps.map((step, i) => Math.max(step - epoch[i] * T, 1e-9));
  const quantum = lastDecimal(loss);
  const rounding = new Float64Array(steps.length);
  const raw = steps.map((_, i) => {
    const same = i > 0 && epoch[i] === epoch[i - 1];
    const before = same ? count[i - 1] : 0;
    const number = Math.max(count[i] - before, 1e-9);
    rounding[i] =
      (((quantum * quantum) / 12) * (count[i] * count[i] + before * before)) / (number * number);
    return (count[i] * loss[i] - before * (same ? loss[i - 1] : 0)) / number;
  });
  const phase = count.map((value) => value / T);
  const [early, , late] = scatterByPhase(epoch, phase, loss);
  const [rawEarly, rawMiddle, rawLate] = scatterByPhase(epoch, phase, raw);
  const noise = rounding.filter((_, i) => count[i] > T / 2);
  const share = noise.length && rawLate > 0 ? (6 * finiteMean(noise)) / rawLate : 0;
  const left = larger(rawLate * (1 - Math.min(share, 0.99)), 1e-300);
  return {
    loss: raw,
    noiseRatio: late > 0 ? early / late : NaN,
    undoneRatio: rawEarly / left,
    undoneMiddle: rawMiddle / left,
  };
}

/** Mean square of second differences in the first fifth of epochs, up to the middle, and after. */
function scatterByPhase(epoch, phase, y) {
  if (y.length < 3) return [NaN, NaN, NaN];
  const rows = epoch[epoch.length - 2] - epoch[0] + 1;
  return [[0, 0.2], [0.2, 0.5], [0.5, 2]].map(([low, high]) => {
    const number = new Int32Array(rows);
    const sum = new Float64Array(rows);
    for (let i = 1; i < y.length - 1; i++) {
      if (epoch[i + 1] !== epoch[i - 1] || !(phase[i] > low && phase[i] <= high)) continue;
      number[epoch[i] - epoch[0]] += 1;
      sum[epoch[i] - epoch[0]] += (y[i + 1] - 2 * y[i] + y[i - 1]) ** 2;
    }
    return finiteMedian(sum.map((value, row) => value / number[row]));
  });
}

/** The last decimal of the logged losses; 0 if they have many. */
function lastDecimal(loss) {
  const every = Math.max(1, Math.floor(loss.length / 2_000));
  const some = loss.filter((_, i) => i % every === 0);
  for (const [scale, quantum] of LAST_DECIMALS) {
    const round = (value) => {
      const scaled = value * scale;
      return Math.abs(scaled - rint(scaled)) < 1e-6 * Math.max(1, Math.abs(scaled));
    };
    if (some.every(round)) return quantum;
  }
  return 0;
}

// --------------------------------------------------------------------------------------- smoothing

/** Correlation of neighbouring points, apart from parabolas and from what epochs have in common. */
export function neighbourCorrelation(grid) {
  const raw = rowsOf(grid, grid.epochs >= 4 ? 1 : 0);
  let rows = raw.map(withoutParabola);
  if (rows.length > 3) {
    const shape = columnKnownMeans(rows, grid.bins);
    rows = rows.map((row) => {
      const fit = totalOf(row.length, (i) => (known(row[i]) ? row[i] * shape[i] : 0));
      const own = totalOf(row.length, (i) => (known(row[i]) ? shape[i] * shape[i] : 0));
      const size = fit / Math.max(own, 1e-300);
      return row.map((value, i) => value - size * shape[i]);
    });
  }
  const pairs = joinRows(rows, (row) => row.subarray(1).map((value, i) => value * row[i]));
  const square = finiteMean(joinRows(rows, squared));
  const number = pairs.reduce((sum, value) => sum + known(value), 0);
  // too few, or nothing but rounding
  if (number < 8 || !(square > 1e-24 * finiteMean(joinRows(raw, squared)))) return 0;
  return Math.min(0.999, finiteMean(pairs) / square + 4 / grid.bins);
}

/** Mean of the finite values of each column; 0 if there is none. */
const columnKnownMeans = (rows, width) =>
  Float64Array.from({ length: width }, (_, i) => {
    let sum = 0;
    let count = 0;
    for (const row of rows) {
      if (!known(row[i])) continue;
      sum += row[i];
      count += 1;
    }
    return sum / Math.max(count, 1);
  });

/** A row less its own parabola; NaN stays. */
function withoutParabola(row) {
  const width = row.length;
  const here = Array.from(row, known);
  const number = Math.max(here.reduce((sum, one) => sum + one, 0), 1);
  const centered = (values) => {
    const middle = total(values) / number;
    return values.map((value, i) => (here[i] ? value - middle : 0));
  };
  const ones = Float64Array.from(here, Number);
  const linear = centered(ones.map((one, i) => (one ? i - (width - 1) / 2 : 0)));
  const square = centered(squared(linear));
  const size = Math.max(total(squared(linear)), 1e-300);
  const tilt = totalOf(width, (i) => square[i] * linear[i]) / size;
  const bent = square.map((value, i) => value - tilt * linear[i]); // orthogonal to the line
  let y = row.map((value, i) => (here[i] ? value : 0));
  for (const basis of [ones, linear, bent]) {
    const weight =
      totalOf(width, (i) => y[i] * basis[i]) / Math.max(total(squared(basis)), 1e-300);
    y = y.map((value, i) => value - weight * basis[i]);
  }
  return y.map((value, i) => (here[i] ? value : NaN));
}

/** Correlation of neighbours as their differences have it, for logs with few points an epoch. */
export function roughness(grid) {
  const rows = rowsOf(grid, grid.epochs >= 4 ? 1 : 0); // the first epoch falls fastest
  const firsts = rows.map((row) => {
    const step = row.subarray(1).map((value, i) => value - row[i]);
    const middle = meanOrZero(step);
    return { step, flat: step.map((value) => value - middle) };
  });
  const a = finiteMean(joinRows(firsts, ({ flat }) => squared(flat)));
  const b = finiteMean(
    joinRows(firsts, ({ step }) => squared(step.subarray(1).map((value, i) => value - step[i]))),
  );
  const lost = 1 - 1 / Math.max(grid.bins - 1, 2); // by taking the mean out
  return a > 0 && known(b) ? Math.min(0.999, 3 - b / (a / lost)) : 0;
}

// ----------------------------------------------------------------------- the order of the data

/**
 * Correlates the noise of epochs at the same steps: a fixed order of the data repeats it.
 *
 * @returns {{correlation, error, every}} of second differences; NaN if it cannot be asked; `every`
 *   1: in the next epoch, 2: in the one after that
 */
export function noiseRepeats(grid) {
  const nothing = { correlation: NaN, error: NaN, every: 1 };
  const { bins, epochs, repeats } = grid;
  if (repeats === 0 || bins < 5) return nothing;
  const edge = bins >= 12 ? Math.max(2, rint(0.05 * bins)) : 1;
  let bends = rowsOf(grid).map((row) => {
    const bend = new Float64Array(Math.max(0, bins - 2 - 2 * edge));
    return bend.map((_, i) => row[i + edge + 2] - 2 * row[i + edge + 1] + row[i + edge]);
  });
  const noise = finiteMean(joinRows(bends, squared));
  if (!(noise > 1e-20 * finiteMean(squared(grid.y)))) return nothing; // there is no noise
  bends = bends.map((bend) => {
    const scale = Math.sqrt(meanOrZero(squared(bend))); // loss and noise fall together
    const unit = scale > 0 ? scale : NaN;
    return bend.map((value) => Math.min(Math.max(value / unit, -4), 4));
  });
  let best = nothing;
  for (const every of [1, 2]) {
    const lag = every * repeats;
    if (lag > epochs / 2) break;
    const products = joinRows(bends.slice(lag), (bend, row) => {
      return bend.map((value, i) => value * bends[row][i]);
    });
    const number = products.reduce((sum, value) => sum + known(value), 0);
    if (number < 15) break;
    // second differences of white noise correlate with their neighbours: 35/18 fewer count
    const found = { correlation: finiteMean(products), error: Math.sqrt(35 / 18 / number), every };
    const sure = ({ correlation, error }) => correlation / error;
    if (every === 1 || sure(found) > sure(best) + 1) best = found;
  }
  return best;
}

/**
 * What the second half of the epochs has in common, in tenths of an epoch.
 *
 * @returns {{fall, climb, error, agreement}} largest fall and rise within the epoch, standard error
 *   of a tenth, correlation of odd and even epochs
 */
export function commonPattern(grid, dropEdges) {
  const { epochs } = grid;
  const bins = grid.bins - 2 * dropEdges;
  const parts = Math.min(10, bins);
  const nothing = { fall: NaN, climb: NaN, error: NaN, agreement: NaN };
  if (bins < 8) return nothing;
  const edges = partEdges(bins, parts);
  const rows = rowsOf(grid, epochs >= 4 ? Math.floor(epochs / 2) : 1);
  let blocks = rows
    .map((row) => edges.slice(1).map((end, i) => row.subarray(dropEdges + edges[i], dropEdges + end)))
    .filter((row) => row.every((part) => part.some(known)))
    .map((row) => Float64Array.from(row, meanOrZero));
  const n = blocks.length;
  if (n < 2) return nothing;
  const trend = (average(blocks[n - 1]) - average(blocks[0])) / (n - 1); // of one epoch
  blocks = blocks.map((block) => {
    const middle = average(block);
    return block.map((value, i) => value - middle - trend * ((i + 0.5) / parts - 0.5));
  });
  const profile = columnMeans(blocks, parts);
  const rest = joinRows(blocks, (block) => block.map((value, i) => (value - profile[i]) ** 2));
  let [highest, lowest, fall, climb] = [-Infinity, Infinity, 0, 0];
  for (const value of profile) {
    highest = Math.max(highest, value);
    lowest = Math.min(lowest, value);
    fall = Math.max(fall, highest - value);
    climb = Math.max(climb, value - lowest);
  }
  const odd = columnMeans(blocks.filter((_, i) => i % 2 === 0), parts);
  const even = columnMeans(blocks.filter((_, i) => i % 2 === 1), parts);
  const size = Math.sqrt(total(squared(odd)) * total(squared(even)));
  const agreement = size > 0 ? totalOf(parts, (i) => odd[i] * even[i]) / size : 0;
  return { fall, climb, error: Math.sqrt(total(rest) / (n - 1) / parts / n), agreement };
}

// ------------------------------------------------------------------- single points at the boundary

/**
 * Do the first or last points of epochs stand apart from the parabola through the rest?
 *
 * @returns {{width, first, last, error, neighbours, noise}} parts at either end that were looked at
 *   (0: too few points); mean distance of the first and the last part, their standard error, the
 *   largest of the parts next to them, and the scatter of a part about the parabola
 */
export function boundaryPoints(grid) {
  const { bins, epochs } = grid;
  const nothing = { width: 0, first: NaN, last: NaN, error: NaN, neighbours: NaN, noise: NaN };
  if (bins < 6) return nothing;
  const width = bins >= 10 ? Math.max(2, Math.ceil(0.03 * bins)) : 1;
  const inner = (values) => values.subarray(width, bins - width);
  const p = Float64Array.from({ length: bins }, (_, i) => (i + 0.5) / bins - 0.5);
  const middle = average(squared(inner(p)));
  // orthogonal on the inside
  const bases = [p.map(() => 1), p, p.map((at) => at * at - middle)].slice(0, bins >= 10 ? 3 : 2);
  const sizes = bases.map((basis) => total(squared(inner(basis))));
  const rows = rowsOf(grid, epochs >= 3 ? 1 : 0).filter((row) => inner(row).every(known));
  const n = rows.length;
  if (n < 2) return nothing;
  const rests = rows.map((row) => {
    let rest = row;
    bases.forEach((basis, k) => {
      const [values, within] = [inner(row), inner(basis)];
      const weight = totalOf(values.length, (i) => values[i] * within[i]) / sizes[k];
      rest = rest.map((value, i) => value - weight * basis[i]);
    });
    return rest;
  });
  const scatter = total(joinRows(rests, (rest) => squared(inner(rest))));
  const noise = Math.sqrt(scatter / (n * (bins - 2 * width - bases.length)));
  const distance = (bin) => finiteMean(Float64Array.from(rests, (rest) => rest[bin]));
  const distances = (from) => Array.from({ length: width }, (_, i) => distance(from + i));
  const farthest = (values) =>
    values.reduce((far, value) => (Math.abs(value) > Math.abs(far) || value !== value ? value : far));
  const near = [...distances(width), ...distances(bins - 2 * width)].map(Math.abs);
  const one = 1 + bases.reduce((sum, basis, k) => sum + basis[0] ** 2 / sizes[k], 0);
  return {
    width,
    first: farthest(distances(0)),
    last: farthest(distances(bins - width)),
    error: noise * Math.sqrt(one / n),
    neighbours: Math.max(...near),
    noise,
  };
}

// ----------------------------------------------------------------------------------- learning rate

/** Points at which the learning rate has jumped, rather than followed a smooth schedule. */
export function rateSteps(rate) {
  if (rate === null) return [];
  const filled = [];
  rate.forEach((value, i) => known(value) && value > 0 && filled.push(i));
  if (filled.length < 5) return [];
  const logs = filled.map((i) => Math.log(rate[i]));
  const change = logs.slice(1).map((value, i) => Math.abs(value - logs[i]));
  return filled.slice(1).filter((_, i) => {
    const around = Math.max(change[i - 1] ?? 0, change[i + 1] ?? 0);
    return change[i] > 0.1 && change[i] > 5 * around;
  });
}

/** Boundaries whose drop stands out from the others, less than half of them. */
export function outlying(drops) {
  const number = drops.reduce((sum, value) => sum + known(value), 0);
  if (number < 5) return [];
  const middle = finiteMedian(drops);
  const usual = 1.4826 * finiteMedian(drops.map((value) => Math.abs(value - middle)));
  const far = [];
  drops.forEach((drop, k) => {
    if (drop - middle > 6 * usual && drop > 3 * Math.abs(middle)) far.push(k);
  });
  return far.length <= 0.45 * number ? far : [];
}
