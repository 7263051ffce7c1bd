/**
 * Streams that Go's own compressors have made (golang/snappy 1.0.0, compress/flate of Go 1.26), each write
 * flushed, as NSQ and go-nsq do it.
 *
 * @module
 */

import { bytesOf, join } from "./frames.ts";

/** What went in, and what came out. */
export interface GoldenStream {
  readonly name: string;
  readonly data: Uint8Array;
  readonly stream: Uint8Array;
}

/** The bytes that a hexadecimal text stands for. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const OK_FRAME = hex("00000006000000004f4b");
const TEXT = "PUB topic\n" +
  "the quick brown fox jumps over the lazy dog, the quick brown fox sleeps, the lazy dog too";
const RANDOM = hex("3c5e81b40c5ec68e04a3406c97d63cfbdc53ae88371a125121b5956143c0ee2d55fb638c77fee0b6");
const MESSAGES = [0, 1, 2].map((i) => `message ${i} of three; message ${i} of three`).join("");

/** Snappy's framing format. */
export const SNAPPY_STREAMS: readonly GoldenStream[] = [
  {
    name: "an OK frame, too short to compress",
    data: OK_FRAME,
    stream: hex("ff060000734e61507059010e000026982bcf00000006000000004f4b"),
  },
  {
    name: "a line, then a text",
    data: bytesOf(TEXT),
    stream: hex(
      "ff060000734e61507059010e00007d2e9fb150554220746f7069630a004c0000c4ecc7b3597874686520717569636b2062726f776e20666f" +
        "78206a756d7073206f76657220011f206c617a7920646f672c050e3e2d0014736c65657073091c2c6c617a7920646f6720746f6f",
    ),
  },
  {
    name: "300 zeros",
    data: new Uint8Array(300),
    stream: hex("ff060000734e615070590017000082b3a390ac020000fe0100fe0100fe0100fe0100aa0100"),
  },
  {
    name: "40 random bytes",
    data: RANDOM,
    stream: join(hex("ff060000734e61507059012c0000946edbda"), RANDOM),
  },
  {
    name: "80000 bytes, which take two chunks",
    data: bytesOf("abcdefg ".repeat(10_000)),
    stream: hex(
      "ff060000734e6150705900100c005248ff8c8080041c6162636465666720" + "fe0800".repeat(1023) +
        "de080000b502005d76440880711c6162636465666720" + "fe0800".repeat(225) + "de0800",
    ),
  },
];

/** Deflate, raw. */
export const DEFLATE_STREAMS: readonly GoldenStream[] = [
  {
    name: "an OK frame",
    data: OK_FRAME,
    stream: hex("6260606063606060f0f706000000ffff"),
  },
  {
    name: "a line, then a text",
    data: bytesOf(TEXT),
    stream: hex(
      "0a08755228c92fc84ce602000000ffff2ac94855282ccd4cce56482aca2fcf5348cbaf50c82acd2d2856c82f4b2d520049e72456552aa4e4" +
        "a7eb2860535c9c939a5a50ac83a252a1243f1f000000ffff",
    ),
  },
  {
    name: "a flush without data between two writes",
    data: join("OK", new Uint8Array(1000)),
    stream: hex("f2f706000000ffff000000ffff621805a360140c7b00000000ffff"),
  },
  {
    name: "40 random bytes",
    data: RANDOM,
    stream: hex(
      "b2896bdcc21377ac8f65b143cef46b36bfef04afeb3097120a54dc3a35d1f9c03bddd0dfc93de5ff1e6c03000000ffff",
    ),
  },
  {
    name: "three messages at level 1, not compressed",
    data: bytesOf(MESSAGES),
    stream: join(
      ...[0, 1, 2].map((i) =>
        join(hex("002600d9ff"), `message ${i} of three; message ${i} of three`, hex("000000ffff"))
      ),
    ),
  },
  {
    name: "three messages at level 6, with what came before as a dictionary",
    data: bytesOf(MESSAGES),
    stream: hex(
      "ca4d2d2e4e4c4f553050c84f5328c9284a4db556c01403000000ffff8289186251851003000000ffff8289186151851003000000ffff",
    ),
  },
];
