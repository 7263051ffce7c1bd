/**
 * CRC-32 as zip and Ethernet have it, of a few bytes: {@linkcode crc32c} is for many, and another polynomial.
 *
 * @module
 */

/** 0x04c11db7 with its bits reversed. */
const POLYNOMIAL = 0xedb88320;

/**
 * The checksum, as an unsigned number.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { crc32 } from "./crc32.ts";
 *
 * assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
 * ```
 */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
  }
  return ~crc >>> 0;
}
