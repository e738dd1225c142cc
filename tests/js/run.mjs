// Asks a script of this folder: `node run.mjs SCRIPT FOLDER`, with a job as JSON on standard input.
// The script's default export takes a function that loads a module of the package, and the job;
// what it returns is printed as JSON, where numbers that are not finite are null.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [script, folder] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, `${name}.js`)));
const { default: answer } = await import(`./${script}.mjs`);
console.log(JSON.stringify(await answer(load, JSON.parse(readFileSync(0, "utf8")))));
