/**
 * CRC-32C (Castagnoli), the checksum of the log's records. Own code because the npm packages are slower
 * or native (docs/performance.md); the tables let sixteen bytes be folded at a time.
 *
 * @module
 */

/** 0x1edc6f41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const TABLE_SIZE = 256;
/** From so many bytes on it pays to look at them as words. */
const WORDWISE_MIN = 512;

/** `TABLES[k * 256 + b]`: what byte `b` contributes when k more bytes follow it in a step. */
const TABLES = new Int32Array(16 * TABLE_SIZE);
for (let byte = 0; byte < TABLE_SIZE; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
  TABLES[byte] = crc;
}
for (let i = TABLE_SIZE; i < TABLES.length; i++) {
  const previous = TABLES[i - TABLE_SIZE];
  TABLES[i] = previous >>> 8 ^ TABLES[previous & 255];
}

/**
 * The checksum of `bytes` from `start` to `end`, as an unsigned number.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { crc32c } from "./crc32c.ts";
 *
 * assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
 * ```
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const t = TABLES;
  let crc = -1;
  let i = start;
  if (end - start >= WORDWISE_MIN) {
    for (; (bytes.byteOffset + i) % 4 !== 0; i++) crc = crc >>> 8 ^ t[(crc ^ bytes[i]) & 255];
    const wordCount = (end - i >>> 4) * 4;
    crc = fold(crc, new Int32Array(bytes.buffer, bytes.byteOffset + i, wordCount));
    i += wordCount * 4;
  }
  for (const last = end - 8; i <= last; i += 8) {
    crc ^= bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24;
    crc = t[1792 + (crc & 255)] ^ t[1536 + (crc >>> 8 & 255)] ^ t[1280 + (crc >>> 16 & 255)] ^
      t[1024 + (crc >>> 24)] ^ t[768 + bytes[i + 4]] ^ t[512 + bytes[i + 5]] ^ t[256 + bytes[i + 6]] ^
      t[bytes[i + 7]];
  }
  for (; i < end; i++) crc = crc >>> 8 ^ t[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}

/** Takes four words at a time. They are little-endian, as every machine is that Deno runs on. */
function fold(start: number, words: Int32Array): number {
  const t = TABLES;
  let crc = start;
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i];
    const b = words[i + 1];
    const c = words[i + 2];
    const d = words[i + 3];
    crc = t[3840 + (a & 255)] ^ t[3584 + (a >>> 8 & 255)] ^ t[3328 + (a >>> 16 & 255)] ^
      t[3072 + (a >>> 24)] ^
      t[2816 + (b & 255)] ^ t[2560 + (b >>> 8 & 255)] ^ t[2304 + (b >>> 16 & 255)] ^ t[2048 + (b >>> 24)] ^
      t[1792 + (c & 255)] ^ t[1536 + (c >>> 8 & 255)] ^ t[1280 + (c >>> 16 & 255)] ^ t[1024 + (c >>> 24)] ^
      t[768 + (d & 255)] ^ t[512 + (d >>> 8 & 255)] ^ t[256 + (d >>> 16 & 255)] ^ t[d >>> 24];
  }
  return crc;
}
