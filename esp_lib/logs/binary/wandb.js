// History of a Weights & Biases run file: the twin of wandb.py, which describes the format and names
// its source.

import { LogError, listed } from "../formats.js";
import { MAX_VALUES, loadJson, readDictionaries } from "../json_logs.js";
import { BrokenRecord, fieldsOf, isBytes } from "./tensorboard.js";

const BLOCK = 32_768;
const HEADER = 7;
const MARK = [0x3a, 0x57, 0x26, 0x42]; // :W&B
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });

/** Whether these bytes are a run file of Weights & Biases. */
export const isRunFile = (data) => MARK.every((byte, i) => data[i] === byte);

/** The records of a LevelDB log; ends where the file is cut off. */
function* recordsOf(data) {
  let at = HEADER;
  let parts = [];
  while (at + HEADER <= data.length) {
    const left = BLOCK - (at % BLOCK);
    const size = data[at + 4] + 256 * data[at + 5];
    const kind = data[at + 6];
    if (left < HEADER || kind === 0) {
      at += left; // to the next block
      continue;
    }
    at += HEADER;
    parts.push(data.subarray(at, at + size));
    at += size;
    if (kind !== 1 && kind !== 4) continue;
    const record = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((begin, part) => {
      record.set(part, begin);
      return begin + part.length;
    }, 0);
    yield record;
    parts = [];
  }
}

/** The row that a record holds; null for one of another kind. */
function historyOf(record) {
  const row = {};
  for (const [number, content] of fieldsOf(record)) {
    if (number !== 2 || !isBytes(content)) continue;
    for (const [part, value] of fieldsOf(content)) {
      if (!isBytes(value)) continue;
      if (part === 2) {
        const first = [...fieldsOf(value)].find(([n]) => n === 1);
        if (first && isBytes(first[1])) throw new BrokenRecord();
        row._step = first?.[1] ?? 0;
      } else if (part === 1) {
        const keys = [];
        let text = "";
        for (const [n, piece] of fieldsOf(value)) {
          if ((n === 1 || n === 2) && isBytes(piece)) keys.push(TEXT.decode(piece));
          else if (n === 16 && isBytes(piece)) text = TEXT.decode(piece);
        }
        if (text.length < 100) row[keys.join("/")] = loadJson(text || "null"); // a number, and no picture
      }
    }
  }
  return Object.keys(row).length ? row : null;
}

/** Every scalar of the history, a column a key. A record that is broken is left out. */
export function readRunFile(data, wanted) {
  const rows = [];
  let wrong = 0;
  let count = 0;
  for (const record of recordsOf(data)) {
    if (count > MAX_VALUES) throw new LogError("many scalars", { most: MAX_VALUES });
    try {
      const row = historyOf(record);
      if (!row) continue;
      rows.push(row);
      count += 1 + Object.keys(row).length;
    } catch (error) {
      if (!(error instanceof BrokenRecord || error instanceof LogError)) throw error;
      wrong += 1;
    }
  }
  const table = readDictionaries(rows, "Weights & Biases run file", wanted);
  if (!table.columns.size) throw new LogError("no scalar", { names: listed(table.names) });
  if (wrong) table.notes.push(["broken records", { count: wrong }]);
  return table;
}
