/**
 * The format of a segment's image, byte for byte; what is done with damaged ones is in image_reader_test.ts.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { Segment } from "../../src/log/segment.ts";
import {
  ATTRIBUTES_LENGTH_MAX,
  BATCH_BYTES_MAX,
  closingOf,
  endOfMessages,
  INDEX_ENTRIES_MAX,
  indexBlock,
  isTornHeader,
  readIndexBlock,
  SEGMENT_MESSAGES_MAX,
} from "../../src/log/segment_image.ts";
import { writeU32 } from "../../src/protocol/frames.ts";
import { blockOf, blockOfTexts, textOf } from "../support/broker_messages.ts";
import {
  append,
  BASE,
  batchesOf,
  bodiesOf,
  contentOf,
  DUE_MS,
  imageOf,
  newSegment,
  ownBlock,
  seal,
  unknownSegment,
} from "../support/segments.ts";

/** The parts of an image of version 2. */
const PARTS = [
  // The header.
  "4e5351534547 0002 0000000102030405",
  // "a" and "bc".
  "4e535162 28219de8 0000000d 00 000002 0000000102030405 0000000100000002 0000" +
  "00000001 61 00000002 6263",
  // "d", which is due at DUE_MS.
  "4e535162 6e6c1b26 00000012 00 000001 0000000102030407 0000000100000003 000b" +
  "01 0008 00060dd710212000 00000001 64",
  // "e", with an attribute of its own, and an empty one, in a batch with an attribute that is not known.
  "4e535162 d7fb49ec 00000018 40 000002 0000000102030408 0000000100000004 0004" +
  "09 0001 77 0005 07 0002 6566 00000001 65 0000 00000000",
  // The index: when "d" is due, its index in the segment, and where its batch is and how long.
  "4e535162 4d524ae6 00000016 20 000000 000000010203040a 0000000000000000 0000" +
  "0000018cc251f400 00000002 0000003d 00000032",
  // The closing batch. Its summary: positions, messages, deferred ones, where the index is and its entries, first and last
  // timestamp, earliest due time, bytes of the bodies; then the trailer: its length, and "NSQe".
  "4e535162 ab3a0b3e 00000044 10 000000 000000010203040a 0000000000000000 0042" +
  "04 0034 00000005 00000005 00000001 000000a7 00000001 0000000100000002 0000000100000004" +
  "0000018cc251f400 0000000000000005" +
  "05 0008 00000064 4e535165",
].map((part) => part.replaceAll(" ", ""));

/** The golden image of version 1: the same but for "e" and the empty one, and "d" due 1.5 ms after 1970 began. */
const VERSION_1 = [
  "4e5351534547 0001 0000000102030405",
  "4e535162 28219de8 0000000d 00000002 0000000102030405 0000000100000002 0000 00000001 61 00000002 6263",
  "4e535162 d4bad6f0 00000012 00000001 0000000102030407 0000000100000003" +
  "000b 01 0008 00000000000005dc 00000001 64",
  "4e535162 6ece0ce3 0000000d 00000000 0000000102030408 0000000000000000 000b 02 0008 00000003 00000001",
].map((part) => part.replaceAll(" ", ""));

Deno.test("Segment writes version 2 of its format byte for byte", () => {
  const image = imageOf(fullSegment()).toHex();

  let at = 0;
  const parts = PARTS.map(({ length }) => image.slice(at, at += length));
  assertEquals([parts, at], [PARTS, image.length]);
});

Deno.test("Segment.restore() reads version 2 of its format", () => {
  const segment = unknownSegment();

  const damages = segment.restore(golden());

  assertEquals(damages, []);
  assertEquals(contentOf(segment), [
    { body: "a", high: 1, low: 2, dueMs: 0 },
    { body: "bc", high: 1, low: 2, dueMs: 0 },
    { body: "d", high: 1, low: 3, dueMs: DUE_MS },
    { body: "e", high: 1, low: 4, dueMs: 0 },
    { body: "", high: 1, low: 4, dueMs: 0 },
  ]);
  assertEquals([segment.sealed, segment.isClosed, segment.isCounted, segment.holes, segment.end], [
    true,
    true,
    true,
    0,
    BASE + 5,
  ]);
  assertEquals([segment.deferred, segment.dueIndex], [1, { offset: 167, entries: 1 }]);
});

