// The incremental quadratic problem and its simulation, the twin of esp_lib/quadratic/simulation.py.
//
// Sample i is a_i (x[d_i] - c_i)^2 + b_i. As in esp_lib/quadratic/_numba.py, coordinates run in blocks of
// lanes with the steps outside and the lanes inside, unused coordinates are left out, and every
// double comes from the same operations in the same order.

import {
  STREAM_CURVATURE,
  STREAM_MINIMUM,
  STREAM_ORDER,
  below,
  threefry2x32,
  uniform,
  wordRow,
} from "../sampling/threefry.js";

const BLOCK = 256; // lanes

/** The paper's problem: a, b ~ U(0.5, 1), c ~ U(-1, 1), coordinate uniform below `dim`. */
export function sampleProblem(numFunctions, dim, seed) {
  const a = new Float64Array(numFunctions);
  const b = new Float64Array(numFunctions);
  const c = new Float64Array(numFunctions);
  const coordinate = new Int32Array(numFunctions);
  const pair = new Uint32Array(2);
  for (let i = 0; i < numFunctions; i++) {
    threefry2x32(seed, STREAM_CURVATURE, i, 0, pair, 0);
    a[i] = uniform(pair[0], 0.5, 1);
    b[i] = uniform(pair[1], 0.5, 1);
    threefry2x32(seed, STREAM_MINIMUM, i, 0, pair, 0);
    c[i] = uniform(pair[0], -1, 1);
    coordinate[i] = below(pair[1], dim);
  }
  return { a, b, c, coordinate, dim, numFunctions };
}

/** First k entries of one Fisher-Yates shuffle of `pool`, which is put back afterwards. */
function shuffled(words, k, pool, out, at) {
  const n = pool.length;
  const target = new Int32Array(k);
  for (let j = 0; j < k; j++) {
    const t = (target[j] = j + below(words[j], n - j));
    const swap = pool[j];
    pool[j] = pool[t];
    pool[t] = swap;
  }
  out.set(pool.subarray(0, k), at);
  for (let j = k - 1; j >= 0; j--) {
    const swap = pool[j];
    pool[j] = pool[target[j]];
    pool[target[j]] = swap;
  }
}

/** The visiting order, flat: epoch e is entries e * numFunctions to (e + 1) * numFunctions - 1. */
export function makeOrder(kind, numFunctions, epochs, batchSize, seed) {
  const order = new Int32Array(epochs * numFunctions);
  const pool = Int32Array.from({ length: numFunctions }, (_, i) => i);
  if (kind === "reshuffle" || kind === "replacement") {
    const k = kind === "reshuffle" ? numFunctions : batchSize;
    for (let row = 0; row * k < order.length; row++) {
      shuffled(wordRow(seed, STREAM_ORDER, row, k), k, pool, order, row * k);
    }
    return order;
  }
  const backwards = pool.slice().reverse();
  for (let epoch = 0; epoch < epochs; epoch++) {
    order.set(kind === "reverse" && epoch % 2 ? backwards : pool, epoch * numFunctions);
  }
  return order;
}

/** Visits sorted by block of coordinates and then by time; see `make_layout` in kernel.py. */
export function makeLayout(problem, order, batchSize) {
  const place = new Int32Array(problem.dim);
  for (const d of problem.coordinate) place[d] = 1;
  let lanes = 0;
  for (let d = 0; d < problem.dim; d++) if (place[d]) place[d] = lanes++;
  const blocks = Math.ceil(lanes / BLOCK);
  const steps = order.length / batchSize;
  const stride = steps + 1;
  const start = new Int32Array(blocks * stride);
  const position = problem.coordinate.map((d) => place[d]);
  for (let j = 0, t = 0; t < steps; t++) {
    for (const end = j + batchSize; j < end; j++) start[(position[order[j]] >> 8) * stride + t]++;
  }
  let total = 0;
  for (let k = 0; k < start.length; k++) {
    const count = start[k]; // counts become first positions
    start[k] = total;
    total += count;
  }
  const fill = Int32Array.from({ length: blocks }, (_, k) => start[k * stride]);
  const lane = new Int32Array(order.length);
  const a = new Float64Array(order.length);
  const c = new Float64Array(order.length);
  const floor = new Float64Array(steps);
  for (let j = 0; j < order.length; j++) {
    const i = order[j];
    const at = fill[position[i] >> 8]++;
    lane[at] = position[i] & (BLOCK - 1);
    a[at] = problem.a[i];
    c[at] = problem.c[i];
    floor[Math.floor(j / batchSize)] += problem.b[i];
  }
  return { lane, a, c, start, floor, lanes, blocks, steps, batchSize };
}

function powers(beta, steps) {
  const table = new Float64Array(steps);
  for (let t = 0, power = 1; t < steps; t++) table[t] = power *= beta;
  return table;
}

const filled = (steps, value) => new Float64Array(steps).fill(value);

/** A rule as coefficient tables, the twin of `Optimizer.two_moment`. */
export function twoMoment({ optimizer, lr, beta1, beta2, eps }, steps) {
  if (optimizer === "SGD") {
    const zero = filled(steps, 0);
    const rule = { decay1: beta1, weight1: 1, decay2: 0, weight2: 0, eps: 1, adaptive: false };
    return { ...rule, scaleM: filled(steps, lr), scaleG: zero, root: zero };
  }
  const forgets = optimizer !== "Adagrad";
  const second = { decay2: forgets ? beta2 : 1, weight2: forgets ? 1 - beta2 : 1, eps, adaptive: true };
  if (optimizer === "RMSProp" || optimizer === "Adagrad") {
    const none = filled(steps, 0);
    const tables = { scaleM: none, scaleG: filled(steps, lr), root: filled(steps, 1) };
    return { decay1: 0, weight1: 0, ...second, ...tables };
  }
  return {
    decay1: beta1,
    weight1: 1 - beta1,
    ...second,
    useMax: optimizer === "AMSGrad",
    scaleM: powers(beta1, steps).map((power) => lr / (1 - power)),
    scaleG: filled(steps, 0),
    root: powers(beta2, steps).map((power) => 1 / Math.sqrt(1 - power)),
  };
}

