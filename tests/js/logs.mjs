// Reads logs: `node logs.mjs MODULE JOBS OUT`; JOBS is a JSON list of [data, choices], with data as
// {text} or {base64}; OUT gets a JSON list of logs, or {error}. NaN becomes null.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, jobsPath, outPath] = process.argv.slice(2);
const { parseLog } = await import(pathToFileURL(modulePath));
const { LogError } = await import(new URL("formats.js", pathToFileURL(modulePath)));

function plain(key, value) {
  return ArrayBuffer.isView(value) ? Array.from(value) : value;
}

const answers = JSON.parse(readFileSync(jobsPath, "utf8")).map(([data, choices]) => {
  try {
    return parseLog(data.text ?? new Uint8Array(Buffer.from(data.base64, "base64")), choices);
  } catch (error) {
    return error instanceof LogError ? { error: error.message } : { crash: String(error.stack) };
  }
});
writeFileSync(outPath, JSON.stringify(answers, plain));
