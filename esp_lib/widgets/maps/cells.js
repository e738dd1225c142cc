// Maps as they come with a page, and what is made of them: values, colours, words and links.
// esp_lib/widgets/maps/maps.py packs them.

import { tickText } from "../front/chart.js";
import { numberText } from "../front/settings.js";

/** Red, green, blue and opacity of values, 0 to 255; a cell without a number is transparent. */
export function pixels(list, { offset, knee, colors: [first, last] }, ramp) {
  const rgb = ramp.map((color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16)));
  const out = new Uint8ClampedArray(4 * list.length);
  list.forEach((value, k) => {
    if (!Number.isFinite(value)) return;
    const share = (Math.asinh((value - offset) / knee) - first) / (last - first);
    const at = Math.min(1, Math.max(0, share)) * (ramp.length - 1);
    const left = Math.min(ramp.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) {
      out[4 * k + c] = rgb[left][c] + (at - left) * (rgb[left + 1][c] - rgb[left][c]);
    }
    out[4 * k + 3] = 255;
  });
  return out;
}

const digits = (value, count) => tickText(Number(value.toPrecision(count)));

/** The number of a cell on an axis, for reading. */
export const place = (value) => digits(value, 4);

/** What is read at a cell. */
export function reading(map, lists, column, row) {
  const where = `${map.x.name} ${place(map.x.values[column])}, ${map.y.name} ${place(map.y.values[row])}`;
  const found = lists.map((list) => list[row * map.x.values.length + column]);
  if (!found.every(Number.isFinite)) return `${where}: the loss ends above its start.`;
  const numbers = map.layers.map(({ name }, k) => `${name} ${digits(found[k], 3)}`);
  return `${where}: ${numbers.join(", ")}.`;
}

/** The shortest number in the inner half of a cell of an axis; whole numbers stay. */
export function plain(values, k) {
  if (values.every(Number.isInteger)) return values[k];
  const [before, here, after] = [values[k - 1] ?? values[k], values[k], values[k + 1] ?? values[k]];
  const [low, high] = [here + (before - here) / 4, here + (after - here) / 4];
  for (let count = 1; count < 6; count++) {
    const short = Number(here.toPrecision(count));
    if (short >= low && short <= high) return short;
  }
  return here;
}

/** The settings of the sawtooth explorer at a cell. */
export const pointOf = (map, column, row) => ({
  ...map.base,
  [map.x.setting]: plain(map.x.values, column),
  [map.y.setting]: plain(map.y.values, row),
  optimizer: "Adam",
  order: "reshuffle",
});

const text = (value) => (typeof value === "number" ? numberText(value) : value);

/** Its link, the part after "#"; the explorer keeps its pinned curve, if it has one. */
export function fragmentOf(point, pinned) {
  const pairs = Object.entries(point).map(([key, value]) => [key, text(value)]);
  const other = Object.entries(pinned ?? {}).filter(([key, value]) => value !== point[key]);
  pairs.push(...other.map(([key, value]) => [`pin.${key}`, text(value)]));
  return `#sawtooth?${new URLSearchParams(pairs)}`;
}

/** The cell nearest to a setting's value. */
export function nearest(list, value) {
  const distance = (k) => Math.abs(list[k] - value);
  return list.reduce((best, _, k) => (distance(k) < distance(best) ? k : best), 0);
}

/** One sentence about a whole map. */
export function summary(map, list, { name }) {
  const good = list.filter(Number.isFinite);
  const gone = list.length - good.length;
  const low = good.reduce((a, b) => Math.min(a, b), Infinity);
  const high = good.reduce((a, b) => Math.max(a, b), -Infinity);
  const range = good.length ? `the ${name} goes from ${digits(low, 2)} to ${digits(high, 2)}` : "no run ends below its start";
  const lost = gone ? `; in ${gone} cells, hatched, the loss ends above its start` : "";
  return `Map of ${map.title}: over ${list.length} cells ${range}${lost}.`;
}
