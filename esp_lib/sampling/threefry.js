// Threefry-2x32 with 20 rounds, the twin of esp_lib/sampling/threefry.py: same key, same words.
// Source: Salmon, Moraes, Dror and Shaw, SC 2011, doi 10.1145/2063384.2063405.

export const STREAM_CURVATURE = 0;
export const STREAM_MINIMUM = 1;
export const STREAM_ORDER = 2;
export const STREAM_WEIGHT = 3;

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];
const PARITY = 0x1bd11bda;
const TWO_32 = 4294967296;

/** Writes the two words of (key, counter) to out[at] and out[at + 1]; `out` is a Uint32Array. */
export function threefry2x32(seed, stream, counter0, counter1, out, at) {
  const key = [seed | 0, stream | 0, PARITY ^ seed ^ stream];
  let w0 = (counter0 + key[0]) | 0;
  let w1 = (counter1 + key[1]) | 0;
  for (let r = 0; r < 20; r++) {
    const rotation = ROTATIONS[r & 7];
    w0 = (w0 + w1) | 0;
    w1 = ((w1 << rotation) | (w1 >>> (32 - rotation))) ^ w0;
    if ((r & 3) === 3) {
      const s = (r >> 2) + 1; // inject the key after every fourth round
      w0 = (w0 + key[s % 3]) | 0;
      w1 = (w1 + key[(s + 1) % 3] + s) | 0;
    }
  }
  out[at] = w0;
  out[at + 1] = w1;
}

/** Words of one stream in row `row`: word j is word j % 2 of counter (j // 2, row). */
export function wordRow(seed, stream, row, columns) {
  const words = new Uint32Array(columns + (columns & 1));
  for (let j = 0; j < columns; j += 2) threefry2x32(seed, stream, j >> 1, row, words, j);
  return words;
}

/** A word as a float strictly between low and high. */
export function uniform(word, low, high) {
  return low + (high - low) * ((word + 0.5) / TWO_32);
}

/** A word as an integer in [0, bound), bound up to 2**21. */
export function below(word, bound) {
  return Math.floor((word * bound) / TWO_32);
}
