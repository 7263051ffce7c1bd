import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import { Segment } from "../../src/log/segment.ts";
import {
  closingOf,
  SEGMENT_MESSAGES_MAX,
  SegmentFormatError,
  type Timestamp,
} from "../../src/log/segment_image.ts";
import { readU32, writeU32 } from "../../src/protocol/frames.ts";
import { blockOfTexts, textOf } from "../support/broker_messages.ts";

const BASE = 0x102030405;

/** The header, a batch of "a" and "bc", one of "d", which is due after 1.5 ms, and the closing one; see segment_image.ts. */
const GOLDEN = [
  "4e5351534547 0001 0000000102030405",
  "4e535162 28219de8 0000000d 00000002 0000000102030405 0000000100000002 0000 00000001 61 00000002 6263",
  "4e535162 d4bad6f0 00000012 00000001 0000000102030407 0000000100000003" +
  "000b 01 0008 00000000000005dc 00000001 64",
  "4e535162 6ece0ce3 0000000d 00000000 0000000102030408 0000000000000000 000b 02 0008 00000003 00000001",
].join("").replaceAll(" ", "");

/** Ends of the three parts before the closing one. */
const [HEADER_END, FIRST_END, SECOND_END] = [16, 61, 111];

Deno.test("Segment writes version 1 of its format byte for byte", () => {
  const segment = newSegment();

  append(segment, ["a", "bc"], { high: 1, low: 2 });
  append(segment, ["d"], { high: 1, low: 3 }, 1.5);
  segment.commit();
  segment.close();

  assertEquals(imageOf(segment).toHex(), GOLDEN);
});

Deno.test("Segment.restore() reads version 1 of its format", () => {
  const segment = unknownSegment();

  const damages = segment.restore(golden());

  assertEquals(damages, []);
  assertEquals(contentOf(segment), [
    { body: "a", high: 1, low: 2, dueMs: 0 },
    { body: "bc", high: 1, low: 2, dueMs: 0 },
    { body: "d", high: 1, low: 3, dueMs: 1.5 },
  ]);
  assertEquals([segment.sealed, segment.holes, segment.end], [true, 0, BASE + 3]);
});

Deno.test("Segment.append() joins messages of one timestamp, but none that is deferred, to a batch", () => {
  const segment = newSegment();

  append(segment, ["a"], { high: 1, low: 2 });
  append(segment, ["bc"], { high: 1, low: 2 });
  append(segment, ["d"], { high: 1, low: 3 }, 1.5);
  segment.commit();

  assertEquals(imageOf(segment).toHex(), GOLDEN.slice(0, 2 * SECOND_END));
});

Deno.test("Segment.unwritten() gives each byte once, with its checksum", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"], { high: 1, low: 2 });
  segment.commit();
  const first = segment.unwritten().slice();
  segment.written = segment.used;
  append(segment, ["d"], { high: 1, low: 3 }, 1.5);
  segment.commit();
  const second = segment.unwritten().slice();
  segment.written = segment.used;
  segment.close();
  const last = segment.unwritten().slice();

  assertEquals([first, second, last].map((part) => part.toHex()), [
    GOLDEN.slice(0, 2 * FIRST_END),
    GOLDEN.slice(2 * FIRST_END, 2 * SECOND_END),
    GOLDEN.slice(2 * SECOND_END),
  ]);
});

Deno.test("Segment.rollback() takes back what was not committed, also of a batch that went on", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"], { high: 1, low: 2 });
  segment.commit();

  append(segment, ["x"], { high: 1, low: 2 });
  append(segment, ["y", "z"], { high: 7, low: 7 }, 9);
  segment.rollback();
  append(segment, ["d"], { high: 1, low: 3 }, 1.5);
  segment.commit();
  segment.close();

  assertEquals(imageOf(segment).toHex(), GOLDEN);
  assertEquals(contentOf(segment).map((message) => message?.body), ["a", "bc", "d"]);
});

Deno.test("Segment.close() of messages that are then taken back closes the others", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"], { high: 1, low: 2 });
  append(segment, ["d"], { high: 1, low: 3 }, 1.5);
  segment.commit();
  append(segment, ["x"], { high: 9, low: 9 });
  segment.close();

  segment.rollback();
  segment.close();

  assertEquals(imageOf(segment).toHex(), GOLDEN);
});

Deno.test("Segment.evict() gives the memory back, and restore() brings the same messages", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"], { high: 1, low: 2 });
  append(segment, ["d"], { high: 1, low: 3 }, 1.5);
  segment.commit();
  segment.close();
  const before = contentOf(segment);
  const image = imageOf(segment).slice();
  segment.written = segment.used;

  segment.evict();

  assertEquals([segment.resident, segment.capacityBytes, segment.count, segment.used], [false, 0, 3, 156]);
  assertThrows(() => segment.bytes, Error, `Segment ${BASE} is not in memory`);
  assertEquals(segment.restore(image), []);
  assertEquals(contentOf(segment), before);
});

