// Reads settings from links: `node links.mjs MODULE JOB`, JOB is JSON {name, fields, settings, links};
// prints for each link the settings that it sets, null, or {refused} with the sentence, as JSON.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, jobPath] = process.argv.slice(2);
const { fromFragment } = await import(pathToFileURL(modulePath));
const { name, fields, settings, links } = JSON.parse(readFileSync(jobPath, "utf8"));
const found = links.map((link) => {
  try {
    return fromFragment(name, fields, settings, link);
  } catch (error) {
    return { refused: `${error.name}: ${error.message}` };
  }
});
console.log(JSON.stringify(found));
