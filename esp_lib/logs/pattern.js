// A regular expression of Python's as one of JavaScript's, which matches the same text of one line.
// What has no counterpart is refused, with its name: back-references, conditions, atomic groups,
// possessive repetition and characters by name.
// Source of the syntax: the documentation of Python's module re.

import { LogError, SPACES } from "./table.js";

const WORD = "[\\p{L}\\p{N}_]";
const NOT_WORD = "[^\\p{L}\\p{N}_]";
const EDGE = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;
const NO_EDGE = `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`;
const CATEGORIES = {
  d: "[\\p{Nd}]", D: "[\\P{Nd}]", w: WORD, W: NOT_WORD, s: `[${SPACES}]`, S: `[^${SPACES}]`,
};
const ASCII_CATEGORIES = {
  d: "[0-9]", D: "[^0-9]", w: "[A-Za-z0-9_]", W: "[^A-Za-z0-9_]",
  s: "[\\t-\\r ]", S: "[^\\t-\\r ]",
};
const EDGES = { A: "(?<![^])", Z: "(?![^])", b: EDGE, B: NO_EDGE };
const CONTROLS = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
const HEX_DIGITS = { x: 2, u: 4, U: 8 };
const IDENTIFIER = /^[\p{L}\p{Nl}_][\p{L}\p{N}\p{M}\p{Pc}]*$/u;

class NotPossible extends LogError {}

const literal = (code) => `\\u{${code.toString(16)}}`;
const inPythonOnly = (what) =>
  new LogError(`pattern must do without ${what}, which only the command esp-diagnose can read`);

/** Reads a pattern by recursive descent; every part is {text, low, high}: source and widths. */
class Translator {
  constructor(pattern) {
    this.letters = Array.from(pattern);
    this.at = 0;
    this.count = 0; // groups
    this.groups = new Map(); // name -> number
    this.flags = new Set();
  }

  get next() {
    return this.letters[this.at];
  }

  take(text) {
    if (!Array.from(text).every((letter, i) => this.letters[this.at + i] === letter)) return false;
    this.at += text.length;
    return true;
  }

  until(end, what) {
    const from = this.at;
    while (this.next !== end) {
      if (this.next === undefined) throw new NotPossible(`missing ${end} after ${what}`);
      this.at += 1;
    }
    this.at += 1;
    return this.letters.slice(from, this.at - 1).join("");
  }

  all() {
    while (this.take("(?")) { // flags of the whole, such as (?i)
      const end = this.letters.indexOf(")", this.at);
      const flags = this.letters.slice(this.at, end < 0 ? this.at : end).join("");
      if (!/^[aimsux]+$/.test(flags)) {
        this.at -= 2;
        break;
      }
      for (const flag of flags) this.flags.add(flag);
      this.at = end + 1;
    }
    const part = this.alternatives();
    if (this.next !== undefined) throw new NotPossible("unbalanced parenthesis");
    return part;
  }

  alternatives() {
    const parts = [this.sequence()];
    while (this.take("|")) parts.push(this.sequence());
    return {
      text: parts.map((part) => part.text).join("|"),
      low: Math.min(...parts.map((part) => part.low)),
      high: Math.max(...parts.map((part) => part.high)),
    };
  }

  sequence() {
    const whole = { text: "", low: 0, high: 0 };
    while (this.next !== undefined && this.next !== "|" && this.next !== ")") {
      if (this.flags.has("x") && this.skipped()) continue;
      const part = this.repeated(this.atom());
      whole.text += part.text;
      whole.low += part.low;
      whole.high += part.high;
    }
    return whole;
  }

  /** Whether white space or a comment was skipped, with the flag x. */
  skipped() {
    if (this.take("#")) {
      while (this.next !== undefined && this.next !== "\n") this.at += 1;
      return true;
    }
    if (!/[\t-\r ]/.test(this.next)) return false;
    this.at += 1;
    return true;
  }

