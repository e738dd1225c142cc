// From evidence to a verdict and a cause, each with its reasons in plain sentences: the twin of
// esp_lib/diagnosis/verdict.py, sentence by sentence.

import { ALIKE } from "./evidence.js";
import { formatFixed, formatG } from "../logs/format.js";
import { TOOTH_LEVEL } from "../sawtooth/measurement.js";

const CLIMBS = 2; // standard errors beyond which the loss climbs, where it drops for certain
const SURE = 2.5; // standard errors beyond which a rise or a drop is excluded
const SMOOTHED = 0.65; // correlation from which a log that is too short counts as smoothed
const REPEATS = 0.25; // correlation of the noise of epochs from which their order is the same
const FEW_POINTS = 10; // an epoch, below which a running mean is not told from a staircase
const CLEAR = 0.5; // correlation of the noise of epochs that must be excluded to say: reshuffled
const STRICT = 0.003; // p-value below which a smoothed log has a drop
const CERTAIN = 0.001; // p-value of the drop on a falling loss, where a little bend goes a long way
const STEEP = 0.5; // a climb below this share of the drop makes a staircase

const judgement = (verdict, cause, confidence, reasons) => ({ verdict, cause, confidence, reasons });

/** A judgement that there is no answer, for these reasons. */
export const cannotTell = (...reasons) => judgement("cannot tell", null, "none", reasons);

const none = (cause, confidence, ...reasons) => judgement("none", cause, confidence, reasons);

/**
 * Weighs the evidence.
 *
 * @param {object} e of `collectEvidence`
 * @param {number} searched epoch lengths that were tried, where the length was estimated
 * @returns {{verdict, cause, confidence, reasons}}
 */
export function judge(e, searched) {
  const p = correctedP(e, searched);
  const reasons = [];
  const { repeat, pattern } = e;
  if (e.undone !== null) {
    reasons.push(
      "The log shows a mean that begins anew in every epoch, as progress bars do: its noise " +
        `is ${formatFixed(Math.sqrt(e.undone.noiseRatio), 0)} times larger early in an epoch than ` +
        "late. It was taken apart into the loss of the steps before measuring.",
    );
  }
  if (repeat.correlation > Math.max(REPEATS, 3.5 * repeat.error)) {
    const when = repeat.every === 1 ? "in the next" : "in the next but one";
    const every = repeat.every === 1 ? "epoch." : "second epoch, or in a reversed one.";
    return none(
      "fixed order", "shown", ...reasons,
      `The noise of one epoch comes again ${when}, point by point (correlation ` +
        `${formatFixed(repeat.correlation, 2)}): the data come in the same order every ${every}`,
      "Drops at the boundary are then the order's own and no epochal sawtooth. The p-value " +
        "does not hold here: it takes the noise of epochs to be independent.",
    );
  }
  if (isPattern(e, 6, 0.9) && (e.correlation < ALIKE || e.joined > 1)) {
    return none(
      "periodic order", "shown", ...reasons,
      "All epochs share a pattern that is no tooth: within the epoch it falls by " +
        `${formatG(pattern.fall, 3)} and climbs by ${formatG(pattern.climb, 3)}.`,
      "Something about the data comes round with the epoch, such as sorted or grouped " +
        "samples, shards read in order, or a shuffle buffer that is too small.",
    );
  }
  if (e.boundaries < 2) {
    return cannotTell(
      ...reasons,
      `A drop could be measured at ${e.boundaries} boundar${e.boundaries === 1 ? "y" : "ies"}; ` +
        "only what repeats can be told from a single event. At least two are needed.",
    );
  }
  if (e.joined === 0 && e.correlation > SMOOTHED) {
    return cannotTell(
      ...reasons,
      "The log is smoothed: neighbouring points are alike (correlation " +
        `${formatFixed(e.correlation, 2)}), so an epoch has fewer than six points that say ` +
        "something new. Log the raw loss.",
    );
  }
  if (e.joined > 1) {
    reasons.push(
      `Neighbouring points are alike (correlation ${formatFixed(e.correlation, 2)}), as in a ` +
        `smoothed log; ${e.joined} were joined to one before measuring.`,
    );
  }
  if (!(p < (e.joined === 1 ? TOOTH_LEVEL : STRICT))) return judgeNoDrop(e, p, reasons);
  return judgeDrop(e, reasons, searched);
}

