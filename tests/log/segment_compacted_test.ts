/**
 * Copies of segments without some of their messages.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import type { Segment } from "../../src/log/segment.ts";
import { BATCH_BYTES_MAX, closingOf } from "../../src/log/segment_image.ts";
import { writeU32 } from "../../src/protocol/frames.ts";
import { blockOf } from "../support/broker_messages.ts";
import { Random } from "../support/random.ts";
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
  unknownSegment,
} from "../support/segments.ts";

/** An origin attribute: type, length, an id and 7 attempts. */
const ORIGIN = "030012" + "30".repeat(16) + "0007";

Deno.test("Segment.compacted() keeps positions, timestamps and due times, and is closed", () => {
  const segment = newSegment();
  append(segment, ["a", "b", "c", "d", "e"]);
  append(segment, ["f"], { timestamp: { high: 1, low: 3 }, dueMs: DUE_MS });
  append(segment, ["g"], { timestamp: { high: 1, low: 3 } });
  segment.commit();
  segment.close();

  const copy = segment.compacted((index) => [1, 2, 4, 5].includes(index), { stored: true });

  const expected = [
    undefined,
    { body: "b", high: 1, low: 2, dueMs: 0 },
    { body: "c", high: 1, low: 2, dueMs: 0 },
    undefined,
    { body: "e", high: 1, low: 2, dueMs: 0 },
    { body: "f", high: 1, low: 3, dueMs: DUE_MS },
    undefined,
  ];
  assertEquals([copy.base, copy.count, copy.committed, copy.holes, copy.deferred], [BASE, 7, 7, 3, 1]);
  assertEquals([copy.sealed, copy.stored, copy.written], [true, true, 0]);
  assertEquals([contentOf(copy), contentOf(restoredFrom(copy))], [expected, expected]);
  assertEquals(closingOf(imageOf(copy), BASE), {
    positions: 7,
    messages: 4,
    deferred: 1,
    earliestDueMs: DUE_MS,
    index: copy.dueIndex,
    firstTimestamp: { high: 1, low: 2 },
    lastTimestamp: { high: 1, low: 3 },
    bodyBytes: 4,
  });
  // The original is as it was.
  assertEquals(bodiesOf(segment), ["a", "b", "c", "d", "e", "f", "g"]);
});

Deno.test("Segment.compacted() makes a batch of each run of messages of a batch", () => {
  const segment = newSegment();
  append(segment, ["a", "b", "c", "d", "e", "f"]);
  append(segment, ["g", "h"], { timestamp: { high: 1, low: 3 } });
  segment.commit();

  const copy = segment.compacted((index) => ![2, 4].includes(index), { stored: true });

  assertEquals(
    batchesOf(imageOf(copy)).map(({ position, timestamp, messages }) => [
      position - BASE,
      timestamp,
      messages.map(({ body }) => body).join(""),
    ]),
    [
      [0, "0000000100000002", "ab"],
      [3, "0000000100000002", "d"],
      [5, "0000000100000002", "f"],
      [6, "0000000100000003", "gh"],
      [8, "0000000000000000", ""],
    ],
  );
});

Deno.test("Segment.compacted() keeps attributes byte for byte, known or not, in every rewrite", () => {
  const attributes = "02000401020304" + ORIGIN + "09000177" + "ff0000";
  const segment = newSegment();
  append(segment, ["a", "b", "c"], { dueMs: DUE_MS, attributes });
  append(segment, ["d"], { attributes: "fe000155" });
  segment.commit();
  segment.close();

  let copy = segment;
  for (const gone of [1, 2, 9]) {
    copy = restoredFrom(copy.compacted((index) => index !== gone && copy.has(index), { stored: true }));
  }

  assertEquals(bodiesOf(copy), ["a", "-", "-", "d"]);
  assertEquals(
    batchesOf(imageOf(copy)).filter(({ messages }) => messages.length > 0).map(({ attributes }) =>
      attributes
    ),
    ["01000800060dd710212000" + attributes, "fe000155"],
  );
  assertEquals([copy.dueMs(0), copy.earlierAttempts(0)], [DUE_MS, 7]);
});

