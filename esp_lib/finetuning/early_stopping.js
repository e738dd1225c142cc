// Start many, stop early, continue some: the twin of esp_lib/finetuning/early_stopping.py, where the law is derived.
//
// A task is {score, order, size, points}: scores of `size` episodes at `points` evaluations, an
// episode after the other, and for each evaluation the episodes from the best to the worst.

import { STREAM_ORDER, below, wordRow } from "../sampling/threefry.js";

const ROUNDING = 1e-9; // episodes: a budget holds what exceeds it by no more

/** C(m, k) for m = 0, ..., n. */
export function binomials(n, k) {
  const out = new Float64Array(n + 1);
  if (k <= n) out[k] = 1;
  for (let m = k + 1; m <= n; m++) out[m] = out[m - 1] * (m / (m - k));
  return out;
}

/** t f + p (1 - f), in fully trained episodes. */
export const cost = ({ t, f, p }) => t * f + p * (1 - f);

/** (err_full - err_many) / err_full with err = 1 - score; null if full training makes none. */
export const errorReduction = (many, full) => (full < 1 ? (many - full) / (1 - full) : null);

/** The evaluation, counted from 1, nearest to the fraction f. */
export const pointOf = (f, points) => Math.max(1, Math.min(points, Math.round(f * points)));

/** What each episode reaches by evaluation `point`, counted from 1: its best score until then. */
export function until({ score, size, points }, point) {
  return Float64Array.from({ length: size }, (_, i) => {
    let best = -Infinity;
    for (let k = 0; k < point; k++) best = Math.max(best, score[i * points + k]);
    return best;
  });
}

/** Mean best of n of the numbers `reached`, drawn without replacement. */
export function expectedBest(reached, n) {
  const values = Float64Array.from(reached).sort();
  const ways = binomials(values.length - 1, n - 1);
  const sum = values.reduce((total, value, i) => total + value * ways[i], 0);
  return sum / binomials(values.length, n)[values.length];
}

/** How many episodes, trained fully, a budget allows. */
export const wholeOf = (budget, size) => Math.min(size, Math.floor(budget + ROUNDING));

/** {values, after, size}: what plans that stop at evaluation `point` find; -1 where there is none. */
export function law(task, point) {
  const { order, size, points } = task;
  const ranked = order.subarray((point - 1) * size, point * size);
  const [a, b] = [points, point].map((last) => {
    const reached = until(task, last);
    return Float64Array.from(ranked, (i) => reached[i]);
  });
  const values = Float64Array.from(new Set([...a, ...b])).sort();
  const after = new Int16Array(values.length * size).fill(-1);
  values.forEach((value, v) => {
    let behind = 0;
    for (let j = 0; j < size; j++) behind += b[j] <= value;
    for (let j = 0, at = v * size; j < size; j++) {
      behind -= b[j] <= value;
      if (a[j] <= value) after[at++] = behind;
    }
  });
  return { values, after, size };
}

/** Mean best score of a plan that starts t and continues p. */
export function expected({ values, after, size }, t, p) {
  const among = binomials(size - 1, p - 1);
  const all = binomials(size, t)[size];
  const rest = binomials(size - 1, t - p).map((ways) => ways / all);
  let mean = values.at(-1);
  for (let v = 0; v + 1 < values.length; v++) {
    let chance = 0; // that nothing better than values[v] is found
    for (let g = p - 1, at = v * size + g; g < size && after[at] >= t - p; g++, at++) {
      chance += rest[after[at]] * among[g];
    }
    mean -= (values[v + 1] - values[v]) * chance;
  }
  return mean;
}

/** [t, p] for each p: the largest t that fits if episodes are stopped at `point`. */
export function plans(budget, point, points, size) {
  const most = wholeOf(budget, size);
  const found = [];
  for (let p = point < points ? 1 : most; p <= most; p++) {
    const t = (budget * points - p * (points - point)) / point;
    found.push([wholeOf(t, size), p]);
  }
  return found;
}

/** {t, f, p, expected}: the plan that finds most for a budget; of equal ones the earliest. */
export function bestPlan(task, budget) {
  let best = { expected: -Infinity };
  for (let point = 1; point <= task.points; point++) {
    const found = law(task, point);
    for (const [t, p] of plans(budget, point, task.points, task.size)) {
      const value = expected(found, t, p);
      if (value > best.expected + ROUNDING) best = { t, f: point / task.points, p, expected: value };
    }
  }
  return best;
}

/** The episodes of an example: the first t of a shuffle, from the best to the worst at `point`. */
export function example({ order, size }, seed, t, point) {
  const pool = Int32Array.from({ length: size }, (_, i) => i);
  wordRow(seed, STREAM_ORDER, 0, t).subarray(0, t).forEach((word, j) => {
    const other = j + below(word, size - j);
    [pool[j], pool[other]] = [pool[other], pool[j]];
  });
  const drawn = new Set(pool.subarray(0, t));
  return Array.from(order.subarray((point - 1) * size, point * size)).filter((i) => drawn.has(i));
}
