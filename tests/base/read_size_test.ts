import { assertEquals } from "@std/assert";
import { READ_SIZE_MIN, ReadSize } from "../../src/base/read_size.ts";

Deno.test("ReadSize grows with each read that is filled, up to the most, and begins anew with one that is not", () => {
  const size = new ReadSize(40_000);
  const sizes = [size.bytes];
  for (const filled of [true, true, true, false, true]) {
    size.received(filled ? size.bytes : size.bytes - 1);
    sizes.push(size.bytes);
  }

  assertEquals(sizes, [READ_SIZE_MIN, 16_384, 40_000, 40_000, READ_SIZE_MIN, 16_384]);
});
