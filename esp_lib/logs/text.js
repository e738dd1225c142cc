// Losses in plain text: the twin of text.py, which says what is understood and how.

import { roleOf } from "./columns.js";
import { LogError, TEXT, firstCharacters } from "./formats.js";
import { SPACES, countOf, isNumber, makeTable, splitSpaces, stripBoth, toNumber, toNumbers } from "./table.js";

const [NUMBER, EVALUATION, TRAINING] = ["number", "evaluation", "training"].map(
  (name) => new RegExp(TEXT[name], "i"),
);
const [ESCAPE, GLUED] = ["escape", "glued"].map((name) => new RegExp(TEXT[name], "g"));
const LOSSES = TEXT.loss.map((pattern) => new RegExp(pattern, "gi"));
const PROGRESS = new RegExp(TEXT.progress, "gi");
const [STEPS, EPOCHS, RATES] = ["step", "epoch", "rate"].map((name) =>
  TEXT[name].map((pattern) => new RegExp(pattern, "i")),
);
const [SHAPES, TOTALS, HEADERS] = ["shapes", "totals", "headers"].map((name) =>
  TEXT[name].map(([pattern, names]) => [new RegExp(pattern, "i"), names]),
);
const MAX_LINE = 4_000; // characters; the rest of a longer line is not looked at
const MAX_FORMS = 5_000; // forms of line; others are left out
const MAX_NAME = 30; // characters of a name in the header of a table
const NO_LOSS = new Set(["step", "epoch", "lr", "of", "total_steps", "total_epochs"]);

/** A text without colours and NULs, where what overwrites a line begins a new one. */
export function clean(text) {
  const plain = text.includes("\x1b") ? text.replace(ESCAPE, "") : text;
  const lines = plain.replaceAll("\0", "").replace(/[\r\b]/g, "\n");
  return lines.includes("%|") ? lines.replace(GLUED, "]\n") : lines; // progress bars in one line
}

/** Which number of a form is what, and of what the line speaks; null if not of training. */
export function understand(form) {
  const numbersBefore = (end) => countOf(form.slice(0, end), "#");
  const endOf = (match) => match.index + match[0].length;
  const found = new Map();
  const put = (name, i) => {
    if (!found.has(name)) found.set(name, i);
  };
  let at = form.length; // where the first loss begins
  for (const [pattern, names] of SHAPES) {
    const match = pattern.exec(form);
    if (!match) continue;
    const first = numbersBefore(match.index);
    names.forEach((name, i) => name && found.set(name, first + i));
    break;
  }
  for (const pattern of LOSSES) {
    for (const match of form.matchAll(pattern)) {
      const name = match[1].toLowerCase().replace(/[^a-z_/]+/g, "_").replace(/^[_/]+|[_/]+$/g, "");
      if (!["loss", "validation"].includes(roleOf(name))) continue;
      put(name, numbersBefore(endOf(match)) - 1);
      at = Math.min(at, match.index);
    }
  }
  for (const [name, patterns] of [["step", STEPS], ["epoch", EPOCHS], ["lr", RATES]]) {
    for (const pattern of patterns) {
      const match = pattern.exec(form);
      if (!match) continue;
      put(name, numbersBefore(endOf(match)) - 1);
      break;
    }
  }
  const bars = Array.from(form.matchAll(PROGRESS), (match) => numbersBefore(match.index));
  const bar = bars.find((i) => i !== found.get("epoch")); // not "Epoch 3/10"
  if (bar !== undefined && (found.get("step") ?? bar) === bar) found.set("step", bar).set("of", bar + 1);
  for (const [pattern, name] of TOTALS) {
    const match = pattern.exec(form);
    if (match) found.set(name, numbersBefore(endOf(match)) - 1);
  }
  const before = form.slice(0, at);
  const training = TRAINING.test(before);
  const evaluation = EVALUATION.test(before);
  if (!found.size && !training && !evaluation) return null;
  return {
    places: new Map(Array.from(found, ([name, i]) => [name, 2 * i + 1])),
    losses: [...found.keys()].some((name) => !NO_LOSS.has(name)),
    evaluation: evaluation && !training,
    training,
    progress: bars.length ? 2 * bars.at(-1) + 1 : 0,
  };
}

/** Rows of numbers as text, column by column; gaps are filled when the next value comes. */
function createRows() {
  const columns = new Map();
  let count = 0;
  return {
    put(name, cell) {
      if (!columns.has(name)) columns.set(name, []);
      const column = columns.get(name);
      while (column.length < count) column.push("");
      if (column.length === count) column.push(cell);
    },
    end: () => (count += 1),
    isBad: () => count === 0 || columns.size > 200,
    asTable() {
      const values = new Map();
      for (const [name, column] of columns) {
        while (column.length < count) column.push("");
        values.set(name, toNumbers(column));
      }
      const names = [...values.keys()].filter((name) => name === "lr" || roleOf(name) !== null);
      return makeTable(values, "text", names);
    },
  };
}

const AT_ENDS = new RegExp("^[ |]+|[ |]+$", "g");
const WIDE_GAP = / {2,}/;

