/**
 * What is made of images that were cut off, damaged, or made to mislead.
 *
 * @module
 */
import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Segment } from "../../src/log/segment.ts";
import {
  BATCH_BYTES_MAX,
  closingOf,
  type Damage,
  SEGMENT_MESSAGES_MAX,
  SegmentFormatError,
} from "../../src/log/segment_image.ts";
import { writeU32 } from "../../src/protocol/frames.ts";
import {
  append,
  BASE,
  batchesOf,
  bodiesOf,
  DUE_MS,
  imageOf,
  newSegment,
  ownBlock,
  seal,
  unknownSegment,
} from "../support/segments.ts";

/** Ends of the header, and of the batches of `smallImage`. */
const [HEADER_END, FIRST_END, SECOND_END] = [16, 61, 111];

Deno.test("Segment.restore() cuts a torn tail at the last whole batch, wherever it is torn", () => {
  for (let length = HEADER_END; length < SECOND_END; length++) {
    const segment = unknownSegment();

    const damages = segment.restore(smallImage().slice(0, length));

    const [end, count] = length < FIRST_END ? [HEADER_END, 0] : [FIRST_END, 2];
    assertEquals([segment.count, segment.used, segment.written], [count, end, end], `${length} bytes`);
    const torn = length - end;
    assertEquals(
      damages.map(({ offset, length, torn }) => [offset, length, torn]),
      torn > 0 ? [[end, torn, true]] : [],
      `${length} bytes`,
    );
  }
});

Deno.test("Segment.restore() takes a tail of zeros for torn: what a file system leaves that did not write", () => {
  for (let length = FIRST_END; length < SECOND_END; length++) {
    const image = smallImage().slice(0, SECOND_END + 20);
    image.fill(0, length);
    const segment = unknownSegment();

    const damages = segment.restore(image);

    assertEquals([segment.count, segment.used], [2, FIRST_END], `zeros from ${length} on`);
    // What comes before the zeros is of a batch that was once to be whole, and may be of use to a person.
    const isAllZero = length === FIRST_END;
    assertEquals(damages.map(({ offset, torn }) => [offset, torn]), [[FIRST_END, isAllZero]]);
  }
});

Deno.test("Segment.restore() reports a batch with a wrong bit, whichever, and keeps the others", () => {
  for (let bit = HEADER_END * 8; bit < FIRST_END * 8; bit++) {
    const image = smallImage();
    image[bit >> 3] ^= 1 << (bit & 7);
    const segment = unknownSegment();

    const damages = segment.restore(image);

    assertEquals(
      damages.map(({ offset, length, torn }) => [offset, length, torn]),
      [[HEADER_END, 45, false]],
      `bit ${bit}`,
    );
    assertEquals([bodiesOf(segment), segment.holes], [["-", "-", "d"], 2], `bit ${bit}`);
  }
});

Deno.test("Segment.restore() reads the batches behind a header with a wrong bit, unless that says another version", () => {
  for (let bit = 0; bit < HEADER_END * 8; bit++) {
    if (bit >= 48) continue;
    const image = smallImage();
    image[bit >> 3] ^= 1 << (bit & 7);
    const segment = unknownSegment();

    const damages = segment.restore(image);

    assertEquals(
      damages.map(({ offset, length, torn }) => [offset, length, torn]),
      [[0, HEADER_END, false]],
      `bit ${bit}`,
    );
    assertEquals(bodiesOf(segment), ["a", "bc", "d"]);
  }
});

Deno.test("Segment.restore() refuses what is no segment, of a newer version, or another one", () => {
  const refuse = (change: (image: Uint8Array) => void, length = Infinity) => {
    const image = smallImage().slice(0, length);
    change(image);
    const segment = Segment.onDisk({ base: BASE, closing: closingOf(smallImage(), BASE), size: 156 });
    const error = assertThrows(() => segment.restore(image));
    assertInstanceOf(error, SegmentFormatError);
    assertEquals([segment.resident, segment.count], [false, 3]);
    return error.message;
  };

  assertEquals(refuse(() => {}, 15), "Not a segment file");
  assertEquals(refuse(() => {}, 0), "Not a segment file");
  assertEquals(refuse((image) => image.fill(0x4e)), "Not a segment file");
  assertEquals(refuse((image) => image[7] = 3), "Segment file of version 3, this program knows 2");
  assertEquals(refuse((image) => image[7] = 0), "Segment file of version 0, this program knows 2");
  assertEquals(refuse((image) => image[15]++), "Segment file under another's name");
  // Its batches are of another segment.
  assertEquals(
    refuse((image) => image.subarray(0, 16).fill(0).subarray(0, 0) && moveTo(image, BASE - 1)),
    "Not a segment file",
  );
  assertEquals(refuse((image) => moveTo(image, BASE + SEGMENT_MESSAGES_MAX)), "Not a segment file");
});

