// Student's t: the probability of its tail, and the point beyond which a tail has a probability.
//
// P(T > t) is half the regularized incomplete beta function of n / (n + t^2) at (n/2, 1/2), here by
// its continued fraction (Abramowitz and Stegun 26.5.8 and 26.7.1). The beta function needs only the
// ratio of gamma functions half a step apart, which has a short series (DLMF 5.11.13).

const SHIFT = 20; // from here on the series has more digits than a number

/** gamma(a + 1/2) / gamma(a). */
function gammaRatio(a) {
  let factor = 1;
  let at = a;
  while (at < SHIFT) {
    factor *= at / (at + 0.5);
    at += 1;
  }
  const x = 1 / at;
  const series = [1, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144, 869 / 4194304,
    39325 / 33554432, -334477 / 2147483648, -28717403 / 17179869184];
  return factor * Math.sqrt(at) * series.reduceRight((sum, term) => sum * x + term, 0);
}

/**
 * The continued fraction of the incomplete beta function at x = 1 - y, evaluated from the front
 * (Lentz). Its terms are joined two by two: with very many degrees of freedom y is tiny, and a y
 * keeps the digits that a - a x loses.
 */
function betaFraction(a, b, x, y) {
  const above = (m) =>
    ((((a + m - 1) * (a + b + m - 1)) / (a + 2 * m - 1)) * m * (b - m) * x * x) / (a + 2 * m - 1);
  const below = (m) =>
    m +
    (m && (m * (b - m) * x) / (a + 2 * m - 1)) + // nothing at m = 0, also with a = 1
    ((a + m) * (a * y - b * x + 1 + m * (2 - x))) / (a + 2 * m + 1);
  const away = (value) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let fraction = away(below(0));
  let c = fraction;
  let d = 0;
  for (let m = 1; m < 100_000; m++) {
    d = 1 / away(below(m) + above(m) * d);
    c = away(below(m) + above(m) / c);
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return 1 / fraction;
}

/**
 * P(T > t), as `scipy.stats.t.sf`.
 *
 * @param {number} t where the tail begins
 * @param {number} freedom degrees of freedom, above 0, need not be whole
 */
export function tTail(t, freedom) {
  if (Number.isNaN(t) || !(freedom > 0)) return NaN;
  if (t < 0) return 1 - tTail(-t, freedom);
  if (t === 0) return 0.5;
  if (t === Infinity) return 0;
  const n = Math.min(freedom, 1e15); // from there on it is the normal distribution
  const a = n / 2;
  // q = t^2 / n, x = 1 / (1 + q), y = q / (1 + q); logarithms where t^2 would overflow
  const root = t / Math.sqrt(n);
  const q = root * root;
  const logX = root < 1e100 ? -Math.log1p(q) : -2 * Math.log(root);
  const x = 1 / (1 + q);
  const y = root < 1e100 ? q / (1 + q) : 1;
  const front = (Math.exp(a * logX) * Math.sqrt(y) * gammaRatio(a)) / Math.sqrt(Math.PI);
  if (x < (a + 1) / (a + 2.5)) return 0.5 * front * betaFraction(a, 0.5, x, y);
  return 0.5 - 0.5 * front * betaFraction(0.5, a, y, x);
}

/**
 * The t beyond which the tail has a probability, as `scipy.stats.t.isf`.
 *
 * @param {number} p above 0, below 1
 * @param {number} freedom degrees of freedom
 */
export function tPoint(p, freedom) {
  if (!(p > 0 && p < 1 && freedom > 0)) return NaN;
  if (p > 0.5) return -tPoint(1 - p, freedom);
  if (p === 0.5) return 0;
  let low = 1;
  while (low > 1e-300 && tTail(low, freedom) <= p) low /= 2;
  let high = 2 * low;
  while (high < Infinity && tTail(high, freedom) > p) high *= 2;
  for (let i = 0; i < 60 && high - low > 1e-16 * high; i++) {
    const middle = low + (high - low) / 2;
    if (tTail(middle, freedom) > p) low = middle;
    else high = middle;
  }
  return low + (high - low) / 2;
}
