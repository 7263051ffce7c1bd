import { assertEquals } from "@std/assert";
import { bytesOf, byteString, quote } from "../../src/protocol/quote.ts";

/** Bytes, and what Go's `fmt.Sprintf("%q", string(bytes))` makes of them. */
const QUOTED: readonly (readonly [bytes: string | readonly number[], quoted: string])[] = [
  ["", '""'],
  ["plain", '"plain"'],
  ["a b", '"a b"'],
  ["it's", `"it's"`],
  ["#ephemeral", '"#ephemeral"'],
  ['say "hi"', '"say \\"hi\\""'],
  ["back\\slash", '"back\\\\slash"'],
  ["a\tb\nc\rd", '"a\\tb\\nc\\rd"'],
  ["\x07\b\f\v", '"\\a\\b\\f\\v"'],
  ["\x00\x01\x1f\x7f", '"\\x00\\x01\\x1f\\x7f"'],
  // Letters, marks, numbers, punctuation and symbols of any script stay as they are.
  ["naïve", '"naïve"'],
  ["日本語", '"日本語"'],
  ["😀", '"😀"'],
  ["½ €", '"½ €"'],
  ["\u0301", '"\u0301"'],
  ["\ufffd", '"\ufffd"'],
  // Spaces but ASCII's, controls, formats, private and unassigned characters do not.
  ["\u0080\u009f", '"\\u0080\\u009f"'],
  ["\u00a0\u3000\u2028", '"\\u00a0\\u3000\\u2028"'],
  ["\u00ad\u200b\ufeff", '"\\u00ad\\u200b\\ufeff"'],
  ["\u061c\u2066", '"\\u061c\\u2066"'],
  ["\u0378\ufffe\ue000", '"\\u0378\\ufffe\\ue000"'],
  ["\u{e0001}\u{10ffff}", '"\\U000e0001\\U0010ffff"'],
  // What is not UTF-8 is shown byte by byte.
  [[0xff], '"\\xff"'],
  [[0x61, 0xff, 0x62], '"a\\xffb"'],
  [[0xc3, 0x28], '"\\xc3("'],
  [[0xe2, 0x82], '"\\xe2\\x82"'],
  [[0xe2, 0x28, 0xa1], '"\\xe2(\\xa1"'],
  [[0xf0, 0x9f, 0x98], '"\\xf0\\x9f\\x98"'],
  [[0xc3, 0xa9, 0xc3], '"é\\xc3"'],
  // A surrogate, a NUL in two bytes, five bytes, beyond the last character.
  [[0xed, 0xa0, 0x80], '"\\xed\\xa0\\x80"'],
  [[0xc0, 0x80], '"\\xc0\\x80"'],
  [[0xf8, 0x88, 0x80, 0x80, 0x80], '"\\xf8\\x88\\x80\\x80\\x80"'],
  [[0xf4, 0x90, 0x80, 0x80], '"\\xf4\\x90\\x80\\x80"'],
];

for (const [given, quoted] of QUOTED) {
  Deno.test(`quote() shows ${JSON.stringify(given)} as Go does: ${JSON.stringify(quoted)}`, () => {
    const bytes = typeof given === "string" ? new TextEncoder().encode(given) : Uint8Array.from(given);

    const text = quote(bytes);

    // The result is a byte string: what goes over the wire is UTF-8 again.
    assertEquals(new TextDecoder().decode(bytesOf(text)), quoted);
  });
}

Deno.test("bytesOf() and byteString() are each other's inverse, for every byte", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);

  assertEquals(bytesOf(byteString(bytes)), bytes);
  assertEquals(byteString(bytes).length, 256);
});
