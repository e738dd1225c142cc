// Steps and epochs of a log: the twin of esp_lib/logs/epochs.py.

import { mapNumbers } from "./table.js";

const ROUNDED = 6; // decimals: an epoch column with more is exact
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
const QUANTA = [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
const UNKNOWN_LENGTH = { low: 1, high: Infinity, shift: 0 }; // is known of the length

/** The nearest whole number; of two the even one. */
function roundEven(value) {
  const low = Math.floor(value);
  const part = value - low;
  if (part !== 0.5) return part < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** The middle of sorted differences from each value to the next (of an even number, the upper). */
export function middleGap(values, otherwise) {
  if (values.length < 2) return otherwise;
  const gaps = new Float64Array(values.length - 1);
  for (let i = 0; i < gaps.length; i += 1) gaps[i] = values[i + 1] - values[i];
  gaps.sort();
  return gaps[gaps.length >> 1];
}

const largestOf = (values) => values.reduce((high, value) => Math.max(high, value), -Infinity);
const smallestOf = (values) => values.reduce((low, value) => Math.min(low, value), Infinity);

/**
 * Which rows are not replaced later: a row is replaced by a later one of an earlier step, and by a
 * later one of the same step that has what it has; `kinds` are functions of the place in `step`
 * that say what rows have, such as a loss.
 *
 * @returns {Uint8Array} 1 for each row that is kept
 */
export function keepLast(step, ...kinds) {
  const keep = new Uint8Array(step.length);
  let low = Infinity; // smallest step from here on
  for (let i = step.length - 1; i >= 0; i -= 1) {
    low = Math.min(low, step[i]);
    keep[i] = step[i] <= low ? 1 : 0;
  }
  for (const has of kinds) {
    let later = Infinity;
    for (let i = step.length - 1; i >= 0; i -= 1) {
      if (!has(i)) continue;
      if (!(step[i] < later)) keep[i] = 0;
      later = Math.min(later, step[i]);
    }
  }
  return keep;
}

/**
 * Whether steps count from 0: one of them is 0 and none is below, or all are one short of a
 * multiple of the interval, as Lightning's 49, 99, 149.
 */
export function countsFromZero(at) {
  if (at.length === 0) return false;
  const gap = middleGap(at, 1);
  if (smallestOf(at) === 0) return true;
  if (!(gap >= 2)) return false;
  let short = 0;
  for (const step of at) if ((step + 1) % gap === 0) short += 1;
  return short / at.length > 0.9;
}

/**
 * Steps that begin anew in every epoch, counted on.
 *
 * @param {Float64Array} step NaN where a row has none
 * @param {Float64Array} epoch likewise
 * @param {Float64Array | undefined} of the total that stands behind a step, as in 45/100
 * @returns {{step: Float64Array, length: number | null}} the steps, and how many an epoch has;
 *   null and the steps as they were if they do not begin anew
 */
export function joinEpochs(step, epoch, of) {
  const asTheyWere = { step, length: null };
  const rows = [];
  for (let i = 0; i < step.length; i += 1) if (Number.isFinite(step[i])) rows.push(i);
  const at = mapNumbers(rows, (row) => step[row]);
  const starts = [0];
  for (let i = 1; i < at.length; i += 1) if (at[i] < at[i - 1]) starts.push(i);
  if (starts.length < 2) return asTheyWere;

  const first = starts.map((start) => at[start]);
  const last = starts.map((_, k) => at[(starts[k + 1] ?? at.length) - 1]);
  const label = starts.map((start) => epoch[rows[start]]);
  const gap = Math.max(middleGap(at, 0), 0);
  const labelled = label.every(Number.isFinite);
  const totals = of ? rows.map((row) => of[row]).filter(Number.isFinite) : [];
  const near = (value, other) => Math.abs(value - other) <= gap;
  let alike =
    first.every((value) => near(value, first[0])) &&
    last.slice(0, -1).every((value) => near(value, last[0])) &&
    last.at(-1) <= last[0] + gap;
  if (labelled) {
    alike &&= label.every((value, k) => k === 0 || value - label[k - 1] > 0); // else: resumed
  } else if (starts.length < 3 && totals.length === 0) {
    alike = false; // one return to the start, and nothing that speaks of epochs
  }
  if (!alike) return asTheyWere;

  let length = largestOf(last) + Math.max(gap - smallestOf(first), 0);
  if (totals.length && totals[0] >= largestOf(last) && totals.every((one) => one === totals[0])) {
    length = totals[0];
  }
  const joined = step.slice();
  let part = 0;
  rows.forEach((row, i) => {
    if (i === starts[part + 1]) part += 1;
    joined[row] = at[i] + (labelled ? label[part] - label[0] : part) * length;
  });
  return { step: joined, length };
}

/**
 * Steps in an epoch, from the epochs that stand beside steps.
 *
 * @param {Float64Array} step increasing
 * @param {Float64Array} epoch whole numbers, or fractions
 * @param {(i: number) => boolean} evaluated which rows have a validation loss
 * @param {number | null} known what the log says elsewhere; used if the epochs do not contradict it
 * @returns {{length: number | null, error: number, shift: number}} the length, its largest error,
 *   and what must be added to the steps so that epochs begin at multiples of the length
 */
export function epochLength(step, epoch, evaluated, known) {
  const here = [];
  for (let i = 0; i < step.length; i += 1) {
    if (Number.isFinite(epoch[i]) && Number.isFinite(step[i])) here.push(i);
  }
  const s = mapNumbers(here, (i) => step[i]);
  const e = mapNumbers(here, (i) => epoch[i]);
  let found = UNKNOWN_LENGTH;
  const rises = e.every((value, i) => i === 0 || value >= e[i - 1]);
  if (s.length >= 2 && rises && e.at(-1) > e[0] && s.at(-1) > s[0]) {
    found = e.every((value) => value === roundEven(value))
      ? fromWhole(s, e, (i) => evaluated(here[i]))
      : fromFractions(s, e);
  }
  const { high, shift } = found;
  if (known !== null && found.low - 1 <= known && known <= high + 1 && known >= 1) {
    return { length: known, error: 0, shift };
  }
  if (!(high >= 1 && high < Infinity)) return { length: null, error: 0, shift: 0 };
  const low = Math.max(found.low, 1);
  const middle = (low + high) / 2;
  const nearest = roundEven(middle);
  const length = low - 1e-6 <= nearest && nearest <= high + 1e-6 ? nearest : middle;
  return { length, error: (high - low) / 2, shift };
}

/** Bounds from where a column of whole epochs changes. */
function fromWhole(s, e, evaluated) {
  const at = [];
  for (let i = 0; i + 1 < e.length; i += 1) if (e[i + 1] > e[i]) at.push(i);
  let base = e[0];
  if (base !== 0 && base !== 1 && at.length >= 2) { // the log begins in the middle of the run
    const [begin, end] = [at[0], at.at(-1)];
    if (s[end] === s[begin]) return UNKNOWN_LENGTH;
    const length = (s[end] - s[begin]) / (e[end + 1] - e[begin + 1]);
    base = roundEven(e[begin + 1] - s[begin] / length);
  }
  const done = (i) => e[i + 1] - base; // epochs completed at a change
  const good = at.filter((i) => done(i) > 0);
  if (!good.length) return UNKNOWN_LENGTH;
  const ends = good.map((i) => s[i] / done(i));
  const low = largestOf(ends);
  const atEnds = low === roundEven(low) && ends.every((end) => end === low);
  if (atEnds && (ends.length > 1 || good.every(evaluated))) {
    return { low, high: low, shift: 0 }; // the last row of every epoch is at its end
  }
  const high = smallestOf(good.map((i) => (s[i + 1] - 1) / done(i)));
  // a row on the boundary may carry either number
  return { low: Math.min(low, high), high: Math.max(low, high), shift: 0 };
}

/** Bounds from fractions of epochs that are rounded to so many decimals. */
function fromFractions(s, e) {
  const isRounded = (decimals) =>
    e.every((value) => {
      const rounded = roundEven(value * POWERS[decimals]) / POWERS[decimals];
      return Math.abs(value - rounded) < 1e-9;
    });
  let decimals = 1;
  while (decimals <= ROUNDED && !isRounded(decimals)) decimals += 1;
  const quantum = decimals > ROUNDED ? 0 : QUANTA[decimals];
  const span = e.at(-1) - e[0];
  if (span <= quantum) return UNKNOWN_LENGTH;
  let length = (s.at(-1) - s[0]) / span;
  const error = (length * quantum) / (span - quantum);
  const [low, high] = [length - error, length + error];
  const nearest = roundEven(length);
  if (low - 1e-6 <= nearest && nearest <= high + 1e-6) length = nearest;
  let offset = e.at(-1) - s.at(-1) / length;
  offset -= roundEven(offset);
  const far = Math.abs(offset) > 2 * quantum + 0.5 / length;
  return { low, high, shift: far ? roundEven(offset * length) : 0 };
}
