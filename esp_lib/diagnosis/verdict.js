// From evidence to a verdict and a cause, each with its reasons: the twin of verdict.py. What is
// said stands in wording.json; here are its keys and what fills it.

import { TOOTH_LEVEL } from "../sawtooth/measurement.js";
import { ALIKE, RUNNING } from "./signs/evidence.js";

const CLIMBS = 2; // standard errors beyond which the loss climbs, where it drops for certain
const SURE = 2.5; // standard errors beyond which a rise or a drop is excluded
const SMOOTHED = 0.65; // correlation from which a log that is too short counts as smoothed
const REPEATS = 0.25; // correlation of the noise of epochs from which their order is the same
const FEW_POINTS = 10; // an epoch, below which a running mean is not told from a staircase
const CLEAR = 0.5; // correlation of the noise of epochs that must be excluded to say: reshuffled
const STRICT = 0.003; // p-value below which a smoothed log has a drop
const CERTAIN = 0.001; // p-value of the drop on a falling loss, where a little bend goes a long way
const STEEP = 0.5; // a climb below this share of the drop makes a staircase
const NO_CLIMB = 2; // standard errors beyond which it must be below
const MOSTLY = 0.7; // of the boundaries must drop, where the length was estimated from their drops
const REGULAR = 3; // and so many errors the mean drop must be, as the drops differ from one another
const EVEN = 3; // and so much may the scatter early and late in epochs differ in a staircase
const AGAIN = 6; // errors from which noise comes again, the surest of thousands of lags
const WAVE = 0.25; // share of the drop by which the loss falls at both ends of an epoch in a wave
const WAVE_SURE = 4; // standard errors of it
const MEAN_FALL = 0.7; // a running mean of a falling loss falls as much within an epoch as it drops

/**
 * A judgement in the making: {reasons, found, share}; `tell` decides it, and adds headline, verdict,
 * cause and confidence.
 */
function createJudgement() {
  const j = { reasons: [], found: {}, share: [NaN, NaN] };
  j.tell = (headline, reasons, { verdict = "cannot tell", cause = null, likely = false } = {}) => {
    j.reasons.push(...reasons);
    const confidence = cause === null ? "none" : likely ? "likely" : "shown";
    return { ...j, headline: [headline, j.found], verdict, cause, confidence };
  };
  return j;
}

/** A judgement that there is no answer, for one reason. */
export const unable = (key, values = {}) => createJudgement().tell(key, [[key, values]]);

/**
 * Weighs the evidence.
 *
 * @param {object} e of `collectEvidence`
 * @param {number} searched epoch lengths that were tried, where the length was estimated
 * @param {boolean} averaged whether a point is known to be the mean since the point before
 * @param {object|null} again where the noise comes again, where the length was estimated
 * @returns {{verdict, cause, confidence, headline, reasons, share}}
 */
