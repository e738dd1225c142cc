// Numbers that came with a page as 16-bit integers; esp_lib/widgets/packing.py and maps.py
// pack them.

const MISSING = 65535; // the code of a number that is not finite
const ZERO = 65534; // the code of 0 among numbers of three digits

/** 16-bit integers, low byte first, from base64. */
export function integers(text) {
  const bytes = atob(text);
  return Uint16Array.from(
    { length: bytes.length / 2 },
    (_, k) => bytes.charCodeAt(2 * k) + 256 * bytes.charCodeAt(2 * k + 1),
  );
}

/** Numbers from blocks of codes, each block on its own grid: low + unit * code. */
export function unpack({ codes, block, low, unit }) {
  return Float64Array.from(integers(codes), (code, k) => {
    const at = Math.floor(k / block);
    return code === MISSING ? NaN : low[at] + unit[at] * code;
  });
}

/** Numbers of three significant digits; see `three_digits` in maps.py. */
export function threeDigits(text) {
  return Float64Array.from(integers(text), (code) => {
    if (code >= ZERO) return code === ZERO ? 0 : NaN;
    const rest = Math.floor(code / 2);
    return Number(`${code % 2 ? "-" : ""}${(rest % 900) + 100}e${Math.floor(rest / 900) - 20}`);
  });
}