/** The p-value of the drop, corrected for the epoch lengths that were tried. */
export function correctedP(e, searched) {
  const p = e.tooth.pValue;
  return Number.isFinite(p) ? Math.min(1, p * Math.max(searched, 1)) : 1;
}

/** Whether epochs have in common that the loss falls within them, as no tooth does. */
function isPattern({ pattern, tooth }, sure, agreement) {
  const { fall, climb, error } = pattern;
  return (
    pattern.agreement > agreement &&
    fall > 0.2 * Math.max(climb, fall) &&
    fall > sure * error &&
    fall > tooth.noise / 4
  );
}

/** No drop is left: is there a cause for those that were seen, and could one be missed? */
function judgeNoDrop(e, p, reasons) {
  const seen = e.plain.pValue < TOOTH_LEVEL;
  if (e.undone !== null && seen) {
    return none(
      "running average", "shown", ...reasons,
      "The steps themselves have no drop at the boundaries: what drops is the mean, which " +
        "forgets the higher losses of the epoch before.",
    );
  }
  if (e.jumps && !e.jumpsEverywhere && (e.jumpDrop > 5 || seen)) {
    return none(
      "learning-rate steps", "shown", ...reasons,
      `The loss drops where the learning rate jumps (${e.jumps} times); at the other ` +
        "boundaries there is no drop.",
    );
  }
  if (e.apart) {
    return none(
      "boundary artefact", "shown", ...reasons,
      pointsApart(e), "Without these points there is no drop at the boundaries.",
    );
  }
  if (e.undone !== null) return none("running average", "likely", ...reasons);
  const { drop, dropError, noise } = e.tooth;
  const most = drop + SURE * dropError;
  if (!(most < Math.max(noise, 0)) || !Number.isFinite(most)) {
    return cannotTell(
      ...reasons,
      `No drop at the boundaries is certain (p = ${formatG(p, 2)}), but the log is too short or ` +
        `too coarse to exclude one: it could be as large as ${formatG(most, 3)}, more than the ` +
        `scatter of a point, ${formatG(noise, 3)}. Log more often, or more epochs.`,
    );
  }
  return none(
    null, "none", ...reasons,
    `The loss does not drop at the epoch boundaries (p = ${formatG(p, 2)}); a drop above ` +
      `${formatG(most, 3)} is excluded.`,
  );
}

/** There is a drop at the boundaries: does the loss climb before it? */
function judgeDrop(e, reasons, searched) {
  if (e.largeDrops && !(e.restPValue < TOOTH_LEVEL)) {
    return none(
      "learning-rate steps", "likely", ...reasons,
      `The loss drops at ${e.largeDrops} of ${e.boundaries} boundaries and not at the ` +
        "others, as it does when a schedule lowers the learning rate. The log does not have " +
        "the rate.",
    );
  }
  if (searched > 1 && e.boundaries < 3) {
    return cannotTell(
      ...reasons,
      "The loss drops twice, but with an epoch length that was estimated from these drops " +
        "that says little. Say how many steps an epoch has: --steps-per-epoch N.",
    );
  }
  if (!e.repeated) {
    return cannotTell(
      ...reasons,
      `The loss drops at some of the ${e.boundaries} boundaries and not at others. Lowering ` +
        "the learning rate does that, and so may chance; the log does not tell.",
    );
  }
  const { drop } = e.tooth;
  const share = e.tooth.drops.reduce((sum, one) => sum + (one > 0), 0);
  reasons.push(
    `The loss drops at the epoch boundaries by ${formatG(drop, 3)} ± ` +
      `${formatG(e.tooth.dropError, 2)} on average, at ${share} of ${e.boundaries} boundaries.`,
  );
  if (e.jumps && !e.jumpsEverywhere) {
    reasons.push("Epochs in which the learning rate jumps were left out.");
  }
  if (e.apart) reasons.push(`${pointsApart(e)} They were left out; the drop is there without them.`);
  return judgeClimb(e, drop, reasons, searched);
}

