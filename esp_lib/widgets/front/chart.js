// A line chart in SVG. Colours are the book's CSS variables, so the chart follows the theme; the
// size of the drawing is the size of its box, so it never jumps.

const SVG = "http://www.w3.org/2000/svg";
const ROOM = 0.1; // of a log axis's span, above and below the curves
const BESIDE = 0.3; // of the width, for names at the right of the curves
const LINE = 16; // from one name to the next
const THIN = 2; // points a pixel from which a line is thin
const TOP = 1e6; // of a log axis; further up a run that blows up is out of sight
const MARGIN = { top: 26, right: 16, bottom: 40, left: 52 };

export function element(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/**
 * Round values that cut [low, high] into about `count` parts; on a log axis powers of ten, and
 * their double and fivefold where those are few (or evenly spaced values, if still too few).
 */
export function ticks(low, high, count, log = false) {
  if (log) {
    const from = Math.ceil(Math.log10(low) - 1e-9);
    const to = Math.floor(Math.log10(high) + 1e-9);
    const stride = Math.max(1, Math.ceil((to - from) / count));
    const factors = to - from < 2 ? [1, 2, 5] : [1];
    const powers = [];
    for (let power = from - 1; power <= to; power++) {
      if ((power - from) % stride === 0) powers.push(...factors.map((factor) => factor * 10 ** power));
    }
    const inside = powers.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
    return inside.length > 1 ? inside : ticks(low, high, count);
  }
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= raw);
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) values.push(k * step);
  return values.map((value) => Number(value.toPrecision(12)));
}

export function tickText(value) {
  const size = Math.abs(value);
  const long = size >= 1e5 || (size > 0 && size < 1e-3);
  const text = long ? Number(value.toPrecision(3)).toExponential().replace("+", "") : String(value);
  return text.replace(/^-/, "\u2212");
}

