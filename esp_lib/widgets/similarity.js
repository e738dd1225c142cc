// Explorer of the n-shaped similarity: three parameters, one batch, and the update as beta2 turns it.
// Source: Fig. 16 of Liu and Ma (2025); the twin of `update_similarity` in esp_lib/mechanism/batches.py. The
// step has the direction -m / (sqrt(v) + eps), with v = beta2 v_before + (1 - beta2) g^2.

import { createChart, element } from "./front/chart.js";
import { mountExplorer } from "./base.js";
import { twoPanels } from "./front/host.js";

const POINTS = 101;
const EPS = 1e-8;
const TILT = (20 * Math.PI) / 180; // of the view, from above

const dot = (p, q) => p.reduce((sum, value, k) => sum + value * q[k], 0);
const isZero = (p) => p.every((value) => value === 0);
const unit = (p) => {
  const length = Math.sqrt(dot(p, p));
  return length > 0 ? p.map((value) => value / length) : p;
};

/** The direction of the step. */
export function direction({ m, v_before, g_squared }, beta2) {
  const v = v_before.map((before, k) => beta2 * before + (1 - beta2) * g_squared[k]);
  return m.map((value, k) => -value / (Math.sqrt(v[k]) + EPS));
}

/** Cosine of the angle between the step and the gradient; NaN for a zero vector. */
export function cosine(settings, beta2) {
  const u = direction(settings, beta2);
  const g = settings.gradient;
  return dot(u, g) / Math.sqrt(dot(u, u) * dot(g, g));
}

/** Screen coordinates of a point of the unit ball, seen from `azimuth` degrees. */
function project([x, y, z], azimuth, width, height) {
  const scale = 0.44 * Math.min(width, height);
  const angle = (azimuth * Math.PI) / 180;
  const across = -x * Math.sin(angle) + y * Math.cos(angle);
  const depth = x * Math.cos(angle) + y * Math.sin(angle);
  const up = z * Math.cos(TILT) - depth * Math.sin(TILT);
  return [width / 2 + across * scale, height / 2 - up * scale];
}

/** An arrow from the origin; its name stands at the tip, or at a part of its length. None to zero. */
function arrow(to, color, label, seen, part = 1) {
  if (isZero(to)) return [];
  const [x0, y0] = seen([0, 0, 0]);
  const [x1, y1] = seen(to);
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const wing = (turn) => `${x1 - 9 * Math.cos(angle + turn)} ${y1 - 9 * Math.sin(angle + turn)}`;
  const data = `M${x0} ${y0}L${x1} ${y1}M${wing(0.4)}L${x1} ${y1}L${wing(-0.4)}`;
  const line = element("path", { d: data, class: "esp-line" });
  const [x, y] = [x0 + part * (x1 - x0), y0 + part * (y1 - y0)];
  const name = element("text", { x, y: y + (y1 < y0 ? -7 : 17), class: "esp-tip esp-x" }, label);
  line.style.stroke = color;
  name.style.fill = color;
  return [line, name];
}

function createSpace(box) {
  const svg = element("svg", { role: "img", class: "esp-chart", "aria-label": "The gradient and the direction of the step in three dimensions" });
  box.append(svg);
  return function draw(settings) {
    const [width, height] = [Math.max(160, box.clientWidth), Math.max(160, box.clientHeight)];
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const seen = (point) => project(point, settings.azimuth, width, height);
    const nodes = [];
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]].forEach((axis, k) => {
      const [from, to] = [seen(axis.map((value) => -value)), seen(axis)];
      nodes.push(element("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], class: "esp-boundary" }));
      nodes.push(element("text", { x: to[0] + 4, y: to[1] - 4 }, `θ${"₁₂₃"[k]}`));
    });
    const trail = Array.from({ length: POINTS }, (_, k) => seen(unit(direction(settings, k / (POINTS - 1)))));
    const path = element("path", { d: `M${trail.map((point) => point.join(" ")).join("L")}`, class: "esp-line esp-faint" });
    path.style.stroke = "var(--esp-purple)";
    nodes.push(path);
    nodes.push(...arrow(unit(settings.m.map((value) => -value)), "var(--esp-grey)", "−m", seen, 0.5));
    nodes.push(...arrow(unit(settings.gradient), "var(--esp-blue)", "gradient ∇l", seen));
    nodes.push(...arrow(unit(direction(settings, settings.beta2)), "var(--esp-purple)", "step Δθ", seen));
    const group = element("g", { "aria-hidden": "true" });
    group.append(...nodes);
    svg.replaceChildren(group);
  };
}

function create(drawing) {
  const [left, right] = twoPanels(drawing, "esp-split");
  const drawSpace = createSpace(left);
  const chart = createChart(right, {
    title: "Cosine between the step and the gradient against beta2",
    xLabel: "β₂",
    yLabel: "cosine of Δθ and ∇l",
  });

  function compute(settings) {
    const x = Float64Array.from({ length: POINTS }, (_, k) => k / (POINTS - 1));
    return { x, y: x.map((beta2) => cosine(settings, beta2)), now: cosine(settings, settings.beta2) };
  }

  function draw({ x, y, now }, { settings }) {
    drawSpace(settings);
    const grey = "var(--esp-grey)";
    chart.draw(
      [
        { x: [0, 1], y: [0, 0], color: grey, faint: true },
        { x, y, color: "var(--esp-purple)" },
        { x: [settings.beta2], y: [now], color: "var(--esp-purple)", dots: [0] },
      ],
      { x: [0, 1], y: [-1, 1], boundaries: [settings.beta2] },
    );
    const change = now > 0 ? "raises" : "lowers";
    const sentence = Number.isFinite(now)
      ? `At β₂ = ${settings.beta2} the cosine is ${now.toFixed(2)}: to first order the step ${change} the loss of this batch.`
      : "A vector of zeros has no direction, so there is no cosine.";
    const state = { final_loss: null, amplitude: null, cosine: Number.isFinite(now) ? now : null };
    return { sentence, state, loss: y };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