/** The header that a line without numbers is, if any: it names a loss, and a step or epoch. */
function findHeader(line) {
  const special = HEADERS.find(([pattern]) => pattern.test(line))?.[1] ?? {};
  const own = stripBoth(line);
  const by = own.includes("\t") ? "\t" : countOf(line, "|", 1) > 1 ? "|" : " ";
  let cells = by === " " ? own.split(WIDE_GAP) : line.replace(AT_ENDS, "").split(by);
  if (cells.length < 2 && own.includes(" ")) cells = splitSpaces(line, Infinity);
  const names = cells.map(stripBoth).map((name) => (Object.hasOwn(special, name) ? special[name] : name));
  const kinds = names.map(roleOf);
  const has = (kind) => kinds.includes(kind);
  const short = names.every((name) => Array.from(name).length <= MAX_NAME);
  return has("loss") && (has("step") || has("epoch")) && short ? { names, by, kinds } : null;
}

/** Names and cells of a row of such a table; empty if the line is none. */
function readRow(line, { names, by, kinds }) {
  const cells = by === " " ? splitSpaces(line, Infinity) : line.replace(AT_ENDS, "").split(by);
  if (cells.length < names.length || (by !== " " && cells.length > names.length + 1)) return [];
  const pairs = [];
  for (let i = 0; i < names.length; i += 1) {
    const kind = kinds[i];
    if (!["step", "epoch", "loss", "validation", "rate"].includes(kind)) continue;
    const number = stripBoth(cells[i]).replace(/:+$/, "").split("/")[0]; // 3/100
    if (kind !== "validation" && !isNumber(number)) return [];
    pairs.push([kind === "step" || kind === "epoch" ? kind : names[i], number]);
  }
  return pairs;
}

/** Losses of lines in any of the forms that are understood; LogError if no line has one. */
export function readText(lines) {
  const forms = new Map();
  const rows = createRows();
  const totals = new Map();
  let header = null;
  let [epoch, bar, of] = ["", "", ""];
  let evaluating = false;
  let wrong = 0;
  for (const line of lines) {
    const head = firstCharacters(line, MAX_LINE);
    const parts = head.replaceAll("#", " ").split(NUMBER); // a form's # is a number
    if (parts.length === 1 && (line.toLowerCase().includes("loss") || line.includes("gpu_mem"))) {
      header = findHeader(head) ?? header;
    }
    let form = parts[0];
    for (let i = 2; i < parts.length; i += 2) form += `#${parts[i]}`;
    if (!forms.has(form)) {
      if (forms.size >= MAX_FORMS) {
        wrong += 1;
        continue;
      }
      forms.set(form, understand(form.replace(/[^\x00-\x7f]+/g, "*").replaceAll("\t", " ")));
    }
    const known = forms.get(form);
    const pairs = header && parts.length > 1 ? readRow(line, header) : [];
    if (pairs.length && !known?.losses) {
      if (known && known.progress > 1) {
        pairs.push(["step", parts[known.progress]], ["of", parts[known.progress + 2]]);
      }
      for (const [name, cell] of pairs) rows.put(name, cell);
      rows.end();
      continue;
    }
    if (known === null) continue;
    const { places } = known;
    if (places.has("epoch")) epoch = parts[places.get("epoch")];
    if (!known.losses) {
      for (const name of ["total_steps", "total_epochs"]) {
        if (places.has(name)) totals.set(name, parts[places.get(name)]);
      }
      if (known.evaluation || known.training || places.has("epoch")) evaluating = known.evaluation;
      else if (places.has("step") && !evaluating) bar = parts[places.get("step")];
      continue;
    }
    const total = places.has("of") ? parts[places.get("of")] : "";
    // after "Evaluation begins", steps out of another total are those of the evaluation
    const aside = known.evaluation || (evaluating && !known.training && total !== of);
    if (!aside) {
      of = total;
      evaluating = false;
    }
    for (const [name, i] of places) rows.put(name, parts[i]);
    if (epoch && !places.has("epoch")) rows.put("epoch", epoch);
    rows.put("mode", aside ? "1" : "0");
    if (bar) rows.put("bar", bar);
    rows.end();
  }
  if (rows.isBad()) throw new LogError("no text");
  const table = rows.asTable();
  if (totals.size === 2) {
    const [steps, epochs] = ["total_steps", "total_epochs"].map((name) => toNumber(totals.get(name)));
    table.epochSteps = epochs > 0 && steps > 0 ? steps / epochs : null;
  }
  if (wrong) table.notes.push(["many forms", { count: wrong, most: MAX_FORMS }]);
  return table;
}

/**
 * Losses of the lines that match a regular expression.
 *
 * Its named groups are the columns: loss, and perhaps step, epoch, lr and val_loss. Without names,
 * one group is the loss; two are step and loss. Python's (?P<loss> is understood as (?<loss>.
 */
export function readPattern(lines, pattern) {
  let expression;
  try {
    expression = new RegExp(pattern.replaceAll("(?P<", "(?<"));
  } catch (error) {
    throw new LogError("bad pattern", { why: error.message });
  }
  const empty = new RegExp(`${expression.source}|`).exec("");
  const unnamed = { 2: ["loss"], 3: ["step", "loss"] }[empty.length] ?? [];
  const names = empty.groups ? Object.keys(empty.groups) : unnamed;
  if (!names.includes("loss")) throw new LogError("no group", { got: pattern });
  const columns = names.map(() => []);
  for (const line of lines) {
    const match = expression.exec(firstCharacters(line, MAX_LINE));
    if (!match) continue;
    names.forEach((name, i) => columns[i].push((match.groups ? match.groups[name] : match[i + 1]) ?? ""));
  }
  if (!columns[0].length) throw new LogError("no match", { got: pattern });
  return makeTable(new Map(names.map((name, i) => [name, toNumbers(columns[i])])), "text", names);
}
