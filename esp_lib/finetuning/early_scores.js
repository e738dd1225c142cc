// Early scores against final ones: the twin of esp_lib/finetuning/early_scores.py.

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values) {
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[i] - values[j]);
  const out = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]] === values[order[from]]) to++;
    for (let k = from; k <= to; k++) out[order[k]] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return out;
}

/** Spearman's rank correlation; null where all of either are the same. */
export function rankCorrelation(a, b) {
  const [p, q] = [ranks(a), ranks(b)];
  const mean = (p.length + 1) / 2;
  let [pq, pp, qq] = [0, 0, 0];
  p.forEach((value, i) => {
    pq += (value - mean) * (q[i] - mean);
    pp += (value - mean) ** 2;
    qq += (q[i] - mean) ** 2;
  });
  return pp > 0 && qq > 0 ? pq / Math.sqrt(pp * qq) : null;
}

/** {early, final, kept, rho, line, bestKept, best} of a task's episodes at an evaluation, from 1. */
export function earlyAndFinal({ score, order, size, points }, point, p) {
  const at = (k) => Float64Array.from({ length: size }, (_, i) => score[i * points + k - 1]);
  const [early, final] = [at(point), at(points)];
  const kept = order.slice((point - 1) * size, (point - 1) * size + p);
  const largest = (rows) => rows.reduce((best, i) => Math.max(best, final[i]), -Infinity);
  const line = kept.reduce((least, i) => Math.min(least, early[i]), Infinity);
  return {
    early, final, kept, line, rho: rankCorrelation(early, final),
    bestKept: largest(kept), best: Math.max(...final),
  };
}