Deno.test("Segment.restore() skips an attribute that it does not know", () => {
  const segment = newSegment();
  append(segment, ["d"], { dueMs: DUE_MS, attributes: "09" + "0002" + "7777" + "0a" + "0000" });
  segment.commit();
  const restored = unknownSegment();

  assertEquals(restored.restore(imageOf(segment)), []);

  assertEquals([bodiesOf(restored), restored.dueMs(0)], [["d"], DUE_MS]);
});

Deno.test("Segment.restore() reports a batch that its checksum fits, and that cannot be", () => {
  const broken = (change: (image: Uint8Array) => void) => {
    const image = smallImage();
    change(image);
    seal(image, HEADER_END);
    const segment = unknownSegment();
    const damages = segment.restore(image);
    assertEquals(bodiesOf(segment), ["-", "-", "d"]);
    assertEquals(damages.map(({ offset, torn }) => [offset, torn]), [[HEADER_END, false]]);
    return damages[0].reason;
  };

  assertEquals(broken((image) => image[HEADER_END + 12] = 1), "batch of an unknown kind");
  assertEquals(broken((image) => image[HEADER_END + 33] = 12), "attributes longer than their batch");
  assertEquals(broken((image) => image[HEADER_END + 33] = 2), "attribute longer than its batch");
  assertEquals(broken((image) => image[HEADER_END + 15] = 3), "messages that do not fill their batch");
  assertEquals(broken((image) => image[HEADER_END + 15] = 1), "messages that do not fill their batch");
  assertEquals(broken((image) => image[HEADER_END + 37]++), "messages that do not fill their batch");
  assertEquals(broken((image) => image[HEADER_END + 12] = 0x40), "messages that do not fill their batch");
  assertEquals(broken((image) => image[HEADER_END + 23]--), "positions out of order");
  // More than a segment has, or than there are before the next one.
  assertEquals(broken((image) => writeU32(image, HEADER_END + 12, 0xffffff)), "positions out of order");
});

Deno.test("Segment.restore() reports a batch whose positions another has had", () => {
  const image = smallImage();
  const twice = Uint8Array.of(...image.subarray(0, FIRST_END), ...image.subarray(HEADER_END, SECOND_END));
  const segment = unknownSegment();

  const damages = segment.restore(twice);

  assertEquals(damages.map(({ offset, reason }) => [offset, reason]), [[
    FIRST_END,
    "positions out of order",
  ]]);
  assertEquals(bodiesOf(segment), ["a", "bc", "d"]);
});

Deno.test("Segment.restore() of a segment that is known leaves out what was refused, without a word", () => {
  const known = Segment.onDisk({ base: BASE, closing: closingOf(smallImage(), BASE), size: SECOND_END });
  known.count = known.committed = 2;

  const damages = known.restore(smallImage().slice(0, SECOND_END));

  assertEquals([damages, bodiesOf(known)], [[], ["a", "bc"]]);
  assertEquals([known.holes, known.used, known.written], [0, FIRST_END, FIRST_END]);
});

Deno.test("Segment.restore() of a segment that is known reads on behind positions that it does not have", () => {
  // A message looks like a batch of the segment, and the batch that it is in is damaged.
  const lure = imageOf(segmentOf("lure")).slice(HEADER_END);
  writeU32(lure, 20, 0x02030405 + 5000);
  seal(lure, 0);
  const segment = newSegment();
  append(segment, ["a", lure]);
  segment.commit();
  append(segment, ["b"]);
  segment.commit();
  segment.close();
  const image = imageOf(segment);
  image[HEADER_END + 34] ^= 1;
  segment.written = segment.used;
  segment.evict();

  const damages = segment.restore(image);

  assertEquals([bodiesOf(segment), segment.holes], [["-", "-", "b"], 2]);
  assertEquals(damages.map(({ reason }) => reason), ["wrong checksum"]);
  assertEquals(segment.isClosed, true);
});

