// Chapter 1's next-word network, small: the twin of esp_lib/small_network.py, in its order of sums.
// Inner loops run over neighbouring numbers; hidden units that are zero are left out.

import { STREAM_WEIGHT, uniform, wordRow } from "./sampling/threefry.js";
import { makeOrder } from "./quadratic/simulation.js";

export const CONTEXT = 4;
export const EMBEDDING = 16;
export const HIDDEN = 64;
export const EXAMPLES = 3200;
export const BATCH = 32;
export const EPOCHS = 10;
export const FIXED = 160;
export const HELD_OUT = 160;
export const EVERY = 10;

const INPUTS = CONTEXT * EMBEDDING;

/** Parameters by name, drawn from one row of random words. */
function start(seed, words) {
  const parts = [
    ["embedding", words * EMBEDDING, Math.sqrt(3)],
    ["w1", INPUTS * HIDDEN, INPUTS ** -0.5],
    ["b1", HIDDEN, INPUTS ** -0.5],
    ["w2", HIDDEN * words, HIDDEN ** -0.5],
    ["b2", words, HIDDEN ** -0.5],
  ];
  const drawn = wordRow(seed, STREAM_WEIGHT, 0, parts.reduce((sum, [, size]) => sum + size, 0));
  const p = {};
  let at = 0;
  for (const [name, size, bound] of parts) {
    p[name] = Float64Array.from(drawn.subarray(at, at + size), (word) => uniform(word, -bound, bound));
    at += size;
  }
  return p;
}

/** Room for the layers of `n` examples. */
const makeLayers = (n, words) => ({
  x: new Float64Array(n * INPUTS), h: new Float64Array(n * HIDDEN), out: new Float64Array(n * words),
});

/** Mean loss of the examples at some places of the text; softmax shares are left in `out`. */
function forward(p, ids, places, layers, words) {
  const { x, h, out } = layers;
  const { embedding, w1, b1, w2, b2 } = p;
  let total = 0;
  for (let i = 0; i < places.length; i++) {
    const [xi, hi, oi] = [i * INPUTS, i * HIDDEN, i * words];
    for (let c = 0; c < CONTEXT; c++) {
      const from = ids[places[i] + c] * EMBEDDING;
      for (let d = 0; d < EMBEDDING; d++) x[xi + c * EMBEDDING + d] = embedding[from + d];
    }
    for (let k = 0; k < HIDDEN; k++) h[hi + k] = b1[k];
    for (let j = 0; j < INPUTS; j++) {
      const value = x[xi + j];
      for (let k = 0; k < HIDDEN; k++) h[hi + k] += value * w1[j * HIDDEN + k];
    }
    for (let o = 0; o < words; o++) out[oi + o] = b2[o];
    for (let k = 0; k < HIDDEN; k++) {
      const value = (h[hi + k] = Math.max(h[hi + k], 0));
      if (value === 0) continue;
      for (let o = 0; o < words; o++) out[oi + o] += value * w2[k * words + o];
    }
    const wanted = out[oi + ids[places[i] + CONTEXT]];
    let top = -Infinity;
    for (let o = 0; o < words; o++) top = Math.max(top, out[oi + o]);
    let sum = 0;
    for (let o = 0; o < words; o++) sum += out[oi + o] = Math.exp(out[oi + o] - top);
    for (let o = 0; o < words; o++) out[oi + o] /= sum;
    total += Math.log(sum) + top - wanted;
  }
  return total / places.length;
}

/** Gradients of the mean loss into `g`, by backpropagation; `layers` are those of `forward`. */
function backward(p, g, ids, places, { x, h, out }, words) {
  for (const part of Object.values(g)) part.fill(0);
  const { w1, w2 } = p;
  const { embedding: gEmbedding, w1: gW1, b1: gB1, w2: gW2, b2: gB2 } = g;
  const n = places.length;
  const dh = new Float64Array(HIDDEN);
  for (let i = 0; i < n; i++) {
    const [xi, hi, oi] = [i * INPUTS, i * HIDDEN, i * words];
    for (let o = 0; o < words; o++) out[oi + o] /= n;
    out[oi + ids[places[i] + CONTEXT]] -= 1 / n;
    for (let o = 0; o < words; o++) gB2[o] += out[oi + o];
    for (let k = 0; k < HIDDEN; k++) {
      const value = h[hi + k];
      let sum = 0;
      if (value > 0) {
        for (let o = 0; o < words; o++) {
          gW2[k * words + o] += value * out[oi + o];
          sum += w2[k * words + o] * out[oi + o];
        }
      }
      dh[k] = sum;
      gB1[k] += sum;
    }
    for (let j = 0; j < INPUTS; j++) {
      const value = x[xi + j];
      let sum = 0;
      for (let k = 0; k < HIDDEN; k++) {
        gW1[j * HIDDEN + k] += value * dh[k];
        sum += w1[j * HIDDEN + k] * dh[k];
      }
      const c = Math.floor(j / EMBEDDING);
      gEmbedding[ids[places[i] + c] * EMBEDDING + (j % EMBEDDING)] += sum;
    }
  }
}

/** One step of Adam, in place. */
function adam(p, g, m, v, t, { beta1, beta2, eps, lr }) {
  const rate = lr / (1 - beta1 ** t);
  const root = (1 - beta2 ** t) ** -0.5;
  for (const name of Object.keys(p)) {
    const [px, gx, mx, vx] = [p[name], g[name], m[name], v[name]];
    for (let k = 0; k < px.length; k++) {
      mx[k] += (1 - beta1) * (gx[k] - mx[k]);
      vx[k] += (1 - beta2) * (gx[k] * gx[k] - vx[k]);
      px[k] -= (rate * mx[k]) / (Math.sqrt(vx[k]) * root + eps);
    }
  }
}

/**
 * A run, step by step: each call of `next` yields {training} or, every `EVERY` steps, also
 * {seen, heldOut}.
 *
 * @param {ArrayLike<number>} ids the text as word numbers below `words`
 */
export function* train(ids, words, config) {
  const { seed, shuffle, fresh } = config;
  const all = makeOrder("reshuffle", ids.length - CONTEXT, 1, 1, seed);
  const order = makeOrder(shuffle && !fresh ? "reshuffle" : "fixed", EXAMPLES, EPOCHS, BATCH, seed);
  const heldOut = all.subarray(0, HELD_OUT);
  const fixed = Int32Array.from({ length: FIXED }, (_, k) => all[HELD_OUT + (k * EXAMPLES) / FIXED]);
  const p = start(seed, words);
  const [g, m, v] = [0, 1, 2].map(() =>
    Object.fromEntries(Object.entries(p).map(([name, part]) => [name, new Float64Array(part.length)])),
  );
  const layers = makeLayers(Math.max(BATCH, FIXED, HELD_OUT), words);
  const places = new Int32Array(BATCH);
  const steps = (EPOCHS * EXAMPLES) / BATCH;
  for (let t = 1; t <= steps; t++) {
    const epoch = Math.floor(((t - 1) * BATCH) / EXAMPLES);
    const first = HELD_OUT + (fresh ? EXAMPLES * epoch : 0);
    for (let k = 0; k < BATCH; k++) places[k] = all[first + order[(t - 1) * BATCH + k]];
    const training = forward(p, ids, places, layers, words);
    backward(p, g, ids, places, layers, words);
    adam(p, g, m, v, t, config);
    if (t % EVERY) yield { training };
    else {
      const seen = forward(p, ids, fixed, layers, words);
      yield { training, seen, heldOut: forward(p, ids, heldOut, layers, words) };
    }
  }
}
