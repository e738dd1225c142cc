// What an explorer says about a curve, in the words of esp_lib/sawtooth/pattern.py.

/** Number of digits that a reader needs: 0.325 -> "0.33", 12.34 -> "12.3", 12345 -> "1.2e+4". */
export function short(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e4 || size < 1e-3)) return value.toExponential(1);
  return Number(value.toPrecision(size >= 1 ? 3 : 2)).toString();
}

const CLIMB = {
  linear: "in a nearly straight line",
  concave: "fast at first, then slower",
  convex: "slowly at first, then faster",
};

/** What a run does in its settled epochs, `from` to `to`; the answer of `settled` in sawtooth/pattern.js. */
export function describe({ pattern, tooth }, [from, to]) {
  const when = `once the loss has settled (epochs ${from} to ${to})`;
  if (pattern === "diverges") {
    return "The run diverges: its loss ends above twice that of the first epoch, or not finite.";
  }
  if (pattern === "none") {
    return `No tooth: ${when}, no drop at the epoch boundaries stands out from the noise.`;
  }
  const drop = `${when}, it drops by ${short(tooth.drop)} at each epoch boundary`;
  if (pattern === "staircase") return `Staircase: ${drop} and does not climb in between.`;
  return `Sawtooth: ${drop} and rises by ${short(tooth.rise)} in between, ${CLIMB[tooth.shape]}.`;
}
