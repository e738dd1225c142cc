// Fewer points that look the same: of each stretch of a curve, its lowest and its highest point.

/**
 * @param {ArrayLike<number>} x increasing
 * @param {ArrayLike<number>} y finite, as many
 * @param {number} parts stretches of equally many points; curves of up to twice as many stay whole
 */
export function thin(x, y, parts) {
  if (y.length <= 2 * parts) return { x: Float64Array.from(x), y: Float64Array.from(y) };
  const keep = [];
  for (let part = 0; part < parts; part++) {
    const from = Math.floor((part * y.length) / parts);
    const to = Math.floor(((part + 1) * y.length) / parts);
    let low = from;
    let high = from;
    for (let k = from + 1; k < to; k++) {
      if (y[k] < y[low]) low = k;
      if (y[k] > y[high]) high = k;
    }
    keep.push(Math.min(low, high));
    if (low !== high) keep.push(Math.max(low, high));
  }
  return { x: Float64Array.from(keep, (k) => x[k]), y: Float64Array.from(keep, (k) => y[k]) };
}
