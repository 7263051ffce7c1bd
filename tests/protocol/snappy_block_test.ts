import { compress } from "snappyjs";
import { assertEquals, assertThrows } from "@std/assert";
import { decodeBlock, SnappyError } from "../../src/protocol/snappy_block.ts";
import { textOf } from "../support/frames.ts";
import { hex } from "../support/golden_streams.ts";
import { Random } from "../support/random.ts";

const LENGTH_MAX = 65536;

const BLOCKS: readonly (readonly [name: string, block: string, data: string])[] = [
  ["no data", "00", ""],
  ["a literal", "0308616263", "abc"],
  ["a literal of 60 bytes", "3cec" + "61".repeat(60), "a".repeat(60)],
  ["a literal with a length of one byte", "03f002616263", "abc"],
  ["a literal with a length of two bytes", "03f40200616263", "abc"],
  ["a literal with a length of three bytes", "03f8020000616263", "abc"],
  ["a literal with a length of four bytes", "03fc02000000616263", "abc"],
  ["a copy with a distance of 11 bits", "070461620502", "abababa"],
  ["a copy with a distance of two bytes", "050461620a0200", "ababa"],
  ["a copy with a distance of four bytes", "050461620b02000000", "ababa"],
  ["a copy of the byte before", "0a0061220100", "a".repeat(10)],
];

for (const [name, block, data] of BLOCKS) {
  Deno.test(`decodeBlock() reads ${name}`, () => {
    assertEquals(textOf(decodeBlock(hex(block), LENGTH_MAX)), data);
  });
}

Deno.test("decodeBlock() reads a block made by Go: random bytes, digits, and the random bytes again", () => {
  const block = hex(
    "d201f06d3c5e81b40c5ec68e04a3406c97d63cfbdc53ae88371a125121b5956143c0ee2d55fb638c77fee0b6f5f9275faf297e2c97df5404" +
      "f33bd406620b5821cf68259ccbee0207ffcd7464abf7bb7d6a25e6bfa294890d6b90f256c646e9f06e6e5a05a9bf717f3031323334353637" +
      "3839fe6e008e6e00",
  );
  const random = textOf(block.slice(4, 104));

  assertEquals(textOf(decodeBlock(block, LENGTH_MAX)), `${random}0123456789${random}`);
});

const CORRUPT: readonly (readonly [name: string, block: string])[] = [
  ["nothing", ""],
  ["a length that does not end", "80"],
  ["a length of too many bytes", "808080808001"],
  ["a length that is negative in 32 bits", "ffffffff0f"],
  ["a length of one byte too many", "818004"],
  ["a literal that is longer than the block", "030c616263"],
  ["a literal that is longer than the data", "0208616263"],
  ["a literal without its length", "03f0"],
  ["a literal whose length is cut off", "03fc020000"],
  // Taken for a signed number it would lead back to itself, for ever.
  ["a literal whose length is negative in 32 bits", "0afcfaffffff010203"],
  ["a copy of what is not there", "0400611502"],
  ["a copy before any data", "040101"],
  ["a copy from a distance of 0", "050461620a0000"],
  ["a copy whose distance is cut off", "050461620a02"],
  ["a copy from a distance that is negative in 32 bits", "050461620bffffffff"],
  ["a copy that is longer than the data", "040461620a0200"],
  ["less data than was said", "0608616263"],
];

for (const [name, block] of CORRUPT) {
  Deno.test(`decodeBlock() refuses ${name}`, () => {
    assertThrows(() => decodeBlock(hex(block), LENGTH_MAX), SnappyError);
  });
}

Deno.test("decodeBlock() takes as much data as it is told, and no more", () => {
  const block = hex("0308616263");

  assertEquals(textOf(decodeBlock(block, 3)), "abc");
  assertThrows(() => decodeBlock(block, 2), SnappyError, "too much data: 3");
});

Deno.test("decodeBlock() reads what the package compresses", () => {
  const random = new Random(1);
  for (let i = 0; i < 300; i++) {
    // Random bytes of few values have many matches, of many values none.
    const values = 1 + random.below(256);
    const data = random.bytes(random.below(i < 290 ? 2000 : LENGTH_MAX + 1)).map((byte) => byte % values);

    assertEquals(decodeBlock(compress(data), LENGTH_MAX), data);
  }
});

Deno.test("decodeBlock() gives data or a SnappyError, whatever the block", () => {
  const random = new Random(2);
  for (let i = 0; i < 20_000; i++) {
    const block = random.bytes(random.below(60));
    try {
      decodeBlock(block, 1000);
    } catch (error) {
      if (!(error instanceof SnappyError)) throw error;
    }
  }
});
