// Explorer of the n-shaped similarity: three parameters, one batch, and the update as beta2 turns it.
// Source: Fig. 16 of Liu and Ma (2025). The update is -lr m_hat / (sqrt(v) + eps), with
// v = beta2 v_prev + (1 - beta2) g^2; what is drawn is the direction m_hat / (sqrt(v) + eps).

import { createChart, element } from "./chart.js";
import { mountExplorer } from "./explorer.js";

const POINTS = 101;
const EPS = 1e-8;
const TILT = (20 * Math.PI) / 180; // of the view, from above

const dot = (p, q) => p.reduce((sum, value, k) => sum + value * q[k], 0);
const unit = (p) => {
  const length = Math.sqrt(dot(p, p));
  return length > 0 ? p.map((value) => value / length) : p;
};

/** The direction of the update, before the minus sign. */
export function direction({ m_hat, v_prev, g_squared }, beta2) {
  return m_hat.map((m, k) => m / (Math.sqrt(beta2 * v_prev[k] + (1 - beta2) * g_squared[k]) + EPS));
}

/** Cosine of the angle between the update's direction and the gradient; NaN for a zero vector. */
export function cosine(settings, beta2) {
  const u = direction(settings, beta2);
  const g = settings.gradient;
  return dot(u, g) / Math.sqrt(dot(u, u) * dot(g, g));
}

/** Screen coordinates of a point of the unit ball, seen from `azimuth` degrees. */
function project([x, y, z], azimuth, size) {
  const angle = (azimuth * Math.PI) / 180;
  const across = -x * Math.sin(angle) + y * Math.cos(angle);
  const depth = x * Math.cos(angle) + y * Math.sin(angle);
  const up = z * Math.cos(TILT) - depth * Math.sin(TILT);
  return [size / 2 + across * 0.42 * size, size / 2 - up * 0.42 * size];
}

function arrow(to, color, label, seen) {
  const [x0, y0] = seen([0, 0, 0]);
  const [x1, y1] = seen(to);
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const wing = (turn) => `${x1 - 9 * Math.cos(angle + turn)} ${y1 - 9 * Math.sin(angle + turn)}`;
  const data = `M${x0} ${y0}L${x1} ${y1}M${wing(0.4)}L${x1} ${y1}L${wing(-0.4)}`;
  const line = element("path", { d: data, class: "esp-line" });
  const name = element("text", { x: x1 + (x1 < x0 ? -6 : 6), y: y1 + (y1 < y0 ? -6 : 14), class: "esp-tip" }, label);
  name.style.textAnchor = x1 < x0 ? "end" : "start";
  line.style.stroke = color;
  name.style.fill = color;
  return [line, name];
}

function createSpace(box) {
  const svg = element("svg", { role: "img", class: "esp-chart", "aria-label": "The gradient and the direction of the update in three dimensions" });
  box.append(svg);
  return function draw(settings) {
    const size = 300;
    svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
    const seen = (point) => project(point, settings.azimuth, size);
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
    nodes.push(...arrow(unit(settings.m_hat), "var(--esp-grey)", "m̂", seen));
    nodes.push(...arrow(unit(settings.gradient), "var(--esp-blue)", "gradient", seen));
    nodes.push(...arrow(unit(direction(settings, settings.beta2)), "var(--esp-purple)", "m̂/√v", seen));
    const group = element("g", { "aria-hidden": "true" });
    group.append(...nodes);
    svg.replaceChildren(group);
  };
}

function create(drawing) {
  drawing.classList.add("esp-split");
  const [left, right] = [0, 1].map(() => {
    const panel = document.createElement("div");
    drawing.append(panel);
    return panel;
  });
  const drawSpace = createSpace(left);
  const chart = createChart(right, {
    title: "Cosine between the update's direction and the gradient against beta2",
    xLabel: "β₂",
    yLabel: "cosine similarity",
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
    const change = now > 0 ? "lowers" : "raises";
    const sentence = Number.isFinite(now)
      ? `At β₂ = ${settings.beta2} the cosine is ${now.toFixed(2)}: the update, which goes against m̂/√v, ${change} the loss of this batch.`
      : "A vector of zeros has no direction, so there is no cosine.";
    const state = { final_loss: null, amplitude: null, cosine: Number.isFinite(now) ? now : null };
    return { sentence, state, loss: y };
  }
  return { compute, draw };
}

export default { render: (context) => mountExplorer(context, create) };
