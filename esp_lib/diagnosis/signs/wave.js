// Does the loss fall at once between two epochs, or on both sides of the boundary, as a wave does? The
// twin of esp_lib/diagnosis/signs/wave.py.

import { filledShare } from "./grid.js";
import { average, finiteMean, totalOf } from "../../sawtooth/sums.js";

const MIN_CUBIC = 6; // parts of an epoch, from which a cubic is told from a line and a parabola

/**
 * How far the loss falls towards both ends of an epoch: the cubic part of what epochs have in common.
 *
 * @param {object} grid its first epoch, that falls fastest, is left out where there are three
 * @param {number} noise of a cell about the line of its epoch
 * @returns {{size, error}} NaN if it cannot be asked
 */
export function waveOf(grid, noise) {
  const { bins } = grid;
  const rows = [];
  for (let row = grid.epochs >= 3 ? 1 : 0; row < grid.epochs; row++) {
    if (filledShare(grid, row) >= 0.5) rows.push(grid.y.subarray(row * bins, (row + 1) * bins));
  }
  const level = rows.map(finiteMean);
  const columns = Array.from({ length: bins }, (_, i) => {
    const values = rows.flatMap((row, r) => (Number.isFinite(row[i]) ? [row[i] - level[r]] : []));
    return { x: ((i + 0.5) / bins) * 2 - 1, mean: average(values), number: values.length };
  }).filter(({ number }) => number > 0);
  if (columns.length < MIN_CUBIC || rows.length < 2) return { size: NaN, error: NaN };
  const sumOf = (f) => totalOf(columns.length, f);
  const basis = [];
  for (let power = 0; power < 4; power++) {
    let term = columns.map(({ x }) => x ** power);
    for (const other of basis) {
      const share = sumOf((i) => term[i] * other[i]) / sumOf((i) => other[i] ** 2);
      term = term.map((value, i) => value - share * other[i]);
    }
    basis.push(term);
  }
  const square = sumOf((i) => basis[3][i] ** 2);
  const leading = 2 / 5; // Legendre's third polynomial is 5/2 x³ - 3/2 x
  const size = (-leading * sumOf((i) => columns[i].mean * basis[3][i])) / Math.max(square, 1e-300);
  const error = (leading * noise) / Math.sqrt(Math.max(rows.length * square, 1e-300));
  return { size, error };
}
