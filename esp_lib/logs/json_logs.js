// Logs in JSON: the twin of json_logs.py.

import { relevantNames, roleOf } from "./columns.js";
import { LogError } from "./formats.js";
import { MAX_COLUMNS, columnOf, countOf, makeTable, toNumber, toNumbers } from "./table.js";

export const MAX_VALUES = 5_000_000; // of a JSON document: bounds the memory that it takes
const MAX_DEPTH = 500; // of nesting
const MAX_KEYS = 100_000; // of one dictionary
const DEPTH = 3; // of dictionaries in which values are looked for

export const isDictionary = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Where the string that begins at a quotation mark ends; the end of the text if it does not. */
function endOfString(text, begin) {
  for (let end = text.indexOf('"', begin + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let back = end;
    while (text[back - 1] === "\\") back -= 1;
    if ((end - back) % 2 === 0) return end;
  }
  return text.length;
}

/**
 * A JSON text whose bare words NaN, Infinity and -Infinity, which Python writes, are numbers that
 * are too large to be finite.
 */
function withoutBareWords(text) {
  const parts = [];
  const find = /"|NaN|-?Infinity/g;
  let done = 0;
  while (find.test(text)) {
    const after = find.lastIndex;
    if (text[after - 1] === '"') {
      find.lastIndex = endOfString(text, after - 1) + 1;
      continue;
    }
    const word = text[after - 1] === "N" ? 3 : text[after - 9] === "-" ? 9 : 8;
    parts.push(text.slice(done, after - word), " 1e999 ");
    done = after;
  }
  return parts.join("") + text.slice(done);
}

/** LogError if a text is nested too deeply, or has more keys in one place than a browser bears. */
function checkShape(text) {
  const keys = [-Infinity]; // for every bracket that is open: how many commas, if it is a brace
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at);
    } else if (code === 0x7b || code === 0x5b) { // { [
      keys.push(code === 0x7b ? 0 : -Infinity);
      if (keys.length - 1 > MAX_DEPTH) {
        throw new LogError("deep");
      }
    } else if ((code === 0x7d || code === 0x5d) && keys.length > 1) { // } ]
      keys.pop();
    } else if (code === 0x2c) {
      keys[keys.length - 1] += 1;
      if (keys[keys.length - 1] > MAX_KEYS) {
        throw new LogError("many keys", { most: MAX_KEYS });
      }
    }
  }
}

function parseJson(text) {
  checkShape(text);
  const bare = text.includes("NaN") || text.includes("Infinity");
  return JSON.parse(bare ? withoutBareWords(text) : text);
}

/** A JSON document; LogError if it is none, too deep or too large. */
export function loadJson(text) {
  let count = 0;
  for (const mark of ",{[") count += countOf(text, mark, MAX_VALUES);
  if (count > MAX_VALUES) throw new LogError("many values", { most: MAX_VALUES });
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof LogError) throw error;
    throw new LogError("cut off", { why: error.message });
  }
}

const ownValue = (row, name) => (Object.hasOwn(row, name) ? row[name] : undefined);

/** Whether a document is a Jupyter notebook. */
export const isNotebook = (data) =>
  isDictionary(data) && Array.isArray(ownValue(data, "cells")) && Object.hasOwn(data, "nbformat");

const joinedText = (text) =>
  (Array.isArray(text) ? text : [text]).filter((line) => typeof line === "string").join("");

/** What the cells of a notebook printed; tables that were shown become lines with tabs. */
export function printedBy(notebook) {
  const parts = [];
  for (const cell of notebook.cells) {
    const outputs = isDictionary(cell) ? ownValue(cell, "outputs") : null;
    for (const output of Array.isArray(outputs) ? outputs : []) {
      if (!isDictionary(output)) continue;
      const data = isDictionary(ownValue(output, "data")) ? output.data : {};
      const shown = joinedText(ownValue(data, "text/html"));
      if (shown.includes("<td")) {
        const lines = shown.replaceAll("\n", "").replace(/<\/t[dh]>/g, "\t").replaceAll("</tr>", "\n");
        parts.push(lines.replace(/<[^<>]*>/g, ""));
      } else {
        parts.push(joinedText(ownValue(output, "text")) || joinedText(ownValue(data, "text/plain")));
      }
    }
  }
  return parts.join("\n");
}

const longestOf = (all) => all.reduce((best, one) => (one.length > best.length ? one : best));