Deno.test("Segment.restore() reads version 1 of its format; a time within a ms is the next whole one", () => {
  const segment = unknownSegment();

  const damages = segment.restore(version1());

  assertEquals(damages, []);
  assertEquals(contentOf(segment), [
    { body: "a", high: 1, low: 2, dueMs: 0 },
    { body: "bc", high: 1, low: 2, dueMs: 0 },
    { body: "d", high: 1, low: 3, dueMs: 2 },
  ]);
  assertEquals([segment.sealed, segment.isClosed, segment.holes, segment.end], [true, true, 0, BASE + 3]);
  assertEquals([segment.deferred, segment.dueIndex], [1, undefined]);
});

Deno.test("Segment.append() joins messages of one moment to a batch", () => {
  const segment = newSegment();

  append(segment, ["a"]);
  append(segment, ["bc"]);
  append(segment, ["d"], { timestamp: { high: 1, low: 3 } });
  append(segment, ["e"], { timestamp: { high: 2, low: 3 } });

  assertEquals(batchesOf(imageOf(segment)).map(({ messages }) => messages.map(({ body }) => body)), [
    ["a", "bc"],
    ["d"],
    ["e"],
  ]);
});

Deno.test("Segment.append() joins nothing to a batch that was committed, or given out to be written", () => {
  const segment = newSegment();

  append(segment, ["a"]);
  segment.commit();
  append(segment, ["b"]);
  segment.unwritten();
  append(segment, ["c"]);

  assertEquals(batchesOf(imageOf(segment)).map(({ messages }) => messages.length), [1, 1, 1]);
});

Deno.test("Segment.append() joins no messages that have attributes, and none to such", () => {
  const segment = newSegment();
  const block = ownBlock({ attributes: "", body: "own" });

  append(segment, ["a"]);
  append(segment, ["b"], { dueMs: DUE_MS });
  append(segment, ["c"], { dueMs: DUE_MS });
  append(segment, ["d"]);
  append(segment, ["e"], { attributes: "09000177" });
  append(segment, ["f"]);
  segment.append(block, 0, block.length, { count: 1, timestamp: { high: 1, low: 2 }, dueMs: 0, own: true });
  append(segment, ["g"]);

  assertEquals(
    batchesOf(imageOf(segment)).map(({ kind, messages }) => [kind, ...messages.map(({ body }) => body)]),
    [[0, "a"], [0, "b"], [0, "c"], [0, "d"], [0, "e"], [0, "f"], [0x40, "own"], [0, "g"]],
  );
});

Deno.test("Segment.append() divides an MPUB into batches that can be read alone, and marks all but the last", () => {
  const segment = newSegment({ capacityBytes: 100_000 });
  // With its size each takes a quarter of a batch; the last but one has no room with three others by a byte.
  const quarter = "q".repeat(BATCH_BYTES_MAX / 4 - 4);

  append(segment, [quarter, quarter, quarter, quarter, "x", quarter, quarter, quarter, quarter, "y"], {
    attributes: "09000177",
  });

  assertEquals(
    batchesOf(imageOf(segment)).map(({ kind, position, attributes, messages, length }) => [
      kind,
      position - BASE,
      attributes,
      messages.length,
      length,
    ]),
    [[0x80, 0, "09000177", 4, 38 + 16384], [0x80, 4, "09000177", 4, 38 + 12293], [
      0,
      8,
      "09000177",
      2,
      38 + 4101,
    ]],
  );
  assertEquals(segment.batchOffset(8), 16 + 38 + 16384 + 38 + 12293);
});

Deno.test("Segment.append() puts a message that is longer than a batch into one of its own", () => {
  const segment = newSegment({ capacityBytes: 100_000 });
  const long = "l".repeat(BATCH_BYTES_MAX - 3);

  append(segment, ["a", long, "b"]);

  assertEquals(
    batchesOf(imageOf(segment)).map(({ kind, messages }) => [kind, messages.map(({ body }) => body.length)]),
    [[0x80, [1]], [0x80, [16381]], [0, [1]]],
  );
});

