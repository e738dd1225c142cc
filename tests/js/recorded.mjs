// The recorded explorer's arithmetic: `node recorded.mjs FOLDER JOBS`; prints JSON, where numbers
// that are not finite are null. JOBS is JSON: {views: [{run, group, every, smoothing}], spread: [...]}.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, jobsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, `${name}.js`)));
const { view } = await load("widgets/recorded");
const { unpack } = await load("widgets/packing");
const { spread } = await load("widgets/front/chart");
const { views, spreads } = JSON.parse(readFileSync(jobsPath, "utf8"));

const answer = {
  views: views.map(({ run, group, ...settings }) => {
    const loss = unpack(run.losses[0]);
    const { x, y, ...numbers } = view({ loss, perEpoch: run.perEpoch }, settings, group);
    return { x: Array.from(x), y: Array.from(y), loss: Array.from(loss), ...numbers };
  }),
  spreads: spreads.map((given) => spread(...given)),
};
console.log(JSON.stringify(answer));
