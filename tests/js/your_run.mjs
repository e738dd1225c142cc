// The worker of the reader's own run in Node, as it is shipped: `node your_run.mjs WORKER JOBS OUT`.
// JOBS is JSON, a list of {data (base64), read, stepsPerEpoch}; OUT gets its answers.

import { readFileSync, writeFileSync } from "node:fs";

const [workerPath, jobsPath, outPath] = process.argv.slice(2);
const answers = [];
globalThis.self = { postMessage: (answer) => answers.push(answer) };
new Function(readFileSync(workerPath, "utf8"))();
for (const { data, ...options } of JSON.parse(readFileSync(jobsPath, "utf8"))) {
  await self.onmessage({ data: { blob: new Blob([Buffer.from(data, "base64")]), ...options } });
}
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
writeFileSync(outPath, JSON.stringify(answers, plain));
