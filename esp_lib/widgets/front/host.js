// The page that an explorer is drawn in, and small parts of it.

/** A page of the built book, where address and links are the reader's; not so in Jupyter. */
export const isPage = () =>
  document.querySelector('script[type="application/vnd.jupyter.widget-state+json"]') !== null;

export function button(text, onClick) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = text;
  node.addEventListener("click", onClick);
  return node;
}

/** Two panels that fill a drawing; its class says how they stand. */
export function twoPanels(drawing, className) {
  drawing.classList.add(className);
  const panels = [0, 1].map(() => document.createElement("div"));
  drawing.append(...panels);
  return panels;
}

/** The first drawing of the explorer `name` takes the place of its static figure. */
export function goLive(root, name) {
  if (root.dataset.live) return;
  root.dataset.live = "true";
  const output = root.closest(".cell_output, .jp-OutputArea");
  for (const figure of output?.querySelectorAll(`.esp-fallback[data-for="${name}"]`) ?? []) {
    figure.hidden = true;
  }
  root.dispatchEvent(new Event("esp-live")); // the page goes on with what comes next
}
