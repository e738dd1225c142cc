// Several runs in one log, runs that were resumed, steps that begin anew: the twin of runs.py.

import { finiteMedian } from "../sawtooth/sums.js";
import { mapNumbers } from "./table.js";

const FEW = 3; // points at the end of a run of which the mean is taken
const BACK = 0.5; // share of what a loss has fallen that it must regain to begin anew
const FAR = 3; // usual differences of neighbouring points that it must have fallen

export const largestOf = (values) => values.reduce((high, value) => Math.max(high, value), -Infinity);
export const smallestOf = (values) => values.reduce((low, value) => Math.min(low, value), Infinity);

/** Differences from each value to the next. */
function gapsOf(values) {
  const gaps = new Float64Array(Math.max(values.length - 1, 0));
  for (let i = 0; i < gaps.length; i += 1) gaps[i] = values[i + 1] - values[i];
  return gaps;
}

/** The middle of the differences from each value to the next; of an even number, the upper. */
export function gapOf(values, otherwise) {
  const gaps = gapsOf(values).sort();
  return gaps.length ? gaps[gaps.length >> 1] : otherwise;
}

/** Where runs begin, one after another in the same log: see Python's `run_starts`. */
export function runStarts(step, epoch, loss) {
  const withStep = step.length > 0 && step.every(Number.isFinite);
  const withEpoch = epoch.length > 0 && epoch.every(Number.isFinite);
  if (!withStep && !withEpoch) return [0];
  const gap = withStep ? Math.max(gapOf(step, 0), 0) : 0;
  const starts = [0];
  for (let at = 1; at < loss.length; at += 1) {
    const falls = (withStep && step[at] < step[at - 1]) || (withEpoch && epoch[at] < epoch[at - 1]);
    const begin = starts.at(-1);
    if (!falls || (withStep && step[at] > step[begin] + gap)) continue;
    if (withEpoch && epoch[at] > epoch[begin]) continue;
    if (!withEpoch && !beginsAnew(loss, begin, at)) continue;
    starts.push(at);
  }
  return starts;
}

/** Whether a loss that has fallen since `begin` is as high as there again. */
function beginsAnew(loss, begin, at) {
  const first = Math.max(begin, at - FEW);
  let before = 0;
  for (let i = first; i < at; i += 1) before += loss[i];
  before /= at - first;
  const gaps = gapsOf(loss.subarray(begin, at)).map(Math.abs);
  const scatter = gaps.some(Number.isNaN) ? NaN : gaps.length ? finiteMedian(gaps) : 0;
  const fallen = loss[begin] - before;
  return fallen > FAR * scatter && loss[at] - before > BACK * fallen;
}

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
  const gap = gapOf(at, 1);
  if (smallestOf(at) === 0) return true;
  if (!(gap >= 2)) return false;
  let short = 0;
  for (const step of at) if ((step + 1) % gap === 0) short += 1;
  return short / at.length > 0.9;
}

/**
 * Steps that begin anew in every epoch, counted on: see Python's `join_epochs`.
 *
 * @returns {{step: Float64Array, length: number | null}} the steps, and how many an epoch has;
 *   null and the steps as they were if they do not begin anew
 */
export function joinEpochs(step, epoch, of) {
  const asTheyWere = { step, length: null };
  const rows = [];
  for (let i = 0; i < step.length; i += 1) if (Number.isFinite(step[i])) rows.push(i);
  let at = mapNumbers(rows, (row) => step[row]);
  const label = mapNumbers(rows, (row) => epoch[row]);
  const labelled = label.every((value) => Number.isInteger(value));
  const turns = (i) => labelled && label[i] > label[i - 1];
  const starts = [0];
  for (let i = 1; i < at.length; i += 1) {
    if (at[i] < at[i - 1] || (at[i] === at[i - 1] && turns(i))) starts.push(i);
  }
  if (starts.length < 2) return asTheyWere;
  const totals = of ? rows.map((row) => of[row]).filter(Number.isFinite) : [];
  const most = largestOf(at);
  // a bar that begins at 0 and ends at the total shows it twice
  if (totals.length && totals.every((one) => one === most)) at = at.map((value) => Math.max(value, 1));

  const first = starts.map((start) => at[start]);
  const last = starts.map((_, k) => at[(starts[k + 1] ?? at.length) - 1]);
  const gap = Math.max(gapOf(at, 0), 0);
  const near = (value, other) => Math.abs(value - other) <= gap;
  const anew = labelled
    ? starts.slice(1).filter(turns).length >= (starts.length - 1) / 2 // else: resumed
    : first.every((value) => near(value, first[0])) &&
      last.slice(0, -1).every((value) => near(value, last[0])) &&
      last.at(-1) <= last[0] + gap &&
      (starts.length > 2 || totals.length > 0); // else nothing speaks of epochs
  if (!anew) return asTheyWere;

  let length = largestOf(last) + Math.max(gap - smallestOf(first), 0);
  if (totals.length && totals[0] >= largestOf(last) && totals.every((one) => one === totals[0])) {
    length = totals[0];
  }
  const lowest = smallestOf(label);
  const joined = step.slice();
  let part = 0;
  rows.forEach((row, i) => {
    if (i === starts[part + 1]) part += 1;
    joined[row] = at[i] + (labelled ? label[i] - lowest : part) * length;
  });
  return { step: joined, length };
}