export function judge(e, searched, averaged, again) {
  const p = correctedP(e, searched);
  const j = createJudgement();
  const { repeat, pattern, correlation } = e;
  if (e.undone !== null) j.reasons.push(["taken apart", { ratio: Math.sqrt(e.undone.noiseRatio) }]);
  if (repeat.correlation > Math.max(REPEATS, 3.5 * repeat.error)) {
    const key = repeat.every === 1 ? "fixed order" : "fixed order in turns";
    const same = [key, { correlation: repeat.correlation }];
    return j.tell("fixed order", [same, ["no p-value", {}]], { verdict: "none", cause: "fixed order" });
  }
  if (isPattern(e, 6, 0.9) && (correlation < ALIKE || e.joined > 1)) {
    const shared = ["pattern", { fall: pattern.fall, climb: pattern.climb }];
    const found = { verdict: "none", cause: "periodic order" };
    return j.tell("periodic order", [shared, ["comes round", {}]], found);
  }
  if (e.boundaries < 2) {
    return j.tell("few boundaries", [["few boundaries", { boundaries: e.boundaries }]]);
  }
  if (e.joined === 0 && correlation > SMOOTHED) return j.tell("smoothed", [["smoothed", { correlation }]]);
  if (e.joined > 1) j.reasons.push(["joined", { correlation, joined: e.joined }]);
  j.found = {
    drop: e.tooth.drop,
    error: e.tooth.dropError,
    share: e.tooth.drops.reduce((sum, one) => sum + (one > 0), 0),
    boundaries: e.boundaries,
    large: e.largeDrops,
  };
  if (!(p < (e.joined === 1 ? TOOTH_LEVEL : STRICT))) return judgeNoDrop(e, p, j);
  if (again !== null && again.correlation > Math.max(REPEATS, AGAIN * again.error)) {
    return j.tell("comes again", [["comes again", { lag: again.steps, correlation: again.correlation }]]);
  }
  return judgeDrop(e, j, searched, averaged);
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
function judgeNoDrop(e, p, j) {
  const none = (cause, likely = false) => ({ verdict: "none", cause, likely });
  const seen = e.plain.pValue < TOOTH_LEVEL;
  if (e.undone !== null && seen) {
    return j.tell("running average", [["mean forgets", {}]], none("running average"));
  }
  if (e.jumps && !e.jumpsEverywhere && (e.jumpDrop > 5 || seen)) {
    return j.tell("learning rate", [["rate jumps", { jumps: e.jumps }]], none("learning-rate steps"));
  }
  if (e.apart) {
    const reasons = [pointsApart(e), ["no drop without", {}]];
    return j.tell("boundary artefact", reasons, none("boundary artefact"));
  }
  if (e.undone !== null) return j.tell("no drop", [], none("running average", true));
  const most = e.tooth.drop + SURE * e.tooth.dropError;
  const limits = { p, most, noise: e.noise };
  if (!(most < Math.max(e.noise, 0)) || !Number.isFinite(most)) {
    return j.tell("too short", [["too short", limits]]);
  }
  return j.tell("no drop", [["no drop", limits]], none(null));
}

/** There is a drop at the boundaries: is it there at most of them? */
function judgeDrop(e, j, searched, averaged) {
  if (e.largeDrops && !(e.restPValue < TOOTH_LEVEL)) {
    const found = { verdict: "none", cause: "learning-rate steps", likely: true };
    return j.tell("learning rate likely", [["large drops", j.found]], found);
  }
  if (searched > 1 && e.boundaries < 3) return j.tell("too few drops", [["too few drops", {}]]);
  if (!e.repeated) return j.tell("not everywhere", [["not everywhere", j.found]]);
  const few = j.found.share < MOSTLY * e.boundaries;
  if (searched > 1 && (few || !(e.regular > REGULAR))) return j.tell("irregular", [["irregular", j.found]]);
  j.reasons.push(["drops", j.found]);
  if (e.jumps && !e.jumpsEverywhere) j.reasons.push(["jumps left out", {}]);
  if (e.apart) j.reasons.push(pointsApart(e), ["drop without", {}]);
  return judgeClimb(e, j, searched, averaged);
}

/** A sawtooth climbs within the epoch, a staircase does not. */
function judgeClimb(e, j, searched, averaged) {
  const { tooth, settled } = e;
  const { drop } = tooth;
  const { size: fall, error: fallError } = e.wave;
  if (fall > Math.max(WAVE * drop, WAVE_SURE * fallError)) return j.tell("which cause", [["wave", { fall }]]);
  const sureness = ({ rise, riseError }) => (riseError > 0 ? rise / riseError : -Infinity);
  const best = sureness(settled) > sureness(tooth) ? settled : tooth;
  const exact = !(settled.riseError > 0);
  if (best.rise > CLIMBS * best.riseError || (exact && settled.rise > 1e-9 * Math.abs(drop))) {
    j.share = shareOf(best, tooth);
    j.reasons.push(["climbs", { rise: best.rise, error: best.riseError }]);
    if (e.jumpsEverywhere) j.reasons.push(["rate no climb", {}]);
    return judgeSawtooth(e, j, searched);
  }
  const { rise, riseError: error } = settled;
  j.share = shareOf(settled, tooth);
  const climb = { rise, error, fall: -rise };
  // at an estimated length a running mean does not show in the noise
  const most = searched > 1 && !averaged ? MEAN_FALL * drop : drop;
  if (rise < 0 && (-rise > most || !(tooth.pValue < CERTAIN))) {
    return j.tell("which", [[-rise > drop ? "falls more" : "falls", climb]]);
  }
  if (!(rise + NO_CLIMB * error < STEEP * drop || exact)) return j.tell("which", [["which", climb]]);
  if (isPattern(e, 4.5, 0.7)) return j.tell("which cause", [["also falls", { fall: e.pattern.fall }]]);
  if (e.jumpsEverywhere) {
    const found = { verdict: "none", cause: "learning-rate steps", likely: true };
    return j.tell("learning rate everywhere", [["rate and stairs", {}]], found);
  }
  const evenly = e.uneven > 1 / EVEN && e.uneven < EVEN;
  const uneven = e.uneven > RUNNING || (searched > 1 && !evenly);
  if (!averaged && (uneven || e.pointsPerEpoch < FEW_POINTS)) {
    return j.tell("which mean", [[uneven ? "uneven" : "few for stairs", {}]]);
  }
  const found = { verdict: "staircase", cause: "staircase" };
  return j.tell(everywhere(j), [["staircase", climb]], found);
}

/** The rise as a share of the drop, and its error. */
function shareOf({ rise, riseError }, { drop, dropError }) {
  const share = rise / drop;
  return [share, Math.hypot(riseError, share * dropError) / Math.abs(drop)];
}

const everywhere = ({ found }) =>
  found.share === found.boundaries ? "drops everywhere" : "drops mostly";

/** It drops and climbs: is it the order of the data after all? */
function judgeSawtooth(e, j, searched) {
  // an estimated length fits the drops, and so may make a tooth of a pattern that has none
  if (searched === 1 ? isPattern(e, 4.5, 0.7) : isPattern(e, 3.5, 0.6)) {
    return j.tell("which cause", [["also falls", { fall: e.pattern.fall }]]);
  }
  const { correlation, error } = e.repeat;
  const again = { correlation, error };
  if (correlation > Math.max(REPEATS, SURE * error)) return j.tell("which cause", [["order repeats", again]]);
  const known = correlation + 2 * error < CLEAR;
  const why = known ? ["reshuffled", again] : ["order unknown", {}];
  return j.tell(everywhere(j), [why], { verdict: "sawtooth", cause: "reshuffling", likely: !known });
}

/** What to say of the points that stand apart. */
function pointsApart({ edges }) {
  const first = Math.abs(edges.first) >= Math.abs(edges.last);
  return [first ? "apart first" : "apart last", { far: first ? edges.first : edges.last }];
}
