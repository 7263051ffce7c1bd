import { assertEquals, assertThrows } from "@std/assert";
import { ChunkDecoder, ChunkError } from "../../src/http/chunks.ts";
import { bytesOf, textOf } from "../support/frames.ts";
import { Random } from "../support/random.ts";

/** Decodes what comes in parts of these lengths, the last again and again; the data, and what is left. */
function decode(text: string, nextLength: () => number): { data: string; left: string; done: boolean } {
  const bytes = bytesOf(text);
  const decoder = new ChunkDecoder();
  let data = "";
  let at = 0;
  while (at < bytes.length && !decoder.done) {
    const end = Math.min(bytes.length, at + nextLength());
    at = decoder.decode(bytes, at, end, (from, to) => data += textOf(bytes.slice(from, to)));
  }
  return { data, left: textOf(bytes.slice(at)), done: decoder.done };
}

const BODIES: readonly (readonly [text: string, data: string])[] = [
  ["0\r\n\r\n", ""],
  ["5\r\nhello\r\n0\r\n\r\n", "hello"],
  ["1\r\na\r\nB\r\nhello world\r\n00\r\n\r\n", "ahello world"],
  ["5;a=b;c\r\nhello\r\n0;x\r\n\r\n", "hello"],
  ["5 \t\r\nhello\r\n0\r\n\r\n", "hello"],
  ["5\r\nhello\r\n0\r\nX: y\r\nZ: 1\r\n\r\n", "hello"],
  ["5\r\n\r\n\r\n0\r\n0\r\n\r\n".replace("5\r\n\r\n\r\n0", "5\r\n\r\n\r\n0"), "\r\n\r\n0"],
  ["10\r\n0123456789abcdef\r\n0\r\n\r\n", "0123456789abcdef"],
];

for (const [text, data] of BODIES) {
  Deno.test(`ChunkDecoder decodes ${JSON.stringify(text)} whole, by bytes and by pieces, and leaves what follows`, () => {
    const expected = { data, left: "GET /", done: true };
    const random = new Random(1);

    assertEquals(decode(`${text}GET /`, () => Infinity), expected);
    assertEquals(decode(`${text}GET /`, () => 1), expected);
    for (let i = 0; i < 50; i++) assertEquals(decode(`${text}GET /`, () => 1 + random.below(7)), expected);
  });
}

const BROKEN: readonly (readonly [text: string, message: string])[] = [
  ["\r\n", "There is no size"],
  ["x\r\n", "There is no size"],
  ["-1\r\n", "There is no size"],
  [";a\r\n", "There is no size"],
  ["0x5\r\n", "A size is no number"],
  ["5\n", "A size is no number"],
  ["5;a\n", "A line ends without CR"],
  ["5\rx", "CR without LF"],
  ["5\r\nhellox", "A chunk is longer than its size"],
  ["5\r\nhello\rx", "A chunk is longer than its size"],
  ["5\r\nhello\n", "A chunk is longer than its size"],
  ["10000000000000\r\n", "A size is too large"],
  [`5;${"a".repeat(4096)}`, "The line of a size is too long"],
  [`0\r\n${"a".repeat(16_385)}`, "The trailers are too long"],
];

for (const [text, message] of BROKEN) {
  Deno.test(`ChunkDecoder refuses ${JSON.stringify(text.slice(0, 20))}: ${message}`, () => {
    assertThrows(() => decode(text, () => Infinity), ChunkError, message);
    assertThrows(() => decode(text, () => 1), ChunkError, message);
  });
}

Deno.test("ChunkDecoder refuses more around the data than the data is worth", () => {
  const wasteful = `1;${"a".repeat(1000)}\r\nx\r\n`;

  assertEquals(decode(wasteful.repeat(16), () => Infinity).data.length, 16);
  assertThrows(
    () => decode(wasteful.repeat(17), () => Infinity),
    ChunkError,
    "There is too much around the data",
  );
});

Deno.test("ChunkDecoder takes as many small chunks as there are", () => {
  assertEquals(decode("1\r\nx\r\n".repeat(100_000), () => 4096).data.length, 100_000);
});
