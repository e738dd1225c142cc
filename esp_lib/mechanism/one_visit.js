// One coordinate after one visit: the twin of esp_lib/mechanism/one_visit.py.

/** Each step's length after one visit, in learning rates. */
export function pushes({ beta1, beta2, eps, gradient }, steps = 300) {
  return Float64Array.from({ length: steps }, (_, k) => {
    const root = Math.sqrt((1 - beta2) * beta2 ** k) * gradient;
    return ((1 - beta1) * beta1 ** k * gradient) / (root + eps);
  });
}
