// Writes the page assets: `npm ci && npm run build`.
//
//   book/vendor/esp-vendor/widgets.js   ipywidgets and anywidget for a page without a kernel
//   book/vendor/esp-vendor/mathjax/     MathJax 3 with all TeX extensions, and its fonts
//   book/vendor/esp-vendor/LICENSES.txt names, versions and licences of what was bundled
//
// The folder is not under version control. book/_ext/esp_book.py serves it when it is there.

import { build } from "esbuild";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "book", "vendor", "esp-vendor");
const modules = join(here, "node_modules");

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const css = await build({
  entryPoints: [join(modules, "@jupyter-widgets/controls/css/widgets-base.css")],
  bundle: true,
  minify: true,
  write: false,
  logLevel: "warning",
});

const script = await build({
  entryPoints: [join(here, "src/page.js")],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  outfile: join(out, "widgets.js"),
  define: { WIDGET_CSS: JSON.stringify(css.outputFiles[0].text) },
  alias: { "sanitize-html": join(here, "src/plain_text.js") },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const tex = join(modules, "mathjax/es5");
cpSync(join(tex, "tex-chtml-full.js"), join(out, "mathjax/tex-chtml-full.js"));
const fonts = "output/chtml/fonts/woff-v2";
cpSync(join(tex, fonts), join(out, "mathjax", fonts), { recursive: true });

/** Name, version and licence text of every package that a file of the bundle came from. */
function licenses(inputs) {
  const names = new Set(["mathjax"]);
  for (const path of inputs) {
    const name = path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
    if (name) names.add(name);
  }
  return [...names].sort().map((name) => {
    const folder = join(modules, name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
    return `${name} ${version} (${license ?? "see text"})\n\n${text}\n`;
  });
}

const sources = Object.keys(script.metafile.inputs);
writeFileSync(join(out, "LICENSES.txt"), licenses(sources).join(`\n${"-".repeat(72)}\n\n`));

const bytes = readFileSync(join(out, "widgets.js"));
const kib = (size) => `${Math.round(size / 1024)} KiB`;
console.log(`widgets.js: ${kib(bytes.length)}, ${kib(gzipSync(bytes).length)} gzipped -> ${out}`);
