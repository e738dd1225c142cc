// Recorded fine-tuning episodes as Python packs them (esp_lib/widgets/episodes.py).

import { integers, unpack } from "../packing.js";

/** A task from the data of the page. */
export function readTask({ label, metric, size, points, score, order }) {
  return { label, metric, size, points, score: unpack(score), order: integers(order) };
}
