// Which column of a log is what, by its name: the twin of esp_lib/logs/columns.py.

const setOf = (text) => new Set(text.split(" "));

const VALIDATION_WORDS = setOf("val valid validation eval evaluation test dev heldout");
const PLAIN_WORDS = setOf("train training loss step batch minibatch iter running log");
const NOT_A_LOSS = setOf("scale scaler min max std weight grad norm time best");
const SMOOTHED_WORDS = setOf("epoch smooth smoothed ema avg average mean running");
const OTHER_LOSSES = setOf("nll ce cost objective value xent");
const STEP_NAMES = [
  "trainer global step", "train global step", "global step", "step", "steps", "iteration",
  "iterations", "iter", "it", "update", "updates", "num updates", "batch", "train step",
];
const EPOCH_NAMES = ["epoch", "epochs", "train epoch"];
const MOST_OF_A_ROLE = 40;

/** Whether a text has more characters than that; those outside the basic plane count as one. */
export const isLonger = (text, count) =>
  text.length > count && (text.length > 2 * count || countCharacters(text) > count);

/** Characters of a text as Python counts them. */
export function countCharacters(text) {
  let count = text.length;
  for (let at = 0; at + 1 < text.length; at += 1) {
    if (text.codePointAt(at) <= 0xffff) continue;
    count -= 1;
    at += 1;
  }
  return count;
}

/** The words of a column's name, in lower case, without the run's name. */
export function wordsOf(name) {
  const at = name.lastIndexOf(" - ");
  const own = at < 0 ? name : name.slice(at + 3);
  const apart = own.replace(/([a-z])(?=[A-Z])/g, "$1 ").toLowerCase();
  return apart.split(/[^a-z0-9]+/).filter(Boolean);
}

const sameWords = (a, b) => a.length === b.length && a.every((word, i) => word === b[i]);

/** What a column is: "step", "epoch", "rate", "loss" or "validation"; null for all others. */
export function roleOf(name) {
  if (name.endsWith("__MIN") || name.endsWith("__MAX") || isLonger(name, 300)) return null;
  const parts = wordsOf(name);
  const has = new Set(parts);
  const hasOne = (set) => parts.some((part) => set.has(part));
  const joined = parts.join(" ");
  if (STEP_NAMES.includes(joined)) return "step";
  if (EPOCH_NAMES.includes(joined)) return "epoch";
  if (has.has("lr") || (has.has("learning") && has.has("rate"))) return "rate";
  const first = parts.find((part) => part.endsWith("loss"));
  if (first !== undefined && !hasOne(NOT_A_LOSS)) {
    return hasOne(VALIDATION_WORDS) || VALIDATION_WORDS.has(first.slice(0, -4))
      ? "validation"
      : "loss";
  }
  if (hasOne(OTHER_LOSSES) && !hasOne(VALIDATION_WORDS) && !hasOne(NOT_A_LOSS)) return "loss";
  return null;
}

/** How likely a column of losses is the one of the training steps: 0 is best. */
export function rankLoss(name) {
  const parts = wordsOf(name);
  if (!parts.some((word) => word.endsWith("loss"))) return 4;
  if (parts.includes("epoch")) return 3;
  if (parts.every((word) => PLAIN_WORDS.has(word)) || parts.includes("total")) {
    return parts.some((word) => SMOOTHED_WORDS.has(word)) ? 1 : 0;
  }
  return 2;
}

/** How likely a column of steps counts the optimizer's steps: 0 is best. */
export const rankStep = (name) => STEP_NAMES.indexOf(wordsOf(name).join(" "));

/** The column that is meant by a name: exactly that one, else one with the same words, or null. */
export function findName(names, wanted) {
  if (names.includes(wanted)) return wanted;
  const words = wordsOf(wanted);
  if (!words.length) return null;
  return names.find((name) => sameWords(wordsOf(name), words)) ?? null;
}

/** The names among `names` that have the words of `name`. */
export function alikeNames(names, name) {
  const words = wordsOf(name);
  return names.filter((other) => sameWords(wordsOf(other), words));
}

/** The columns to read: those with a role, at most forty of one, and those asked for. */
export function relevantNames(names, wanted) {
  const asked = new Set(wanted.map((want) => findName(names, want)));
  const count = {};
  return [...new Set(names)].filter((name) => {
    const kind = roleOf(name);
    if (kind !== null) count[kind] = (count[kind] ?? 0) + 1;
    return asked.has(name) || (kind !== null && count[kind] <= MOST_OF_A_ROLE);
  });
}
