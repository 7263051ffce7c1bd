import { assertEquals, assertLessOrEqual, assertStringIncludes, assertThrows } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import { SnappyError } from "../../src/protocol/snappy_block.ts";
import { CHUNK_DATA_MAX, SnappyDecoder, SnappyEncoder } from "../../src/protocol/snappy_frames.ts";
import { copiedBytes } from "../support/copied_bytes.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { hex, SNAPPY_STREAMS } from "../support/golden_streams.ts";
import { Random } from "../support/random.ts";

const IDENTIFIER = hex("ff060000734e61507059");
/** "abc", not compressed. */
const ABC = chunk(1, plainBody(bytesOf("abc")));

function chunk(type: number, body: Uint8Array, length = body.length): Uint8Array<ArrayBuffer> {
  return join(Uint8Array.of(type, length, length >>> 8, length >>> 16), body);
}

/** The data behind its checksum. */
function plainBody(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const crc = crc32c(data);
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, (crc >>> 15 | crc << 17) + 0xa282ead8, true);
  return join(checksum, data);
}

/** What one decoder makes of the parts. */
function decoded(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const decoder = new SnappyDecoder();
  return join(...parts.flatMap((part) => decoder.decode(part)));
}

function each(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

for (const { name, data, stream } of SNAPPY_STREAMS) {
  Deno.test(`SnappyDecoder reads Go's stream of ${name}`, () => {
    assertEquals(decoded([stream]), data);
  });

  Deno.test(`SnappyDecoder reads Go's stream of ${name}, byte by byte`, () => {
    assertEquals(decoded(each(stream)), data);
  });

  Deno.test(`SnappyDecoder reads Go's stream of ${name}, cut in two anywhere`, () => {
    for (let at = 0; at <= stream.length; at += stream.length > 500 ? 97 : 1) {
      assertEquals(decoded([stream.subarray(0, at), stream.subarray(at)]), data, `cut at ${at}`);
    }
  });

  Deno.test(`SnappyDecoder reads what SnappyEncoder makes of ${name}, in random pieces`, () => {
    const random = new Random(data.length);
    const encoder = new SnappyEncoder();
    const stream = join(...random.chunks(data, 30_000).map((part) => encoder.encode(part)));

    assertEquals(decoded(random.chunks(stream, 10_000)), data);
  });

  Deno.test(`SnappyDecoder gives data or a SnappyError when a byte of ${name} is corrupt`, () => {
    for (let at = 0; at < Math.min(stream.length, 200); at++) {
      for (const bit of [1, 0x40, 0x80]) {
        const corrupt = stream.slice();
        corrupt[at] ^= bit;
        const result = dataOrError(corrupt);
        // With another type a chunk may be skipped, or with another length be waited for; but no data is wrong.
        if (result) assertStringIncludes(textOf(data), textOf(result), `byte ${at}`);
      }
    }
  });
}

function dataOrError(stream: Uint8Array): Uint8Array | undefined {
  try {
    return decoded([stream]);
  } catch (error) {
    if (!(error instanceof SnappyError)) throw error;
    return undefined;
  }
}

Deno.test("SnappyEncoder.encode() makes the very bytes that Go makes of what is not compressed", () => {
  for (const { name, data, stream } of SNAPPY_STREAMS) {
    if (!/random|too short/.test(name)) continue;

    assertEquals(new SnappyEncoder().encode(data), join(stream));
  }
});

Deno.test("SnappyEncoder.encode() begins the stream once", () => {
  const encoder = new SnappyEncoder();

  assertEquals(encoder.encode(bytesOf("abc")), join(IDENTIFIER, ABC));
  assertEquals(encoder.encode(bytesOf("abc")), ABC);
});

Deno.test("SnappyEncoder.encode() makes chunks of at most 64 KiB of data", () => {
  const lengths = [CHUNK_DATA_MAX - 1, CHUNK_DATA_MAX, CHUNK_DATA_MAX + 1, 3 * CHUNK_DATA_MAX];

  const chunks = lengths.map((length) => {
    const data = new Random(1).bytes(length);
    const decoder = new SnappyDecoder();
    return decoder.decode(new SnappyEncoder().encode(data)).map((part) => part.length);
  });

  assertEquals(chunks, [[65535], [65536], [65536, 1], [65536, 65536, 65536]]);
});

Deno.test("SnappyDecoder passes over chunks that are to be skipped, and further identifiers", () => {
  const stream = join(
    IDENTIFIER,
    chunk(0x80, bytesOf("skipped")),
    ABC,
    IDENTIFIER,
    chunk(0xfe, new Uint8Array(1000)),
    ABC,
  );

  assertEquals(textOf(decoded([stream])), "abcabc");
  assertEquals(textOf(decoded(each(stream))), "abcabc");
});

Deno.test("SnappyDecoder.decode() gives nothing for a chunk without data", () => {
  const plain = chunk(1, plainBody(new Uint8Array()));
  const compressed = chunk(0, join(plainBody(new Uint8Array()), hex("00")));

  assertEquals(new SnappyDecoder().decode(join(IDENTIFIER, plain, compressed)), []);
});

Deno.test("SnappyDecoder copies each byte of a chunk a few times, also when it comes byte by byte", () => {
  const stream = new SnappyEncoder().encode(new Random(1).bytes(2 * CHUNK_DATA_MAX));
  const parts = each(stream);
  const decoder = new SnappyDecoder();

  const copied = copiedBytes(() => {
    for (const part of parts) decoder.decode(part);
  });

  assertLessOrEqual(copied, 5 * stream.length);
});

const FIRST_WRONG: readonly (readonly [name: string, stream: Uint8Array, message: string])[] = [
  ["a stream without an identifier", ABC, "no stream identifier"],
  ["a chunk to be skipped before the identifier", chunk(0x80, hex("00")), "no stream identifier"],
  ["another identifier", hex("ff060000734e61507058"), "wrong stream identifier"],
  ["an identifier that is too short", hex("ff050000734e615070"), "wrong stream identifier"],
  ["an identifier that is too long", hex("ff070000734e6150705900"), "wrong stream identifier"],
  ["an unknown type", join(IDENTIFIER, chunk(2, hex("00"))), "unknown chunk type 2"],
  ["the last unknown type", join(IDENTIFIER, chunk(0x7f, hex("00"))), "unknown chunk type 127"],
  ["a wrong checksum", join(IDENTIFIER, chunk(1, bytesOf("\0\0\0\0abc"))), "wrong checksum"],
  ["a chunk without a checksum", join(IDENTIFIER, chunk(1, hex("000000"))), "chunk too short"],
  [
    "a checksum of the compressed bytes",
    join(IDENTIFIER, chunk(0, plainBody(hex("0308616263")))),
    "wrong checksum",
  ],
  ["a corrupt block", join(IDENTIFIER, chunk(0, hex("00000000040101"))), "corrupt block"],
  // The types' and lengths' faults show before the rest has come.
  ["a chunk that is too long", join(IDENTIFIER, hex("01cf2a01")), "chunk too long: 76495"],
  ["a chunk to be skipped that is too long", join(IDENTIFIER, hex("80ffffff")), "chunk too long: 16777215"],
];

for (const [name, stream, message] of FIRST_WRONG) {
  Deno.test(`SnappyDecoder.decode() refuses ${name}`, () => {
    assertThrows(() => decoded([stream]), SnappyError, message);
    assertThrows(() => decoded(each(stream)), SnappyError, message);
  });
}

Deno.test("SnappyDecoder.decode() takes a chunk that is as long as may be", () => {
  const decoder = new SnappyDecoder();

  assertEquals(decoder.decode(join(IDENTIFIER, chunk(0x80, new Uint8Array(76_494)), ABC)), [bytesOf("abc")]);
});

Deno.test("SnappyDecoder.decode() takes 64 KiB of data in a chunk, and no more", () => {
  const most = chunk(1, plainBody(new Uint8Array(CHUNK_DATA_MAX)));
  const more = chunk(1, plainBody(new Uint8Array(CHUNK_DATA_MAX + 1)));

  assertEquals(decoded([IDENTIFIER, most]), new Uint8Array(CHUNK_DATA_MAX));
  assertThrows(() => decoded([IDENTIFIER, more]), SnappyError, "too much data: 65537");
});
