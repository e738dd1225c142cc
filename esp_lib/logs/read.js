// Reads a training log in the browser: the twin of read.py.

import { alikeNames, countCharacters, findName, rankLoss, rankStep, roleOf } from "./columns.js";
import { epochLength } from "./epochs.js";
import { LogError, MESSAGES, firstCharacters, listed, say } from "./formats.js";
import {
  isDictionary, isNotebook, loadJson, printedBy, readDocument, readJsonLines,
} from "./json_logs.js";
import { rint } from "../sawtooth/sums.js";
import { countsFromZero, gapOf, joinEpochs, keepLast, largestOf, runStarts } from "./runs.js";
import { asLines, findDelimiter, mapNumbers, readDelimited, stripStart } from "./table.js";
import { isEvents, readEvents } from "./binary/tensorboard.js";
import { clean, readPattern, readText } from "./text.js";
import { isRunFile, readRunFile } from "./binary/wandb.js";

const MAX_TEXT = 32 * 2 ** 20; // bytes
const MAX_BINARY = 256 * 2 ** 20;
const LARGEST_LOSS = 1e70; // a loss beyond it counts as diverged
const MAX_STEP = 2 ** 53; // larger steps are not whole numbers in double precision
const SOME = 100_000; // bytes by which a binary file is told
const ODD = 0.02; // share of characters that no text has from which a file is binary

const isNumberHere = (value) => !Number.isNaN(value);

/** The size, in bytes, up to which a file is read; by its first bytes. */
export const mostBytes = (data) => (isEvents(data) || isRunFile(data) ? MAX_BINARY : MAX_TEXT);

/** What is said of a file of more bytes than that. */
export const tooLarge = (most) => say(MESSAGES["too large"], { size: most / 2 ** 20 }, "page");

/**
 * Reads the content of a log.
 *
 * @param {Uint8Array | string} data the file's bytes, or its text
 * @param {object} choices column and validationColumn: with the losses, found by name if null;
 *   pattern: for plain text, a regular expression with a group `loss`; logEvery: steps from one
 *   point to the next, for a log without steps; run: which of several in the log, from 1, by
 *   default the longest
 * @returns {{steps: Float64Array, loss: Float64Array, epochs: Float64Array | null,
 *   validation: {steps: Float64Array, losses: Float64Array} | null,
 *   learningRate: Float64Array | null, stepsPerEpoch: number | null, stepsPerEpochError: number,
 *   interval: number, averaged: boolean, source: string, notes: string[], leftOut: number,
 *   runs: number[]}} as `Log` in Python
 * @throws {LogError} if the data is no training log, or too large
 */
export function parseLog(
  data,
  { column = null, validationColumn = null, pattern = null, logEvery = 1, run = null } = {},
) {
  const wanted = [column, validationColumn].filter((name) => name !== null);
  try {
    const table = readTable(data, wanted, pattern);
    const columns = [...table.columns.values()];
    if (columns.length && columns.every((values) => values.length === 0)) throw new LogError("no rows");
    return makeLog(table, column, validationColumn, logEvery, run);
  } catch (error) {
    if (error instanceof LogError) error.message = say(MESSAGES[error.key], error.values, "page");
    if (!(error instanceof RangeError)) throw error; // of strings and arrays, by the browser
    error.message = tooLarge(MAX_TEXT);
    throw error;
  }
}

function readTable(data, wanted, pattern) {
  if (typeof data !== "string") {
    if (isEvents(data)) return readEvents(data, wanted);
    if (isRunFile(data)) return readRunFile(data, wanted);
  }
  if (data.length > MAX_TEXT) throw new LogError("too large", { size: MAX_TEXT / 2 ** 20 });
  const text = clean(typeof data === "string" ? data : decodeText(data));
  const start = stripStart(text.slice(0, SOME))[0];
  if (start === undefined) throw new LogError("empty");
  if (pattern !== null) return readPattern(asLines(text), pattern);
  let refused = null;
  if (start === "{" || start === "[") {
    let document;
    try {
      document = loadJson(text);
    } catch (error) {
      if (!(error instanceof LogError) || ["deep", "many values", "many keys"].includes(error.key)) throw error;
      // text may begin so, too: [12:30:01] step 5, or {'loss': 2.1}
      const next = stripStart(stripStart(text).slice(1))[0];
      refused = ['"', "{", "[", undefined].includes(next) ? error : null;
    }
    if (document !== undefined) {
      return isNotebook(document)
        ? readText(asLines(clean(printedBy(document))))
        : readDocument(document, wanted);
    }
  }
  const lines = asLines(text);
  const first = lines.slice(0, 10);
  if (start === "{" && first.filter(isObject).length > first.length / 2) {
    return readJsonLines(lines, wanted);
  }
  if (refused !== null) throw refused;
  let table = null;
  const found = findDelimiter(lines);
  if (found !== null) {
    const { delimiter, names } = found;
    const known = names.some((name) => ["loss", "validation"].includes(roleOf(name)));
    const asked = wanted.some((want) => findName(names, want));
    if (!names.length || known || asked) return readDelimited(lines, delimiter, names, wanted);
    if (delimiter !== " ") table = readDelimited(lines, delimiter, names, wanted);
  }
  try {
    return readText(lines);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    if (table !== null && table.names.length) return table; // what is missing is said of its columns
    throw error;
  }
}

