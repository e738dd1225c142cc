// Which column of a log is what, by its name: the twin of columns.py.

import { COLUMNS } from "./formats.js";

const VALIDATION = new Set(COLUMNS.validation);
const SMOOTHED = new Set(COLUMNS.smoothed);
const WHOLE = new Set(COLUMNS.whole);
const PLAIN = new Set([...COLUMNS.plain, ...COLUMNS.whole, ...COLUMNS.smoothed]);
const NOT_A_LOSS = new Set(COLUMNS.not_a_loss);
const ROLES = new Map();
for (const [kind, names] of [
  ["step", COLUMNS.steps], ["epoch", COLUMNS.epochs], ["kind", COLUMNS.kind],
  ["total_steps", COLUMNS.total_steps], ["total_epochs", COLUMNS.total_epochs],
]) {
  for (const name of names) ROLES.set(name, kind);
}
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
const isLossWord = (word) => word.endsWith("loss") || word.endsWith("losses");

/** What a column is: a role as in Python; null for all others. */
export function roleOf(name) {
  if (name.endsWith("__MIN") || name.endsWith("__MAX") || isLonger(name, 300)) return null;
  const parts = wordsOf(name);
  const hasOne = (set) => parts.some((part) => set.has(part));
  const joined = parts.join(" ");
  if (ROLES.has(joined)) return ROLES.get(joined);
  if (parts.includes("lr") || (parts.includes("learning") && parts.includes("rate"))) return "rate";
  if (hasOne(NOT_A_LOSS)) return null;
  const first = parts.find(isLossWord);
  if (first !== undefined) {
    const prefix = first.replace(/es$/, "").replace(/loss$/, "");
    return hasOne(VALIDATION) || VALIDATION.has(prefix) ? "validation" : "loss";
  }
  const other = COLUMNS.other_losses.some((one) => ` ${joined} `.includes(` ${one} `));
  const isL = parts[0] === "l" && parts.length > 1;
  return (other || isL) && !hasOne(VALIDATION) ? "loss" : null;
}

/** How likely a column of losses is the one of the training steps: 0 is best. */
export function rankLoss(name) {
  const parts = wordsOf(name);
  const has = (set) => parts.some((word) => set.has(word));
  if (!parts.some(isLossWord) && !parts.includes("l")) return 5;
  if (parts.includes("epoch")) return 4;
  if (parts.every((word) => PLAIN.has(word))) return has(SMOOTHED) ? 2 : 0;
  return has(WHOLE) ? 1 : 3;
}

/** How likely a column of steps counts the optimizer's steps: 0 is best. */
export const rankStep = (name) =>
  name === "_step" ? COLUMNS.steps.length : COLUMNS.steps.indexOf(wordsOf(name).join(" "));

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
