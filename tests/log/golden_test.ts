import { assertEquals, assertThrows } from "@std/assert";
import { Segment } from "../../src/log/segment.ts";
import { closingOf, readIndexBlock, SegmentFormatError } from "../../src/log/segment_image.ts";
import { batchesOf, contentOf, imageOf } from "../support/segments.ts";
import { textOf } from "../support/frames.ts";

// Files that programs have written, of every version: golden/README.md says how.

const GOLDEN = new URL("golden/", import.meta.url);

/** A message as a segment of whatever version says it. */
function messagesOf(segment: Segment) {
  return contentOf(segment).map((message, index) => {
    if (!message) return undefined;
    const { body, high, low, dueMs } = message;
    const at = segment.foreignId(index);
    const origin = at === 0
      ? ""
      : ` ${textOf(segment.bytes.subarray(at, at + 16))} ${segment.earlierAttempts(index)}`;
    return `${body} ${high}.${low} ${dueMs}${origin}`;
  });
}

const WORK_V1 = [
  "1 418140615.1185369960 0",
  "two 418140615.1185369960 0",
  "three 418140615.1185369960 0",
  "4 418140615.1189177960 0",
  "in an hour 418140615.1190189960 1795903867745",
  "in 50 minutes 418140615.1191762960 1795903267747",
];
const WORK_V2 = [
  "1 418140615.1449236960 0",
  "two 418140615.1449236960 0",
  "three 418140615.1449236960 0",
  "4 418140615.1454918960 0",
  "in an hour 418140615.1456475960 1795903868011",
  "in 50 minutes 418140615.1459473960 1795903268014",
];
const IMPORTED = [
  "taken over 418014164.1258234428 0 18a46c1097e69000 3",
  "and deferred 418014164.1258234429 0 18a46c1097e69001 0",
];
const ATTRIBUTES = [
  "unknown 1.2 0",
  "deferred, unknown 1.2 1704067200000",
  "none of its own 1.3 0",
  "two of its own 1.3 0",
  "one of its own 1.3 0",
  ...Array.from({ length: 20 }, (_, i) => `filler ${i} 1.2 0`),
];

for (
  const [file, messages] of [
    ["v1/062b08f7211000.seg", WORK_V1],
    ["v1/062b08f71fc000.seg", IMPORTED],
    ["v2/062b08f730a000.seg", WORK_V2],
    ["v2/062b08f72ec000.seg", IMPORTED],
    ["v2/00000102030405.seg", ATTRIBUTES],
  ] as const
) {
  Deno.test(`Segment.restore() reads golden/${file}, as it was written`, () => {
    const { segment, damages } = restored(file);

    assertEquals(messagesOf(segment), [...messages]);
    assertEquals([damages, segment.isClosed], [[], true]);
  });

  Deno.test(`Segment.compacted() makes version 2 of golden/${file}, with all that each message has`, () => {
    const { segment, image } = restored(file);

    const copy = imageOf(segment.compacted(() => true, { stored: true }));

    assertEquals(copy[7], 2);
    assertEquals(attributesOf(copy), attributesOf(image));
    assertEquals(messagesOf(restoredFrom(copy, segment.base)), [...messages]);
    assertEquals(closingOf(copy, segment.base)?.messages, messages.length);
  });

  Deno.test(`Segment.compacted() keeps of golden/${file} a message alone as it was among the others`, () => {
    const { segment, image } = restored(file);
    const all = attributesOf(image);

    for (const [kept, message] of messages.entries()) {
      const copy = imageOf(segment.compacted((index) => index === kept, { stored: true }));

      assertEquals(attributesOf(copy), [all[kept]]);
      assertEquals(messagesOf(restoredFrom(copy, segment.base)).filter((found) => found), [message]);
    }
  });
}

Deno.test("closingOf() of golden segments says what they have, as far as their version says it", () => {
  const none = { high: 0, low: 0 };

  assertEquals(closing("v1/062b08f7211000.seg"), {
    positions: 6,
    messages: undefined,
    deferred: 2,
    earliestDueMs: 0,
    index: undefined,
    firstTimestamp: none,
    lastTimestamp: none,
    bodyBytes: 0,
  });
  assertEquals(closing("v2/062b08f730a000.seg"), {
    positions: 6,
    messages: 6,
    deferred: 2,
    earliestDueMs: 1_795_903_268_014,
    index: { offset: 231, entries: 2 },
    firstTimestamp: { high: 418140615, low: 1449236960 },
    lastTimestamp: { high: 418140615, low: 1459473960 },
    bodyBytes: 33,
  });
});

Deno.test("readIndexBlock() reads the index of a golden segment", () => {
  const image = read("v2/062b08f730a000.seg");

  assertEquals(readIndexBlock(image.subarray(231, 305)), [
    { dueMs: 1_795_903_268_014, index: 5, offset: 169, length: 62 },
    { dueMs: 1_795_903_868_011, index: 4, offset: 110, length: 59 },
  ]);
});

Deno.test("Segment.restore() refuses a golden segment of a version to come", () => {
  const image = read("v2/062b08f730a000.seg");
  image[7] = 3;

  assertThrows(
    () => restoredFrom(image, 0x062b08f730a000),
    SegmentFormatError,
    "Segment file of version 3, this program knows 2",
  );
});

function read(file: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(file, GOLDEN));
}

function baseOf(file: string): number {
  return parseInt(file.slice(3), 16);
}

function closing(file: string) {
  return closingOf(read(file), baseOf(file));
}

function restored(file: string) {
  const image = read(file);
  const segment = Segment.onDisk({ base: baseOf(file), size: image.length });
  const damages = segment.restore(image.slice());
  return { segment, damages, image };
}

function restoredFrom(image: Uint8Array, base: number): Segment {
  const segment = Segment.onDisk({ base, size: image.length });
  segment.restore(image.slice());
  return segment;
}

/** Of each message its batch's attributes and its own, byte for byte. */
function attributesOf(image: Uint8Array): string[] {
  return batchesOf(image).flatMap(({ attributes, messages }) =>
    messages.map(({ own }) => `${attributes} ${own}`)
  );
}
