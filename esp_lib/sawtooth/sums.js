// NumPy's sums, medians and rounding, to the last bit: so that what is decided by comparing numbers
// is decided alike on both sides.

const BLOCK = 128; // up to here NumPy sums in eight strands

/** As `numpy.sum` of `count` values from index `start`, `stride` apart. */
function pairwise(values, start, count, stride) {
  if (count < 8) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[start + i * stride];
    return sum;
  }
  if (count <= BLOCK) {
    const strands = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => values[start + i * stride]);
    const whole = count - (count % 8);
    for (let i = 8; i < whole; i++) strands[i % 8] += values[start + i * stride];
    const [a, b, c, d, e, f, g, h] = strands;
    let sum = a + b + (c + d) + (e + f + (g + h));
    for (let i = whole; i < count; i++) sum += values[start + i * stride];
    return sum;
  }
  let half = Math.floor(count / 2);
  half -= half % 8;
  return (
    pairwise(values, start, half, stride) +
    pairwise(values, start + half * stride, count - half, stride)
  );
}

/** Sum of an array. */
export const total = (values) => pairwise(values, 0, values.length, 1);

/** Mean of an array; NaN if it is empty. */
export const average = (values) => total(values) / values.length;

/** Mean square distance from the mean, times the number of values. */
export function squaresAbout(values) {
  const center = average(values);
  return total(values.map((value) => (value - center) ** 2));
}

/** Sum of f(0), ..., f(count - 1). */
export function totalOf(count, f) {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = f(i);
  return total(values);
}

/** Mean of the finite values; NaN if there is none. */
export function finiteMean(values) {
  return average(values.filter((value) => Number.isFinite(value)));
}

/** Median of the finite values; NaN if there is none. */
export function finiteMedian(values) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  if (sorted.length === 0) return NaN;
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}

/** The nearest whole number; from exactly between, the even one. */
export function rint(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** Index of the largest value, the first of equals. */
export function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Index of the first of increasing values that is not below `limit`. */
export function searchSorted(values, limit) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