Deno.test("Segment.restore() takes no positions that are the next segment's", () => {
  const image = imageOf(segmentOf("a", "b", "c"));
  const [, second] = batchesOf(image);
  const segment = Segment.unread({ base: BASE, size: image.length, countMax: 2 });

  const damages = segment.restore(image);

  assertEquals([bodiesOf(segment), segment.isUnread], [["a", "b"], false]);
  const third = second.offset + second.length;
  assertEquals(damages.map(({ offset, reason }) => [offset, reason]), [[third, "positions out of order"]]);
});

Deno.test("Segment.restore() does not believe a closing batch that cannot be, as a message may look like one", () => {
  const closing = imageOf(closed(segmentOf("x"))).slice(-100);
  const lures = [
    // More positions than there can be, at a position that fits.
    { positions: 0xffffffff, position: 0x02030405 + 0xffffffff },
    { positions: SEGMENT_MESSAGES_MAX + 1, position: 0x02030405 + SEGMENT_MESSAGES_MAX + 1 },
    // At another position than it says.
    { positions: 1000, position: 0x02030405 + 999 },
  ];
  for (const { positions, position } of lures) {
    const lure = closing.slice();
    writeU32(lure, 16, Math.floor((0x100000000 + position) / 2 ** 32));
    writeU32(lure, 20, position % 2 ** 32);
    writeU32(lure, 37, positions);
    writeU32(lure, 41, 1);
    seal(lure, 0);
    const segment = segmentOf("a");
    append(segment, [lure]);
    segment.commit();
    const image = imageOf(segment);
    // The batch that it is in is damaged, so it is found.
    image[HEADER_END + 39 + 34] ^= 1;
    const restored = unknownSegment();

    restored.restore(image);

    assertEquals([bodiesOf(restored), restored.isClosed], [["a"], false], `${positions} positions`);
  }
});

Deno.test("Segment.restore() leaves out an MPUB that was torn, wherever, as a whole", () => {
  const body = "m".repeat(BATCH_BYTES_MAX / 2 - 4);
  const segment = newSegment({ capacityBytes: 100_000 });
  append(segment, ["before"]);
  segment.commit();
  append(segment, [body, body, body, body, body], { dueMs: DUE_MS, attributes: "030012" + "11".repeat(18) });
  segment.commit();
  const image = imageOf(segment);
  const batches = batchesOf(image);
  assertEquals(batches.map(({ kind, messages }) => [kind, messages.length]), [[0, 1], [0x80, 2], [0x80, 2], [
    0,
    1,
  ]]);

  for (let length = batches[1].offset + 1; length < image.length; length += 1000) {
    const restored = unknownSegment();

    const damages = restored.restore(image.slice(0, length));

    const start = batches[1].offset;
    assertEquals(
      [bodiesOf(restored), restored.deferred, restored.holes],
      [["before"], 0, 0],
      `${length} bytes`,
    );
    assertEquals([restored.used, restored.written], [start, start]);
    assertEquals(damages.map(({ offset, length, torn }) => [offset, length, torn]), [[
      start,
      length - start,
      true,
    ]]);
  }
  for (const { offset } of batches.slice(2)) {
    const damages = unknownSegment().restore(image.slice(0, offset));
    assertEquals(damages.map(({ reason }) => reason), ["torn MPUB"]);
  }
  const whole = unknownSegment();
  assertEquals([whole.restore(image), whole.count, whole.deferred], [[], 6, 5]);
});

Deno.test("Segment.restore() leaves out a torn MPUB of which more than a word is told", () => {
  const image = torn({ zerosFrom: 3 });
  const segment = unknownSegment();

  const damages = segment.restore(image);

  // One line for all of it: the batches without their end, and the bytes that were never written.
  assertEquals(damages.map(({ reason, torn }) => [reason, torn]), [["torn MPUB", true]]);
  assertEquals([segment.count, segment.used], [0, HEADER_END]);
});

Deno.test("Segment.restore() keeps what is whole of an MPUB whose last batch is damaged, and not torn", () => {
  const image = torn({ zerosFrom: 5 });
  image[image.length - 1] ^= 1;
  const segment = unknownSegment();

  const damages = segment.restore(image);

  assertEquals(damages.map(({ reason, torn }) => [reason, torn]), [["wrong checksum", false]]);
  assertEquals([segment.count, segment.holes], [4, 0]);
});

