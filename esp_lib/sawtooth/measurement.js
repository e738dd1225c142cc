// The tooth of any log of one run, with gaps, points at any place and windows of any length: the
// twin of `measure` in esp_lib/sawtooth/measurement.py, sum by sum.

import { tTail } from "./student_t.js";
import { average, rint, total, totalOf } from "./sums.js";

export const TOOTH_LEVEL = 0.01; // below this p-value a tooth is called present
const LEAST = 1e-300; // a p-value below it counts as 0
const LINE_POINTS = 3; // points an epoch needs for a line and its scatter
const FINEST = 10_000; // bins of a profile, unless there are more points
const BEND_POINTS = 6; // points an epoch needs for its parabola to be used
const BEND_WEIGHT = 2 / 15; // corrects the drop for a smooth curve's third derivative
const DOUBT = 0.25; // share of the correction for bends that counts as error
const BENT = 0.1; // a rise whose middle is further from its chord, in amplitudes, is not linear

/** Epochs at the start that are left out by default. */
const skippedEpochs = (steps, perEpoch) => (Math.ceil(steps / perEpoch) >= 5 ? 1 : 0);

/** Points whose window lies inside an epoch: y (0 where missing), mask, phase, each epochs x slots. */
function foldEpochs(loss, at, stepsPerEpoch, window, skip) {
  const rows = []; // the points of each epoch
  for (let i = 0; i < loss.length; i++) {
    const epoch = Math.floor((at[i] - 1) / stepsPerEpoch);
    if (epoch < skip || Math.floor((at[i] - window) / stepsPerEpoch) !== epoch) continue;
    (rows[epoch - skip] ??= []).push(i);
  }
  const epochs = rows.length;
  const slots = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const y = new Float64Array(epochs * slots);
  const mask = new Uint8Array(epochs * slots);
  const phase = new Float64Array(epochs * slots);
  rows.forEach((row, e) => {
    row.forEach((i, j) => {
      const cell = e * slots + j;
      phase[cell] = (at[i] - window / 2) / stepsPerEpoch - (e + skip);
      mask[cell] = Number.isFinite(loss[i]);
      y[cell] = mask[cell] ? loss[i] : 0;
    });
  });
  return { y, mask, phase, epochs, slots };
}

/** Least squares in each epoch; `residuals` are those of its parabola. */
function fitEpochs({ y, mask, phase, epochs, slots }) {
  const residuals = new Float64Array(epochs * slots);
  const p = new Float64Array(slots);
  const square = new Float64Array(slots);
  const lines = [];
  for (let e = 0; e < epochs; e++) {
    const o = e * slots;
    const sum = (f) => totalOf(slots, f);
    let n = 0;
    for (let j = 0; j < slots; j++) n += mask[o + j];
    const center = sum((j) => (mask[o + j] ? phase[o + j] : 0)) / n;
    for (let j = 0; j < slots; j++) p[j] = mask[o + j] ? phase[o + j] - center : 0;
    const spread = sum((j) => p[j] * p[j]);
    const level = sum((j) => y[o + j]) / n;
    const slope = sum((j) => p[j] * y[o + j]) / spread;
    const usable = n >= LINE_POINTS && spread > 0;
    // phase^2 made orthogonal to the line
    for (let j = 0; j < slots; j++) square[j] = mask[o + j] ? p[j] * p[j] - spread / n : 0;
    const tilt = sum((j) => square[j] * p[j]) / spread;
    for (let j = 0; j < slots; j++) square[j] -= tilt * p[j];
    const size = sum((j) => square[j] * square[j]);
    const bent = n >= BEND_POINTS ? 1 : 0;
    const bend = bent ? sum((j) => square[j] * y[o + j]) / size : 0;
    for (let j = 0; j < slots; j++) {
      if (!usable || !mask[o + j]) continue;
      residuals[o + j] = y[o + j] - level - slope * p[j] - bend * square[j];
    }
    lines.push({
      n,
      usable,
      bent,
      bend,
      start: level - slope * center,
      end: level + slope * (1 - center),
      varStart: 1 / n + (center * center) / spread,
      varEnd: 1 / n + (1 - center) ** 2 / spread,
      cov: 1 / n - (center * (1 - center)) / spread,
      varBend: bent ? 1 / size : 0,
      scatter: sum((j) => residuals[o + j] ** 2) / (n - 2 - bent),
      freedom: n - 2 - bent,
    });
  }
  return { lines, residuals };
}

