// One diagnosis in a worker, which may be ended at any time: a pattern of the reader's own can take
// for ever.
//
// In: { data: ArrayBuffer, read, stepsPerEpoch, words }. Out: { found } or { refused: sentence }.

import { diagnose } from "../../diagnosis/diagnosis.js";
import { asJson } from "../../diagnosis/as_json.js";
import { asText } from "../../diagnosis/report.js";
import { parseLog } from "../../logs/read.js";
import { thin } from "../front/thin.js";

const PARTS = 1000; // of the curve, two points each: more than a page has pixels

function answer({ data, read, stepsPerEpoch, words }) {
  const log = parseLog(new Uint8Array(data), read);
  const diagnosis = diagnose(log, stepsPerEpoch);
  return {
    diagnosis,
    curve: thin(log.steps, log.loss, PARTS),
    points: log.loss.length,
    interval: log.interval,
    source: log.source,
    notes: log.notes,
    text: asText(diagnosis, log, words),
    json: asJson(diagnosis, log, words),
  };
}

self.onmessage = ({ data }) => {
  try {
    self.postMessage({ found: answer(data) });
  } catch (error) {
    self.postMessage({ refused: error.message });
  }
};
