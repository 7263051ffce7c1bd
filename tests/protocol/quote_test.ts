import { assertEquals } from "@std/assert";
import { bytesOf, byteString, quote, shown, shownText } from "../../src/protocol/quote.ts";

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
  // Longer than need be, in three and in four bytes; and the first and last that are not.
  [[0xe0, 0x9f, 0xbf], '"\\xe0\\x9f\\xbf"'],
  [[0xf0, 0x8f, 0xbf, 0xbf], '"\\xf0\\x8f\\xbf\\xbf"'],
  [[0xc1, 0xbf], '"\\xc1\\xbf"'],
  [[0xf5, 0x80, 0x80, 0x80], '"\\xf5\\x80\\x80\\x80"'],
  ["\u0800\ud7ff\u{10000}", '"\u0800\\ud7ff\u{10000}"'],
];

for (const [given, quoted] of QUOTED) {
  Deno.test(`quote() shows ${JSON.stringify(given)} as Go does: ${JSON.stringify(quoted)}`, () => {
    const bytes = typeof given === "string" ? new TextEncoder().encode(given) : Uint8Array.from(given);

    const text = quote(bytes);

    // The result is a byte string: what goes over the wire is UTF-8 again.
    assertEquals(new TextDecoder().decode(bytesOf(text)), quoted);
  });
}

Deno.test("quote() finds a character wherever a strict decoder does, whatever follows its first byte", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const isUtf8 = (bytes: Uint8Array) => {
    try {
      return strict.decode(bytes).length > 0;
    } catch {
      // Not UTF-8: that is the answer.
      return false;
    }
  };
  const wrong: string[] = [];
  const compare = (bytes: Uint8Array) => {
    // What is no UTF-8 has a byte that is shown as such; characters above ASCII never are.
    const shown = quote(bytes);
    if (/\\x[89a-f]/.test(shown) === isUtf8(bytes)) wrong.push(`${[...bytes]}: ${shown}`);
  };

  for (let first = 0x80; first < 0x100; first++) {
    for (const second of [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]) {
      compare(Uint8Array.of(first, second));
      for (const third of [0x00, 0x7f, 0x80, 0xbf, 0xc0]) {
        compare(Uint8Array.of(first, second, third));
        compare(Uint8Array.of(first, second, third, 0x80));
      }
    }
  }

  assertEquals(wrong, []);
});

for (const length of [0, 8191, 8192, 8193, 100_000]) {
  Deno.test(`byteString() makes a string of ${length} bytes, and bytesOf() takes it`, () => {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);

    const text = byteString(bytes);

    assertEquals(text.length, length);
    assertEquals(text.charCodeAt(length - 1), length === 0 ? NaN : (length - 1) * 7 & 0xff);
    assertEquals(bytesOf(text), bytes);
  });
}

Deno.test("bytesOf() and byteString() are each other's inverse, for every byte", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);

  assertEquals(bytesOf(byteString(bytes)), bytes);
  assertEquals(byteString(bytes).length, 256);
});

Deno.test("quote(), shown() and shownText() show the beginning of what is longer than 256 bytes", () => {
  const word = (length: number) => new Uint8Array(length).fill(0x78);
  const [whole, cut] = ["x".repeat(256), `${"x".repeat(256)}...`];

  assertEquals([255, 256, 257].map((length) => quote(word(length))), [
    `"${"x".repeat(255)}"`,
    `"${whole}"`,
    `"${whole}"...`,
  ]);
  assertEquals([256, 257, 16_384].map((length) => shown(word(length))), [whole, cut, cut]);
  assertEquals([256, 257].map((length) => shownText("x".repeat(length))), [whole, cut]);
});

Deno.test("quote() shows what is left of a character that was cut as bytes", () => {
  const word = new TextEncoder().encode(`${"x".repeat(255)}é`);

  assertEquals(quote(word), `"${"x".repeat(255)}\\xc3"...`);
});
