import { assertEquals } from "@std/assert";
import { crc32 as ofNode } from "node:zlib";
import { crc32 } from "../../src/base/crc32.ts";
import { Random } from "../support/random.ts";

Deno.test("crc32() has the check value of the catalogues", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

Deno.test("crc32() is zlib's", () => {
  const random = new Random(1);
  for (let length = 0; length < 50; length++) {
    const bytes = random.bytes(length);

    assertEquals(crc32(bytes), ofNode(bytes), bytes.toHex());
  }
});
