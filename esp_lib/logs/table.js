// A log as a table of numbers, and how it is read from a table in text: the twin of table.py.

import { isLonger, relevantNames, roleOf, wordsOf } from "./columns.js";
import { COLUMNS, LogError, firstCharacters } from "./formats.js";

const MAX_LINES = 5_000_000; // of a text file
const MAX_LINE = 1_000_000; // characters
const MAX_CELL = 131_072; // characters, as Python's csv module has it
const CHUNK = 8_192; // rows converted at a time
const ALL = 2 ** 32 - 1; // cells: no bound
export const MAX_COLUMNS = 10_000;

const THOUSANDS = /^[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?$/;
const KINDS = { ",": "CSV", "\t": "TSV", ";": "CSV with semicolons", " ": "table with spaces" };

/**
 * Columns of a log (Map of name to Float64Array) in the order of its rows.
 *
 * NaN: the row has no such value. Infinity: it has one that is not finite.
 */
export function makeTable(columns, source, names, notes = [], lost = 0) {
  return { columns, source, names, notes, lost, averaged: false, epochSteps: null };
}

// ------------------------------------------------------------------- white space as Python has it

/** White space, to be used inside a class of a regular expression. */
export const SPACES =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE_AT = new RegExp(`[${SPACES}]`);
const CELLS = new RegExp(`[^${SPACES}]+`, "g");

function isSpaceAt(text, at) {
  const code = text.charCodeAt(at);
  if (code < 0x80) return code === 32 || (code > 8 && code < 14) || (code > 27 && code < 32);
  return SPACE_AT.test(text[at]);
}

/** `text` without white space at its beginning. */
export function stripStart(text) {
  let at = 0;
  while (at < text.length && isSpaceAt(text, at)) at += 1;
  return text.slice(at);
}

/** `text` without white space at both ends. */
export function stripBoth(text) {
  let end = text.length;
  while (end > 0 && isSpaceAt(text, end - 1)) end -= 1;
  return stripStart(text.slice(0, end));
}

function isBlank(text) {
  for (let at = 0; at < text.length; at += 1) if (!isSpaceAt(text, at)) return false;
  return true;
}

/** How often a character is in a text; counting ends beyond `limit`. */
export function countOf(text, letter, limit = Infinity) {
  let count = 0;
  for (let at = text.indexOf(letter); at >= 0; at = text.indexOf(letter, at + 1)) {
    count += 1;
    if (count > limit) break;
  }
  return count;
}

/** The lines of a text without blank ones; LogError if there are too many. */
export function asLines(text) {
  const lines = text.split("\n").filter((line) => !isBlank(line));
  if (lines.length > MAX_LINES) throw new LogError("too many lines", { most: MAX_LINES });
  return lines;
}

// ----------------------------------------------------------------------- separated by a character

/**
 * How the columns of a table are set apart, and their names; null if it is no table.
 *
 * @returns {{delimiter: string, names: string[]} | null} " " for any white space; no names for a
 *   table without a header
 */
export function findDelimiter(lines) {
  let skip = 0;
  while (skip + 2 < lines.length && lines[skip][0] === "#" && lines[skip + 1][0] === "#") {
    skip += 1;
  }
  const first = lines[skip].replace(/^#+/, "").replace(/^ +/, "");
  const second = lines[skip + 1] ?? "";
  for (const delimiter of [first.includes(";") ? ";" : ",", ",", "\t", " "]) {
    const names = splitLine(stripBlanks(first), delimiter);
    const cells = splitLine(second || lines[skip], delimiter);
    if (names.some(isNumber)) {
      const all = names.every(isNumber) && cells.every(isNumber);
      const alike = cells.length === names.length && names.length <= 4;
      if (all && alike) return { delimiter, names: [] };
    } else if (
      second &&
      cells.some(isNumber) &&
      Math.abs(cells.length - names.length) <= (delimiter === " " ? 0 : 1) &&
      (names.length > 1 || delimiter === ",")
    ) {
      return { delimiter, names };
    }
  }
  return null;
}

/** `text` without spaces at its end; a regular expression could take quadratic time. */
function stripBlanks(text) {
  let end = text.length;
  while (end > 0 && text[end - 1] === " ") end -= 1;
  return text.slice(0, end);
}

/** The cells of one line; none of a line that is too long to be a row. */
export function splitLine(line, delimiter) {
  if (isLonger(line, MAX_LINE)) return [];
  if (delimiter === " ") return line.match(CELLS) ?? [];
  try {
    return readCsv([line], delimiter, ALL)[0].map(stripBoth);
  } catch (error) {
    if (error instanceof CellError) return [];
    throw error;
  }
}

const DIGITS = /^[\t-\r ]*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?[\t-\r ]*$/;
const NOT_FINITE = /^[\t-\r ]*[-+]?(?:nan|inf(?:inity)?)[\t-\r ]*$/i;

/** A cell as a number: NaN for none, infinity for one that is not finite. */
export function toNumber(cell) {
  let value = cell;
  if (typeof cell === "string") {
    const text = cell.includes(",") ? withoutCommas([cell])[0] : cell;
    if (DIGITS.test(text)) value = Number(text);
    else return NOT_FINITE.test(text) ? Infinity : NaN;
  } else if (typeof cell !== "number") {
    return NaN;
  }
  return Number.isFinite(value) ? value : Infinity;
}

/** Numbers with commas as JavaScript writes them: 19,900 is 19900, unless others are like 0,25. */
function withoutCommas(cells) {
  const isOdd = (cell) => typeof cell === "string" && cell.includes(",") && !THOUSANDS.test(stripBoth(cell));
  const other = cells.some(isOdd) ? "." : "";
  return cells.map((cell) => (typeof cell === "string" ? cell.replaceAll(",", other) : cell));
}

/** Whether a cell is a number, NaN included. */
export const isNumber = (cell) => !Number.isNaN(toNumber(cell));

/** A number for every item of a list; ten times as fast as Float64Array.from. */
export function mapNumbers(list, number) {
  const values = new Float64Array(list.length);
  for (let i = 0; i < values.length; i += 1) values[i] = number(list[i]);
  return values;
}

/** `toNumber` of every cell; a column has one kind of commas. */
export function toNumbers(cells) {
  const commas = cells.some((cell) => typeof cell === "string" && cell.includes(","));
  return mapNumbers(commas ? withoutCommas(cells) : cells, toNumber);
}

/** 1 where a cell names evaluation, 0 where it names something else. */
function toKinds(cells) {
  const isText = (cell) => typeof cell === "string" && cell !== "";
  const named = (cell) => wordsOf(firstCharacters(cell, 100)).some((word) => COLUMNS.validation.includes(word));
  return mapNumbers(cells, (cell) => (isText(cell) ? Number(named(cell)) : NaN));
}

/** The cells of a column as numbers. */
export const columnOf = (name, cells) =>
  roleOf(name) === "kind" ? toKinds(cells) : toNumbers(cells);

/** A table with a header, or of one to four columns without: loss; step, loss; and no more. */
export function readDelimited(lines, delimiter, header, wanted) {
  let names = header;
  if (names.length > MAX_COLUMNS) {
    throw new LogError("many columns", { count: names.length, most: MAX_COLUMNS });
  }
  let head = 1;
  if (names.length) {
    while (lines[head - 1][0] === "#" && lines[head][0] === "#") head += 1;
  } else {
    head = lines.findIndex((line) => line[0] !== "#");
    const width = splitLine(lines[head], delimiter).length;
    names = width === 1 ? ["loss"] : ["step", "loss", "column 3", "column 4"].slice(0, width);
  }
  const keep = relevantNames(names, wanted);
  const places = keep.map((name) => names.indexOf(name));
  const most = places.reduce((high, place) => Math.max(high, place + 1), 0);
  const cells = keep.map(() => []);
  for (let start = head; start < lines.length; start += CHUNK) {
    const rows = takeRows(lines.slice(start, start + CHUNK), delimiter, names.length, most);
    for (const row of rows) for (let i = 0; i < places.length; i += 1) cells[i].push(row[places[i]] ?? "");
  }
  const columns = new Map();
  let lost = 0;
  keep.forEach((name, i) => {
    const values = columnOf(name, cells[i]);
    columns.set(name, values);
    if (!name.toLowerCase().endsWith("loss")) return;
    for (let row = 0; row < values.length; row += 1) {
      if (!Number.isNaN(values[row])) continue;
      const cell = stripBoth(cells[i][row]);
      if (cell && cell !== name) lost += 1;
    }
  });
  const notes = lost ? [["no numbers", { count: lost }]] : [];
  return makeTable(columns, KINDS[delimiter], names, notes, lost);
}

/** The first `most` cells of every row. */
function takeRows(lines, delimiter, width, most) {
  if (delimiter === " ") return lines.map((line) => splitSpaces(line, most));
  // Python reads a table without quotes and gaps at once, and only others by its csv module.
  const whole = (line) => !line.includes('"') && countOf(line, delimiter, width) === width - 1;
  if (lines.some((line) => line.length > MAX_CELL) && lines.every(whole)) {
    return lines.map((line) => line.split(delimiter, most));
  }
  try {
    return readCsv(lines, delimiter, most);
  } catch (error) {
    throw error instanceof CellError ? new LogError("no table", { why: error.message }) : error;
  }
}

/** The first `most` words of a line. */
export function splitSpaces(line, most) {
  const cells = [];
  CELLS.lastIndex = 0;
  for (let match = CELLS.exec(line); match && cells.length < most; match = CELLS.exec(line)) {
    cells.push(match[0]);
  }
  return cells;
}

class CellError extends Error {}

function checkCell(cell) {
  if (isLonger(cell, MAX_CELL)) throw new CellError(`field larger than field limit (${MAX_CELL})`);
}

/**
 * The rows of a table as Python's csv module reads them from lines without line breaks: a quoted
 * cell may hold delimiters and doubled quotes, and goes on in the next line until it is closed.
 */
function readCsv(lines, delimiter, most) {
  const rows = [];
  let row = [];
  let open = null; // the quoted cell that is not yet closed
  const save = (cell) => {
    checkCell(cell);
    if (row.length < most) row.push(cell);
  };
  for (const line of lines) {
    let at = 0;
    if (open === null && !line.includes('"')) {
      if (line.length > MAX_CELL) line.split(delimiter).forEach(checkCell);
      rows.push(line ? line.split(delimiter, most) : []);
      continue;
    }
    while (at <= line.length) {
      let cell = "";
      if (open !== null || line[at] === '"') {
        if (open === null) at += 1;
        cell = open ?? "";
        open = null;
        let end = line.indexOf('"', at);
        while (end >= 0 && line[end + 1] === '"') {
          cell += line.slice(at, end + 1);
          if (cell.length > 2 * MAX_CELL) checkCell(cell);
          at = end + 2;
          end = line.indexOf('"', at);
        }
        cell += line.slice(at, end < 0 ? line.length : end);
        if (end < 0) {
          checkCell(cell);
          open = cell;
          break;
        }
        at = end + 1;
      }
      const next = line.indexOf(delimiter, at);
      const end = next < 0 ? line.length : next;
      save(cell + line.slice(at, end));
      at = end + 1;
    }
    if (open === null) {
      rows.push(row);
      row = [];
    }
  }
  if (open !== null) {
    save(open);
    rows.push(row);
  }
  return rows;
}