/** Path data of a polyline; points that are not finite break the line. */
function pathData(xs, ys, toX, toY, low, high) {
  let data = "";
  let pen = "M";
  for (let i = 0; i < ys.length; i++) {
    if (!Number.isFinite(ys[i])) {
      pen = "M";
      continue;
    }
    const y = Math.min(high, Math.max(low, toY(ys[i])));
    data += `${pen}${toX(xs[i]).toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  }
  return data;
}

/** Axis that shows all of the curves: linear, or logarithmic when a run blows up. */
export function axisFor(curves) {
  const values = curves.flatMap(({ y }) => Array.from(y)).filter(Number.isFinite);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (!(high > low)) return { y: [0, Number.isFinite(high) ? 2 * high : 1], log: false };
  if (high > 40 && low > 0) {
    const top = Math.min(high, Math.max(TOP, 100 * low), 1e300);
    const room = (top / low) ** ROOM; // for labels, above and below
    return { y: [low / room, top * room], log: true };
  }
  return { y: [0, high * 1.04], log: false };
}

/** Axis around what is seen, with room for names; logarithmic when a run blows up. */
export function tightAxis(curves) {
  const { y, log } = axisFor(curves);
  const values = curves.flatMap((curve) => Array.from(curve.y)).filter(Number.isFinite);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (log || !(high >= low)) return { y, log };
  if (low === high) return { y: [low - 0.5, high + 0.5], log };
  return { y: [low - 0.06 * (high - low), high + 0.06 * (high - low)], log };
}

/** Places `gap` or more apart and from `low` to `high`, as near as can be to those wanted (sorted). */
export function spread(wanted, gap, low, high) {
  const middle = ({ sum, count }) => {
    const half = (gap * (count - 1)) / 2;
    return Math.max(low + half, Math.min(high - half, sum / count));
  };
  const blocks = []; // of places that touch
  for (const at of wanted) {
    let block = { sum: at, count: 1 };
    while (blocks.length) {
      const before = blocks.at(-1);
      if (middle(block) - middle(before) >= (gap * (block.count + before.count)) / 2) break;
      blocks.pop();
      block = { sum: before.sum + block.sum, count: before.count + block.count };
    }
    blocks.push(block);
  }
  return blocks.flatMap((block) =>
    Array.from({ length: block.count }, (_, k) => middle(block) + gap * (k - (block.count - 1) / 2)),
  );
}

/** A word on the drawing, and the line that shows what it means. */
function noteNodes({ line, text, at, dx = 0, dy = 0, anchor = "middle", arrows = false }, toX, toY) {
  const points = line.map(([x, y]) => [toX(x), toY(y)]);
  let data = `M${points.map((point) => point.map((value) => value.toFixed(1)).join(" ")).join("L")}`;
  if (arrows) {
    const [[x, y0], [, y1]] = [points[0], points.at(-1)];
    const head = Math.sign(y1 - y0) * Math.min(6, Math.abs(y1 - y0) / 2);
    data += `M${x - 4} ${y1 - head}L${x} ${y1}L${x + 4} ${y1 - head}`;
  }
  const word = element("text", { x: toX(at[0]) + dx, y: toY(at[1]) + dy, "text-anchor": anchor }, text);
  return [element("path", { d: data }), word];
}

/**
 * @param {HTMLElement} box where the chart goes; its size is the chart's
 * @param {{title: string, xLabel: string, yLabel: string}} words
 */
export function createChart(box, { title, xLabel, yLabel }) {
  const svg = element("svg", { role: "img", class: "esp-chart", "aria-label": title });
  const frame = element("g", { class: "esp-axes", "aria-hidden": "true" });
  const clip = `esp-clip-${Math.random().toString(36).slice(2)}`;
  const clipPath = element("clipPath", { id: clip });
  const plot = element("g", { class: "esp-curves", "aria-hidden": "true", "clip-path": `url(#${clip})` });
  const labels = element("g", { class: "esp-labels", "aria-hidden": "true" });
  const notes = element("g", { class: "esp-drawn", "aria-hidden": "true" });
  svg.append(clipPath, frame, plot, notes, labels);
  box.append(svg);
  const key = document.createElement("p"); // names too long for the plot
  key.className = "esp-key";
  let drawn = null;
  let frameKey = "";

  function drawFrame(width, height, right, view, toX, toY) {
    const wanted = JSON.stringify([width, height, right, view]);
    if (wanted === frameKey) return;
    frameKey = wanted;
    const { x, y, log, boundaries = [], xName = xLabel, yName = yLabel } = view;
    const bottom = height - MARGIN.bottom;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const size = { x: MARGIN.left, y: MARGIN.top, width: right - MARGIN.left, height: bottom - MARGIN.top };
    clipPath.replaceChildren(element("rect", size));
    frame.replaceChildren();
    for (const at of boundaries) {
      const line = { x1: toX(at), x2: toX(at), y1: MARGIN.top, y2: bottom, class: "esp-boundary" };
      frame.append(element("line", line));
    }
    for (const value of ticks(...x, width < 480 ? 5 : 10)) {
      frame.append(element("text", { x: toX(value), y: bottom + 16, class: "esp-x" }, tickText(value)));
    }
    for (const value of ticks(...y, 5, log)) {
      const at = toY(value);
      frame.append(element("line", { x1: MARGIN.left, x2: right, y1: at, y2: at, class: "esp-rule" }));
      frame.append(element("text", { x: MARGIN.left - 8, y: at + 4, class: "esp-y" }, tickText(value)));
    }
    frame.append(element("text", { x: (MARGIN.left + right) / 2, y: height - 6, class: "esp-x" }, xName));
    frame.append(element("text", { x: 4, y: 11 }, yName));
  }

  /** Names of the curves at their right ends: the highest above all that is there, the others below. */
  function drawLabels(curves, width, height, toY) {
    const bottom = height - MARGIN.bottom - 6;
    const space = width - MARGIN.left - MARGIN.right - 8;
    const named = curves.filter((curve) => curve.label);
    labels.replaceChildren(
      ...named.map((curve) => {
        const node = element("text", { x: width - MARGIN.right - 4, class: "esp-name" }, curve.label);
        node.style.fill = curve.color;
        return node;
      }),
    );
    const nodes = [...labels.children];
    shorten(named, nodes, space);
    const share = Math.min(1, (Math.max(...nodes.map((node) => node.getComputedTextLength())) + 12) / space);
    const wanted = named
      .map((curve, k) => {
        const tail = curve.y.filter(Number.isFinite).slice(-Math.ceil(share * curve.y.length));
        const heights = tail.length ? Array.from(tail, toY) : [MARGIN.top];
        return { node: nodes[k], top: Math.min(...heights), low: Math.max(...heights) };
      })
      .sort((p, q) => p.top - q.top);
    const lowest = Math.max(...wanted.map(({ low }) => low)); // names do not lie on other curves
    let before = MARGIN.top - 4;
    for (const [k, { node, top, low }] of wanted.entries()) {
      const below = (k < wanted.length - 1 ? low : lowest) + 19;
      let at = Math.max(before + LINE, k === 0 ? top - 9 : below);
      if (at > bottom) at = k > 0 && top - 9 - LINE < wanted[k - 1].low ? before - LINE : top - 9;
      node.setAttribute("y", at);
      before = at;
    }
  }

  /** Room for names at the right of the plot; short ones (and `data-short`) where others are too long. */
  function roomBeside(names, width) {
    const widest = (key) => {
      labels.replaceChildren(...names.map((name) => element("text", { class: "esp-name" }, name[key])));
      return Math.max(...Array.from(labels.children, (node) => node.getComputedTextLength()));
    };
    box.removeAttribute("data-short");
    if (widest("label") <= BESIDE * width) return widest("label") + 6;
    box.setAttribute("data-short", "");
    return widest("short") + 6;
  }

  /** Names of the curves at the right of their ends. */
  function drawBeside(curves, right, bottom, toY) {
    const wanted = curves
      .filter((curve) => curve.label)
      .map((curve) => {
        const tail = curve.y.filter(Number.isFinite).slice(-Math.ceil(curve.y.length / 40));
        const level = tail.reduce((sum, value) => sum + value, 0) / tail.length;
        return { curve, at: tail.length ? toY(level) : MARGIN.top };
      })
      .sort((p, q) => p.at - q.at);
    const places = spread(wanted.map(({ at }) => at), LINE, MARGIN.top, bottom);
    const key = box.hasAttribute("data-short") ? "short" : "label";
    labels.replaceChildren(
      ...wanted.map(({ curve }, k) => {
        const place = { x: right + 6, y: places[k] + 4, class: "esp-name esp-beside" };
        const node = element("text", place, curve[key]);
        node.style.fill = curve.color;
        return node;
      }),
    );
  }

  /** Where a name is wider than the plot, curves have their short names, and a key below says all. */
  function shorten(named, nodes, space) {
    if (!nodes.some((node) => node.getComputedTextLength() > space)) {
      key.remove();
      return;
    }
    key.replaceChildren(
      ...named.map((curve, k) => {
        nodes[k].textContent = curve.short ?? curve.label;
        const line = document.createElement("span");
        line.textContent = curve.short ? `${curve.short}: ${curve.label.replace(/^\w+: /, "")}` : curve.label;
        line.style.color = curve.color;
        return line;
      }),
    );
    box.after(key);
  }

  /**
   * @param curves [{x, y, color, label, short, faint, broad, dots, letter, hideLine}] x and y have one length, color
   *   is a CSS colour, dots are indices of points to mark, letter is written at each of them;
   *   short is a name for narrow plots
   * @param view {x: [low, high], y: [low, high], log, boundaries, xName, yName, beside}; xName and yName
   *   take the place of xLabel and yLabel, beside are [{label, short}] of all curves that there may be: names stand at the right;
   *   notes are [{line: [[x, y], ...], text, at: [x, y], dx, dy, anchor, arrows}], what is drawn on the curves in words
   */
  function draw(curves, view) {
    drawn = [curves, view];
    const width = Math.max(200, Math.round(box.clientWidth));
    const height = Math.max(150, Math.round(box.clientHeight));
    const right = width - MARGIN.right - (view.beside ? roomBeside(view.beside, width) : 0);
    const bottom = height - MARGIN.bottom;
    const scale = view.log ? (value) => Math.log10(value) : (value) => value;
    const [x0, x1] = view.x;
    const [y0, y1] = view.y.map(scale);
    const toX = (value) => MARGIN.left + ((value - x0) / (x1 - x0)) * (right - MARGIN.left);
    const toY = (value) => bottom - ((scale(value) - y0) / (y1 - y0)) * (bottom - MARGIN.top);
    drawFrame(width, height, right, view, toX, toY);
    const nodes = [];
    for (const curve of curves) {
      const dense = curve.y.length > THIN * (right - MARGIN.left);
      const look = curve.faint ? "esp-faint" : curve.broad ? "esp-broad" : dense ? "esp-thin" : "";
      const data = pathData(curve.x, curve.y, toX, toY, -height, 2 * height);
      const path = element("path", { d: data, class: `esp-line ${look}` });
      path.style.stroke = curve.color;
      if (!curve.hideLine) nodes.push(path);
      for (const k of (curve.dots ?? []).filter((at) => Number.isFinite(curve.y[at]))) {
        const dot = element("circle", { cx: toX(curve.x[k]), cy: toY(curve.y[k]), r: 4.5 });
        dot.style.fill = curve.color;
        nodes.push(dot);
        if (!curve.letter) continue;
        const place = { x: toX(curve.x[k]), y: toY(curve.y[k]) + (curve.y[k] < 0 ? 20 : -9) };
        const letter = element("text", { ...place, class: "esp-x esp-letter" }, curve.letter);
        letter.style.fill = curve.color;
        nodes.push(letter);
      }
    }
    plot.replaceChildren(...nodes);
    notes.replaceChildren(...(view.notes ?? []).flatMap((note) => noteNodes(note, toX, toY)));
    if (view.beside) drawBeside(curves, right, bottom, toY);
    else drawLabels(curves, width, height, toY);
  }

  let width = 0;
  new ResizeObserver(() => {
    if (drawn && box.clientWidth !== width) draw(...drawn);
    width = box.clientWidth;
  }).observe(box);
  return { draw, svg };
}