Deno.test("Segment.compacted() keeps the attributes that a message inside an MPUB has of its own", () => {
  const segment = newSegment({ capacityBytes: 100_000 });
  const long = "l".repeat(BATCH_BYTES_MAX);
  const block = ownBlock(
    { attributes: "09000111", body: "a" },
    { attributes: "09000122ff0000", body: "b" },
    { attributes: "", body: "c" },
    { attributes: "09000133", body: long },
    { attributes: "09000144", body: "e" },
  );
  segment.append(block, 0, block.length, {
    count: 5,
    timestamp: { high: 1, low: 2 },
    dueMs: 0,
    attributes: Uint8Array.fromHex("08000199"),
    own: true,
  });
  segment.commit();

  const copy = segment.compacted((index) => index !== 0, { stored: true });

  const batches = batchesOf(imageOf(copy)).slice(0, -1);
  assertEquals(batches.map(({ kind, attributes }) => [kind, attributes]), [
    [0x40, "08000199"],
    [0x40, "08000199"],
    [0x40, "08000199"],
  ]);
  assertEquals(batches.flatMap(({ messages }) => messages.map(({ own, body }) => [own, body.length])), [
    ["000709000122ff0000", 1],
    ["0000", 1],
    ["000409000133", 16384],
    ["000409000144", 1],
  ]);
  assertEquals(bodiesOf(restoredFrom(copy)), ["-", "b", "c", long, "e"]);
});

Deno.test("Segment.compacted() marks no batch as followed by others of its MPUB: what was torn is known by then", () => {
  const segment = newSegment({ capacityBytes: 100_000 });
  append(segment, Array(3).fill("m".repeat(10_000)));
  segment.commit();
  assertEquals(batchesOf(imageOf(segment)).map(({ kind }) => kind), [0x80, 0x80, 0]);

  const copy = segment.compacted((index) => index < 2, { stored: true });

  assertEquals(batchesOf(imageOf(copy)).map(({ kind }) => kind), [0, 0, 0x10]);
  // As it was being written, without what closes it.
  const torn = unknownSegment();
  torn.restore(imageOf(copy).slice(0, -100));
  assertEquals(torn.count, 2);
});

Deno.test("Segment.compacted() divides a batch that is longer than one is to be, as version 1 had them", () => {
  const image = versionOneImage(
    Array.from({ length: 20 }, (_, i) => String(i).padStart(2, "0").repeat(1000)),
  );
  const segment = unknownSegment();
  assertEquals(segment.restore(image), []);
  assertEquals(segment.batchLength(segment.batchOffset(0)), 34 + 20 * 2004);

  const copy = segment.compacted((index) => index !== 1, { stored: true });

  const batches = batchesOf(imageOf(copy)).slice(0, -1);
  assertEquals(batches.map(({ position, messages }) => [position - BASE, messages.length]), [
    [0, 1],
    [2, 8],
    [10, 8],
    [18, 2],
  ]);
  assertEquals(batches.every(({ length }) => length <= 34 + BATCH_BYTES_MAX), true);
  assertEquals(bodiesOf(restoredFrom(copy)), bodiesOf(segment).with(1, "-"));
  assertEquals([imageOf(copy)[7], copy.used], [2, copy.capacityBytes]);
});

Deno.test("Segment.compacted() leaves holes holes, and takes no message for one that is not kept", () => {
  const segment = newSegment();
  append(segment, ["a", "b", "c", "d"]);
  segment.commit();
  const once = segment.compacted((index) => index % 2 === 1, { stored: false });

  const twice = once.compacted(() => true, { stored: true });

  assertEquals([bodiesOf(twice), twice.holes], [["-", "b", "-", "d"], 2]);
});

Deno.test("Segment.compacted() of nothing has positions, and no message", () => {
  const segment = newSegment();
  append(segment, ["a", "b"], { dueMs: DUE_MS });
  segment.commit();

  const copy = restoredFrom(segment.compacted(() => false, { stored: true }));

  assertEquals([copy.count, copy.messages, copy.holes, copy.deferred, copy.dueIndex], [
    2,
    0,
    2,
    0,
    undefined,
  ]);
  assertEquals(copy.used, 16 + 100);
});

