// Scalars of a TensorBoard event file: the twin of tensorboard.py, which describes the format and
// names its source.

import { relevantNames } from "../columns.js";
import { LogError, listed } from "../formats.js";
import { makeTable } from "../table.js";

const FLOAT = 1; // types of TensorProto
const DOUBLE = 2;
const SIZES = { 1: 8, 5: 4 }; // bytes of a field of fixed size, by its kind
const MARK = "brain.Event:";
const TAG_TEXT = new TextDecoder("utf-8", { ignoreBOM: true });
const WHOLE_BITS = 49; // a multiple of seven for which doubles are exact

/** A message that is not as the format has it. */
export class BrokenRecord extends Error {}

/** Whether these bytes are an event file: its first record names the format's version. */
export const isEvents = (data) => String.fromCharCode(...data.subarray(0, 64)).includes(MARK);

/** A number of seven bits a byte, as a double, and where it ends. */
function readVarint(data, start) {
  let at = start;
  let value = 0;
  for (let shift = 0; shift <= 63; shift += 7) {
    if (at >= data.length) break;
    const byte = data[at];
    at += 1;
    if (shift < WHOLE_BITS) value += (byte & 127) * 2 ** shift;
    else value = BigInt(value) + (BigInt(byte & 127) << BigInt(shift));
    if (byte < 128) return [Number(value), at];
  }
  throw new BrokenRecord();
}

/** [number, value] of a message's fields, each value a number or bytes. */
export function* fieldsOf(data) {
  let at = 0;
  while (at < data.length) {
    const kind = data[at] & 7;
    const key = readVarint(data, at);
    const number = Math.floor(key[0] / 8);
    at = key[1];
    if (kind === 0) {
      const [value, end] = readVarint(data, at);
      at = end;
      yield [number, value];
      continue;
    }
    let size = SIZES[kind];
    if (kind === 2) [size, at] = readVarint(data, at);
    if (size === undefined || at + size > data.length) throw new BrokenRecord();
    yield [number, data.subarray(at, at + size)];
    at += size;
  }
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export const isBytes = (content) => typeof content !== "number";

function numberOfTensor(content) {
  const parts = new Map(fieldsOf(content));
  const bytes = [4, 5, 6].map((i) => parts.get(i)).find((part) => part !== undefined);
  if (bytes === undefined || !isBytes(bytes)) return null;
  if (parts.get(1) === FLOAT && bytes.length === 4) return viewOf(bytes).getFloat32(0, true);
  if (parts.get(1) === DOUBLE && bytes.length === 8) return viewOf(bytes).getFloat64(0, true);
  return null;
}

/** Tag and number of a `Value`; NaN if it is no scalar. */
function scalarOf(value) {
  let tag = "";
  let number = NaN;
  for (const [field, content] of fieldsOf(value)) {
    if (!isBytes(content)) continue;
    if (field === 1) tag = TAG_TEXT.decode(content.subarray(0, 300));
    else if (field === 2 && content.length === 4) number = viewOf(content).getFloat32(0, true);
    else if (field === 8) number = numberOfTensor(content) ?? number;
  }
  return [tag, number];
}

/** Adds the scalars of one record to `found`: tag -> steps and numbers. */
function readRecord(record, found) {
  let step = 0;
  let summary = null;
  for (const [field, content] of fieldsOf(record)) {
    if (field === 2 && !isBytes(content)) step = content;
    else if (field === 5 && isBytes(content)) summary = content;
  }
  if (summary === null) return;
  for (const [field, content] of fieldsOf(summary)) {
    if (field !== 1 || !isBytes(content)) continue;
    const [tag, number] = scalarOf(content);
    if (Number.isNaN(number) && !found.has(tag)) continue;
    if (!found.has(tag)) found.set(tag, { steps: [], numbers: [] });
    found.get(tag).steps.push(step);
    found.get(tag).numbers.push(Number.isFinite(number) ? number : Infinity);
  }
}

/** Every scalar of an event file, a column a tag. A record that is cut off ends the reading. */
export function readEvents(data, wanted) {
  const view = viewOf(data);
  const found = new Map();
  let at = 0;
  let wrong = 0;
  while (at + 12 <= data.length) {
    const size = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    if (at + 16 + size > data.length) break;
    try {
      readRecord(data.subarray(at + 12, at + 12 + size), found);
    } catch (error) {
      if (!(error instanceof BrokenRecord)) throw error;
      wrong += 1;
    }
    at += 16 + size;
  }
  const tags = [...found.keys()];
  const keep = relevantNames(tags, wanted);
  if (!keep.length) throw new LogError("no scalar", { names: listed(tags) });
  // One row a step; of a step that repeats, because the run was resumed, the last value.
  const all = new Set();
  for (const tag of keep) for (const step of found.get(tag).steps) all.add(step);
  const steps = Float64Array.from(all).sort();
  const row = new Map(Array.from(steps, (step, i) => [step, i]));
  const columns = new Map([["step", steps]]);
  for (const tag of keep) {
    const column = new Float64Array(steps.length).fill(NaN);
    const scalars = found.get(tag);
    scalars.steps.forEach((step, i) => {
      column[row.get(step)] = scalars.numbers[i];
    });
    columns.set(tag, column);
  }
  const notes = [];
  if (wrong) notes.push(["broken records", { count: wrong }]);
  if (at < data.length) notes.push(["cut record", {}]);
  return makeTable(columns, "TensorBoard events", tags, notes);
}