function isObject(line) {
  try {
    return line.length < 1_000_000 && isDictionary(loadJson(line));
  } catch (error) {
    if (error instanceof LogError) return false;
    throw error;
  }
}

const isControl = (byte) => byte < 32 && byte > 0 && !(byte >= 8 && byte <= 13) && byte !== 27;

function decodeText(data) {
  const begins = (...bytes) => bytes.every((byte, i) => data[i] === byte);
  if (begins(0x1f, 0x8b) || begins(0x50, 0x4b, 3, 4)) throw new LogError("compressed");
  if (begins(0xff, 0xfe)) return new TextDecoder("utf-16le").decode(data);
  if (begins(0xfe, 0xff)) return new TextDecoder("utf-16be").decode(data);
  const some = data.subarray(0, SOME);
  const [odd, zeros] = [isControl, (byte) => byte === 0].map((test) => countWhere(some, test));
  if (odd > ODD * some.length || zeros > 0.5 * some.length) throw new LogError("binary");
  if (zeros > 0.3 * some.length) { // UTF-16 without its mark
    return new TextDecoder(some[1] === 0 ? "utf-16le" : "utf-16be").decode(data);
  }
  return new TextDecoder().decode(data);
}

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
    throw new LogError("missing column", { name: asked, names: listed(table.names) });
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
    notes.push([`${kind === "loss" ? "training" : kind} column`, { name: best }]);
    const count = alikeNames(names, best).length;
    if (count > 1) notes.push(["alike", { count, name: best }]);
  }
  return best;
}

