// Reads a training log in the browser: the twin of esp_lib/logs/read.py.

import { formatComma, formatG, quoted } from "./format.js";
import {
  alikeNames, countCharacters, findName, isLonger, rankLoss, rankStep, roleOf,
} from "./columns.js";
import { countsFromZero, epochLength, joinEpochs, keepLast, middleGap } from "./epochs.js";
import { isEvents, readEvents } from "./tensorboard.js";
import { isDictionary, loadJson, readJson, readJsonLines } from "./json_logs.js";
import {
  LogError, asLines, findDelimiter, mapNumbers, readDelimited, stripBoth, stripStart,
} from "./table.js";
import { readPattern, readText } from "./text.js";

const MAX_BYTES = 256 * 2 ** 20;
const LARGEST_LOSS = 1e70; // a loss beyond it counts as diverged
const MAX_STEP = 2 ** 53; // larger steps are not whole numbers in double precision
const SHOWN_NAMES = 30;

const isNumberHere = (value) => !Number.isNaN(value);

/**
 * Reads the content of a log.
 *
 * @param {Uint8Array | string} data the file's bytes, or its text
 * @param {object} choices column and validationColumn: with the losses, found by name if null;
 *   pattern: for plain text, a regular expression of Python's with a group `loss`;
 *   logEvery: steps from one point to the next, for a log without steps
 * @returns {{steps: Float64Array, loss: Float64Array, epochs: Float64Array | null,
 *   validation: {steps: Float64Array, losses: Float64Array} | null,
 *   learningRate: Float64Array | null, stepsPerEpoch: number | null, stepsPerEpochError: number,
 *   interval: number, averaged: boolean, source: string, notes: string[]}} as `Log` in Python
 * @throws {LogError} if the data is no training log, or too large
 */
export function parseLog(
  data,
  { column = null, validationColumn = null, pattern = null, logEvery = 1 } = {},
) {
  if (!Number.isInteger(logEvery) || logEvery < 1) {
    throw new LogError(`log_every must be an integer of at least 1, got ${logEvery}`);
  }
  if (data.length > MAX_BYTES) {
    throw new LogError(`the log is larger than ${MAX_BYTES / 2 ** 20} MiB; thin it out`);
  }
  const wanted = [column, validationColumn].filter((name) => name !== null);
  try {
    const table = readTable(data, wanted, pattern);
    const columns = [...table.columns.values()];
    if (columns.length && columns.every((values) => values.length === 0)) {
      throw new LogError("the log has no rows");
    }
    return makeLog(table, column, validationColumn, logEvery);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // of strings and arrays, by the browser
    throw new LogError(`the log is too large to be read here (${error.message})`);
  }
}

function readTable(data, wanted, pattern) {
  if (typeof data !== "string" && isEvents(data)) return readEvents(data, wanted);
  const text = typeof data === "string" ? data : decodeText(data);
  const start = stripStart(text.slice(0, 100_000))[0];
  if (start === undefined) throw new LogError("the log is empty");
  if (pattern !== null) return readPattern(asLines(text), pattern);
  const stripped = stripBoth(text);
  const end = stripped.indexOf("\n");
  const first = end < 0 ? stripped : stripped.slice(0, end);
  if (start === "{" && end >= 0 && end + 1 < stripped.length && isObject(first)) {
    return readJsonLines(asLines(text), wanted);
  }
  if (start === "{" || start === "[") {
    try {
      return readJson(text, wanted);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      // text may begin so, too: [12:30:01] step 5, or {'loss': 2.1}
      if (['"', "{", "[", undefined].includes(stripStart(first.slice(1))[0])) throw error;
      try {
        return readText(asLines(text));
      } catch (other) {
        throw other instanceof LogError ? error : other;
      }
    }
  }
  const lines = asLines(text);
  const found = findDelimiter(lines);
  if (found !== null) {
    const { delimiter, names } = found;
    const known = names.some((name) => ["loss", "validation"].includes(roleOf(name)));
    const asked = wanted.some((want) => findName(names, want));
    if (!names.length || known || asked || delimiter !== " ") {
      return readDelimited(lines, delimiter, names, wanted);
    }
  }
  return readText(lines);
}

function isObject(line) {
  try {
    return !isLonger(line, 999_999) && isDictionary(loadJson(line));
  } catch (error) {
    if (error instanceof LogError) return false;
    throw error;
  }
}

function decodeText(data) {
  const begins = (...bytes) => bytes.every((byte, i) => data[i] === byte);
  if (begins(0x1f, 0x8b) || begins(0x50, 0x4b, 3, 4)) {
    throw new LogError("the log is compressed; unpack it first");
  }
  if (begins(0xff, 0xfe)) return new TextDecoder("utf-16le").decode(data);
  if (begins(0xfe, 0xff)) return new TextDecoder("utf-16be").decode(data);
  if (data.includes(0)) {
    throw new LogError("the log is a binary file, and not one of TensorBoard's event files");
  }
  return new TextDecoder().decode(data);
}

const listNames = (names) => names.slice(0, SHOWN_NAMES).map(quoted).join(", ") || "none";

function countWhere(values, test) {
  let count = 0;
  for (let i = 0; i < values.length; i += 1) if (test(values[i])) count += 1;
  return count;
}