Deno.test("Segment.restore() of a segment that is known takes no messages beyond its count", () => {
  const segment = Segment.onDisk({ base: BASE, closing: { positions: 2, deferred: 0 }, size: FIRST_END });

  segment.restore(golden().slice(0, SECOND_END));

  assertEquals([segment.count, segment.holes, segment.used, segment.written], [2, 0, FIRST_END, FIRST_END]);
});

Deno.test("Segment.restore() cuts a torn tail at the last whole batch, wherever it is torn", () => {
  for (let length = HEADER_END; length < SECOND_END; length++) {
    const segment = unknownSegment();

    const damages = segment.restore(golden().slice(0, length));

    const [end, count] = length < FIRST_END ? [HEADER_END, 0] : [FIRST_END, 2];
    assertEquals([segment.count, segment.used, segment.sealed], [count, end, true], `${length} bytes`);
    const torn = length - end;
    assertEquals(
      damages.map(({ offset, length }) => [offset, length]),
      torn > 0 ? [[end, torn]] : [],
      `${length} bytes`,
    );
  }
});

Deno.test("Segment.restore() reports a batch with a wrong bit, whichever, and keeps the others", () => {
  for (let bit = HEADER_END * 8; bit < FIRST_END * 8; bit++) {
    const image = golden();
    image[bit >> 3] ^= 1 << (bit & 7);
    const segment = unknownSegment();

    const damages = segment.restore(image);

    assertEquals(damages.map(({ offset, length }) => [offset, length]), [[HEADER_END, 45]], `bit ${bit}`);
    assertEquals([segment.has(0), segment.has(1), segment.has(2)], [false, false, true], `bit ${bit}`);
    assertEquals([segment.count, segment.holes, textOf(segment, 2)], [3, 2, "d"], `bit ${bit}`);
  }
});

Deno.test("Segment.restore() skips an attribute that it does not know", () => {
  const image = golden();
  const unknown = Uint8Array.of(...image.subarray(FIRST_END, SECOND_END), 0, 0, 0);
  // Type 9 with two bytes, before the due time.
  unknown.set(Uint8Array.of(0, 16, 9, 0, 2, 77, 77), 32);
  const due = image.subarray(FIRST_END + 34, SECOND_END);
  const batch = new Uint8Array(unknown.length + 2);
  batch.set(unknown.subarray(0, 39));
  batch.set(due, 39);
  writeU32(batch, 8, readU32(image, FIRST_END + 8) + 5);
  writeU32(batch, 4, crc32c(batch, 8));
  const segment = unknownSegment();

  const damages = segment.restore(Uint8Array.of(...image.subarray(0, FIRST_END), ...batch));

  assertEquals(damages, []);
  assertEquals(contentOf(segment)[2], { body: "d", high: 1, low: 3, dueMs: 1.5 });
});

Deno.test("Segment.restore() refuses what is no segment, of a newer version, or another one", () => {
  const refuse = (change: (image: Uint8Array) => void, length = 156) => {
    const image = golden().slice(0, length);
    change(image);
    const segment = Segment.onDisk({ base: BASE, closing: { positions: 3, deferred: 1 }, size: 156 });
    const error = assertThrows(() => segment.restore(image));
    assertInstanceOf(error, SegmentFormatError);
    assertEquals([segment.resident, segment.count], [false, 3]);
    return error.message;
  };

  assertEquals(refuse(() => {}, 15), "Not a segment file");
  assertEquals(refuse((image) => image.fill(0x4e)), "Not a segment file");
  assertEquals(refuse((image) => image[7] = 2), "Segment file of version 2, this program knows 1");
  assertEquals(refuse((image) => image[15]++), "Segment file under another's name");
});

Deno.test("closingOf() is what the end of a closed segment says, and undefined of anything else", () => {
  assertEquals(closingOf(golden()), { positions: 3, deferred: 1 });
  assertEquals(closingOf(golden().subarray(SECOND_END)), { positions: 3, deferred: 1 });
  assertEquals(closingOf(golden().subarray(0, SECOND_END)), undefined);
  assertEquals(closingOf(golden().subarray(SECOND_END + 1)), undefined);
  assertEquals(closingOf(new Uint8Array()), undefined);
  // Exactly as long as a closing batch, but a batch of one message.
  const segment = newSegment();
  append(segment, ["abcdefg"], { high: 1, low: 2 });
  assertEquals(closingOf(imageOf(segment)), undefined);
});

