// Numbers that came with a page as 16-bit integers; esp_lib/widgets/recorded_data.py packs them.

const MISSING = 65535; // the code of a number that is not finite

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
