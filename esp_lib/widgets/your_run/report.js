// What comes out: the verdict first, then curve and folded tooth, numbers, reasons, what to do.

import { createChart, tightAxis } from "../front/chart.js";
import { sectionName } from "../../diagnosis/report.js";
import { SOURCES, adviceFor } from "../../diagnosis/wording.js";
import { formatComma, numberText, pText } from "../../logs/format.js";
import { button, isPage } from "../front/host.js";
import { make } from "./form.js";

const MOST = 60; // epochs of which each boundary is drawn

const number = (value, digits = 3) => numberText(value, digits).replace(/^-/, "\u2212").replace("e-", "e\u2212");

/** [[term, value, remark], …] of a diagnosis; what the log does not give is left out. */
export function numbersOf(d) {
  const rows = [];
  if (Number.isFinite(d.pValue)) {
    rows.push(["p-value of the drop", pText(d.pValue), "how often noise alone drops as much"]);
  }
  if (Number.isFinite(d.amplitude)) {
    const [low, high] = d.amplitudeInterval;
    const between = Number.isFinite(low) ? [`95 %: ${number(low)} to ${number(high)}`] : [];
    const shape = d.shape === "none" ? [] : [`${d.shape} teeth`];
    rows.push(["Amplitude of the tooth", number(d.amplitude), [...between, ...shape].join("; ")]);
    rows.push(["Noise of a logged point", number(d.noise), ""]);
  }
  if (Number.isFinite(d.stepsPerEpoch)) {
    const length = number(d.stepsPerEpoch, 6);
    rows.push(["Epochs", `${number(d.epochs)} of ${length} steps`, SOURCES[d.stepsPerEpochSource]]);
    rows.push(["Logged points an epoch", number(d.pointsPerEpoch), ""]);
  }
  return rows;
}

/** Epochs, or steps where the length of an epoch is not known, with the boundaries to draw. */
export function axisOf(found) {
  const { diagnosis: d, curve, interval } = found;
  const known = Number.isFinite(d.stepsPerEpoch);
  const unit = known ? d.stepsPerEpoch : 1;
  const x = curve.x.map((step) => step / unit);
  const low = Math.max(0, (curve.x[0] - interval) / unit);
  const high = x.at(-1) > low ? x.at(-1) : low + 1;
  const boundaries = [];
  if (known && high - low <= MOST) {
    for (let at = Math.floor(low) + 1; at < high - 1e-9; at++) boundaries.push(at);
  }
  return { x, range: [low, high], boundaries, xName: known ? "epoch" : "step" };
}

function listOf(title, items) {
  if (!items.length) return [];
  const list = make("ul", {}, ...items.map((item) => make("li", {}, ...[item].flat())));
  return [make("p", { className: "esp-heading", textContent: title }), list];
}

/** Copies text, also where the browser keeps its clipboard from pages opened as files. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** @param {HTMLElement} el where the report goes */
export function createReport(el) {
  const alert = make("p", { className: "esp-error", hidden: true });
  alert.setAttribute("role", "alert");
  const verdict = make("p", { className: "esp-verdict" });
  const answer = make("div", { className: "esp-answer" });
  const said = make("div", {}, verdict, answer);
  said.setAttribute("aria-live", "polite");
  const curveBox = make("div");
  const toothBox = make("div");
  const numbers = make("dl");
  const why = make("div");
  const done = make("span");
  done.setAttribute("role", "status");
  let last = null;
  const buttons = make(
    "div",
    { className: "esp-buttons" },
    button("Copy as text", async () => {
      await copy(last.text);
      done.textContent = "Copied.";
    }),
    button("Download JSON", () => {
      const href = URL.createObjectURL(new Blob([last.json], { type: "application/json" }));
      make("a", { href, download: "diagnosis.json" }).click();
      setTimeout(() => URL.revokeObjectURL(href), 10_000);
    }),
    done,
  );
  const pair = make("div", { className: "esp-pair" }, curveBox, toothBox);
  const rest = make("div", { hidden: true }, pair, numbers, why, buttons);
  el.append(alert, said, rest);
  const loss = createChart(curveBox, { title: "Training loss", xLabel: "epoch", yLabel: "training loss" });
  const folded = createChart(toothBox, {
    title: "All epochs folded into one, trend taken out",
    xLabel: "phase of the epoch",
    yLabel: "folded tooth",
  });

  function draw(found) {
    const { diagnosis: d, curve } = found;
    const { x, range, boundaries, xName } = axisOf(found);
    const lines = [{ x, y: curve.y, color: "var(--esp-blue)" }];
    const points = `${formatComma(found.points)} logged points`;
    loss.svg.setAttribute("aria-label", `Training loss against ${xName}s, ${points}`);
    loss.draw(lines, { x: range, boundaries, xName, ...tightAxis(lines) });
    const seen = Array.from(d.profile).some(Number.isFinite);
    toothBox.hidden = !seen;
    if (!seen) return;
    const level = { x: [0, 1], y: [0, 0], color: "var(--esp-grey)", faint: true };
    const tooth = [level, { x: d.phase, y: d.profile, color: "var(--esp-purple)" }];
    folded.draw(tooth, { x: [0, 1], ...tightAxis(tooth), log: false });
  }

  function adviceOf(diagnosis) {
    return adviceFor(diagnosis.cause).map(([text, link]) => {
      const name = sectionName(link);
      const see = isPage() ? make("a", { href: link, textContent: name }) : name;
      return [`${text} See `, see, "."];
    });
  }

  return {
    show(found) {
      last = found;
      const d = found.diagnosis;
      alert.hidden = true;
      said.hidden = false;
      const [first, ...others] = found.answer;
      verdict.textContent = first;
      verdict.dataset.verdict = d.verdict;
      answer.replaceChildren(...others.map((line) => make("p", { textContent: line })));
      rest.hidden = false;
      draw(found);
      numbers.replaceChildren(
        ...numbersOf(d).map(([term, value, remark]) =>
          make("div", {}, make("dt", { textContent: term }), make("dd", {}, value, ...(remark ? [make("small", { textContent: remark })] : []))),
        ),
      );
      why.replaceChildren(
        ...listOf("What to do", adviceOf(d)),
        ...listOf("Why", found.reasons),
        ...listOf("What was read", found.notes),
      );
      done.textContent = "";
    },
    /** Why there is no diagnosis, in a sentence; the last one goes. */
    refuse(sentence) {
      last = null;
      said.hidden = true;
      rest.hidden = true;
      alert.hidden = false;
      alert.textContent = `${sentence}${/[.!?]$/.test(sentence) ? "" : "."}`;
    },
  };
}
