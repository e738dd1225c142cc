// A diagnosis in words and as JSON: the twin of report.py.

import RATES from "./rates.json" with { type: "json" };
import { FRAME, LENGTHS, SOURCES, adviceFor, bugLine, hasSentence, sentence } from "./wording.js";

/** The first lines: does the loss drop at every epoch boundary, what is it, is it a bug? */
export function answerOf(d) {
  const { log } = d;
  const lines = [sentence("headlines", ...d.found)];
  if (hasSentence("what", d.verdict) && Number.isFinite(d.climbError)) {
    lines.push(sentence("what", d.verdict, { climb: 100 * d.climb, error: 100 * d.climbError }));
  }
  lines.push(bugLine(d.cause, d.verdict, d.causeConfidence === "likely"));
  const [number, count] = log.runs;
  if (count > 1) lines.push(sentence("frame", "one run", { number, count }));
  if (log.leftOut) lines.push(sentence("frame", "left out", { lost: log.leftOut, points: log.loss.length }));
  return lines;
}

const RATE = { none: ["denied", "present"], "cannot tell": ["missed", "teeth"] };

/** How often such an answer was wrong on labelled logs, with the epoch length known or not. */
export function howOftenWrong(d) {
  const known = ["argument", "log"].includes(d.stepsPerEpochSource) ? "known" : "estimated";
  const [hits, of] = (RATE[d.verdict] ?? ["alarms", "nothing"]).map((name) => RATES[known][name]);
  return sentence("wrong", d.verdict, { hits, of, share: (100 * hits) / of, length: LENGTHS[known] });
}

/** Why, in plain sentences. */
export const reasonsOf = (d) => d.why.map((reason) => sentence("reasons", ...reason));

/** What was measured; what the log does not give is left out. */
function numbersOf(d) {
  const [low, high] = d.amplitudeInterval;
  const source = SOURCES[d.stepsPerEpochSource] ?? "";
  const known = [
    ["p", d.pValue, { p: d.pValue }],
    ["amplitude", low, { amplitude: d.amplitude, low, high }],
    ["amplitude alone", Number.isFinite(low) ? NaN : d.amplitude, { amplitude: d.amplitude }],
    ["noise", d.noise, { noise: d.noise }],
    ["epochs", d.epochs, { epochs: d.epochs, length: d.stepsPerEpoch, source }],
    ["points", d.pointsPerEpoch, { points: d.pointsPerEpoch }],
    ["shape", d.shape === "none" ? NaN : 0, { shape: d.shape }],
  ];
  return known
    .filter(([, there]) => Number.isFinite(there))
    .map(([key, , values]) => sentence("numbers", key, values));
}

/** The sentence about overfitting, if there is anything to say: a list of one or none. */
export function overfitsOf(d) {
  if (d.overfitting !== "rises while training falls") return [];
  return [sentence("frame", "overfits", { step: d.bestValidationStep })];
}

/** Where a section of the book is, in words. */
export function sectionName(link) {
  const [page, anchor = ""] = link.split("#");
  const values = { chapter: Number.parseInt(page, 10), title: anchor.replaceAll("-", " ") };
  return sentence("frame", anchor ? "section of" : "section", values);
}

/** The diagnosis for people: the answer first. */
export function asText(d) {
  const numbers = numbersOf(d);
  const list = (items) => items.map((item) => `- ${item}`);
  const lines = [
    ...answerOf(d), howOftenWrong(d),
    ...(numbers.length ? ["", `${numbers.join("; ")}.`] : []),
    "", FRAME.do, ...list(adviceFor(d.cause).map(([what, link]) => `${what} (${sectionName(link)})`)),
    ...overfitsOf(d).flatMap((line) => ["", line]),
    "", FRAME.why, ...list(reasonsOf(d)),
    "", FRAME.log, ...list(d.log.notes),
  ];
  return `${lines.join("\n")}\n`;
}

const NAMES = [
  "verdict", "pValue", "amplitude", "amplitudeInterval", "drop", "rise", "climb", "climbError",
  "noise", "shape", "stepsPerEpoch", "stepsPerEpochSource", "stepsPerEpochConfidence", "epochs",
  "pointsPerEpoch", "cause", "causeConfidence", "overfitting", "bestValidationStep", "noiseRepeats",
  "correlation",
];

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The diagnosis as strict JSON, with Python's names: what is not finite is null. */
export function asJson(d) {
  const { log } = d;
  const values = Object.fromEntries(NAMES.map((name) => [snake(name), d[name]]));
  values.answer = answerOf(d);
  values.how_often_wrong = howOftenWrong(d);
  values.reasons = reasonsOf(d);
  values.advice = adviceFor(d.cause).map(([text, link]) => ({ text, link }));
  values.profile = { phase: Array.from(d.phase), loss: Array.from(d.profile) };
  values.log = {
    source: log.source, points: log.loss.length, left_out: log.leftOut, run: log.runs[0],
    runs: log.runs[1], notes: log.notes,
  };
  return `${JSON.stringify(values, null, 2)}\n`;
}
