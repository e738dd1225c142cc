// The book's colours of the paper's values of beta2: the twin of `color_of` in sawtooth.py.

const PAPER = { 0.999: "blue", 0.99: "blue", 0.9: "orange", 0.8: "green" };

/** The book's colour of a value of beta2; purple where the paper has no curve. */
export const colorOf = ({ optimizer, beta2 }) =>
  `var(--esp-${optimizer === "SGD" ? "purple" : (PAPER[beta2] ?? "purple")})`;