// State of the block at work, allocated once: engines compile loops over such arrays best.
const x = new Float64Array(BLOCK);
const m = new Float64Array(BLOCK);
const s = new Float64Array(BLOCK); // sqrt(v); like m already decayed between steps
const sMax = new Float64Array(BLOCK); // the largest s so far
const g = new Float64Array(BLOCK);

/** Take the gradients of the visited lanes, each once, into m and s. */
function learn(lane, from, to, weight1, weight2) {
  for (let j = from; j < to; j++) {
    const d = lane[j];
    let again = false;
    for (let k = from; k < j && !again; k++) again = lane[k] === d;
    if (again) continue;
    m[d] += weight1 * g[d];
    s[d] = Math.sqrt(s[d] * s[d] + weight2 * (g[d] * g[d]));
    sMax[d] = Math.max(sMax[d], s[d]);
  }
}

function stepAdaptive(decay1, decayS, sm, sg, rt, eps) {
  for (let d = 0; d < BLOCK; d++) {
    x[d] -= (sm * m[d] + sg * g[d]) / (rt * s[d] + eps);
    m[d] *= decay1;
    s[d] *= decayS;
  }
}

function stepMax(decay1, decayS, sm, sg, rt, eps) {
  for (let d = 0; d < BLOCK; d++) {
    x[d] -= (sm * m[d] + sg * g[d]) / (rt * sMax[d] + eps);
    m[d] *= decay1;
    s[d] *= decayS;
  }
}

function stepPlain(decay1, sm, sg) {
  for (let d = 0; d < BLOCK; d++) {
    x[d] -= sm * m[d] + sg * g[d];
    m[d] *= decay1;
  }
}

/** Sum of a (x - c)^2 over the visits from .. to; their gradients go to g. */
function visit(layout, from, to, inverse) {
  const { lane, a, c } = layout;
  let total = 0;
  for (let j = from; j < to; j++) {
    const d = lane[j];
    const u = x[d] - c[j];
    const au = a[j] * u;
    total += au * u;
    g[d] += 2 * au * inverse;
  }
  return total;
}

/** All steps of one block; sums[at + t] becomes the block's sum of a (x - c)^2 at step t. */
function runBlock(layout, block, rule, x0, sums, at) {
  const { lane, start, steps, batchSize } = layout;
  const { decay1, weight1, decay2, weight2, eps, scaleM, scaleG, root, adaptive, useMax } = rule;
  const first = block * (steps + 1);
  const decayS = Math.sqrt(decay2);
  x.fill(x0);
  m.fill(0);
  s.fill(0);
  sMax.fill(0);
  for (let t = 0; t < steps; t++) {
    const from = start[first + t];
    const to = start[first + t + 1];
    sums[at + t] = visit(layout, from, to, 1 / batchSize);
    learn(lane, from, to, weight1, weight2);
    if (useMax) stepMax(decay1, decayS, scaleM[t], scaleG[t], root[t], eps);
    else if (adaptive) stepAdaptive(decay1, decayS, scaleM[t], scaleG[t], root[t], eps);
    else stepPlain(decay1, scaleM[t], scaleG[t]);
    for (let j = from; j < to; j++) g[lane[j]] = 0;
  }
}

/** Sums of the blocks `from` to `to` - 1, one row of `steps` a block. */
export function blockSums(layout, rule, from, to, x0 = 3) {
  const sums = new Float64Array((to - from) * layout.steps);
  for (let k = from; k < to; k++) runBlock(layout, k, rule, x0, sums, (k - from) * layout.steps);
  return sums;
}

/**
 * Mean loss of each batch before its update, from all block sums in the order of the blocks.
 * After the first loss that is not finite, every loss is not finite.
 */
export function meanLoss(floor, batchSize, parts) {
  const loss = new Float64Array(floor.length);
  for (const sums of parts) {
    for (let at = 0; at < sums.length; at += loss.length) {
      for (let t = 0; t < loss.length; t++) loss[t] += sums[at + t];
    }
  }
  let dead = false;
  for (let t = 0; t < loss.length; t++) {
    loss[t] = (loss[t] + floor[t]) / batchSize;
    if (dead && Number.isFinite(loss[t])) loss[t] = NaN;
    dead ||= !Number.isFinite(loss[t]);
  }
  return loss;
}

/** One run in one go: Float64Array (steps). */
export function simulate(layout, rule, x0 = 3) {
  const sums = blockSums(layout, rule, 0, layout.blocks, x0);
  return meanLoss(layout.floor, layout.batchSize, [sums]);
}

/** Mean number of steps since the functions of each batch were last visited; NaN before that. */
export function staleness(order, numFunctions, batchSize) {
  const steps = order.length / batchSize;
  const last = new Int32Array(numFunctions).fill(-1);
  const mean = new Float64Array(steps);
  for (let t = 0; t < steps; t++) {
    let total = 0;
    let seen = 0;
    for (let j = t * batchSize; j < (t + 1) * batchSize; j++) {
      if (last[order[j]] >= 0) {
        total += t - last[order[j]];
        seen++;
      }
      last[order[j]] = t;
    }
    mean[t] = seen ? total / seen : NaN;
  }
  return mean;
}
