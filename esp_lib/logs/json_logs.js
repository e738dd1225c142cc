// A log in JSON or JSON lines: the twin of the part for JSON of esp_lib/logs/table.py.

import { formatComma } from "./format.js";
import { relevantNames } from "./columns.js";
import {
  LogError, MAX_COLUMNS, countOf, makeTable, mapNumbers, toNumber, toNumbers,
} from "./table.js";

const MAX_VALUES = 20_000_000; // of a JSON document: bounds the memory that it takes
const MAX_DEPTH = 900; // of a JSON document, about that of Python
const MAX_KEYS = 100_000; // of one dictionary

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
      if (keys.length > MAX_DEPTH) {
        throw new LogError("the JSON is nested too deeply to be a training log");
      }
    } else if ((code === 0x7d || code === 0x5d) && keys.length > 1) { // } ]
      keys.pop();
    } else if (code === 0x2c) {
      keys[keys.length - 1] += 1;
      if (keys[keys.length - 1] > MAX_KEYS) {
        throw new LogError(`a dictionary of the JSON has more than ${formatComma(MAX_KEYS)} keys`);
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
  if (count > MAX_VALUES) {
    const most = formatComma(MAX_VALUES);
    throw new LogError(`the JSON holds more than ${most} values; write JSON lines instead`);
  }
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof LogError) throw error;
    throw new LogError(`not valid JSON, perhaps cut off: ${error.message}`);
  }
}

/** A document: `trainer_state.json`, a list of dictionaries, or a dictionary of lists. */
export function readJson(text, wanted) {
  let data = loadJson(text);
  if (isDictionary(data)) {
    if (Array.isArray(ownValue(data, "log_history"))) return readTrainerState(data, wanted);
    const lists = new Map(Object.entries(data).filter(([, value]) => Array.isArray(value)));
    const rows = [...lists.values()].filter((value) => isDictionary(value[0]));
    const longest = (all) => all.reduce((best, one) => (one.length > best.length ? one : best));
    if (rows.length) {
      data = longest(rows);
    } else if (lists.size) {
      const size = longest([...lists.values()]).length;
      const whole = [...lists.keys()].filter((name) => lists.get(name).length === size);
      const keep = relevantNames(whole, wanted);
      const columns = new Map(keep.map((name) => [name, toNumbers(lists.get(name))]));
      return makeTable(columns, "JSON, a list for each column", [...lists.keys()]);
    } else {
      data = [data];
    }
  }
  if (!Array.isArray(data)) {
    throw new LogError("the JSON is neither a list nor a dictionary of lists");
  }
  if (data.length && !data.some((row) => typeof row === "object" && row !== null)) {
    return makeTable(new Map([["loss", toNumbers(data)]]), "JSON, a list of losses", ["loss"]);
  }
  return readDictionaries(data.filter(isDictionary), "JSON", wanted);
}

/** One JSON object a line. Other lines, such as one cut off, are left out and counted. */
export function readJsonLines(lines, wanted) {
  const rows = [];
  let wrong = 0;
  for (const line of lines) {
    let row = null;
    try {
      row = parseJson(line);
    } catch {
      // counted below
    }
    if (isDictionary(row)) rows.push(row);
    else wrong += 1;
  }
  const table = readDictionaries(rows, "JSON lines", wanted);
  if (wrong) {
    const count = formatComma(wrong);
    table.notes.push(`lines that are not JSON objects and were left out: ${count}`);
  }
  return table;
}

/** A Hugging Face `trainer_state.json`: `loss` is the mean since the entry before. */
function readTrainerState(state, wanted) {
  const isPoint = (row) => isDictionary(row) && !Object.hasOwn(row, "train_runtime");
  const rows = state.log_history.filter(isPoint);
  const table = readDictionaries(rows, "Hugging Face trainer_state.json", wanted);
  table.averaged = true;
  const [steps, epochs] = ["max_steps", "num_train_epochs"].map((name) =>
    toNumber(ownValue(state, name)),
  );
  if (epochs > 0 && epochs < Infinity && steps > 0 && steps < Infinity) {
    table.epochSteps = steps / epochs;
  }
  return table;
}

const ownValue = (row, name) => (Object.hasOwn(row, name) ? row[name] : undefined);

/** Dictionaries, which may have different keys. */
function readDictionaries(rows, source, wanted) {
  const names = new Set(); // in the order in which they appear
  for (const row of rows) {
    for (const name in row) names.add(name);
    if (names.size > MAX_COLUMNS) {
      throw new LogError(`the log has more than ${formatComma(MAX_COLUMNS)} different keys`);
    }
  }
  const columns = new Map();
  for (const name of relevantNames([...names], wanted)) {
    columns.set(name, mapNumbers(rows, (row) => toNumber(ownValue(row, name))));
  }
  return makeTable(columns, source, [...names]);
}