Deno.test("Segment.restore() keeps what is whole of an MPUB in a segment that was once closed", () => {
  const image = torn({ zerosFrom: 5 });
  const { offset } = batchesOf(image)[2];
  const segment = unknownSegment();

  const damages = segment.restore(image.slice(0, offset + 5), { wasClosed: true });

  assertEquals(damages.map(({ reason }) => reason), ["torn batch header"]);
  assertEquals([segment.count, segment.holes], [2, 0]);
});

Deno.test("Segment.restore() of a segment that is known keeps what is whole of an MPUB", () => {
  const image = torn({ zerosFrom: 5 });
  const known = Segment.onDisk({ base: BASE, closing: closingOf(smallImage(), BASE), size: image.length });
  known.count = known.committed = 5;

  known.restore(image.slice(0, batchesOf(image)[3].offset));

  assertEquals([known.count, known.holes], [5, 2]);
});

Deno.test("Segment.restore() tells of a closed segment that whole batches are missing", () => {
  const segment = newSegment();
  append(segment, ["a", "b"]);
  append(segment, ["c"], { timestamp: { high: 1, low: 3 } });
  segment.close();
  const image = imageOf(segment);
  const [, second] = batchesOf(image);
  const cut = new Uint8Array([...image.subarray(0, HEADER_END), ...image.subarray(second.offset)]);
  const again = unknownSegment();

  const damages = again.restore(cut);

  assertEquals(damages, [{ offset: 0, length: cut.length, reason: "batches are missing", torn: false }]);
  assertEquals([bodiesOf(again), again.isClosed], [["-", "-", "c"], true]);
});

Deno.test("Segment.restore() forgets an index that speaks of messages that are lost", () => {
  const segment = newSegment();
  append(segment, ["a"], { dueMs: DUE_MS });
  append(segment, ["b"], { dueMs: DUE_MS + 1 });
  segment.commit();
  segment.close();
  const image = imageOf(segment);
  image[50] ^= 1;
  const restored = unknownSegment();

  restored.restore(image);

  assertEquals([restored.deferred, restored.dueIndex, restored.isClosed], [1, undefined, true]);
});

Deno.test("Segment.restore() has the due times and origins of what is there, and of nothing else", () => {
  const segment = newSegment();
  append(segment, ["a"], { attributes: "030012" + "30".repeat(16) + "0007" });
  append(segment, ["b"], { dueMs: DUE_MS });
  append(segment, ["c"]);
  segment.commit();
  const restored = unknownSegment();

  restored.restore(imageOf(segment));

  assertEquals([0, 1, 2].map((index) => restored.dueMs(index)), [0, DUE_MS, 0]);
  assertEquals([0, 1, 2].map((index) => restored.foreignId(index)), [16 + 34 + 3, 0, 0]);
  assertEquals([0, 1, 2].map((index) => restored.earlierAttempts(index)), [7, 0, 0]);
});

Deno.test("Segment.restore() reads messages that have attributes of their own", () => {
  const segment = newSegment();
  const block = ownBlock({ attributes: "09000177", body: "e" }, { attributes: "", body: "" });
  segment.append(block, 0, block.length, { count: 2, timestamp: { high: 1, low: 2 }, dueMs: 0, own: true });
  segment.commit();
  const restored = unknownSegment();

  assertEquals(restored.restore(imageOf(segment)), []);

  assertEquals(bodiesOf(restored), ["e", ""]);
  // Longer than their batch.
  const image = imageOf(segment);
  writeU32(image, 50, 0x00ff0900);
  seal(image, 16);
  assertEquals(unknownSegment().restore(image)[0].reason, "messages that do not fill their batch");
});

Deno.test("Segment.restore() tells of as many places as there is use for, and of the others with the last", () => {
  const segment = newSegment();
  for (let i = 0; i < 40; i++) {
    append(segment, [String(i).padStart(2, "0")]);
    segment.commit();
  }
  const image = imageOf(segment);
  // Every second one.
  for (let i = 0; i < 40; i += 2) image[16 + 40 * i + 39] ^= 1;
  const restored = unknownSegment();

  const damages = restored.restore(image);

  assertEquals(damages.length, 16);
  assertEquals(damages.slice(0, 3).map(spanOf), [[16, 56], [96, 136], [176, 216]]);
  assertEquals(damages.slice(-2).map(spanOf), [[16 + 28 * 40, 16 + 29 * 40], [16 + 30 * 40, 16 + 39 * 40]]);
  assertEquals([restored.messages, restored.holes], [20, 20]);
});