Deno.test("closingOf() does not believe numbers that cannot be", () => {
  const closing = (positions: number, deferred: number) => {
    const batch = golden().slice(SECOND_END);
    writeU32(batch, 37, positions);
    writeU32(batch, 41, deferred);
    writeU32(batch, 4, crc32c(batch, 8));
    return closingOf(batch);
  };

  assertEquals(closing(65536, 65536), { positions: 65536, deferred: 65536 });
  assertEquals([closing(0, 0), closing(65537, 0), closing(3, 4)], [undefined, undefined, undefined]);
});

Deno.test("Segment.compacted() keeps positions, timestamps and due times, and says how many there were", () => {
  const segment = newSegment();
  append(segment, ["a", "b", "c", "d", "e"], { high: 1, low: 2 });
  append(segment, ["f"], { high: 1, low: 3 }, 2.25);
  append(segment, ["g"], { high: 1, low: 3 });
  segment.commit();
  segment.close();
  segment.holders = 2;
  const restored = unknownSegment();

  const copy = segment.compacted((index) => [1, 2, 4, 5].includes(index), { stored: true });
  restored.restore(imageOf(copy).slice());

  assertEquals([copy.base, copy.count, copy.holes, copy.holders, copy.sealed], [BASE, 7, 3, 2, true]);
  const expected = [
    undefined,
    { body: "b", high: 1, low: 2, dueMs: 0 },
    { body: "c", high: 1, low: 2, dueMs: 0 },
    undefined,
    { body: "e", high: 1, low: 2, dueMs: 0 },
    { body: "f", high: 1, low: 3, dueMs: 2.25 },
    undefined,
  ];
  assertEquals(contentOf(copy), expected);
  assertEquals(contentOf(restored), expected);
  assertEquals([restored.count, restored.holes], [7, 3]);
});

Deno.test("Segment.fits() says yes until the image is full", () => {
  // A batch's header, due time and origin, a size and a body, and the closing batch.
  const needed = (bodyLength: number) => 34 + 11 + 21 + 4 + bodyLength + 45;
  const segment = new Segment({ base: BASE, capacityBytes: 16 + needed(100), stored: true });

  assertEquals([segment.fits(1, 103), segment.fits(1, 104), segment.fits(1, 105)], [true, true, false]);
  const block = blockOfTexts("x".repeat(100));
  const facts = { count: 1, timestamp: { high: 1, low: 2 }, dueMs: 5, origin: new Uint8Array(18) };
  segment.append(block, 0, block.length, facts);
  segment.close();
  assertEquals(segment.used, segment.capacityBytes);
});

Deno.test("Segment.fits() says yes until there are as many messages as there may be", () => {
  const segment = new Segment({ base: BASE, capacityBytes: 1024 * 1024, stored: false });
  append(segment, Array(SEGMENT_MESSAGES_MAX - 2).fill("x"), { high: 1, low: 2 });

  assertEquals([segment.fits(1, 5), segment.fits(2, 10), segment.fits(3, 15)], [true, true, false]);
  append(segment, ["y", "z"], { high: 1, low: 3 });
  segment.commit();
  segment.close();
  const restored = unknownSegment();
  restored.restore(imageOf(segment).slice());
  assertEquals([restored.count, textOf(restored, SEGMENT_MESSAGES_MAX - 1)], [65536, "z"]);
});

Deno.test("Segment.restartAt() begins anew in the same memory", () => {
  const segment = new Segment({ base: BASE, capacityBytes: 300, stored: false });
  append(segment, ["old", "older"], { high: 9, low: 9 }, 77);
  segment.commit();

  const next = segment.restartAt(BASE + 2);
  append(next, ["new"], { high: 1, low: 2 });
  next.commit();

  assertEquals([next.base, next.count, next.capacityBytes, next.deferred], [BASE + 2, 1, 300, 0]);
  assertEquals(contentOf(next), [{ body: "new", high: 1, low: 2, dueMs: 0 }]);
});

function newSegment(): Segment {
  return new Segment({ base: BASE, capacityBytes: 4096, stored: true });
}

/** A segment of which nothing is known but its name. */
function unknownSegment(): Segment {
  return Segment.onDisk({ base: BASE, size: 0 });
}

function append(segment: Segment, bodies: readonly string[], timestamp: Timestamp, dueMs = 0): void {
  const block = blockOfTexts(...bodies);
  segment.append(block, 0, block.length, { count: bodies.length, timestamp, dueMs });
}

/** The whole image, with its checksums. */
function imageOf(segment: Segment): Uint8Array {
  const { written } = segment;
  segment.written = 0;
  const image = segment.unwritten();
  segment.written = written;
  return image;
}

function contentOf(segment: Segment) {
  return Array.from({ length: segment.count }, (_, index) =>
    segment.has(index)
      ? {
        body: textOf(segment, index),
        high: segment.timestampHigh(index),
        low: segment.timestampLow(index),
        dueMs: segment.dueMs(index),
      }
      : undefined);
}

function golden(): Uint8Array {
  return Uint8Array.fromHex(GOLDEN);
}
