// Is the sawtooth in your run, and what makes it? From a training log to a diagnosis: the twin of
// esp_lib/diagnosis/diagnosis.py. The log is one of `parseLog`.

import { correctedP, judge, unable } from "./verdict.js";
import { collectEvidence } from "./signs/evidence.js";
import { LEVEL, findPeriod } from "./signs/period.js";
import { findOverfitting } from "./signs/overfitting.js";
import { comesAgain } from "./signs/repetition.js";
import { formatG } from "../logs/format.js";
import { tPoint } from "../sawtooth/student_t.js";

const LEAST_POINTS = 3; // an epoch

/**
 * Says whether the loss of a run has an epochal sawtooth, and what makes its drops.
 *
 * @param {object} log of `parseLog`
 * @param {number|null} stepsPerEpoch by default what the log says, else estimated
 * @returns {object} the fields of Python's `Diagnosis`, their names in camelCase
 * @throws {RangeError} `stepsPerEpoch` is not a finite number of at least 1
 */
export function diagnose(log, stepsPerEpoch = null) {
  const length = chooseLength(log, stepsPerEpoch);
  let evidence = null;
  let judged = refusal(log, length.steps, length.guess);
  if (judged === null) {
    evidence = collectEvidence(log.steps, log.loss, log.learningRate, length.steps, log.interval);
    const estimated = length.tries > 1;
    const again = estimated ? comesAgain(log.steps, log.loss, length.steps, log.interval) : null;
    judged = judge(evidence, length.tries, log.averaged, again);
  }
  judged.reasons.unshift(...length.reasons);
  return describeDiagnosis(log, judged, evidence, length);
}

/** Why nothing can be measured, if so; null if not. */
function refusal({ steps, loss, interval, leftOut }, length, guess = null) {
  const points = loss.length;
  const [first, last] = [steps[0], steps[points - 1]];
  if (leftOut > points) return unable("lost points", { lost: leftOut, points });
  if (Number.isNaN(length)) return unable("no length");
  if (guess !== null) return unable("guess", guess);
  if (length / interval < LEAST_POINTS) {
    return unable("few points", { points: length / interval, least: LEAST_POINTS });
  }
  if (last <= length) return unable("first epoch", { length });
  if (last - first > points * length) return unable("gaps", { points, epochs: (last - first) / length });
  return null;
}

/** Steps in an epoch: {steps, source, confidence, tries, reasons}. */
function chooseLength(log, asked) {
  const known = { tries: 1, confidence: 1, reasons: [] };
  if (asked !== null) {
    if (!(asked >= 1 && Number.isFinite(asked))) {
      const bounds = "must be finite and in [1, inf]";
      throw new RangeError(`steps_per_epoch ${bounds}, got ${formatG(asked)}`);
    }
    const reasons = [];
    if (log.stepsPerEpoch && Math.abs(asked / log.stepsPerEpoch - 1) > 0.02) {
      reasons.push(["asked otherwise", { length: asked, own: log.stepsPerEpoch }]);
    }
    return { ...known, steps: asked, source: "argument", reasons };
  }
  if (log.stepsPerEpoch !== null) {
    const confidence = Math.max(0, 1 - log.stepsPerEpochError / log.stepsPerEpoch);
    return { ...known, steps: log.stepsPerEpoch, source: "log", confidence };
  }
  const period = findPeriod(log.steps, log.loss, log.interval);
  if (!Number.isFinite(period.steps)) {
    return { ...known, steps: NaN, source: "unknown", confidence: 0 };
  }
  const { steps, error, tries, pValue } = period;
  const searched = { length: steps, error, tries };
  const found = { steps, confidence: 1 - pValue, tries };
  if (pValue < LEVEL) return { ...found, source: "estimated", reasons: [["estimated", searched]] };
  return { ...found, source: "guessed", reasons: [], guess: { ...searched, p: pValue } };
}

/** The 95 % interval of the amplitude; NaN where there is none. */
function amplitudeRange(tooth, boundaries) {
  let error = tooth.amplitudeError;
  let freedom = boundaries - 1;
  if (!Number.isFinite(error)) {
    error = tooth.dropError;
    freedom = 1_000_000;
  }
  if (!Number.isFinite(error) || freedom < 1) return [NaN, NaN];
  const reach = tPoint(0.025, freedom) * error;
  return [tooth.amplitude - reach, tooth.amplitude + reach];
}

function describeDiagnosis(log, judged, evidence, length) {
  const validation = findOverfitting(log.steps, log.loss, log.validation);
  const tooth = evidence?.tooth;
  const measured = {
    amplitude: tooth?.amplitude ?? NaN,
    amplitudeInterval: tooth ? amplitudeRange(tooth, evidence.boundaries) : [NaN, NaN],
    drop: tooth?.drop ?? NaN,
    rise: tooth?.rise ?? NaN,
    climb: judged.share[0],
    climbError: judged.share[1],
    noise: evidence?.noise ?? NaN,
    shape: tooth && judged.verdict === "sawtooth" ? tooth.shape : "none",
    phase: tooth?.phase ?? new Float64Array(0),
    profile: tooth?.profile ?? new Float64Array(0),
  };
  return {
    verdict: judged.verdict,
    pValue: evidence ? correctedP(evidence, length.tries) : NaN,
    ...measured,
    stepsPerEpoch: length.steps,
    stepsPerEpochSource: length.source,
    stepsPerEpochConfidence: length.confidence,
    epochs: log.steps[log.steps.length - 1] / length.steps,
    pointsPerEpoch: length.steps / log.interval,
    cause: judged.cause,
    causeConfidence: judged.confidence,
    overfitting: validation.verdict,
    bestValidationStep: validation.bestStep,
    noiseRepeats: evidence?.repeat.correlation ?? NaN,
    correlation: evidence?.correlation ?? NaN,
    found: judged.headline,
    why: judged.reasons,
    log,
  };
}