Deno.test("Segment.compacted() of what several want has what any of them wants, and takes exactly its bytes", () => {
  const random = new Random(7);
  for (let round = 0; round < 50; round++) {
    const segment = newSegment({ capacityBytes: 200_000 });
    for (let i = 0; i < 30; i++) {
      append(segment, Array.from({ length: 1 + random.below(5) }, () => "m".repeat(random.below(3000))), {
        timestamp: { high: i, low: random.next() },
        dueMs: random.oneIn(3) ? DUE_MS + random.below(10) : 0,
        ...random.oneIn(3) ? { attributes: ORIGIN } : {},
      });
    }
    segment.commit();
    const wants = Array.from(
      { length: 3 },
      () => Array.from({ length: segment.count }, () => random.oneIn(4)),
    );
    const isWanted = (index: number) => wants.some((one) => one[index]);

    const copy = segment.compacted(isWanted, { stored: true });

    const expected = contentOf(segment).map((message, index) => isWanted(index) ? message : undefined);
    assertEquals(contentOf(copy), expected, `round ${round}`);
    assertEquals(contentOf(restoredFrom(copy)), expected, `round ${round}`);
    assertEquals(copy.used, copy.capacityBytes, `round ${round}`);
    assertEquals([...copy.dueOrder()], [...segment.dueOrder()].filter(isWanted), `round ${round}`);
  }
});

Deno.test("Segment.compacting() makes many and long batches in steps", () => {
  const many = newSegment({ capacityBytes: 1_000_000 });
  for (let i = 0; i < 10_000; i++) {
    append(many, ["x"], { dueMs: DUE_MS });
    many.commit();
  }
  const long = newSegment({ capacityBytes: 6_000_000 });
  append(long, Array(5000).fill("x".repeat(1000)));
  long.commit();

  // 5 times while 10,000 batches are looked at, 5 times while they are copied, and 2 times while their index is written.
  assertEquals(stepsOf(many), 5 + 5 + 2 + 1);
  assertEquals([stepsOf(long) >= 18, stepsOf(long) <= 22], [true, true]);
});

Deno.test("Segment.compacting() is undefined when the segment leaves memory meanwhile, whenever that is", () => {
  const steps = stepsOf(manyMessages());
  assertEquals(steps > 4, true);
  for (let step = 1; step < steps; step++) {
    const segment = manyMessages();
    const making = segment.compacting(() => true, { stored: true });
    for (let i = 0; i < step; i++) making.next();

    segment.evict();

    const rest = [...remaining(making)];
    // The last step needs nothing but the copy.
    assertEquals(rest.at(-1) === undefined, step < steps - 1, `after ${step} steps`);
  }
});

function manyMessages(): Segment {
  const segment = newSegment({ capacityBytes: 1_000_000 });
  for (let i = 0; i < 9000; i++) {
    append(segment, ["x"], { dueMs: DUE_MS });
    segment.commit();
  }
  return segment;
}

/** What a generator yields and returns from now on. */
function* remaining<T>(steps: Generator<void, T>): Generator<void | T> {
  for (;;) {
    const { done, value } = steps.next();
    yield value;
    if (done) return;
  }
}

/** How many times others have had their turn while all of a segment is copied, and one. */
function stepsOf(segment: Segment): number {
  const steps = segment.compacting(() => true, { stored: true });
  let count = 1;
  while (!steps.next().done) count++;
  return count;
}

function restoredFrom(segment: Segment): Segment {
  const restored = unknownSegment();
  assertEquals(restored.restore(imageOf(segment)), []);
  return restored;
}

/** An image of version 1 with all messages in a batch, as an MPUB was. */
function versionOneImage(bodies: readonly string[]): Uint8Array<ArrayBuffer> {
  const block = blockOf(bodies.map((body) => new TextEncoder().encode(body)));
  const header = Uint8Array.fromHex("4e53515345470001" + "0000000102030405");
  const batch = new Uint8Array(34 + block.length);
  batch.set(
    Uint8Array.fromHex(
      "4e535162" + "00000000" + "00000000" + "00000000" + "0000000102030405" + "0000000100000002",
    ),
  );
  writeU32(batch, 8, 2 + block.length);
  writeU32(batch, 12, bodies.length);
  batch.set(block, 34);
  writeU32(batch, 4, crc32c(batch, 8));
  return Uint8Array.of(...header, ...batch);
}
