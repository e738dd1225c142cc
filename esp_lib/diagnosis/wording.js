// The words of the diagnosis, as data: the twin of wording.py, for the page.

import { say } from "../logs/formats.js";
import WORDING from "./wording.json" with { type: "json" };

export const FRAME = WORDING.frame;
export const SOURCES = WORDING.sources;
export const LENGTHS = WORDING.lengths;

/** A sentence of one part of the table: see Python's `sentence`. */
export const sentence = (part, key, values = {}) => say(WORDING[part][key], values, "page");

/** Whether there is such a sentence. */
export const hasSentence = (part, key) => key in WORDING[part];

/** Whether a cause is a bug, in a sentence. */
export function bugLine(cause, verdict, likely) {
  const key = cause ?? verdict;
  return (likely && WORDING.bug[`${key} likely`]) || WORDING.bug[key];
}

/** What to do about a cause: [sentence, link into the book], … */
export const adviceFor = (cause) => WORDING.advice[cause ?? "null"];
