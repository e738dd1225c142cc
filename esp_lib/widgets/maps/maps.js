// Explorer of maps: two hyper-parameters at once, as colour; zoomed, read, and opened as a curve.

import { element } from "../front/chart.js";
import { mountExplorer } from "../base.js";
import { button, isPage } from "../front/host.js";
import { fragmentOf, nearest, pixels, place, pointOf, reading, summary } from "./cells.js";
import { isWhole, moved, showing, ticksIn, whole, zoomed } from "./window.js";
import { threeDigits } from "../packing.js";

const MARGIN = { top: 26, right: 74, bottom: 40, left: 56 };
const STEP = 1.5; // of a zoom by button or key
const DRAG = 4; // pixels from which a press is a drag
const PINNED = { beta2: 0.999 }; // what that explorer has pinned at the start
const PLAY = "play.html"; // the page of the book with a sawtooth explorer, for pages without one

function make(tag, className, parent) {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
}

/** The parts of the drawing: axes, the map, its cursor and colour bar; below it words and buttons. */
function layOut(drawing, ramp) {
  const svg = element("svg", { class: "esp-chart esp-map-axes", "aria-hidden": "true" });
  drawing.append(svg);
  drawing.classList.add("esp-map");
  const box = make("div", "esp-map-view", drawing);
  const canvas = make("canvas", "", box);
  const cursor = make("div", "esp-map-cursor", box);
  const bar = make("div", "esp-map-bar", drawing);
  bar.style.background = `linear-gradient(to top, ${ramp.join(", ")})`;
  const below = make("div", "esp-map-below", drawing.parentElement);
  drawing.after(below);
  const read = make("p", "esp-map-read", below);
  read.setAttribute("aria-live", "polite");
  const link = make("a", "esp-map-open", below);
  link.textContent = "Open this point in the explorer";
  const buttons = make("div", "esp-buttons", below);
  const hint = make("p", "esp-map-hint", below);
  hint.textContent =
    "Hatched: the loss ends above its start. Point at a cell to read it, click to open it; on a touch " +
    "screen tap to read, then follow the link. Ctrl and the wheel or two fingers zoom, dragging moves. " +
    "Keys: arrows, Enter, +, −, 0.";
  hint.id = `${drawing.closest(".esp-plot").id}-hint`;
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  box.setAttribute("aria-describedby", hint.id);
  return { svg, box, canvas, cursor, bar, read, link, buttons };
}

/** The sawtooth explorer of this page, if it has one. */
const explorerHere = () => document.querySelector('.esp-explorer[data-explorer="sawtooth"]');

