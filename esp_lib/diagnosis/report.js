// A diagnosis in words: the twin of `as_text` in esp_lib/diagnosis/report.py. What is prose there
// (verdicts, advice) comes as data, from Python's `words`.

import { formatG } from "../logs/format.js";

/** What to do: pairs of a sentence and the section of the book that shows it. */
export const adviceFor = (diagnosis, words) => words.advice[String(diagnosis.cause)];

/** The verdict in one line, with its cause. */
export function verdictLine(d, words) {
  if (d.cause === null) return words.verdicts[d.verdict];
  const likely = d.causeConfidence === "shown" ? "" : " (likely)";
  return `${words.verdicts[d.verdict]} Cause: ${d.cause}${likely}.`;
}

/** The numbers of a diagnosis, each with its name. */
export function measuredNumbers(d) {
  const numbers = [];
  if (Number.isFinite(d.pValue)) numbers.push(`p = ${formatG(d.pValue, 2)}`);
  if (Number.isFinite(d.amplitude)) {
    const [low, high] = d.amplitudeInterval.map((end) => formatG(end, 3));
    const between = Number.isFinite(d.amplitudeInterval[0]) ? ` (95 %: ${low} to ${high})` : "";
    numbers.push(`amplitude ${formatG(d.amplitude, 3)}${between}`);
    numbers.push(`noise of a point ${formatG(d.noise, 3)}`);
  }
  if (Number.isFinite(d.stepsPerEpoch)) {
    const length = `${formatG(d.stepsPerEpoch)} steps (${d.stepsPerEpochSource})`;
    numbers.push(`${formatG(d.epochs, 3)} epochs of ${length}`);
    numbers.push(`${formatG(d.pointsPerEpoch, 3)} points an epoch`);
  }
  if (d.shape !== "none") numbers.push(`${d.shape} teeth`);
  return numbers;
}

/** The sentence about overfitting; null if there is nothing to say. */
export function overfittingLine(d, words) {
  if (d.overfitting !== "rises while training falls") return null;
  return words.overfitting.replace("{step:g}", formatG(d.bestValidationStep));
}

/**
 * The diagnosis for people: the verdict first.
 *
 * @param {object} diagnosis of `diagnose`
 * @param {object} log of `parseLog`
 * @param {{advice, verdicts, overfitting}} words of Python's `wording.words`
 */
export function asText(diagnosis, log, words) {
  const numbers = measuredNumbers(diagnosis);
  const overfits = overfittingLine(diagnosis, words);
  const lines = [
    verdictLine(diagnosis, words),
    ...(numbers.length ? [`${numbers.join("; ")}.`] : []),
    "", "Why:", ...diagnosis.reasons.map((reason) => `- ${reason}`),
    ...(overfits === null ? [] : ["", overfits]),
    "", "What to do:",
    ...adviceFor(diagnosis, words).map(([what, link]) => `- ${what} [book: ${link}]`),
    "", "The log:", ...log.notes.map((note) => `- ${note}`),
  ];
  return `${lines.join("\n")}\n`;
}