function makeLog(table, column, validationColumn, logEvery, run) {
  const notes = [...table.notes];
  const lossName = pickColumn(table, "loss", column, notes);
  if (lossName === null) throw new LogError("no column", { names: listed(table.names) });
  const size = table.columns.get(lossName).length;
  const none = new Float64Array(size).fill(NaN);
  const copyOf = (name) => (name === null ? none : table.columns.get(name)).slice();
  let loss = copyOf(lossName);
  let valid = copyOf(pickColumn(table, "validation", validationColumn, notes));
  const usable = (kind) => copyOf(pickColumn(table, kind, null, notes))
    .map((value) => (Math.abs(value) <= MAX_STEP ? value : NaN));
  let [rate, epoch, step] = ["rate", "epoch", "step"].map(usable);
  // steps that differ by less are the same
  step = step.map((value) => (Math.abs(value) < 1e6 ? rint(value * 1e6) / 1e6 : value));
  let evaluated = copyOf(pickColumn(table, "kind", null, notes)).map((value) => Number(value === 1));
  let [of, bar] = ["of", "bar"].map((name) => table.columns.get(name) ?? null);
  const all = Array.from(none.keys());
  const isTraining = (row) => !Number.isNaN(loss[row]) && !evaluated[row];
  if (evaluated.some(Boolean) && all.some(isTraining)) {
    let moved = 0;
    for (const row of all) {
      if (!evaluated[row]) continue;
      if (!Number.isNaN(loss[row])) {
        moved += 1;
        if (Number.isNaN(valid[row])) valid[row] = loss[row];
        loss[row] = NaN;
      }
      step[row] = NaN;
      epoch[row] = NaN;
    }
    if (moved) notes.push(["evaluation", { count: moved }]);
  } else {
    evaluated.fill(0);
  }

  // the points of one run
  let points = all.filter((row) => !Number.isNaN(loss[row]));
  const at = (values, where) => mapNumbers(where, (row) => values[row]);
  const finiteLoss = mapNumbers(points, (row) => (Number.isFinite(loss[row]) ? loss[row] : NaN));
  const starts = runStarts(at(step, points), at(epoch, points), finiteLoss);
  const sizes = starts.map((start, k) => (starts[k + 1] ?? points.length) - start);
  const number = run === null ? sizes.indexOf(largestOf(sizes)) : run - 1;
  if (number >= sizes.length) throw new LogError("no run", { count: sizes.length, got: run });
  if (sizes.length > 1) {
    const key = run === null ? "longest run" : "chosen run";
    notes.push([key, { count: sizes.length, number: number + 1 }]);
  }
  const edge = (start) => edgeOf(step, points[start - 1], points[start]);
  const edges = [0, ...starts.slice(1).map(edge), size];
  const cut = (values) => values?.subarray(edges[number], edges[number + 1]) ?? null;
  [loss, valid, rate, epoch, step, evaluated, of, bar] =
    [loss, valid, rate, epoch, step, evaluated, of, bar].map(cut);

  const hasLoss = (row) => !Number.isNaN(loss[row]);
  const hasValid = (row) => !Number.isNaN(valid[row]);
  let rows = Array.from(loss.keys());
  const found = findSteps(step, epoch, of, bar, rows.filter(hasLoss), table.epochSteps);
  notes.push(...found.notes);
  let knownLength = found.length;
  if (found.step === null) {
    let done = 0;
    step = step.map((_, row) => {
      if (hasLoss(row)) done += 1;
      return done * logEvery;
    });
    knownLength = null;
    notes.push(["no steps", { every: logEvery }]);
    rows = rows.filter((row) => hasLoss(row) || hasValid(row));
  } else {
    let last = found.step[0];
    step = found.step.map((value, row) => { // an evaluation belongs to the step before it
      if (Number.isFinite(value)) last = value;
      return evaluated[row] ? last : value;
    });
    const worth = (row) => hasLoss(row) || hasValid(row) || Number.isFinite(epoch[row]);
    rows = rows.filter((row) => Number.isFinite(step[row]) && worth(row));
  }
  const lost = countWhere(loss, isNumberHere) - rows.filter(hasLoss).length;
  if (lost) notes.push(["no step", { count: lost }]);
  const kept = keepLast(at(step, rows), (i) => hasLoss(rows[i]), (i) => hasValid(rows[i]));
  const gone = rows.filter((row, i) => !kept[i] && hasLoss(row));
  let again = 0; // of the same steps as others that are kept
  if (gone.length) {
    const left = new Set(rows.filter((row, i) => kept[i] && hasLoss(row)).map((row) => step[row]));
    again = gone.filter((row) => left.has(step[row])).length;
    const before = rows.filter(hasLoss);
    const back = before.some((row, i) => i > 0 && step[row] < step[before[i - 1]]);
    notes.push([back ? "replaced" : "repeated", { count: gone.length }]);
  }
  rows = rows.filter((_, i) => kept[i]);
  points = rows.filter(hasLoss);
  if (countsFromZero(at(step, points))) {
    step = step.map((value) => value + 1);
    notes.push(["from zero", {}]);
  }

  const { length, error, shift } = epochLength(
    at(step, rows), at(epoch, rows), (i) => hasValid(rows[i]), knownLength,
  );
  step = step.map((value) => value + shift);
  const isFinal = (row) => Math.abs(loss[row]) <= LARGEST_LOSS;
  const diverged = points.length - countWhere(points, isFinal);
  if (diverged) notes.push(["not finite", { count: diverged }]);
  points = points.filter((row) => isFinal(row) && step[row] >= 1);
  if (!points.length) throw new LogError("nothing finite", { name: firstCharacters(lossName, 60) });
  const validRows = rows.filter((row) => Number.isFinite(valid[row]));
  const orNull = (values) => (values.some(Number.isFinite) ? values : null);
  const steps = at(step, points);
  notes.unshift(["read", { count: points.length, source: table.source }]);
  return {
    steps,
    loss: at(loss, points),
    epochs: orNull(at(epoch, points)),
    validation: validRows.length ? { steps: at(step, validRows), losses: at(valid, validRows) } : null,
    learningRate: orNull(at(rate, points)),
    stepsPerEpoch: length,
    stepsPerEpochError: error,
    interval: gapOf(steps, logEvery),
    averaged: table.averaged,
    source: table.source,
    notes: notes.map(([key, values]) => say(MESSAGES[key], values, "page")),
    leftOut: lost + gone.length - again + diverged + table.lost,
    runs: [number + 1, sizes.length],
  };
}

/** Where rows without a loss, between the last point of a run and the first of the next, part. */
function edgeOf(step, last, first) {
  for (let row = last + 1; row < first; row += 1) if (step[row] < step[last]) return row;
  return first;
}

/** The step of each row, null where nothing tells: see Python's `_find_steps`. */
function findSteps(step, epoch, of, bar, points, known) {
  const enough = Math.max(1, points.length / 2);
  const here = (values) => points.map((row) => values[row]).filter(Number.isFinite);
  const fractions = here(epoch);
  if (here(step).length >= enough) {
    const joined = joinEpochs(step, epoch, of);
    const notes = joined.length ? [["begin anew", { length: joined.length }]] : [];
    return { step: joined.step, length: joined.length || known, notes };
  }
  if (known && fractions.length >= enough && !fractions.every(Number.isInteger)) {
    const steps = epoch.map((value) => rint(value * known));
    return { step: steps, length: known, notes: [["steps of epochs", { length: known }]] };
  }
  if (bar !== null && here(bar).length >= enough) {
    let rises = 0;
    for (let i = 1; i < points.length; i += 1) rises += bar[points[i]] > bar[points[i - 1]];
    if (rises / (points.length - 1) > 0.9) return { step: bar, length: known, notes: [["steps of bar", {}]] };
  }
  return { step: null, length: null, notes: [] };
}
