// Numbers and names as Python's f-strings write them, for notes and messages that are the same on
// both sides. Rounding is that of Python: to nearest, and from exactly between to the even digit.

const EXACT = 100; // decimals; more than tell a number between two decimals from the middle itself

/** `value` >= 0 as "d.ddde±x" with so many decimals. */
function toScientific(value, decimals) {
  const rounded = value.toExponential(decimals); // from exactly between: up
  const [digits, exponent] = value.toExponential(EXACT).split("e");
  const kept = digits.slice(0, decimals ? decimals + 2 : 1);
  const tail = digits.replace(".", "").slice(decimals + 1);
  return /^50*$/.test(tail) && Number(kept.at(-1)) % 2 === 0 ? `${kept}e${exponent}` : rounded;
}

const notFinite = (value) => (Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf");
const signOf = (value) => (value < 0 || Object.is(value, -0) ? "-" : "");

/** As `format(value, f".{digits}g")`: 0.05, 1e-05, 1.2e+06, nan, inf. */
export function formatG(value, digits = 6) {
  if (!Number.isFinite(value)) return notFinite(value);
  const places = Math.max(1, digits);
  const [text, exponent] = toScientific(Math.abs(value), places - 1).split("e");
  const power = Number(exponent);
  const all = text.replace(".", "");
  const trim = (number) => (number.includes(".") ? number.replace(/\.?0*$/, "") : number);
  let body;
  if (power < -4 || power >= places) {
    const size = String(Math.abs(power)).padStart(2, "0");
    body = `${trim(text)}e${power < 0 ? "-" : "+"}${size}`;
  } else if (power < 0) {
    body = trim(`0.${"0".repeat(-power - 1)}${all}`);
  } else {
    body = trim(`${all.slice(0, power + 1)}.${all.slice(power + 1)}`);
  }
  return signOf(value) + body;
}

/** As `format(value, f".{decimals}f")`, for |value| below 1e21. */
export function formatFixed(value, decimals) {
  if (!Number.isFinite(value)) return notFinite(value);
  const size = Math.abs(value);
  const up = size.toFixed(decimals); // from exactly between: up
  const exact = size.toFixed(EXACT);
  const point = exact.indexOf(".");
  const kept = exact.slice(0, decimals ? point + 1 + decimals : point);
  const tie = /^50*$/.test(exact.slice(point + 1 + decimals));
  return signOf(value) + (tie && Number(kept.at(-1)) % 2 === 0 ? kept : up);
}

/** As `format(value, ",")` of an integer: 1,234,567. */
export const formatComma = (value) => String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");

const ESCAPES = new Map([["\t", "\\t"], ["\n", "\\n"], ["\r", "\\r"], ["\\", "\\\\"]]);

/** A text in quotation marks as `repr(text)`: 'loss', "a 'b'", 'a\tb'. */
export function quoted(text) {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = mark;
  for (const letter of text) {
    const code = letter.codePointAt(0);
    if (ESCAPES.has(letter)) out += ESCAPES.get(letter);
    else if (letter === mark) out += `\\${letter}`;
    else if (letter === " " || !/[\p{C}\p{Z}]/u.test(letter)) out += letter;
    else if (code < 0x100) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, "0")}`;
    else out += `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return out + mark;
}

/** A number as people write it, to some digits: 0.00012, 1,163.08, 100,000. */
export function numberText(value, digits = 3) {
  const text = formatG(value, digits);
  if (!Number.isFinite(value)) return text;
  const [, power] = text.split("e");
  if (power !== undefined) {
    const exponent = Number(power);
    if (exponent >= 0 && exponent < 15) return formatComma(formatFixed(Number(text), 0));
    if (exponent > -7 && exponent < 0) {
      return formatFixed(Number(text), digits - 1 - exponent).replace(/0+$/, "");
    }
    return text;
  }
  if (Math.abs(value) < 1000) return text;
  const [whole, rest] = text.split(".");
  return rest === undefined ? formatComma(whole) : `${formatComma(whole)}.${rest}`;
}

/** A p-value as people write it: p = 0.012, p < 0.001. */
export const pText = (p) => (p < 0.001 ? "p < 0.001" : `p = ${numberText(p, 2)}`);

/**
 * A template with its fields filled: {name}, {name!r}, {name:,}, {name:g}, {name:.2f}, {name:.3n} and
 * {name:p}, as in Python.
 */
export function fill(template, values) {
  return template.replace(/\{(\w+)(!r)?(?::([^}]*))?\}/g, (_, name, repr, spec = "") => {
    const value = values[name];
    if (repr) return quoted(value);
    if (spec === ",") return formatComma(value);
    if (spec === "p") return pText(value);
    const digits = Number(spec.replace(/^\+?\.?/, "").slice(0, -1));
    if (spec.endsWith("n")) return (spec[0] === "+" && value > 0 ? "+" : "") + numberText(value, digits);
    if (spec.endsWith("f")) return formatFixed(value, digits);
    return spec.endsWith("g") ? formatG(value, digits || 6) : String(value);
  });
}
