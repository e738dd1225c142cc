// What is seen in a loss curve, in numbers and in words: the twin of esp_lib/sawtooth/measurement.py for a
// complete log of one run (every step, nothing missing, ten or more steps an epoch).

export const BEND_WEIGHT = 2 / 15; // corrects the drop for a smooth curve's third derivative
export const DOUBT = 0.25; // share of the correction for bends that counts as error
export const BENT = 0.1; // a rise whose middle is further from its chord, in amplitudes, is not linear

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values) {
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

/** The 99 % point of Student's t: Cornish and Fisher's expansion, for 20 degrees or more. */
function critical(freedom) {
  const z = 2.3263478740408408;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

/** A line and a parabola through each epoch, in the epoch's phase 0 to 1. */
function fitLines(loss, n, epochs) {
  const phase = Float64Array.from({ length: n }, (_, j) => (j + 0.5) / n - 0.5);
  const spread = phase.reduce((sum, p) => sum + p * p, 0);
  const square = phase.map((p) => p * p - spread / n); // symmetric: orthogonal to the line
  const squareSpread = square.reduce((sum, s) => sum + s * s, 0);
  let pairs = 0;
  let squares = 0;
  const lines = epochs.map((epoch) => {
    const y = loss.subarray(epoch * n, (epoch + 1) * n);
    const level = mean(y);
    const slope = y.reduce((sum, value, j) => sum + phase[j] * value, 0) / spread;
    const bend = y.reduce((sum, value, j) => sum + square[j] * value, 0) / squareSpread;
    let scatter = 0;
    let before = 0;
    y.forEach((value, j) => {
      const residual = value - level - slope * phase[j] - bend * square[j];
      scatter += residual * residual;
      pairs += residual * before;
      before = residual;
    });
    squares += scatter;
    return { y, level, bend, start: level - slope / 2, end: level + slope / 2, scatter };
  });
  const correlation = pairs / squares + 3 / n;
  return { lines, phase, spread, squareSpread, correlation };
}

/** Whether a run ends not finite, or its last epoch has over twice the first's loss. */
export function diverges(loss, n) {
  const last = Math.floor(loss.length / n) - 1;
  const worse = mean(loss.subarray(last * n)) > 2 * mean(loss.subarray(0, n));
  return !Number.isFinite(loss.at(-1)) || worse;
}

/**
 * Drop, rise, amplitude and shape of the tooth, the first epoch left out.
 *
 * @param {Float64Array} loss loss of each step
 * @param {number} n steps in an epoch
 * @returns {{diverged, drop, rise, amplitude, concavity, shape, final}} shape is "linear",
 *   "concave", "convex" or "none"; numbers of a diverged run are null.
 */
export function measure(loss, n) {
  const count = Math.floor(loss.length / n);
  const final = mean(loss.subarray((count - 1) * n));
  const diverged = diverges(loss, n);
  const epochs = Array.from({ length: count - 1 }, (_, k) => k + 1);
  if (diverged || !Number.isFinite(final)) {
    const none = { drop: null, rise: null, amplitude: null, concavity: null, shape: "none" };
    return { diverged: true, final: Number.isFinite(final) ? final : null, ...none };
  }
  const { lines, phase, spread, squareSpread, correlation } = fitLines(loss, n, epochs);
  const drops = lines.slice(1).map((line, k) => {
    const before = lines[k];
    return before.end - line.start - BEND_WEIGHT * (line.bend - before.bend);
  });
  const drop = mean(drops);
  const rise = mean(lines.map((line) => line.end - line.start));
  const trend = rise - drop;

  const profile = phase.map((p, j) => mean(lines.map((l) => l.y[j] - l.level - trend * p)));
  const edge = Math.max(1, Math.floor(n / 10));
  const amplitude = mean(profile.subarray(n - edge)) - mean(profile.subarray(0, edge));

  // Standard error of the mean drop; see `_summarize` in sawtooth.py.
  const widen = Math.max(1, (1 + correlation) / (1 - Math.min(correlation, 0.9)));
  const corner = 1 / n + 0.25 / spread;
  const cross = 1 / n - 0.25 / spread;
  const share = 1 / drops.length;
  let variance = 0;
  let freedom = 0;
  lines.forEach((line, k) => {
    const end = k < drops.length ? share : 0;
    const start = k > 0 ? share : 0;
    const weight =
      (end ** 2 + start ** 2) * corner -
      2 * end * start * cross +
      (BEND_WEIGHT * (end - start)) ** 2 / squareSpread;
    const part = (line.scatter / (n - 3)) * widen * weight;
    variance += part;
    freedom += part ** 2 / (n - 3);
  });
  const correction = BEND_WEIGHT * mean(lines.slice(1).map((line, k) => line.bend - lines[k].bend));
  const error = Math.hypot(Math.sqrt(variance), DOUBT * correction);
  const present = drop / error > critical(variance ** 2 / freedom);
  const bends = lines.map((line) => line.bend);
  const concavity = -mean(bends) / 4 / amplitude;
  const bent = Math.abs(concavity) > BENT && Math.abs(mean(bends)) > 3 * standardError(bends);
  const curved = concavity > 0 ? "concave" : "convex";
  const shape = present ? (bent ? curved : "linear") : "none";
  return { diverged, final, drop, rise, amplitude, concavity, shape };
}