/** A document: a Trainer's state, a list of dictionaries, or a dictionary of lists. */
export function readDocument(document, wanted) {
  let data = document;
  if (isDictionary(data)) {
    if (Array.isArray(ownValue(data, "log_history"))) return readTrainerState(data, wanted);
    const lists = new Map(Object.entries(flat(data)).filter(([, value]) => Array.isArray(value)));
    const rows = [...lists.values()].filter((value) => isDictionary(value[0]));
    if (rows.length) {
      data = longestOf(rows);
    } else if (lists.size) {
      const losses = [...lists].filter(([name]) => roleOf(name) === "loss").map(([, list]) => list);
      const size = longestOf(losses.length ? losses : [...lists.values()]).length;
      const whole = [...lists.keys()].filter((name) => lists.get(name).length === size);
      const keep = relevantNames(whole, wanted);
      const columns = new Map(keep.map((name) => [name, columnOf(name, lists.get(name))]));
      return makeTable(columns, "JSON, a list for each column", [...lists.keys()]);
    } else {
      data = [data];
    }
  }
  if (!Array.isArray(data)) throw new LogError("no list");
  if (data.length && !data.some((row) => typeof row === "object" && row !== null)) {
    return makeTable(new Map([["loss", toNumbers(data)]]), "JSON, a list of losses", ["loss"]);
  }
  const isPoint = (row) => Array.isArray(row) && (row.length === 2 || row.length === 3);
  if (data.length && data.every(isPoint)) {
    const width = data.some((row) => row.length === 2) ? 2 : 3; // TensorBoard's: [wall time, step, value]
    const column = (i) => toNumbers(data.map((row) => row[i]));
    const columns = new Map([["step", column(width - 2)], ["loss", column(width - 1)]]);
    return makeTable(columns, "JSON, a list of points", ["step", "loss"]);
  }
  return readDictionaries(data.filter(isDictionary), "JSON", wanted);
}

/** One JSON object a line. Other lines, such as one cut off, are left out and counted. */
export function readJsonLines(lines, wanted) {
  const rows = [];
  let wrong = 0;
  let count = 0;
  for (const line of lines) {
    let row = null;
    try {
      row = parseJson(line);
    } catch {
      // counted below
    }
    if (isDictionary(row)) {
      rows.push(row);
      count += 1 + Object.keys(row).length;
    } else wrong += 1;
    if (count > MAX_VALUES) throw new LogError("many scalars", { most: MAX_VALUES });
  }
  const table = readDictionaries(rows, "JSON lines", wanted);
  if (wrong) table.notes.push(["no objects", { count: wrong }]);
  return table;
}

/** A Hugging Face `trainer_state.json`: `loss` is the mean since the entry before. */
function readTrainerState(state, wanted) {
  const isPoint = (row) => isDictionary(row) && !Object.hasOwn(row, "train_runtime");
  const rows = state.log_history.filter(isPoint);
  const table = readDictionaries(rows, "Hugging Face trainer_state.json", wanted);
  table.averaged = true;
  for (const names of [["global_step", "epoch"], ["max_steps", "num_train_epochs"]]) {
    const [steps, epochs] = names.map((name) => toNumber(ownValue(state, name)));
    if (epochs > 0 && epochs < Infinity && steps > 0 && steps < Infinity) {
      table.epochSteps = steps / epochs;
      break;
    }
  }
  return table;
}

/** A dictionary with those in it spread out, their names joined by /. */
function flat(row, before = "", depth = DEPTH) {
  const out = {};
  for (const [name, value] of Object.entries(row)) {
    if (isDictionary(value) && depth > 1) Object.assign(out, flat(value, `${before}${name}/`, depth - 1));
    else out[before + name] = value;
  }
  return out;
}

/** Dictionaries, which may have different keys. */
export function readDictionaries(dictionaries, source, wanted) {
  const nested = dictionaries.slice(0, 100).some((row) => Object.values(row).some(isDictionary));
  const rows = nested ? dictionaries.map((row) => flat(row)) : dictionaries;
  const names = new Set(); // in the order in which they appear
  for (const row of rows) {
    for (const name in row) names.add(name);
    if (names.size > MAX_COLUMNS) throw new LogError("many keys", { most: MAX_COLUMNS });
  }
  const columns = new Map();
  for (const name of relevantNames([...names], wanted)) {
    columns.set(name, columnOf(name, rows.map((row) => ownValue(row, name))));
  }
  return makeTable(columns, source, [...names]);
}
