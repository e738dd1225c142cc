// Tooth, drop, rise and amplitude, drawn on the last epochs of a curve.
//
// Drop and rise are those of straight lines through each epoch, and the amplitude is the last tenth
// of an epoch minus its first, as in esp_lib/sawtooth/measurement.py; here of single epochs, as drawn.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Start and end of the line through one epoch. */
function lineThrough(y) {
  const n = y.length;
  const level = mean(y);
  let top = 0;
  let bottom = 0;
  y.forEach((value, k) => {
    const phase = (k + 0.5) / n - 0.5;
    top += phase * value;
    bottom += phase * phase;
  });
  return { start: level - top / bottom / 2, end: level + top / bottom / 2 };
}

/**
 * Notes for the chart that shows the last three epochs.
 *
 * @param {Float64Array} loss of each step, finite
 * @param {number} perEpoch steps in an epoch
 * @param {[number, number]} axis the lowest and highest loss that are shown
 * @returns {Array} none where drop, rise or amplitude would be too small to be seen
 */
export function fourWords(loss, perEpoch, [low, high]) {
  const epochs = Math.floor(loss.length / perEpoch);
  const epoch = (k) => loss.subarray(k * perEpoch, (k + 1) * perEpoch);
  const before = lineThrough(epoch(epochs - 2));
  const after = lineThrough(epoch(epochs - 1));
  const edge = Math.max(1, Math.floor(perEpoch / 10));
  const first = mean(epoch(epochs - 1).subarray(0, edge));
  const last = mean(epoch(epochs - 1).subarray(perEpoch - edge));
  const seen = 0.1 * (high - low);
  if (!(Math.min(before.end - after.start, before.end - before.start, last - first) > seen)) return [];
  const x = epochs - 1; // the boundary between the last two epochs
  const top = high - 0.04 * (high - low);
  const hook = top - 0.05 * (high - low);
  const middle = (a, b) => (a + b) / 2;
  return [
    { line: [[x - 1.96, hook], [x - 1.96, top], [x - 1.04, top], [x - 1.04, hook]], text: "one tooth", at: [x - 1.5, top], dy: 17 },
    { line: [[x - 0.94, before.start], [x - 0.04, before.end]], text: "", at: [x, top] },
    { line: [[x - 0.94, before.start], [x - 0.94, before.end]], arrows: true, text: "rise", at: [x - 0.94, middle(before.start, before.end)], dx: 7, dy: -6, anchor: "start" },
    { line: [[x, before.end], [x, after.start]], arrows: true, text: "drop", at: [x, middle(before.end, after.start)], dx: 8, dy: -8, anchor: "start" },
    { line: [[x + 0.9, first], [x + 0.1, first]], text: "", at: [x, top] },
    { line: [[x + 0.9, first], [x + 0.9, last]], arrows: true, text: "amplitude", at: [x + 0.9, first], dy: 17, anchor: "end" },
  ];
}