Deno.test("Segment.append() divides messages that have attributes of their own between them", () => {
  const segment = newSegment({ capacityBytes: 100_000 });
  const half = "h".repeat(BATCH_BYTES_MAX / 2 - 100);
  const block = ownBlock(
    { attributes: "0900020102", body: half },
    { attributes: "", body: half },
    { attributes: "08" + "00fa" + "11".repeat(250), body: "last" },
  );

  segment.append(block, 0, block.length, { count: 3, timestamp: { high: 1, low: 2 }, dueMs: 0, own: true });

  assertEquals(
    batchesOf(imageOf(segment)).map((
      { kind, messages },
    ) => [kind, messages.map(({ own }) => own.slice(0, 14))]),
    [[0xc0, ["00050900020102", "0000"]], [0x40, ["00fd0800fa1111"]]],
  );
  assertEquals(bodiesOf(segment), [half, half, "last"]);
});

Deno.test("Segment.append() takes as many bytes of attributes as have a length of 16 bits with a due time", () => {
  const attributes = (length: number) =>
    "09" + (length - 3).toString(16).padStart(4, "0") + "55".repeat(length - 3);
  const segment = newSegment({ capacityBytes: 200_000 });

  assertEquals(ATTRIBUTES_LENGTH_MAX, 65524);
  append(segment, ["a"], { dueMs: DUE_MS, attributes: attributes(ATTRIBUTES_LENGTH_MAX) });
  assertThrows(
    () => append(segment, ["b"], { attributes: attributes(ATTRIBUTES_LENGTH_MAX + 1) }),
    RangeError,
    "65525 bytes of attributes, at most 65524 fit",
  );

  const [batch] = batchesOf(imageOf(segment));
  assertEquals([segment.count, batch.attributes.length / 2, batch.messages[0].body], [1, 65535, "a"]);
});

Deno.test("Segment.append() refuses a block that has other bytes than its messages", () => {
  const block = Uint8Array.of(...blockOfTexts("a"), 0);

  assertThrows(
    () => newSegment().append(block, 0, 6, { count: 1, timestamp: { high: 1, low: 2 }, dueMs: 0 }),
    RangeError,
    "A block of 6 bytes has messages of 5",
  );
});

Deno.test("Segment.close() orders the index by due time and then by message, in blocks", () => {
  const segment = newSegment({ capacityBytes: 200_000 });
  const count = 2 * INDEX_ENTRIES_MAX + 1;
  // The later they come the earlier they are due, but for the first two, which are due with the last.
  const dueMs = (i: number) => DUE_MS + (i < 2 ? 1 : count - i);
  for (let i = 0; i < count; i++) append(segment, ["x"], { dueMs: dueMs(i) });
  segment.commit();

  segment.close();

  const image = imageOf(segment);
  const blocks = batchesOf(image).filter(({ kind }) => kind === 0x20);
  const entries = blocks.flatMap(({ offset, length }) =>
    readIndexBlock(image.subarray(offset, offset + length)) ?? []
  );
  assertEquals(blocks.map(({ length }) => length), [34 + 500 * 20, 34 + 500 * 20, 34 + 20]);
  assertEquals(entries.map(({ index }) => index), [0, 1, ...Array.from({ length: 999 }, (_, i) => 1000 - i)]);
  assertEquals(entries.every(({ dueMs: due, index }) => due === dueMs(index)), true);
  assertEquals(
    entries.map(({ offset, length }) => [offset, length]),
    entries.map(({ index }) => [16 + 50 * index, 50]),
  );
  assertEquals(segment.dueIndex, { offset: blocks[0].offset, entries: 1001 });
  assertEquals(segment.earliestDueMs, DUE_MS + 1);
});

Deno.test("Segment.close() says where the batches of deferred messages are, however many are in one", () => {
  const segment = newSegment();
  append(segment, ["a", "b"], { dueMs: DUE_MS + 1 });
  append(segment, ["c"]);
  append(segment, ["d"], { dueMs: DUE_MS });
  segment.commit();

  segment.close();

  const { index } = closingOf(imageOf(segment), BASE) ?? {};
  const entries = index && readIndexBlock(imageOf(segment).slice(index.offset, index.offset + 34 + 60));
  assertEquals(entries, [
    { dueMs: DUE_MS, index: 3, offset: 110, length: 50 },
    { dueMs: DUE_MS + 1, index: 0, offset: 16, length: 55 },
    { dueMs: DUE_MS + 1, index: 1, offset: 16, length: 55 },
  ]);
});