/** A sawtooth climbs within the epoch, a staircase does not. */
function judgeClimb(e, drop, reasons, searched) {
  const { rise, riseError: error } = e.settled;
  const sureness = (tooth) => (tooth.riseError > 0 ? tooth.rise / tooth.riseError : -Infinity);
  const best = sureness(e.settled) > sureness(e.tooth) ? e.settled : e.tooth;
  const exact = !(error > 0);
  if (best.rise > CLIMBS * best.riseError || (exact && rise > 1e-9 * Math.abs(drop))) {
    reasons.push(
      `Within an epoch it climbs, by ${formatG(best.rise, 3)} ± ${formatG(best.riseError, 2)}.`,
    );
    if (e.jumpsEverywhere) {
      reasons.push(
        "The learning rate jumps at most boundaries, which may be part of the drop, but " +
          "does not make the loss climb.",
      );
    }
    return judgeSawtooth(e, reasons, searched);
  }
  const climb = `${formatG(rise, 3)} ± ${formatG(error, 2)}`;
  if (rise < 0 && (-rise > drop || !(e.tooth.pValue < CERTAIN))) {
    return cannotTell(
      ...reasons,
      `But within an epoch it falls by more, ${formatG(-rise, 3)} ± ${formatG(error, 2)}: this ` +
        "may be a sawtooth on a loss that falls fast, or a staircase. More epochs would tell.",
    );
  }
  if (rise + SURE * error < STEEP * drop || exact) {
    if (e.jumpsEverywhere) {
      return none(
        "learning-rate steps", "likely", ...reasons,
        "Within an epoch it does not climb, and the learning rate jumps at most " +
          "boundaries: a staircase that the schedule may have made.",
      );
    }
    const few = e.pointsPerEpoch < FEW_POINTS;
    if (few) {
      reasons.push(
        "With so few points an epoch, a running mean that begins anew at the boundary " +
          "would look the same.",
      );
    }
    return none(
      "staircase", few ? "likely" : "shown", ...reasons,
      `Within an epoch it does not climb (rise ${climb}): a staircase. Each pass finds its ` +
        "samples better learnt than the pass before, as in fine-tuning for several epochs.",
    );
  }
  return cannotTell(
    ...reasons,
    `Whether it climbs within an epoch is not certain (rise ${climb}): a sawtooth on a falling ` +
      "loss and a staircase look alike here. More epochs would tell.",
  );
}

/** It drops and climbs: is it the order of the data after all? */
function judgeSawtooth(e, reasons, searched) {
  // an estimated length fits the drops, and so may make a tooth of a pattern that has none
  if (searched === 1 ? isPattern(e, 4.5, 0.7) : isPattern(e, 3, 0.6)) {
    return cannotTell(
      ...reasons,
      `But within epochs it also seems to fall, by ${formatG(e.pattern.fall, 2)}, as it would if ` +
        "the data came in an order that repeats. More epochs would tell.",
    );
  }
  const { correlation, error } = e.repeat;
  if (correlation > Math.max(REPEATS, SURE * error)) {
    return cannotTell(
      ...reasons,
      "But the noise of one epoch seems to come again in the next (correlation " +
        `${formatFixed(correlation, 2)} ± ${formatFixed(error, 2)}). Data in a fixed order make ` +
        "drops of their own. Log more often, or more epochs.",
    );
  }
  if (correlation + 2 * error < CLEAR) {
    reasons.push(
      "The noise of one epoch does not come again in the next (correlation " +
        `${formatFixed(correlation, 2)}), so the data are reshuffled: right after a boundary come ` +
        "samples that were seen a short while ago, at the end of an epoch those that have waited " +
        "longest.",
    );
    return judgement("sawtooth", "reshuffling", "shown", reasons);
  }
  reasons.push(
    "This is what re-exposure makes when the data are reshuffled every epoch. Whether they " +
      "are, the log is too coarse to show: too few points fall on the same steps of each epoch.",
  );
  return judgement("sawtooth", "reshuffling", "likely", reasons);
}

/** A sentence on the points that stand apart. */
function pointsApart({ edges }) {
  const first = Math.abs(edges.first) >= Math.abs(edges.last);
  const far = first ? edges.first : edges.last;
  return (
    `Single points at the ${first ? "start" : "end"} of epochs stand ` +
    `${far > 0 ? "above" : "below"} the rest by ${formatG(Math.abs(far), 3)}, as when evaluation ` +
    "or logging comes in at the boundary."
  );
}