/** How much wider correlation of neighbouring points makes every variance. */
function widening(lines, residuals, slots) {
  const gaps = Math.max(0, slots - 1);
  const pairs = totalOf(lines.length * gaps, (i) => {
    const at = Math.floor(i / gaps) * slots + (i % gaps);
    return residuals[at + 1] * residuals[at];
  });
  let points = 0;
  let fitted = 0;
  for (const line of lines) {
    if (!line.usable) continue;
    points += line.n;
    fitted += 2 + line.bent;
  }
  // fitted coefficients make white residuals look negatively correlated
  const found = pairs / totalOf(residuals.length, (i) => residuals[i] ** 2) + fitted / points;
  const correlation = Number.isNaN(found) ? 0 : found;
  return Math.max(1, (1 + correlation) / (1 - Math.min(correlation, 0.9)));
}

/** Mean of f(i) where `mask[i]`; NaN where nothing is. */
function maskedMean(mask, f) {
  const number = mask.reduce((sum, one) => sum + one, 0);
  return totalOf(mask.length, (i) => (mask[i] ? f(i) : 0)) / number;
}

/** Standard error of `maskedMean` from the spread of the values; NaN with fewer than three. */
function maskedError(mask, f) {
  const n = mask.reduce((sum, one) => sum + one, 0);
  if (n < 3) return NaN;
  const center = maskedMean(mask, f);
  const squares = totalOf(mask.length, (i) => (mask[i] ? (f(i) - center) ** 2 : 0));
  return Math.sqrt(squares / (n - 1) / n);
}

/** The folded loss with the trend taken out: (bins,), mean zero; NaN where a bin has no point. */
function foldedTooth({ y, mask, phase, epochs, slots }, lines, trend, bins) {
  const where = new Int32Array(y.length);
  const flat = new Float64Array(y.length);
  const counts = new Int32Array(bins);
  const sizes = new Int32Array(bins);
  for (let e = 0; e < epochs; e++) {
    const o = e * slots;
    const { usable } = lines[e];
    let n = 0;
    for (let j = 0; j < slots; j++) n += usable && mask[o + j];
    const level = totalOf(slots, (j) => (usable && mask[o + j] ? y[o + j] : 0)) / n;
    const center = totalOf(slots, (j) => (usable && mask[o + j] ? phase[o + j] : 0)) / n;
    for (let i = o; i < o + slots; i++) {
      const bin = Math.min(Math.trunc(phase[i] * bins), bins - 1);
      where[i] = bin;
      sizes[bin] += 1;
      if (!usable || !mask[i]) continue;
      counts[bin] += 1;
      flat[i] = y[i] - level - trend * (phase[i] - center);
    }
  }
  const parts = Array.from(sizes, (size) => new Float64Array(size));
  sizes.fill(0);
  for (let i = 0; i < flat.length; i++) parts[where[i]][sizes[where[i]]++] = flat[i];
  return Float64Array.from(parts, (part, bin) => total(part) / counts[bin]);
}

/** Drops, their mean, its error and its p-value; see `_summarize` in sawtooth.py. */
function testDrop(y, lines, widen) {
  const both = lines.slice(1).map((line, k) => Number(line.usable && lines[k].usable));
  const boundaries = both.reduce((sum, one) => sum + one, 0);
  const bends = lines.slice(1).map((line, k) => line.bend - lines[k].bend);
  const drops = Float64Array.from(both, (one, k) => {
    return one ? -(lines[k + 1].start - lines[k].end + BEND_WEIGHT * bends[k]) : NaN;
  });
  const drop = maskedMean(both, (k) => drops[k]);
  const parts = lines.map((line, k) => {
    const end = (both[k] ?? 0) / boundaries;
    const start = (both[k - 1] ?? 0) / boundaries;
    if (!(end > 0 || start > 0)) return 0;
    const curved = BEND_WEIGHT * (end - start);
    return (
      line.scatter * widen *
      (end * end * line.varEnd + start * start * line.varStart - 2 * end * start * line.cov +
        curved * curved * line.varBend)
    );
  });
  const variance = total(parts);
  const shares = parts.map((part, k) => (part > 0 ? (part * part) / lines[k].freedom : 0));
  const freedom = (variance * variance) / total(shares);
  // What is left of a smooth curve after the correction is a small share of the correction.
  const correction = BEND_WEIGHT * maskedMean(both, (k) => bends[k]);
  const dropError = Math.sqrt(variance + (DOUBT * correction) ** 2);
  const tail = tTail(drop / dropError, freedom);
  let pValue = tail < LEAST ? 0 : tail;
  // Points without any scatter: whatever drop is left is certain, unless it is rounding.
  const level = y.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (dropError <= 1e-12 * level && boundaries > 0) pValue = drop > 1e-9 * level ? 0 : 1;
  return { both, drops, drop, dropError, pValue };
}