Deno.test("closingOf() is what the end of a closed segment says", () => {
  const expected = {
    positions: 5,
    messages: 5,
    deferred: 1,
    earliestDueMs: DUE_MS,
    index: { offset: 167, entries: 1 },
    firstTimestamp: { high: 1, low: 2 },
    lastTimestamp: { high: 1, low: 4 },
    bodyBytes: 5,
  };

  assertEquals(closingOf(golden(), BASE), expected);
  assertEquals(closingOf(golden().subarray(-100), BASE), expected);
});

Deno.test("closingOf() of version 1 knows positions and deferred messages", () => {
  const expected = {
    positions: 3,
    messages: undefined,
    deferred: 1,
    earliestDueMs: 0,
    index: undefined,
    firstTimestamp: { high: 0, low: 0 },
    lastTimestamp: { high: 0, low: 0 },
    bodyBytes: 0,
  };

  assertEquals(closingOf(version1(), BASE), expected);
  assertEquals(closingOf(version1().subarray(-45), BASE), expected);
});

Deno.test("closingOf() of a segment without deferred messages, or without any that is left, has no index", () => {
  const segment = newSegment();
  append(segment, ["a", "b"]);
  segment.commit();
  const empty = segment.compacted(() => false, { stored: true });
  segment.close();

  assertEquals(closingOf(imageOf(segment), BASE), {
    positions: 2,
    messages: 2,
    deferred: 0,
    earliestDueMs: 0,
    index: undefined,
    firstTimestamp: { high: 1, low: 2 },
    lastTimestamp: { high: 1, low: 2 },
    bodyBytes: 2,
  });
  assertEquals(closingOf(imageOf(empty), BASE), {
    positions: 2,
    messages: 0,
    deferred: 0,
    earliestDueMs: 0,
    index: undefined,
    firstTimestamp: { high: 0, low: 0 },
    lastTimestamp: { high: 0, low: 0 },
    bodyBytes: 0,
  });
});

Deno.test("closingOf() finds a batch of another length by its trailer, with more in it than this program knows", () => {
  // A longer summary, an attribute that is not known, and the trailer.
  const summary = PARTS[5].slice(2 * 37, 2 * 89);
  const attributes = "04003c" + summary + "0123456789abcdef" + "fe0003" + "aabbcc" + "050008" + "00000072" +
    "4e535165";
  const length = (attributes.length / 2).toString(16).padStart(4, "0");
  const batch = Uint8Array.fromHex(
    "4e53516200000000" + "00000052" + "10000000" + "000000010203040a" + "0000000000000000" + length +
      attributes,
  );
  assertEquals(batch.length, 0x72);
  seal(batch, 0);
  const image = Uint8Array.of(...golden().subarray(0, -100), ...batch);
  const segment = unknownSegment();

  assertEquals(closingOf(image, BASE), closingOf(golden(), BASE));
  assertEquals(segment.restore(image), []);
  assertEquals([segment.isClosed, segment.count, segment.dueIndex?.entries], [true, 5, 1]);
});

Deno.test("closingOf() is undefined of anything else", () => {
  const end = golden().length;

  assertEquals(closingOf(golden().subarray(0, end - 100), BASE), undefined);
  assertEquals(closingOf(golden().subarray(end - 99), BASE), undefined);
  assertEquals(closingOf(golden().subarray(0, end - 1), BASE), undefined);
  assertEquals(closingOf(new Uint8Array(), BASE), undefined);
  assertEquals(closingOf(golden(), BASE + 1), undefined);
  for (let bit = 8 * (end - 100); bit < 8 * end; bit++) {
    const image = golden();
    image[bit >> 3] ^= 1 << (bit & 7);
    assertEquals(closingOf(image, BASE), undefined, `bit ${bit}`);
  }
  // Exactly as long as a closing batch of version 1, but a batch of one message.
  const segment = newSegment();
  append(segment, ["abcdefg"]);
  assertEquals(closingOf(imageOf(segment), BASE), undefined);
});

Deno.test("closingOf() does not believe numbers that cannot be", () => {
  const closing = (
    numbers: { positions?: number; messages?: number; deferred?: number; entries?: number },
  ) => {
    const { positions = 5, messages = 5, deferred = 1, entries = 1 } = numbers;
    const batch = golden().slice(-100);
    writeU32(batch, 20, 0x02030405 + positions);
    for (const [i, number] of [positions, messages, deferred].entries()) writeU32(batch, 37 + 4 * i, number);
    writeU32(batch, 37 + 16, entries);
    seal(batch, 0);
    return closingOf(batch, BASE)?.positions;
  };

  assertEquals(closing({}), 5);
  assertEquals(closing({ positions: 65536, messages: 65536 }), 65536);
  assertEquals(closing({ positions: 65537 }), undefined);
  assertEquals(closing({ positions: 0, messages: 0, deferred: 0, entries: 0 }), undefined);
  assertEquals(closing({ messages: 6 }), undefined);
  assertEquals(closing({ messages: 3, deferred: 4, entries: 4 }), undefined);
  assertEquals(closing({ entries: 2 }), undefined);
});

