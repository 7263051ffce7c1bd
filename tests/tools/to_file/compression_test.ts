import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { assertEquals } from "@std/assert";
import { compressed, type ReadAt, wholeLength } from "../../../src/tools/to_file/compression.ts";
import { join } from "../../support/frames.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const reader = (bytes: Uint8Array): ReadAt => (offset, size) =>
  Promise.resolve(bytes.subarray(offset, offset + size));
/** Larger than what is read at once. */
const LARGE = new Uint8Array(200_000).map((_, i) => i * i % 251);

for (const kind of ["gzip", "zstd"] as const) {
  Deno.test(`compressed() makes members of ${kind} that are read as one file`, () => {
    const first = compressed(kind, 6, bytesOf("one\n"));
    const second = compressed(kind, 6, bytesOf("two\n"));
    // The runtime's function for zstd reads the first frame only; the zstd program reads all.
    const text = kind === "gzip"
      ? gunzipSync(join(first, second))
      : join(zstdDecompressSync(first), zstdDecompressSync(second));

    assertEquals(new TextDecoder().decode(text), "one\ntwo\n");
  });

  for (
    const [what, body] of [["small", bytesOf("one\n")], ["large", LARGE], [
      "empty",
      new Uint8Array(),
    ]] as const
  ) {
    const member = compressed(kind, 3, body);

    Deno.test(`wholeLength() finds the ends of ${what} members of ${kind}`, async () => {
      assertEquals(await wholeLength(kind, reader(join(member, member, member))), 3 * member.length);
    });

    Deno.test(`wholeLength() leaves a cut off member of ${kind} out, wherever it is cut: ${what}`, async () => {
      const file = join(member, member);
      const step = Math.max(1, Math.floor(member.length / 50));
      for (let size = member.length; size < file.length; size += step) {
        assertEquals(
          await wholeLength(kind, reader(file.subarray(0, size))),
          member.length,
          `cut at ${size}`,
        );
      }
    });
  }

  Deno.test(`wholeLength() ends at zeros, which a loss of power leaves, in ${kind}`, async () => {
    const member = compressed(kind, 3, bytesOf("one\n"));

    assertEquals(await wholeLength(kind, reader(join(member, new Uint8Array(5000)))), member.length);
  });
}

Deno.test("wholeLength() checks what is in members of gzip", async () => {
  const member = compressed("gzip", 3, bytesOf("one\n"));
  const damaged = new Uint8Array(member);
  damaged[damaged.length - 8] ^= 1;

  assertEquals(await wholeLength("gzip", reader(join(member, damaged, member))), member.length);
});
