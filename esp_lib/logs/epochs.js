// How many steps an epoch has, from the epochs beside the steps of a log: the twin of epochs.py.

import { average, rint, totalOf } from "../sawtooth/sums.js";
import { largestOf, smallestOf } from "./runs.js";
import { mapNumbers } from "./table.js";

const ROUNDED = 6; // decimals: an epoch column with more is exact
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
const QUANTA = [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
const UNKNOWN_LENGTH = { low: 1, high: Infinity, shift: 0 }; // is known of the length

/**
 * Steps in an epoch, from the epochs that stand beside steps.
 *
 * @param {Float64Array} step increasing
 * @param {Float64Array} epoch whole numbers, or fractions
 * @param {(i: number) => boolean} evaluated which rows have a validation loss
 * @param {number | null} known what the log says elsewhere; used if the epochs, which win, do not contradict it
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
  let slack = 1;
  const rises = e.every((value, i) => i === 0 || value >= e[i - 1]);
  if (s.length >= 2 && rises && e.at(-1) > e[0] && s.at(-1) > s[0]) {
    const whole = e.every((value) => value === rint(value));
    found = whole ? fromWhole(s, e, (i) => evaluated(here[i])) : fromFractions(s, e);
    if (!whole) slack = 1e-6 * found.low;
  }
  const { high, shift } = found;
  if (known !== null && found.low - slack <= known && known <= high + slack && known >= 1) {
    return { length: known, error: 0, shift };
  }
  if (!(high >= 1 && high < Infinity)) return { length: null, error: 0, shift: 0 };
  const low = Math.max(found.low, 1);
  const middle = (low + high) / 2;
  const nearest = rint(middle);
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
    base = rint(e[begin + 1] - s[begin] / length);
  }
  const done = (i) => e[i + 1] - base; // epochs completed at a change
  const good = at.filter((i) => done(i) > 0);
  if (!good.length) return UNKNOWN_LENGTH;
  const ends = good.map((i) => s[i] / done(i));
  const low = largestOf(ends);
  const atEnds = low === rint(low) && ends.every((end) => end === low);
  if (atEnds && (ends.length > 1 || good.every(evaluated))) {
    return { low, high: low, shift: 0 }; // the last row of every epoch is at its end
  }
  const high = smallestOf(good.map((i) => (s[i + 1] - 1) / done(i)));
  if (low <= high) return { low, high, shift: 0 };
  // a row on the boundary may carry either number: a line through the middles of the changes
  if (good.length < 10) return { low: high, high: low, shift: 0 };
  const x = mapNumbers(good, done);
  const middle = mapNumbers(good, (i) => (s[i] + s[i + 1] - 1) / 2);
  const [centerX, center] = [average(x), average(middle)];
  const n = x.length;
  const square = totalOf(n, (i) => (x[i] - centerX) * (x[i] - centerX));
  const length = totalOf(n, (i) => (x[i] - centerX) * middle[i]) / square;
  const off = middle.map((value, i) => value - center - length * (x[i] - centerX));
  const error = 3 * Math.sqrt(totalOf(n, (i) => off[i] * off[i]) / (n - 2) / square);
  return { low: length - error, high: length + error, shift: 0 };
}

/** Bounds from fractions of epochs that are rounded to so many decimals. */
function fromFractions(s, e) {
  const isRounded = (decimals) =>
    e.every((value) => {
      const rounded = rint(value * POWERS[decimals]) / POWERS[decimals];
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
  const nearest = rint(length);
  if (low - 1e-6 <= nearest && nearest <= high + 1e-6) length = nearest;
  let offset = e.at(-1) - s.at(-1) / length;
  offset -= rint(offset);
  const far = Math.abs(offset) > 2 * quantum + 0.5 / length;
  return { low, high, shift: far ? rint(offset * length) : 0 };
}