Deno.test("Segment.restoring() reads many batches, and long ones, in steps", () => {
  const many = newSegment({ capacityBytes: 1_000_000 });
  for (let i = 0; i < 10_000; i++) {
    append(many, ["x"]);
    many.commit();
  }
  const long = newSegment({ capacityBytes: 6_000_000 });
  append(long, Array(5000).fill("x".repeat(1000)));
  long.commit();

  assertEquals([stepsOf(imageOf(many)), stepsOf(imageOf(long))], [6, 10]);
});

Deno.test("Segment.restoring() looks in steps for batches among bytes that look like long ones, and gives up some day", () => {
  // Each claims all that follows, so that it has to be summed up.
  const lures = (bytes: number) => {
    const image = new Uint8Array(bytes);
    for (let at = HEADER_END; at < bytes - 40; at += 16) {
      writeU32(image, at, 0x4e535162);
      writeU32(image, at + 8, bytes - at - 32 - 39);
    }
    image.set(imageOf(segmentOf("a")).slice(0, HEADER_END));
    const rest = imageOf(segmentOf("a")).slice(HEADER_END);
    image.set(rest, bytes - rest.length);
    return image;
  };
  const few = unknownSegment();
  const many = unknownSegment();

  // 13 of up to 200 bytes, and some 60,000 of up to a MiB.
  const fewDamages = few.restore(lures(16 + 200 + 39));
  const manyDamages = many.restore(lures(1024 * 1024));

  assertEquals([bodiesOf(few), fewDamages.map(spanOf)], [["a"], [[16, 216]]]);
  assertEquals([bodiesOf(many), manyDamages.map(spanOf)], [[], [[16, 1024 * 1024]]]);
  // At most 16 times the bytes, half a MiB or one such batch at a time.
  const steps = stepsOf(lures(1024 * 1024));
  assertEquals([steps >= 16, steps <= 33], [true, true], `${steps} steps`);
});

Deno.test("Segment.restoring() passes bytes in steps that begin like a batch", () => {
  const image = new Uint8Array(200_000).fill(0x4e);
  image.set(imageOf(segmentOf("a")).slice(0, HEADER_END));
  image.set(imageOf(segmentOf("a")).slice(HEADER_END), 150_000);
  const segment = unknownSegment();

  segment.restore(image);

  assertEquals([bodiesOf(segment), stepsOf(image) > 10], [["a"], true]);
});

function smallImage(): Uint8Array<ArrayBuffer> {
  const segment = newSegment();
  append(segment, ["a", "bc"]);
  append(segment, ["d"], { timestamp: { high: 1, low: 3 }, dueMs: DUE_MS });
  segment.commit();
  segment.close();
  return imageOf(segment);
}

/** A segment with each body in a batch of its own. */
function segmentOf(...bodies: readonly string[]): Segment {
  const segment = newSegment({ capacityBytes: 100_000 });
  for (const body of bodies) {
    append(segment, [body]);
    segment.commit();
  }
  return segment;
}

function closed(segment: Segment): Segment {
  segment.close();
  return segment;
}

/** An MPUB of five batches, with zeros from the batch of that number on. */
function torn({ zerosFrom }: { zerosFrom: number }): Uint8Array<ArrayBuffer> {
  const segment = newSegment({ capacityBytes: 100_000 });
  append(segment, Array(5).fill("m".repeat(10_000)));
  segment.commit();
  const image = imageOf(segment);
  const { offset } = [...batchesOf(image), { offset: image.length }][zerosFrom];
  return image.fill(0, offset);
}

function moveTo(image: Uint8Array, position: number): void {
  image.fill(0, 0, HEADER_END);
  for (const { offset } of batchesOf(image)) {
    writeU32(image, offset + 16, Math.floor(position / 2 ** 32));
    writeU32(image, offset + 20, position % 2 ** 32);
    seal(image, offset);
  }
}

function spanOf({ offset, length }: Damage): [from: number, to: number] {
  return [offset, offset + length];
}

/** How many times others have had their turn, and one. */
function stepsOf(image: Uint8Array): number {
  const steps = unknownSegment().restoring(image);
  let count = 1;
  while (!steps.next().done) count++;
  return count;
}