/**
 * The tooth of a log.
 *
 * @param {Float64Array} loss losses; those that are not finite are left out
 * @param {number} stepsPerEpoch whole
 * @param {{steps?: Float64Array, window?: number, skip?: number, folding?: boolean}} options `steps`
 *   at which points were logged, by default 1, 2, 3, ...; how many steps each point averages, up to
 *   its own; epochs to leave out, by default one of five or more; whether to fold the loss (else
 *   profile, amplitude, concavity and shape are not given)
 * @returns {object} the fields of Python's `Sawtooth`, and `firstBoundary`, the epochs completed at
 *   the first boundary
 */
export function measure(loss, stepsPerEpoch, options = {}) {
  const { steps, window = 1, skip, folding = true } = options;
  const at = steps ?? Float64Array.from(loss, (_, i) => i + 1);
  const skipped = skip ?? skippedEpochs(at[at.length - 1], stepsPerEpoch);
  // In units of the largest loss, so that squares neither overflow nor vanish.
  const size = (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most);
  const unit = loss.reduce(size, 0) || 1;
  const scaled = loss.map((value) => value / unit);
  const fold = foldEpochs(scaled, at, stepsPerEpoch, window, skipped);
  const { lines, residuals } = fitEpochs(fold);
  const widen = widening(lines, residuals, fold.slots);
  const { both, drops, drop, dropError, pValue } = testDrop(fold.y, lines, widen);

  const usable = lines.map((line) => Number(line.usable));
  const number = usable.reduce((sum, one) => sum + one, 0);
  const rise = maskedMean(usable, (k) => lines[k].end - lines[k].start);
  const turn = maskedMean(usable, (k) => {
    const { scatter, varStart, varEnd, cov } = lines[k];
    return scatter * widen * (varStart + varEnd - 2 * cov);
  });
  const noise = Math.sqrt(maskedMean(usable, (k) => lines[k].scatter));
  const measured = {
    drop: drop * unit,
    dropError: dropError * unit,
    rise: rise * unit,
    riseError: Math.sqrt(turn / number) * unit,
    trend: (rise - drop) * unit,
    amplitudeError: maskedError(both, (k) => drops[k]) * unit,
    noise: noise * unit,
    pValue,
    drops: drops.map((value) => value * unit),
    firstBoundary: skipped + 1,
  };
  if (!folding) return measured;

  const bins = Math.max(1, Math.min(rint(stepsPerEpoch / window), Math.max(loss.length, FINEST)));
  const profile = foldedTooth(fold, lines, rise - drop, bins);
  const edge = Math.max(1, Math.floor(bins / 10));
  const filled = profile.filter(Number.isFinite);
  const height = average(filled.slice(-edge)) - average(filled.slice(0, edge));
  const amplitude = filled.length >= 2 * edge ? height : NaN;
  const bend = maskedMean(usable, (k) => lines[k].bend);
  const concavity = -bend / 4 / amplitude;
  const certain = Math.abs(bend) > 3 * maskedError(usable, (k) => lines[k].bend);
  const curved = concavity > 0 ? "concave" : "convex";
  const present = Math.abs(concavity) > BENT && certain ? curved : "linear";
  return {
    ...measured,
    amplitude: amplitude * unit,
    concavity,
    shape: pValue < TOOTH_LEVEL ? present : "none",
    profile: profile.map((value) => value * unit),
    phase: Float64Array.from({ length: bins }, (_, i) => (i + 0.5) / bins),
  };
}
