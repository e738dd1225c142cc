// The expected loss of each step, predicted: the twin of `predict` in esp_lib/theory/prediction.py
// for Adam and reshuffling. The Sobol points of each class come from there.

import { twoMoment } from "../quadratic/simulation.js";

const MEAN_FLOOR = 0.75; // E b for b ~ U(0.5, 1)

/** One coordinate, followed from step `t` to `end`; path[t] is x before step t, state is (x, m, s, j). */
function cross(path, t, end, state, without, { k, a, c, when, who }, n, rule) {
  const { decay1, weight1, decay2, weight2, eps, scaleM, root, inverse } = rule;
  const fade = Math.sqrt(decay2);
  const visits = when.length / (a.length / k);
  let [x, m, s, j] = state;
  for (;;) {
    const next = j < visits ? when[n * visits + j] : end;
    const stop = Math.min(next, end);
    for (; t < stop; t++) { // between visits
      path[t] = x;
      m *= decay1;
      s *= fade;
      x -= (scaleM[t] * m) / (root[t] * s + eps);
    }
    if (t === end) break;
    let g = 0;
    for (; j < visits && when[n * visits + j] === t; j++) {
      const i = who[n * visits + j];
      if (i !== without) g += 2 * a[n * k + i] * (x - c[n * k + i]) * inverse;
    }
    m = decay1 * m + weight1 * g;
    s = Math.sqrt(decay2 * s * s + weight2 * g * g);
    path[t] = x;
    x -= (scaleM[t] * m) / (root[t] * s + eps);
    t++;
  }
  return [x, m, s, j];
}

/** Excess of function 0 of one class at each step, summed over its points, as it would be withheld. */
function follow(points, rule, { steps, perEpoch, x0 }) {
  const { k, a, c, when, who } = points;
  const count = a.length / k;
  const visits = when.length / count;
  const total = new Float64Array(steps);
  const path = new Float64Array(steps);
  for (let n = 0; n < count; n++) {
    let state = [x0, 0, 0, 0];
    for (let t = 0; t < steps; t += perEpoch) {
      let own = state[3];
      while (who[n * visits + own] !== 0) own++;
      const at = when[n * visits + own];
      state = cross(path, t, at, state, -1, points, n, rule);
      cross(path, at, t + perEpoch, state, 0, points, n, rule); // the rest, without function 0
      for (let q = t; q < t + perEpoch; q++) total[q] += a[n * k] * (path[q] - c[n * k]) ** 2;
      state = cross(path, at, t + perEpoch, state, -1, points, n, rule);
    }
  }
  return total.map((value) => value / count);
}

/**
 * @param {{share, k, a, c, when, who}[]} classes `class_shares` and `draw_classes` in Python
 * @param {{lr, beta1, beta2, eps}} settings of Adam
 * @param {{epochs, perEpoch, batchSize, x0}} run
 * @returns {Float64Array} loss of each step; not finite after divergence
 */
export function predict(classes, settings, { epochs, perEpoch, batchSize, x0 }) {
  const steps = epochs * perEpoch;
  const rule = { ...twoMoment({ optimizer: "Adam", ...settings }, steps), inverse: 1 / batchSize };
  const loss = new Float64Array(steps).fill(MEAN_FLOOR);
  for (const points of classes) {
    follow(points, rule, { steps, perEpoch, x0 }).forEach((value, t) => (loss[t] += points.share * value));
  }
  return loss;
}
