import { assertEquals } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import { Random } from "../support/random.ts";

/** The definition, a bit at a time. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1) >>> 0;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** RFC 3720, B.4, and the check value of the catalogues. */
const VECTORS: readonly (readonly [name: string, bytes: Uint8Array, crc: number])[] = [
  ["nothing", new Uint8Array(), 0x00000000],
  ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
];

for (const [name, bytes, crc] of VECTORS) {
  Deno.test(`crc32c() of ${name} is 0x${crc.toString(16)}`, () => {
    assertEquals(crc32c(bytes), crc);
  });
}

Deno.test("crc32c() agrees with the bitwise definition on every length up to 100", () => {
  const random = new Random(1);

  for (let length = 0; length <= 100; length++) {
    const bytes = random.bytes(length);
    assertEquals(crc32c(bytes), bitwise(bytes), `length ${length}`);
  }
});

Deno.test("crc32c() agrees with the bitwise definition on parts of a buffer", () => {
  const random = new Random(2);
  const bytes = random.bytes(4096);

  for (let i = 0; i < 300; i++) {
    const start = random.below(bytes.length);
    const end = start + random.below(bytes.length - start + 1);
    assertEquals(crc32c(bytes, start, end), bitwise(bytes.subarray(start, end)), `from ${start} to ${end}`);
  }
});

Deno.test("crc32c() agrees with the bitwise definition wherever in memory the bytes begin", () => {
  const random = new Random(3);
  const bytes = random.bytes(2048);

  for (let offset = 0; offset < 16; offset++) {
    const view = bytes.subarray(offset);
    assertEquals(crc32c(view), bitwise(view), `offset ${offset}`);
  }
});
