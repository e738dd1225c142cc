// A map with a point on it that is dragged, by pointer or by key.

import { element, tickText, ticks } from "../front/chart.js";

const MARGIN = { top: 26, right: 10, bottom: 40, left: 52 };
const STEPS = 10; // of a key that goes far

const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));

/**
 * @param {HTMLElement} box where the map goes; its size is the map's
 * @param {(x: number, y: number) => void} onMove the reader moved the point there, in the axes' units
 */
export function createPad(box, onMove) {
  const svg = element("svg", { class: "esp-chart", "aria-hidden": "true" });
  const [cells, axes, over] = ["esp-pad-cells", "esp-axes", "esp-pad-over"].map((name) => {
    const group = element("g", { class: name });
    svg.append(group);
    return group;
  });
  box.append(svg);
  box.classList.add("esp-pad");
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  let drawn = null; // the view
  let size = null; // of the plot
  let painted = ""; // which cells, at which size

  const unit = ({ ends, log }, value) => {
    const [low, high] = log ? ends.map(Math.log10) : ends;
    return ((log ? Math.log10(value) : value) - low) / (high - low);
  };
  const valueAt = ({ ends, log }, share) => {
    const [low, high] = log ? ends.map(Math.log10) : ends;
    const at = low + clamp(share, [0, 1]) * (high - low);
    return log ? 10 ** at : at;
  };
  const toX = (value) => MARGIN.left + unit(drawn.x, value) * size.width;
  const toY = (value) => MARGIN.top + (1 - unit(drawn.y, value)) * size.height;

  function paintCells() {
    const key = `${drawn.key} ${size.width} ${size.height}`;
    if (painted === key) return;
    painted = key;
    const { columns, rows, colors } = drawn.cells;
    const [wide, high] = [size.width / columns, size.height / rows];
    cells.replaceChildren(
      ...colors.map((fill, k) => {
        const [row, column] = [Math.floor(k / columns), k % columns];
        const place = { x: MARGIN.left + column * wide, y: MARGIN.top + (rows - 1 - row) * high };
        return element("rect", { ...place, width: wide + 0.5, height: high + 0.5, fill });
      }),
    );
    const bottom = MARGIN.top + size.height;
    axes.replaceChildren(
      element("text", { x: 4, y: 11 }, drawn.y.name),
      element("text", { class: "esp-x", x: MARGIN.left + size.width / 2, y: bottom + 34 }, drawn.x.name),
      ...ticks(...drawn.x.ends, 4, drawn.x.log).map((value) =>
        element("text", { class: "esp-x", x: toX(value), y: bottom + 16 }, tickText(value)),
      ),
      ...ticks(...drawn.y.ends, 5).map((value) =>
        element("text", { class: "esp-y", x: MARGIN.left - 8, y: toY(value) + 4 }, tickText(value)),
      ),
    );
  }

  /**
   * @param view {x, y: {name, ends: [low, high], log, step}, cells: {columns, rows, colors}, key, line: [[x, y]],
   *   words: [{text, at: [x, y], anchor}], point: [x, y], label}; key names the cells, label is spoken
   */
  function draw(view) {
    drawn = view;
    const width = Math.max(160, box.clientWidth) - MARGIN.left - MARGIN.right;
    size = { width, height: Math.max(120, box.clientHeight) - MARGIN.top - MARGIN.bottom };
    paintCells();
    const line = view.line.map(([x, y]) => `${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`).join("L");
    const place = { cx: toX(clamp(view.point[0], view.x.ends)), cy: toY(clamp(view.point[1], view.y.ends)), r: 8 };
    over.replaceChildren(
      element("path", { d: `M${line}` }),
      ...view.words.map(({ text, at: [x, y], anchor = "middle" }) =>
        element("text", { x: toX(x), y: toY(y), "text-anchor": anchor }, text),
      ),
      element("circle", place),
      element("circle", { ...place, class: "esp-pad-point" }),
    );
    box.setAttribute("aria-label", view.label);
  }

  function moveTo(event) {
    const frame = svg.getBoundingClientRect();
    const x = (event.clientX - frame.left - MARGIN.left) / size.width;
    const y = 1 - (event.clientY - frame.top - MARGIN.top) / size.height;
    onMove(valueAt(drawn.x, x), valueAt(drawn.y, y));
  }

  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !drawn) return;
    box.setPointerCapture(event.pointerId);
    moveTo(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (box.hasPointerCapture(event.pointerId)) moveTo(event);
  });
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !drawn) return;
    const [right, up] = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
      PageUp: [0, STEPS], PageDown: [0, -STEPS], Home: [-STEPS, 0], End: [STEPS, 0],
    }[event.key] ?? [0, 0];
    if (!right && !up) return;
    event.preventDefault();
    const { x, y, point } = drawn;
    const goX = x.log ? point[0] * 10 ** (right * x.step) : point[0] + right * x.step;
    onMove(clamp(goX, x.ends), clamp(point[1] + up * y.step, y.ends));
  });
  new ResizeObserver(() => {
    if (drawn) draw(drawn);
  }).observe(box);
  return { draw };
}
