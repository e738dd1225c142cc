// The part of a map that is seen: a window in cells, to be zoomed, moved and kept on the map.

const LEAST = 4; // cells a side at the closest

export const whole = (columns, rows) => ({ left: 0, bottom: 0, width: columns, height: rows, columns, rows });

/** The window with its corner moved so that it lies on the map. */
function kept(view) {
  const inside = (at, span, size) => Math.min(size - span, Math.max(0, at));
  return {
    ...view,
    left: inside(view.left, view.width, view.columns),
    bottom: inside(view.bottom, view.height, view.rows),
  };
}

export const isWhole = (view) => view.width === view.columns && view.height === view.rows;

/** Spans times `factor`, about the point (x, y) in cells, which keeps its place. */
export function zoomed(view, factor, x, y) {
  const span = (now, size) => Math.min(size, Math.max(Math.min(LEAST, size), now * factor));
  const width = span(view.width, view.columns);
  const height = span(view.height, view.rows);
  const left = x - ((x - view.left) / view.width) * width;
  const bottom = y - ((y - view.bottom) / view.height) * height;
  return kept({ ...view, left, bottom, width, height });
}

export const moved = (view, x, y) => kept({ ...view, left: view.left + x, bottom: view.bottom + y });

/** The window, moved as little as shows the cell. */
export function showing(view, column, row) {
  const shift = (at, low, span) => Math.min(0, at - low) + Math.max(0, at + 1 - low - span);
  return moved(view, shift(column, view.left, view.width), shift(row, view.bottom, view.height));
}

/** Where ticks stand along one side, 0 to 1: those given, or, zoomed in, the labels of cells. */
export function ticksIn(axis, low, span, text) {
  const size = axis.values.length;
  let ticks = axis.ticks;
  if (span < 0.6 * size) {
    const stride = Math.max(1, Math.ceil(span / 5));
    const cells = axis.values.map((value, at) => ({ at, text: text(value) }));
    ticks = cells.filter(({ at }) => at % stride === 0);
  }
  return ticks
    .map(({ at, text: words }) => ({ at: (at + 0.5 - low) / span, text: words }))
    .filter(({ at }) => at >= 0 && at <= 1);
}
