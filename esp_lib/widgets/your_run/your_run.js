// Is it in your run? A log goes in, is read and diagnosed here in the browser, and the answer comes
// out: the verdict in words, the numbers behind it, the curve, and what to do.
//
// Python (esp_lib/widgets/your_run/your_run.py) gives examples, and takes the diagnosis back.

import { createAnalysis } from "./runner.js";
import { goLive } from "../front/host.js";
import { createForm } from "./form.js";
import { createReport } from "./report.js";

let count = 0;

function render({ model, el }) {
  const name = model.get("name");
  const id = `esp-your-run-${++count}`;
  el.classList.add("esp-your-run");
  const { run, cancel } = createAnalysis(model.get("time_limit"));
  const form = createForm(el, id, model.get("examples"), { analyse, cancel });
  const report = createReport(el);

  function publish(state) {
    const root = el.closest(".esp-explorer");
    if (!root) {
      requestAnimationFrame(() => publish(state)); // not on the page yet
      return;
    }
    root.dataset.explorer = name;
    root.dataset.state = JSON.stringify(state);
    if (!state.busy) goLive(root, name);
  }

  /** @param {{name, blob}} log; @param {{read, stepsPerEpoch}} options */
  async function analyse(log, options) {
    form.busy(`Reading ${log.name} (${sizeText(log.blob.size)}) …`);
    publish({ busy: true, file: log.name });
    const began = performance.now();
    const result = await run(log.blob, options);
    if (result?.found === undefined && result?.refused === undefined) {
      if (form.idle("Cancelled.")) publish({ busy: false, file: log.name });
      return;
    }
    const ms = Math.round(performance.now() - began);
    if (result.refused !== undefined) {
      form.idle("");
      report.refuse(`${log.name}: ${result.refused}`);
      keep({});
      publish({ busy: false, file: log.name, refused: result.refused, ms });
      return;
    }
    const { found } = result;
    form.idle(`${log.name}: ${found.source}, diagnosed in ${(ms / 1000).toFixed(1)} s.`);
    report.show(found);
    keep(JSON.parse(found.json));
    const { verdict, cause } = found.diagnosis;
    publish({ busy: false, file: log.name, verdict, cause, points: found.points, ms });
  }

  function keep(diagnosis) {
    model.set("diagnosis", diagnosis);
    model.save_changes();
  }

  form.start();
  return () => cancel();
}

function sizeText(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export default { render };