Deno.test("indexBlock() is where the block lies that has the entry", () => {
  const index = { offset: 1000, entries: 1001 };

  assertEquals([0, 499, 500, 999, 1000].map((rank) => indexBlock(index, rank)), [
    { offset: 1000, length: 10034 },
    { offset: 1000, length: 10034 },
    { offset: 11034, length: 10034 },
    { offset: 11034, length: 10034 },
    { offset: 21068, length: 54 },
  ]);
});

Deno.test("readIndexBlock() has the entries, and is undefined of other bytes", () => {
  const block = Uint8Array.fromHex(PARTS[4]);

  assertEquals(readIndexBlock(block), [{ dueMs: DUE_MS, index: 2, offset: 61, length: 50 }]);
  assertEquals(readIndexBlock(block.with(40, 1)), undefined);
  assertEquals(readIndexBlock(block.subarray(0, -1)), undefined);
  assertEquals(readIndexBlock(Uint8Array.of(...block, 0)), undefined);
  assertEquals(readIndexBlock(Uint8Array.fromHex(PARTS[1])), undefined);
});

Deno.test("isTornHeader() knows what an interrupted write of a header leaves, of either version", () => {
  const header = golden().slice(0, 16);
  const old = version1().slice(0, 16);

  for (let length = 0; length < 16; length++) {
    assertEquals(isTornHeader(header.slice(0, length), BASE), true, `${length} bytes`);
    assertEquals(isTornHeader(old.slice(0, length), BASE), true, `${length} bytes of version 1`);
    // Reserved by the file system, and never written.
    assertEquals(isTornHeader(Uint8Array.of(...header.slice(0, length), 0).slice(0, 15), BASE), true);
  }
  assertEquals(isTornHeader(new Uint8Array(5000), BASE), true);
  assertEquals(isTornHeader(header, BASE), false);
  assertEquals(isTornHeader(header.slice(0, 15).with(3, 1), BASE), false);
  assertEquals(isTornHeader(header.slice(0, 15), BASE + 0x100), false);
});

Deno.test("endOfMessages() is where so many messages end, with attributes of their own or without", () => {
  const block = blockOfTexts("a", "", "bcd");
  const own = ownBlock({ attributes: "090001aa", body: "a" }, { attributes: "", body: "bcd" });

  assertEquals([0, 1, 2, 3].map((count) => endOfMessages(block, 0, count)), [0, 5, 9, 16]);
  assertEquals(endOfMessages(block, 5, 2), 16);
  assertEquals([1, 2].map((count) => endOfMessages(own, 0, count, true)), [11, 20]);
});

Deno.test("Segment.fits() says yes until the image is full, with what closes it", () => {
  // A batch's header, due time and attributes, a size and a body, and the closing batch.
  const needed = 34 + 11 + 21 + 4 + 100 + 100;
  const segment = newSegment({ capacityBytes: 16 + needed });

  assertEquals([104, 105].map((bytes) => segment.fits(1, bytes, 21)), [true, false]);
  append(segment, ["x".repeat(100)], { attributes: "030012" + "00".repeat(18) });
  segment.commit();
  segment.close();

  assertEquals(segment.used + 11, segment.capacityBytes);
});

Deno.test("Segment.fits() leaves room for the index once a message is deferred", () => {
  const segment = newSegment({ capacityBytes: 1000 });
  assertEquals(segment.fits(1, 800), true);

  append(segment, ["d"], { dueMs: DUE_MS });
  segment.commit();

  // The second batch, the index of two entries, and the closing batch.
  const room = 1000 - 16 - 50 - (34 + 11) - (34 + 2 * 20) - 100;
  assertEquals([segment.fits(1, room), segment.fits(1, room + 1)], [true, false]);
});