function create(drawing, model) {
  const { maps, ramp } = model.get("data");
  const { svg, box, canvas, cursor, bar, read, link, buttons } = layOut(drawing, ramp);
  const lists = maps.map((map) => map.layers.map((layer) => threeDigits(layer.values)));
  const places = maps.map((map) => ({
    column: nearest(map.x.values, map.base[map.x.setting]),
    row: nearest(map.y.values, map.base[map.y.setting]),
    view: whole(map.x.values.length, map.y.values.length),
  }));
  const picture = document.createElement("canvas"); // a pixel a cell
  let now = 0; // which map
  let shown = 0; // which of its layers

  function fillPicture() {
    const { columns, rows } = places[now].view;
    picture.width = columns;
    picture.height = rows;
    const colors = pixels(lists[now][shown], maps[now].layers[shown], ramp);
    const image = new ImageData(columns, rows);
    for (let row = 0; row < rows; row++) { // the first row is at the bottom
      image.data.set(colors.subarray(4 * row * columns, 4 * (row + 1) * columns), 4 * (rows - 1 - row) * columns);
    }
    picture.getContext("2d").putImageData(image, 0, 0);
  }

  function drawAxes(width, height) {
    const { left, top } = MARGIN;
    const map = maps[now];
    const { view } = places[now];
    const layer = map.layers[shown];
    const texts = [
      element("text", { x: 0, y: 13 }, map.y.name),
      element("text", { class: "esp-x", x: left + width / 2, y: top + height + 34 }, map.x.name),
      element("text", { class: "esp-y", x: left + width + MARGIN.right, y: 13 }, layer.name),
    ];
    for (const { at, text } of ticksIn(map.x, view.left, view.width, place)) {
      texts.push(element("text", { class: "esp-x", x: left + at * width, y: top + height + 16 }, text));
    }
    for (const { at, text } of ticksIn(map.y, view.bottom, view.height, place)) {
      texts.push(element("text", { class: "esp-y", x: left - 7, y: top + (1 - at) * height + 4 }, text));
    }
    for (const { at, text } of layer.ticks) {
      texts.push(element("text", { x: left + width + 36, y: top + (1 - at) * height + 4 }, text));
    }
    svg.replaceChildren(...texts);
  }

  function paint() {
    const frame = drawing.getBoundingClientRect();
    const width = Math.max(40, frame.width - MARGIN.left - MARGIN.right);
    const height = Math.max(40, frame.height - MARGIN.top - MARGIN.bottom);
    const { view, column, row } = places[now];
    Object.assign(box.style, {
      left: `${MARGIN.left}px`, top: `${MARGIN.top}px`, width: `${width}px`, height: `${height}px`,
      touchAction: isWhole(view) ? "pan-y" : "none",
    });
    Object.assign(bar.style, { left: `${MARGIN.left + width + 16}px`, top: `${MARGIN.top}px`, height: `${height}px` });
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(
      picture, view.left, view.rows - view.bottom - view.height, view.width, view.height,
      0, 0, canvas.width, canvas.height,
    );
    Object.assign(cursor.style, {
      left: `${((column - view.left) / view.width) * width}px`,
      bottom: `${((row - view.bottom) / view.height) * height}px`,
      width: `${width / view.width}px`,
      height: `${height / view.height}px`,
    });
    drawAxes(width, height);
    drawing.dataset.view = JSON.stringify(places[now]);
  }

  function tell() {
    const { column, row } = places[now];
    read.textContent = reading(maps[now], lists[now], column, row);
    const here = explorerHere();
    const pinned = here ? JSON.parse(here.dataset.state).pinned : PINNED;
    const fragment = fragmentOf(pointOf(maps[now], column, row), pinned);
    link.href = here ? fragment : PLAY + fragment;
    link.hidden = !isPage();
    box.setAttribute("aria-label", `Map of ${maps[now].title}, cell by cell`);
  }

  function go(column, row) {
    const at = places[now];
    const { columns, rows } = at.view;
    at.column = Math.min(columns - 1, Math.max(0, column));
    at.row = Math.min(rows - 1, Math.max(0, row));
    at.view = showing(at.view, at.column, at.row);
    tell();
    paint();
  }

  function look(view) {
    places[now].view = view;
    paint();
  }

  const zoom = (factor) => {
    const { view, column, row } = places[now];
    look(showing(zoomed(view, factor, column + 0.5, row + 0.5), column, row));
  };
  const reset = () => look(whole(places[now].view.columns, places[now].view.rows));

  /** The point in cells under the pointer. */
  function under(event) {
    const frame = box.getBoundingClientRect();
    const { view } = places[now];
    return {
      x: view.left + ((event.clientX - frame.left) / frame.width) * view.width,
      y: view.bottom + ((frame.bottom - event.clientY) / frame.height) * view.height,
      cell: [view.width / frame.width, view.height / frame.height], // cells a pixel
    };
  }

  /** The point goes to Python and, in a page, to the explorer by its link. */
  link.addEventListener("click", (event) => {
    const { column, row } = places[now];
    model.set("result", { point: pointOf(maps[now], column, row) });
    model.save_changes();
    if (!isPage()) event.preventDefault();
    tell(); // the explorer of this page may have come later
    const root = explorerHere();
    if (!root || !isPage()) return;
    root.tabIndex = -1;
    root.focus({ preventScroll: true });
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    root.scrollIntoView({ block: "start", behavior: calm ? "instant" : "smooth" });
  });

  let press = null; // where the pointer went down, and whether it has moved since
  const fingers = new Map(); // pointers that are down

  /** How far two fingers are apart, and the point between them. */
  function pinch() {
    const [a, b] = [...fingers.values()];
    return {
      span: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
      clientX: (a.clientX + b.clientX) / 2,
      clientY: (a.clientY + b.clientY) / 2,
    };
  }

  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, event);
    press = { x: event.clientX, y: event.clientY, drag: fingers.size > 1 };
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", (event) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      const before = pinch();
      fingers.set(event.pointerId, event);
      const after = pinch();
      const { x, y } = under(after);
      look(zoomed(places[now].view, before.span / after.span, x, y));
    } else if (fingers.size < 2 && press) {
      const [dx, dy] = [event.clientX - press.x, event.clientY - press.y];
      press.drag ||= Math.hypot(dx, dy) > DRAG;
      if (!press.drag) return;
      const [wide, high] = under(event).cell;
      look(moved(places[now].view, -dx * wide, dy * high));
      Object.assign(press, { x: event.clientX, y: event.clientY });
    } else if (!fingers.size) {
      const { x, y } = under(event);
      go(Math.floor(x), Math.floor(y));
    }
  });
  box.addEventListener("pointerup", (event) => {
    const { drag = true } = press ?? {};
    fingers.delete(event.pointerId);
    press = null;
    if (drag) return;
    const { x, y } = under(event);
    const { column, row } = places[now];
    go(Math.floor(x), Math.floor(y));
    const seen = column === places[now].column && row === places[now].row;
    if (event.pointerType !== "touch" || seen) link.click(); // a first touch reads
  });
  box.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    press = null;
  });
  link.addEventListener("pointerenter", () => tell());
  link.addEventListener("focus", () => tell());
  box.addEventListener("wheel", (event) => {
    const out = event.deltaY > 0;
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    const { x, y } = under(event);
    look(zoomed(places[now].view, out ? 1.2 : 1 / 1.2, x, y));
  }, { passive: false });

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { column, row, view } = places[now];
    const actions = {
      ArrowLeft: () => go(column - 1, row),
      ArrowRight: () => go(column + 1, row),
      ArrowUp: () => go(column, row + 1),
      ArrowDown: () => go(column, row - 1),
      Home: () => go(0, row),
      End: () => go(view.columns - 1, row),
      PageUp: () => go(column, row + Math.ceil(view.rows / 8)),
      PageDown: () => go(column, row - Math.ceil(view.rows / 8)),
      Enter: () => link.click(),
      "+": () => zoom(1 / STEP),
      "=": () => zoom(1 / STEP),
      "-": () => zoom(STEP),
      0: reset,
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  });
  buttons.append(
    button("Zoom in", () => zoom(1 / STEP)),
    button("Zoom out", () => zoom(STEP)),
    button("Whole map", reset),
  );
  new ResizeObserver(paint).observe(drawing);

  const compute = (settings) => settings;

  function draw(settings) {
    now = maps.findIndex(({ title }) => title === settings.map);
    shown = settings.show === maps[now].layers[0].name ? 0 : 1;
    fillPicture();
    tell();
    paint();
    const list = lists[now][shown];
    const state = { cells: list.length, hatched: list.filter((value) => !Number.isFinite(value)).length };
    return { sentence: summary(maps[now], list, maps[now].layers[shown]), state };
  }
  return { compute, draw };
}

export default {
  render: (context) => mountExplorer(context, (drawing) => create(drawing, context.model)),
};