  repeated(part) {
    while (this.flags.has("x") && this.next !== undefined && this.skipped());
    let bounds = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] }[this.next];
    if (bounds) this.at += 1;
    else bounds = this.braces();
    if (!bounds) return part;
    const [low, high] = bounds;
    if (low > high) throw new NotPossible("min repeat greater than max repeat");
    if (part.fixed || part.text === "") throw new NotPossible("nothing to repeat");
    if (this.next === "+") throw inPythonOnly("possessive repetition");
    const lazy = this.take("?") ? "?" : "";
    if (/^[*+?]$/.test(this.next ?? "") || this.braces()) throw new NotPossible("multiple repeat");
    const range = high === Infinity ? `{${low},}` : `{${low},${high}}`;
    return {
      text: `(?:${part.text})${range}${lazy}`,
      low: part.low * low,
      high: part.high && part.high * high,
    };
  }

  /** The bounds of {2,5}; null for a brace that stands for itself. */
  braces() {
    const ahead = this.letters.slice(this.at, this.at + 30).join("");
    const match = /^\{(\d*)(?:(,)(\d*))?\}/.exec(ahead);
    if (!match || match[0] === "{}") return null;
    this.at += match[0].length;
    const low = Number(match[1]);
    if (!match[2]) return [low, low];
    return [low, match[3] === "" ? Infinity : Number(match[3])];
  }

  atom() {
    const letter = this.next;
    this.at += 1;
    const one = (text) => ({ text, low: 1, high: 1 });
    const edge = (text) => ({ text, low: 0, high: 0, fixed: true });
    const lines = this.flags.has("m");
    if (letter === "(") return this.group();
    if (letter === "[") return one(this.set());
    if (letter === ".") return one(this.flags.has("s") ? "[^]" : "[^\\n]");
    if (letter === "^") return edge(lines ? "(?<![^\\n])" : EDGES.A);
    if (letter === "$") return edge(lines ? "(?![^\\n])" : EDGES.Z);
    if ("*+?".includes(letter)) throw new NotPossible("nothing to repeat");
    if (letter !== "\\") {
      this.at -= 1;
      if (this.braces()) throw new NotPossible("nothing to repeat");
      this.at += 1;
      return one(literal(letter.codePointAt(0)));
    }
    if (this.next in EDGES) {
      const name = this.next;
      this.at += 1;
      const plain = this.flags.has("a") && { b: "\\b", B: "\\B" }[name];
      return edge(plain || EDGES[name]);
    }
    const escaped = this.escape(false);
    return one(typeof escaped === "number" ? literal(escaped) : escaped);
  }

  /** What follows a backslash: the code of a character, or a class as text. */
  escape(inSet) {
    const letter = this.next;
    this.at += 1;
    if (letter === undefined) throw new NotPossible("bad escape (end of pattern)");
    const categories = this.flags.has("a") ? ASCII_CATEGORIES : CATEGORIES;
    if (letter in categories) return categories[letter];
    if (letter in CONTROLS && (letter !== "b" || inSet)) return CONTROLS[letter];
    if (letter in HEX_DIGITS) {
      const digits = this.letters.slice(this.at, this.at + HEX_DIGITS[letter]).join("");
      const code = parseInt(digits, 16);
      if (!/^[\da-f]+$/i.test(digits) || digits.length < HEX_DIGITS[letter] || code > 0x10ffff) {
        throw new NotPossible(`incomplete escape \\${letter}${digits}`);
      }
      this.at += digits.length;
      return code;
    }
    if (/^\d$/.test(letter)) return this.octal(letter, inSet);
    if (letter === "N") throw inPythonOnly("a character by its name");
    if (/^[A-Za-z]$/.test(letter)) throw new NotPossible(`bad escape \\${letter}`);
    return letter.codePointAt(0);
  }

  octal(letter, inSet) {
    const digits = this.letters.slice(this.at - 1, this.at + 2).join("");
    const match = (letter === "0" || inSet ? /^[0-7]{1,3}/ : /^[0-7]{3}/).exec(digits);
    if (!match) {
      throw inSet ? new NotPossible(`bad escape \\${letter}`) : inPythonOnly("a back-reference");
    }
    const code = parseInt(match[0], 8);
    if (code > 0o377) throw new NotPossible(`octal escape value \\${match[0]} is too large`);
    this.at += match[0].length - 1;
    return code;
  }

  set() {
    const negated = this.take("^") ? "^" : "";
    const begin = this.at;
    const parts = [];
    const item = () => {
      const letter = this.next;
      if (letter === undefined) throw new NotPossible("unterminated character set");
      this.at += 1;
      return letter === "\\" ? this.escape(true) : letter.codePointAt(0);
    };
    while (this.next !== "]" || this.at === begin) {
      const low = item();
      if (this.next !== "-" || this.letters[this.at + 1] === "]") {
        parts.push(typeof low === "number" ? literal(low) : low);
        continue;
      }
      this.at += 1;
      const high = item();
      if (typeof low !== "number" || typeof high !== "number" || high < low) {
        throw new NotPossible("bad character range");
      }
      parts.push(`${literal(low)}-${literal(high)}`);
    }
    this.at += 1;
    return `[${negated}${parts.join("")}]`;
  }

  group() {
    let open = "(?:";
    const edge = ["?=", "?!", "?<=", "?<!"].find((start) => this.take(start));
    if (edge) {
      open = `(${edge}`;
    } else if (this.take("?:")) {
      // not numbered
    } else if (this.take("?#")) {
      this.until(")", "a comment");
      return { text: "", low: 0, high: 0 };
    } else if (this.take("?P<")) {
      const name = this.until(">", "the name of a group");
      if (!IDENTIFIER.test(name)) throw new NotPossible(`bad character in group name '${name}'`);
      if (this.groups.has(name)) throw new NotPossible(`redefinition of group name '${name}'`);
      this.count += 1;
      this.groups.set(name, this.count);
      open = "(";
    } else if (this.take("?P=")) {
      throw inPythonOnly("a back-reference");
    } else if (this.take("?>")) {
      throw inPythonOnly("an atomic group");
    } else if (this.take("?(")) {
      throw inPythonOnly("a condition");
    } else if (this.next === "?") {
      const start = this.letters.slice(this.at, this.at + 4).join("");
      if (/^\?-?[aimsuxL]/.test(start)) throw inPythonOnly(`a flag inside the pattern (${start})`);
      throw new NotPossible(`unknown extension ${start}`);
    } else {
      this.count += 1;
      open = "(";
    }
    const part = this.alternatives();
    if (!this.take(")")) throw new NotPossible("missing ), unterminated subpattern");
    if (edge?.includes("<") && part.low !== part.high) {
      throw new NotPossible("look-behind requires fixed-width pattern");
    }
    const text = `${open}${part.text})`;
    return edge ? { text, low: 0, high: 0 } : { text, low: part.low, high: part.high };
  }
}

/**
 * @param {string} pattern as Python's `re.compile` takes it
 * @returns {{expression: RegExp, groups: Map<string, number>, count: number}} with the numbers of
 *   the named groups and how many groups there are
 */
export function compilePattern(pattern) {
  try {
    const translator = new Translator(pattern);
    const { text } = translator.all();
    const expression = new RegExp(text, translator.flags.has("i") ? "iv" : "v");
    return { expression, groups: translator.groups, count: translator.count };
  } catch (error) {
    if (error instanceof LogError && !(error instanceof NotPossible)) throw error;
    throw new LogError(`pattern must be a regular expression: ${error.message}`);
  }
}