Deno.test("Segment.close() makes room for an index that was not reckoned with", () => {
  const segment = newSegment({ capacityBytes: Segment.capacityFor(5) });
  append(segment, ["d"], { dueMs: DUE_MS });
  segment.commit();
  assertEquals(segment.used + 100, segment.capacityBytes);

  segment.close();

  assertEquals([segment.used, segment.capacityBytes], [16 + 50 + 54 + 100, 220]);
  assertEquals(closingOf(imageOf(segment), BASE)?.deferred, 1);
  assertEquals(textOf(segment, 0), "d");
});

Deno.test("Segment.fits() says yes until there are as many messages as there may be", () => {
  const segment = newSegment({ capacityBytes: 1024 * 1024, stored: false });
  append(segment, Array(SEGMENT_MESSAGES_MAX - 2).fill("x"));

  assertEquals([segment.fits(1, 5), segment.fits(2, 10), segment.fits(3, 15)], [true, true, false]);
  append(segment, ["y", "z"], { timestamp: { high: 1, low: 3 } });
  segment.commit();
  segment.close();
  const restored = unknownSegment();
  restored.restore(imageOf(segment));

  assertEquals([restored.count, textOf(restored, 65535)], [65536, "z"]);
});

Deno.test("Segment.capacityFor() is never too small, and fits() never says yes too often", () => {
  const half = BATCH_BYTES_MAX / 2;
  const around = [1, half - 40, half - 4, half, 2 * half - 40, 2 * half - 4, 2 * half, 3 * half].flatMap((
    size,
  ) => [-2, -1, 0, 1, 2].map((more) => Math.max(size + more, 0)));
  const attributes = "09" + "0064" + "55".repeat(100);
  for (const size of around) {
    for (const other of [0, 1, half - 4, half - 3, 2 * half - 4]) {
      for (const count of [1, 2, 3, 4, 5, 40]) {
        const bodies = Array.from({ length: count }, (_, i) => new Uint8Array(i % 2 === 0 ? size : other));
        const block = blockOf(bodies);
        const capacityBytes = Segment.capacityFor(block.length, 103);
        const segment = newSegment({ capacityBytes });
        const where = `${count} messages of ${size} and ${other} bytes`;

        assertEquals(segment.fits(count, block.length, 103), true, where);
        segment.append(block, 0, block.length, {
          count,
          timestamp: { high: 1, low: 2 },
          dueMs: DUE_MS,
          attributes: Uint8Array.fromHex(attributes),
        });
        // What does not fit is left out by a typed array without a word.
        assertEquals(segment.used + 100 <= capacityBytes, true, where);
        assertEquals(textOf(segment, count - 1).length, bodies[count - 1].length, where);
      }
    }
  }
});

Deno.test("Segment.fits() never says yes too often where messages join a batch that is nearly full", () => {
  for (const first of [0, 1, 100, 8000, 8192, 16000, 16380, 16384]) {
    for (const size of [0, 4, 100, 8188, 8192, 16300, 16384]) {
      const bodies = [size, 16380 - size, size, size].map((length) => new Uint8Array(Math.max(length, 0)));
      const block = blockOf(bodies);
      const segment = newSegment({ capacityBytes: 70_000 });
      append(segment, ["f".repeat(first)]);
      // As large as `fits` says that it must be.
      let bytes = block.length;
      while (!segment.fits(4, bytes)) bytes--;
      if (bytes < block.length) continue;
      while (segment.fits(4, bytes + 1)) bytes++;
      const used = segment.used;

      segment.append(block, 0, block.length, { count: 4, timestamp: { high: 1, low: 2 }, dueMs: 0 });

      const slack = bytes - block.length;
      assertEquals(
        segment.used + slack + 100 <= 70_000,
        true,
        `${first}, then ${size} bytes: ${segment.used - used}`,
      );
    }
  }
});

/** The messages of the golden image. */
function fullSegment(): Segment {
  const segment = newSegment();
  append(segment, ["a", "bc"]);
  append(segment, ["d"], { timestamp: { high: 1, low: 3 }, dueMs: DUE_MS });
  const block = ownBlock({ attributes: "0700026566", body: "e" }, { attributes: "", body: "" });
  segment.append(block, 0, block.length, {
    count: 2,
    timestamp: { high: 1, low: 4 },
    dueMs: 0,
    attributes: Uint8Array.fromHex("09000177"),
    own: true,
  });
  segment.commit();
  segment.close();
  return segment;
}

function golden(): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(PARTS.join(""));
}

function version1(): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(VERSION_1.join(""));
}
