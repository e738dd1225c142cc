// "Plot every": the twin of `Curve.every` and `Curve.epochs` in esp_lib/sawtooth/curve.py.

/** Means of consecutive windows of `every` steps, each at the epoch where it ends. */
export function windows(loss, every, perEpoch) {
  const size = Math.floor(loss.length / every);
  const y = new Float64Array(size);
  const x = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    let total = 0;
    for (let t = k * every; t < (k + 1) * every; t++) total += loss[t];
    y[k] = total / every;
    x[k] = ((k + 1) * every) / perEpoch;
  }
  return { x, y };
}
