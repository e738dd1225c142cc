// The tooth of a recorded run, from means of windows of steps: the twin of `drop` and `rise` of
// `measure` in esp_lib/sawtooth/measurement.py, with `window` steps a point; and what is left of it in a drawing.

import { BEND_WEIGHT, mean } from "./measure.js";

const MIN_POINTS = 3; // points that an epoch needs for a line
const BEND_POINTS = 6; // and for its parabola

const sum = (values) => values.reduce((total, value) => total + value, 0);
const meanOrNull = (values) => (values.length ? mean(values) : null);

/** Epochs at the start that are left out, as `measure` does by default. */
export const skipped = (steps, perEpoch) => (Math.ceil(steps / perEpoch) >= 5 ? 1 : 0);

/** The points whose window lies inside each epoch from `skip` on: [{phase, y}]. */
function fold(y, every, perEpoch, skip) {
  const epochs = [];
  y.forEach((value, k) => {
    const at = (k + 1) * every; // the window's last step, counted from 1
    const epoch = Math.floor((at - 1) / perEpoch);
    if (epoch < skip || Math.floor((at - every) / perEpoch) !== epoch) return;
    const points = (epochs[epoch - skip] ??= { phase: [], y: [] });
    if (!Number.isFinite(value)) return;
    points.phase.push((at - every / 2) / perEpoch - epoch);
    points.y.push(value);
  });
  return Array.from(epochs, (points) => points ?? { phase: [], y: [] });
}

/** The line through an epoch's points, from its start to its end, and its bend; null if too few. */
function fitLine({ phase, y }) {
  const n = y.length;
  if (n < MIN_POINTS) return null;
  const center = mean(phase);
  const p = phase.map((value) => value - center);
  const spread = sum(p.map((value) => value * value));
  const level = mean(y);
  const slope = sum(y.map((value, k) => p[k] * value)) / spread;
  let square = p.map((value) => value * value - spread / n); // made orthogonal to the line
  const tilt = sum(square.map((value, k) => value * p[k])) / spread;
  square = square.map((value, k) => value - tilt * p[k]);
  const size = sum(square.map((value) => value * value));
  const bend = n < BEND_POINTS ? 0 : sum(y.map((value, k) => square[k] * value)) / size;
  return { start: level - slope * center, end: level + slope * (1 - center), bend };
}

/**
 * Mean drop at the boundaries and mean rise within epochs, the first epoch of five or more left out.
 *
 * @param {ArrayLike<number>} y means of consecutive windows of `every` steps
 * @returns {{drop, rise}} null where windows are too long for it
 */
export function measureWindows(y, every, perEpoch) {
  const none = { drop: null, rise: null };
  if (every > perEpoch) return none;
  const lines = fold(Array.from(y), every, perEpoch, skipped(y.length * every, perEpoch)).map(fitLine);
  const drops = [];
  for (let k = 1; k < lines.length; k++) {
    const [before, after] = [lines[k - 1], lines[k]];
    if (!before || !after) continue;
    drops.push(before.end - after.start - BEND_WEIGHT * (after.bend - before.bend));
  }
  const rises = lines.filter(Boolean).map(({ start, end }) => end - start);
  return { drop: meanOrNull(drops), rise: meanOrNull(rises) };
}

/**
 * How far the drawn curve falls from the last window that ends in an epoch to the first that begins
 * after it, and how far it rises from the first window inside an epoch to the last: means over the
 * same boundaries and epochs.
 *
 * @param {ArrayLike<number>} y what is drawn, smoothed or not; point k ends at step (k + 1) every
 * @returns {{fall, climb}} null where there is no such point
 */
export function measureDrawn(y, every, perEpoch) {
  const last = (epoch) => Math.floor(((epoch + 1) * perEpoch) / every) - 1;
  const first = (epoch) => Math.ceil((epoch * perEpoch) / every);
  const difference = (list, high, low) => {
    if (Number.isFinite(y[high] - y[low])) list.push(y[high] - y[low]);
  };
  const falls = [];
  const climbs = [];
  const skip = skipped(y.length * every, perEpoch);
  for (let epoch = skip; last(epoch) < y.length; epoch++) {
    if (last(epoch) >= first(epoch)) difference(climbs, last(epoch), first(epoch));
    difference(falls, last(epoch), first(epoch + 1));
  }
  return { fall: meanOrNull(falls), climb: meanOrNull(climbs) };
}
