// Settings as data: what a value may be, how it is read from text, from a slider and from a link.
//
// A field is {name, kind, label, ...}; kinds are "number" (low, high, highOpen, integer, log,
// step, multiple), "choice" (options), "switch" and "vector" (length). The Python side holds the same fields.

/** Six digits are what a control can hold; sliders return 0.9990000000000001 for 0.999. */
export const rounded = (value) => Number(value.toPrecision(6));

/** The range of a number in words, as in "at least 0 and below 1". */
export function allowed({ low, high, highOpen, integer, multiple }) {
  const whole = multiple > 1 ? `a multiple of ${multiple}` : "a whole number";
  const kind = integer ? whole : "a number";
  return `${kind} of at least ${numberText(low)} and ${highOpen ? "below" : "at most"} ${numberText(high)}`;
}

function readNumber(field, text) {
  const trimmed = String(text).trim().replace("\u2212", "-");
  const exact = trimmed === "" ? NaN : Number(trimmed) + 0; // + 0: a zero has no sign
  const value = field.integer ? exact : rounded(exact); // what is checked is what is used
  const inside = value >= field.low && (field.highOpen ? value < field.high : value <= field.high);
  if (!inside || (field.integer && value % (field.multiple ?? 1) !== 0)) {
    throw new RangeError(`${field.label} must be ${allowed(field)}, got ${trimmed || "nothing"}`);
  }
  return value;
}

function readVector(field, text) {
  const parts = String(text).split(/[\s,;]+/).filter(Boolean);
  const values = parts.map((part) => rounded(Number(part.replace("\u2212", "-")) + 0));
  const good = values.every((value) => value >= field.low && value <= field.high);
  if (values.length !== field.length || !good) {
    const range = `${field.length} numbers from ${field.low} to ${field.high}`;
    throw new RangeError(`${field.label} must be ${range}, got ${String(text).trim() || "nothing"}`);
  }
  return values;
}

function readChoice(field, text) {
  const found = field.options.find((option) => String(option) === String(text).trim());
  if (found === undefined) {
    throw new RangeError(`${field.label} must be one of ${field.options.join(", ")}, got ${text}`);
  }
  return found;
}

function readSwitch(field, text) {
  const found = { on: true, off: false }[String(text).trim()];
  if (found === undefined) throw new RangeError(`${field.label} must be on or off, got ${text}`);
  return found;
}

/** The value that `text` stands for; RangeError with a sentence for the reader otherwise. */
export function read(field, text) {
  const readers = { number: readNumber, vector: readVector, choice: readChoice, switch: readSwitch };
  return readers[field.kind](field, text);
}

/** A number as people write it: 0.8, 100, 1e-8. */
export function numberText(value) {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}

/** The text of a value, as shown in its box and in links. */
export function write(field, value) {
  if (field.kind === "vector") return value.map(numberText).join(", ");
  if (field.kind === "switch") return value ? "on" : "off";
  return field.kind === "number" ? numberText(value) : String(value);
}

/** Where a slider ends: at a step, 0.999 rather than 1; what lies beyond is typed. */
export const sliderEnd = ({ high, highOpen, step }) => (highOpen ? high - step : high);

/** Where a value lies on its slider, in the slider's steps. */
export function inSteps(field, value) {
  return (field.log ? Math.log10(value) : value) / field.step;
}

/** Parts of a link, one an explorer: "#why?order=fixed&&sawtooth?beta2=0.8". */
const partsOf = (fragment) => fragment.replace(/^#/, "").split("&&").filter(Boolean);
const isAbout = (part, name) => part.startsWith(`${name}?`);

/** The explorer that a link names first; null if it names none. */
export const firstNamed = (fragment) => /^#([\w-]+)\?/.exec(fragment)?.[1] ?? null;

/** A link with what it says about `name` replaced by `part`; the others stay. */
export function joinFragment(fragment, name, part) {
  const parts = partsOf(fragment).filter((one) => one.includes("?") && !isAbout(one, name));
  return `#${[part, ...parts].join("&&")}`;
}

/** What a link says about one explorer: the settings, then what differs in the pinned ones. */
export function toFragment(name, fields, settings, pinned) {
  const pairs = new URLSearchParams();
  for (const field of fields) pairs.set(field.name, write(field, settings[field.name]));
  if (pinned) {
    const other = fields.filter((f) => write(f, pinned[f.name]) !== write(f, settings[f.name]));
    for (const field of other) pairs.set(`pin.${field.name}`, write(field, pinned[field.name]));
    if (!other.length) pairs.set("pin", "same");
  }
  return `${name}?${pairs}`;
}

/**
 * Settings from a link, on top of `settings`; null if the link is not about `name`.
 * RangeError if any part of it can't be used.
 */
export function fromFragment(name, fields, settings, fragment) {
  const part = partsOf(fragment).find((one) => isAbout(one, name));
  if (part === undefined) return null;
  const live = { ...settings };
  const pin = {};
  let hasPin = false;
  for (const [key, text] of new URLSearchParams(part.slice(name.length + 1))) {
    if (key === "pin") {
      hasPin = true;
      continue;
    }
    const target = key.startsWith("pin.") ? pin : live;
    const field = fields.find((item) => item.name === key.replace(/^pin\./, ""));
    if (!field) throw new RangeError(`there is no setting named ${key}`);
    target[field.name] = read(field, text);
    hasPin ||= target === pin;
  }
  return { settings: live, pinned: hasPin ? { ...live, ...pin } : null };
}
