// What is known of the formats of training logs, as data: the twin of formats.py.

import { fill, quoted } from "./format.js";
import FORMATS from "./formats.json" with { type: "json" };

export const COLUMNS = FORMATS.columns;
export const TEXT = FORMATS.text;

/** A log that cannot be read; the message, of a key in formats.json, says why. */
export class LogError extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

export const MESSAGES = FORMATS.messages;

/** A template filled, in the words of the library, the command or the page. */
export const say = (template, values, voice) =>
  fill(template, { ...FORMATS.voices[voice], ...values });

/** Some names, for a message. */
export const listed = (names) =>
  names.slice(0, 20).map((name) => quoted(firstCharacters(name, 60))).join(", ") || "none";

/** The first characters of a text, as Python counts them. */
export const firstCharacters = (text, count) =>
  text.length <= count ? text : Array.from(text.slice(0, 2 * count)).slice(0, count).join("");
