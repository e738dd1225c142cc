// One diagnosis in a worker, which may be ended at any time: a pattern of the reader's own can take
// for ever.
//
// In: { blob: Blob, read, stepsPerEpoch }. Out: { found } or { refused: sentence }.

import { diagnose } from "../../diagnosis/diagnosis.js";
import { answerOf, asJson, asText, howOftenWrong, overfitsOf, reasonsOf } from "../../diagnosis/report.js";
import { mostBytes, parseLog, tooLarge } from "../../logs/read.js";
import { thin } from "../front/thin.js";

const PARTS = 1000; // of the curve, two points each: more than a page has pixels

/** The bytes of a file, if there are not too many. */
async function bytesOf(blob) {
  const read = async (part) => new Uint8Array(await part.arrayBuffer());
  try {
    const most = mostBytes(await read(blob.slice(0, 64)));
    return blob.size > most ? { refused: tooLarge(most) } : { data: await read(blob) };
  } catch {
    return { refused: "the file has changed or moved since it was chosen; choose it again" };
  }
}

function answer(data, { read, stepsPerEpoch }) {
  const log = parseLog(data, read);
  const diagnosis = diagnose(log, stepsPerEpoch);
  return {
    answer: [...answerOf(diagnosis), howOftenWrong(diagnosis)],
    reasons: [...reasonsOf(diagnosis), ...overfitsOf(diagnosis)],
    curve: thin(log.steps, log.loss, PARTS),
    points: log.loss.length,
    interval: log.interval,
    source: log.source,
    notes: log.notes,
    text: asText(diagnosis),
    json: asJson(diagnosis),
    diagnosis: { ...diagnosis, log: null },
  };
}

self.onmessage = async ({ data: asked }) => {
  const { data, refused } = await bytesOf(asked.blob);
  try {
    self.postMessage(refused === undefined ? { found: answer(data, asked) } : { refused });
  } catch (error) {
    self.postMessage({ refused: error.message });
  }
};
