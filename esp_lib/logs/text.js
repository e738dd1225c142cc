// Losses in plain text: the twin of esp_lib/logs/text.py, which says what is understood and how.

import { formatComma, quoted } from "./format.js";
import { isLonger } from "./columns.js";
import { compilePattern } from "./pattern.js";
import { LogError, countOf, makeTable, mapNumbers, toNumber, toNumbers } from "./table.js";

const NUMBER_AT =
  /(?<![A-Za-z0-9_.])([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan\b|inf\b))/i;
const LOSS_AT = new RegExp(
  "((?:(?:train(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|test|dev|lm|mlm|nll|total|batch|avg|" +
    "average|mean|running|smoothed)[ _/.:-]{1,2}|val)?loss(?:_step|_epoch)?)['\"]?[ :=|]{0,6}#",
  "gi",
);
const STEP_AT = /(?<![a-z])(?:step|iter(?:ation)?|batch|update)s?\)?['"]?[ :=|[(]{0,12}#/i;
const EPOCH_AT = /epoch(?:\([a-z]+\))?['"]?[ :=|[(]{0,12}#/i;
const RATE_AT = /(?<![a-z])(?:learning[ _]rate|lr)['"]?[ :=|]{0,6}#/i;
const PROGRESS_AT = /(?<![#.:/])# ?\/ ?#(?![/#])/g;
const MAX_LINE = 4_000; // characters; the rest of a longer line is not looked at
const MAX_FORMS = 5_000; // forms of line; others are left out
const NO_LOSS = new Set(["step", "epoch", "lr", "of"]);

/** The first characters of a line. */
function headOf(line) {
  if (!isLonger(line, MAX_LINE)) return line;
  return Array.from(line.slice(0, 2 * MAX_LINE)).slice(0, MAX_LINE).join("");
}

/**
 * Which number of a form is what: a Map of column to where its number stands in the line taken
 * apart; null if there is neither a loss nor an epoch.
 */
export function understand(form) {
  const numberAt = (end) => countOf(form.slice(0, end), "#") - 1;
  const found = new Map();
  for (const match of form.matchAll(LOSS_AT)) {
    const name = match[1].toLowerCase().replace(/[^a-z]+/g, "_");
    if (!found.has(name)) found.set(name, numberAt(match.index + match[0].length));
  }
  for (const [name, pattern] of [["step", STEP_AT], ["epoch", EPOCH_AT], ["lr", RATE_AT]]) {
    const match = pattern.exec(form);
    found.set(name, match && numberAt(match.index + match[0].length));
  }
  found.set("of", null);
  for (const match of form.matchAll(PROGRESS_AT)) {
    const i = countOf(form.slice(0, match.index), "#");
    if (i === found.get("epoch")) continue; // "Epoch 3/10"
    if (found.get("step") === null || found.get("step") === i) {
      found.set("step", i).set("of", i + 1);
    }
    break;
  }
  const places = new Map();
  for (const [name, i] of found) if (i !== null) places.set(name, 2 * i + 1);
  return places.has("epoch") || hasLoss(places) ? places : null;
}

function hasLoss(places) {
  for (const name of places.keys()) if (!NO_LOSS.has(name)) return true;
  return false;
}

/** Losses of lines in any of the forms that are understood; LogError if no line has one. */
export function readText(lines) {
  const forms = new Map();
  const columns = new Map(); // filled up to the last row that had a value
  let rows = 0;
  let wrong = 0;
  let epoch = "";
  const put = (name, cell) => {
    if (!columns.has(name)) columns.set(name, []);
    const column = columns.get(name);
    while (column.length < rows) column.push("");
    column.push(cell);
  };
  for (const line of lines) {
    // In a form, # stands for a number.
    const parts = headOf(line).replaceAll("#", " ").split(NUMBER_AT);
    let form = parts[0];
    for (let i = 2; i < parts.length; i += 2) form += `#${parts[i]}`;
    if (!forms.has(form)) {
      if (forms.size >= MAX_FORMS) {
        wrong += 1;
        continue;
      }
      forms.set(form, understand(form.replace(/[^\x00-\x7f]+/g, "*").replaceAll("\t", " ")));
    }
    const places = forms.get(form);
    if (places === null) continue;
    if (places.has("epoch")) epoch = parts[places.get("epoch")];
    if (!hasLoss(places)) continue;
    for (const [name, i] of places) put(name, parts[i]);
    if (epoch && !places.has("epoch")) put("epoch", epoch);
    rows += 1;
  }
  if (!rows || columns.size > 100) {
    throw new LogError(
      "no line reads as a loss, such as 'step 120 loss 3.21'; say what one looks like " +
        "with a pattern: --pattern 'it=(?P<step>[0-9]+) L=(?P<loss>[0-9.]+)'",
    );
  }
  const values = new Map();
  for (const [name, cells] of columns) {
    while (cells.length < rows) cells.push("");
    values.set(name, toNumbers(cells));
  }
  const names = [...values.keys()].filter((name) => name !== "of");
  const notes = [];
  if (wrong) {
    notes.push(
      `${formatComma(wrong)} lines were left out: the log has over ${formatComma(MAX_FORMS)} ` +
        "forms of line",
    );
  }
  return makeTable(values, "text", names, notes);
}

/**
 * Losses of the lines that match a regular expression, as Python writes them.
 *
 * Its named groups are the columns: loss, and perhaps step, epoch, lr and val_loss. Without names,
 * one group is the loss; two are step and loss.
 */
export function readPattern(lines, pattern) {
  const { expression, groups, count } = compilePattern(pattern);
  const unnamed = { 1: ["loss"], 2: ["step", "loss"] }[count] ?? [];
  const names = groups.size ? [...groups.keys()] : unnamed;
  if (!names.includes("loss")) {
    throw new LogError(
      "pattern must have a group for the loss, such as 'loss=(?P<loss>[0-9.]+)', " +
        `got ${quoted(pattern)}`,
    );
  }
  const places = names.map((name, i) => groups.get(name) ?? i + 1);
  const columns = names.map(() => []);
  for (const line of lines) {
    const match = expression.exec(headOf(line));
    if (match) places.forEach((place, i) => columns[i].push(toNumber(match[place] ?? "")));
  }
  if (!columns[0].length) throw new LogError(`pattern matches no line: ${quoted(pattern)}`);
  const values = new Map(names.map((name, i) => [name, mapNumbers(columns[i], Number)]));
  return makeTable(values, "text", names);
}