/** The column of a kind: the one asked for, or the best name of those that are well filled. */
function pickColumn(table, kind, asked, notes) {
  const all = [...table.columns.keys()];
  if (asked !== null) {
    const name = findName(all, asked);
    if (name !== null) return name;
    throw new LogError(
      `there is no column ${quoted(asked)}; the columns are: ${listNames(table.names)}`,
    );
  }
  const filled = new Map();
  for (const [name, values] of table.columns) {
    if (roleOf(name) === kind) filled.set(name, countWhere(values, isNumberHere));
  }
  const enough = [...filled.values()].reduce((high, size) => Math.max(high, size), 0) / 10;
  const isFull = (name) => filled.get(name) > 0 && filled.get(name) >= enough;
  const names = [...filled.keys()].filter(isFull);
  if (!names.length) return null;
  const order = { loss: rankLoss, step: rankStep }[kind] ?? countCharacters;
  const better = (a, b) => order(a) - order(b) || filled.get(b) - filled.get(a);
  const best = names.reduce((one, other) => (better(other, one) < 0 ? other : one));
  if (kind === "loss" || kind === "validation") {
    notes.push(`the ${kind === "loss" ? "training" : kind} loss is the column ${quoted(best)}`);
    const alike = alikeNames(names, best);
    if (alike.length > 1) notes.push(`${alike.length} runs are in the log; this is one of them`);
  }
  return best;
}

function makeLog(table, column, validationColumn, logEvery) {
  const notes = [...table.notes];
  const lossName = pickColumn(table, "loss", column, notes);
  if (lossName === null) {
    throw new LogError(
      `no column reads as a training loss; name one of: ${listNames(table.names)}`,
    );
  }
  const loss = table.columns.get(lossName);
  const none = new Float64Array(loss.length).fill(NaN);
  const validName = pickColumn(table, "validation", validationColumn, notes);
  const valid = validName === null ? none : table.columns.get(validName);
  const usable = (kind) => {
    const name = pickColumn(table, kind, null, notes);
    const values = name === null ? none : table.columns.get(name);
    return values.map((value) => (Math.abs(value) <= MAX_STEP ? value : NaN));
  };
  const [rate, epoch] = [usable("rate"), usable("epoch")];
  let step = usable("step");
  const hasLoss = (row) => !Number.isNaN(loss[row]);
  const hasValid = (row) => !Number.isNaN(valid[row]);

  let rows = Array.from(none.keys());
  let knownLength = table.epochSteps;
  const losses = countWhere(rows, hasLoss);
  const withStep = countWhere(rows, (row) => hasLoss(row) && Number.isFinite(step[row]));
  if (withStep >= Math.max(1, losses / 2)) {
    const joined = joinEpochs(step, epoch, table.columns.get("of"));
    step = joined.step;
    knownLength = joined.length || knownLength;
    if (joined.length) {
      const length = formatG(joined.length);
      notes.push(`steps begin anew in every epoch, of ${length} steps: they were counted on`);
    }
    const worth = (row) => hasLoss(row) || hasValid(row) || Number.isFinite(epoch[row]);
    rows = rows.filter((row) => Number.isFinite(step[row]) && worth(row));
    const lost = losses - countWhere(rows, hasLoss);
    if (lost) notes.push(`losses without a step, which were left out: ${formatComma(lost)}`);
  } else {
    let done = 0;
    step = step.map((_, row) => {
      if (hasLoss(row)) done += 1;
      return done * logEvery;
    });
    rows = rows.filter((row) => hasLoss(row) || hasValid(row));
    notes.push(
      `the log has no steps: its points were taken to be ${logEvery} ` +
        `step${logEvery > 1 ? "s" : ""} apart`,
    );
  }
  const at = (values, where) => mapNumbers(where, (row) => values[row]);
  const kept = keepLast(at(step, rows), (i) => hasLoss(rows[i]), (i) => hasValid(rows[i]));
  const replaced = rows.filter((row, i) => !kept[i] && hasLoss(row)).length;
  if (replaced) {
    const count = formatComma(replaced);
    notes.push(`steps repeat, as after resuming; earlier points that were replaced: ${count}`);
  }
  rows = rows.filter((_, i) => kept[i]);
  let points = rows.filter(hasLoss);
  if (countsFromZero(at(step, points))) {
    step = step.map((value) => value + 1);
    notes.push("steps count from 0 in the log; here they count from 1");
  }

  const { length, error, shift } = epochLength(
    at(step, rows), at(epoch, rows), (i) => hasValid(rows[i]), knownLength,
  );
  step = step.map((value) => value + shift);
  const isFinal = (row) => Math.abs(loss[row]) <= LARGEST_LOSS;
  const diverged = points.length - countWhere(points, isFinal);
  if (diverged) {
    notes.push(`losses that are not finite and were left out: ${formatComma(diverged)}`);
  }
  points = points.filter((row) => isFinal(row) && step[row] >= 1);
  if (!points.length) throw new LogError(`the column ${quoted(lossName)} has no finite loss`);
  const evaluated = rows.filter((row) => Number.isFinite(valid[row]));
  const orNull = (values) => (values.some(Number.isFinite) ? values : null);
  const steps = at(step, points);
  return {
    steps,
    loss: at(loss, points),
    epochs: orNull(at(epoch, points)),
    validation: evaluated.length
      ? { steps: at(step, evaluated), losses: at(valid, evaluated) }
      : null,
    learningRate: orNull(at(rate, points)),
    stepsPerEpoch: length,
    stepsPerEpochError: error,
    interval: middleGap(steps, logEvery),
    averaged: table.averaged,
    source: table.source,
    notes: [`losses read: ${formatComma(points.length)} (${table.source})`, ...notes],
  };
}
