import { assertEquals, assertThrows } from "@std/assert";
import { Segment } from "../../src/log/segment.ts";
import { closingOf } from "../../src/log/segment_image.ts";
import { blockOfTexts, textOf } from "../support/broker_messages.ts";
import {
  append,
  BASE,
  batchesOf,
  bodiesOf,
  contentOf,
  DUE_MS,
  imageOf,
  newSegment,
  NotedUser,
  ownBlock,
  unknownSegment,
} from "../support/segments.ts";

/** An origin attribute: type, length, an id and 7 attempts. */
const ORIGIN = "030012" + "30".repeat(16) + "0007";

Deno.test("Segment.append() counts messages and the deferred ones among them", () => {
  const segment = newSegment();

  append(segment, ["a", "b"]);
  append(segment, ["c", "d"], { dueMs: DUE_MS });

  assertEquals([segment.count, segment.messages, segment.deferred, segment.end], [4, 4, 2, BASE + 4]);
  assertEquals([segment.committed, segment.holes, segment.sealed], [0, 0, false]);
  assertEquals([0, 1, 2, 3].map((index) => segment.dueMs(index)), [0, 0, DUE_MS, DUE_MS]);
});

Deno.test("Segment.append() takes messages out of the middle of a block", () => {
  const segment = newSegment();
  const block = blockOfTexts("a", "bc", "d");

  segment.append(block, 5, 11, { count: 1, timestamp: { high: 1, low: 2 }, dueMs: 0 });

  assertEquals(bodiesOf(segment), ["bc"]);
  assertEquals([segment.bodyOffset(0), segment.bodyLength(0)], [16 + 34 + 4, 2]);
});

Deno.test("Segment.append() knows the origin of each message that its attributes are of, as reading them does", () => {
  const segment = newSegment({ capacityBytes: 100_000 });
  append(segment, ["a"]);
  append(segment, ["b", "c".repeat(16_380), "d"], { attributes: "0900017a" + ORIGIN });
  append(segment, ["e"], { dueMs: DUE_MS, attributes: ORIGIN });
  append(segment, ["f"]);
  segment.commit();
  const restored = unknownSegment();
  restored.restore(imageOf(segment));

  for (const one of [segment, restored]) {
    const attempts = Array.from({ length: one.count }, (_, index) => one.earlierAttempts(index));
    assertEquals(attempts, [0, 7, 7, 7, 7, 0]);
    // Each is in its own batch.
    const offsets = Array.from(
      { length: one.count },
      (_, index) => one.foreignId(index) - one.batchOffset(index),
    );
    assertEquals(offsets.slice(1, 5), [41, 41, 41, 48]);
    assertEquals([one.foreignId(0), one.foreignId(5)], [0, 0]);
    const at = one.foreignId(4);
    assertEquals(one.bytes.subarray(at, at + 16).toHex(), "30".repeat(16));
  }
});

Deno.test("Segment.traceAt() tells where the trace is that a message was published in, as reading it does", () => {
  const trace = "060019" + "aa".repeat(25);
  const segment = newSegment({ capacityBytes: 100_000 });
  append(segment, ["a"]);
  append(segment, ["b", "c".repeat(16_380)], { attributes: trace });
  append(segment, ["d"], { dueMs: DUE_MS, attributes: trace });
  append(segment, ["e"], { attributes: "0600020000" });
  segment.commit();
  const restored = unknownSegment();
  restored.restore(imageOf(segment));

  for (const one of [segment, restored]) {
    const traces = Array.from({ length: one.count }, (_, index) => {
      const at = one.traceAt(index);
      return at === 0 ? "" : one.bytes.subarray(at, at + 25).toHex();
    });
    const context = "aa".repeat(25);
    assertEquals(traces, ["", context, context, context, ""]);
  }
});

Deno.test("Segment.append() leaves an attribute alone that has the type of an origin and another length", () => {
  const segment = newSegment();

  append(segment, ["a"], { attributes: "0300020000" });

  assertEquals([segment.foreignId(0), segment.earlierAttempts(0)], [0, 0]);
});

Deno.test("Segment.unwritten() gives each byte once, with its checksum", () => {
  const whole = newSegment();
  append(whole, ["a", "bc"]);
  append(whole, ["d"], { timestamp: { high: 1, low: 3 }, dueMs: DUE_MS });
  whole.commit();
  whole.close();
  const segment = newSegment();
  const parts: string[] = [];
  const write = () => {
    parts.push(segment.unwritten().toHex());
    segment.written = segment.used;
  };

  append(segment, ["a", "bc"]);
  segment.commit();
  write();
  write();
  append(segment, ["d"], { timestamp: { high: 1, low: 3 }, dueMs: DUE_MS });
  segment.commit();
  write();
  segment.close();
  write();

  assertEquals(parts.map((part) => part.length / 2), [61, 0, 50, 154]);
  assertEquals(parts.join(""), imageOf(whole).toHex());
});

Deno.test("Segment.rollback() takes back what was not committed, also of a batch that went on", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"]);
  append(segment, ["d"], { dueMs: DUE_MS });
  segment.commit();
  const before = imageOf(segment);

  append(segment, ["x"], { dueMs: DUE_MS });
  append(segment, ["y", "z"], { timestamp: { high: 7, low: 7 }, attributes: ORIGIN });
  segment.rollback();

  assertEquals(imageOf(segment), before);
  assertEquals([bodiesOf(segment), segment.deferred], [["a", "bc", "d"], 1]);
  append(segment, ["e"]);
  segment.commit();
  assertEquals([segment.foreignId(3), segment.dueMs(3), segment.has(3)], [0, 0, true]);
  assertEquals(segment.batchOffset(3), before.length);
});

Deno.test("Segment.rollback() of a segment that was closed opens it again", () => {
  const segment = newSegment();
  append(segment, ["a"], { dueMs: DUE_MS });
  segment.commit();
  append(segment, ["x"], { dueMs: DUE_MS - 1 });
  segment.close();

  segment.rollback();

  assertEquals([segment.sealed, segment.isClosed, segment.dueIndex], [false, false, undefined]);
  segment.close();
  assertEquals(closingOf(imageOf(segment), BASE)?.earliestDueMs, DUE_MS);
  assertEquals(batchesOf(imageOf(segment)).map(({ kind }) => kind), [0, 0x20, 0x10]);
});

Deno.test("Segment.rollback() counts no bytes as written that are not there any more", () => {
  const segment = newSegment();
  append(segment, ["a"]);
  segment.commit();
  const { used } = segment;
  append(segment, ["b"]);
  segment.unwritten();
  segment.written = segment.used;

  segment.rollback();

  assertEquals([segment.used, segment.written], [used, used]);
});

Deno.test("Segment.reopenImage() forgets what closes it and could not be written", () => {
  const segment = newSegment();
  append(segment, ["a"], { dueMs: DUE_MS });
  segment.commit();
  segment.written = segment.used;
  const { used } = segment;
  segment.close();
  assertEquals([segment.isClosed, segment.dueIndex?.entries], [false, 1]);

  segment.reopenImage();

  assertEquals([segment.used, segment.isClosed, segment.dueIndex, segment.sealed], [
    used,
    false,
    undefined,
    true,
  ]);
});

Deno.test("Segment.isClosed says whether its file has all of it, with the batch that closes it", () => {
  const segment = newSegment();
  append(segment, ["a"]);
  segment.commit();
  segment.written = segment.used;
  assertEquals(segment.isClosed, false);

  segment.close();
  assertEquals(segment.isClosed, false);
  segment.written = segment.used;

  assertEquals(segment.isClosed, true);
});

Deno.test("Segment.evict() gives the memory back, and restore() brings the same messages", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"]);
  append(segment, ["d"], { timestamp: { high: 1, low: 3 }, dueMs: DUE_MS });
  segment.commit();
  segment.close();
  const before = contentOf(segment);
  const image = imageOf(segment);
  segment.written = segment.used;
  const { bytes, dueIndex } = segment;

  segment.evict();

  assertEquals([segment.resident, segment.capacityBytes, bytes.length], [false, 0, 0]);
  assertEquals([segment.count, segment.messages, segment.deferred, segment.used], [3, 3, 1, 265]);
  assertEquals([segment.isClosed, segment.dueIndex, segment.earliestDueMs], [true, dueIndex, DUE_MS]);
  assertEquals([segment.deferredIn(0, 3), segment.waitingIn(0, 3)], [1, 2]);
  const gone = `Segment ${BASE} is not in memory`;
  assertThrows(() => segment.bytes, Error, gone);
  assertThrows(() => segment.has(0), Error, gone);
  assertThrows(() => segment.deferredIn(0, 2), Error, gone);
  assertEquals(segment.restore(image), []);
  assertEquals([contentOf(segment), segment.bytes === image], [before, true]);
});

Deno.test("Segment.evict() again does no harm", () => {
  const segment = newSegment();
  append(segment, ["a"], { dueMs: DUE_MS });
  segment.commit();

  segment.evict();
  segment.evict();

  assertEquals([segment.resident, segment.deferred, segment.count], [false, 1, 1]);
});

Deno.test("Segment.onDisk() knows what its closing batch says", () => {
  const segment = newSegment();
  append(segment, ["a", "b", "c"], { dueMs: DUE_MS });
  append(segment, ["d"]);
  segment.commit();
  const copy = segment.compacted((index) => index > 0, { stored: true });

  const found = Segment.onDisk({ base: BASE, closing: closingOf(imageOf(copy), BASE), size: copy.used });

  assertEquals([found.count, found.committed, found.messages, found.holes, found.deferred], [4, 4, 3, 1, 2]);
  assertEquals([found.isCounted, found.isClosed, found.sealed, found.stored], [true, true, true, true]);
  assertEquals([found.resident, found.used, found.written, found.isUnread], [
    false,
    copy.used,
    copy.used,
    false,
  ]);
  assertEquals([found.earliestDueMs, found.dueIndex], [DUE_MS, copy.dueIndex]);
});

Deno.test("Segment.onDisk() of version 1 takes all positions for messages until it is read", () => {
  const closing = {
    positions: 3,
    messages: undefined,
    deferred: 1,
    earliestDueMs: 0,
    index: undefined,
    firstTimestamp: { high: 0, low: 0 },
    lastTimestamp: { high: 0, low: 0 },
    bodyBytes: 0,
  };

  const segment = Segment.onDisk({ base: BASE, closing, size: 156 });

  assertEquals([segment.count, segment.messages, segment.isCounted, segment.isClosed], [3, 3, false, true]);
});

Deno.test("Segment.unread() has room for what it may have, until it is read", () => {
  const written = newSegment();
  append(written, ["a", "b"]);
  written.commit();
  const image = imageOf(written);
  const segment = Segment.unread({ base: BASE, size: 5000, countMax: 100 });
  assertEquals([segment.isUnread, segment.end, segment.used], [true, BASE + 100, 5000]);

  segment.restore(image);

  assertEquals([segment.isUnread, segment.isCounted, segment.count, segment.committed], [false, true, 2, 2]);
  assertEquals([segment.used, segment.written], [image.length, image.length]);
});

Deno.test("Segment.restartAt() begins anew in the same memory, for the same users", () => {
  const segment = newSegment({ capacityBytes: 300, stored: false });
  append(segment, ["old", "older"], { timestamp: { high: 9, low: 9 }, dueMs: DUE_MS, attributes: ORIGIN });
  segment.commit();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  const { bytes } = segment;

  const next = segment.restartAt(BASE + 2);

  assertEquals([next.base, next.count, next.committed, next.used, next.deferred], [BASE + 2, 0, 0, 16, 0]);
  assertEquals([next.bytes === bytes, next.stored, next.sealed], [true, false, false]);
  assertEquals([told, [...next.users].length], [[`user restarted as ${BASE + 2}: `], 1]);
  append(next, ["new"]);
  next.commit();
  assertEquals(contentOf(next), [{ body: "new", high: 1, low: 2, dueMs: 0 }]);
  assertEquals(next.foreignId(0), 0);
  const read = Segment.onDisk({ base: BASE + 2, size: 0 });
  read.restore(imageOf(next));
  assertEquals(bodiesOf(read), ["new"]);
});

Deno.test("Segment.restartAt() leaves nothing to the old one that it could give back", () => {
  const segment = newSegment({ stored: false });
  append(segment, ["old"]);
  segment.commit();

  const next = segment.restartAt(BASE + 1);
  segment.evict();

  assertEquals([segment.resident, next.capacityBytes, [...segment.users]], [false, 4096, []]);
});

Deno.test("Segment.ofBatch() is a batch on its own, with all that is said of its messages", () => {
  const segment = newSegment();
  append(segment, ["before"]);
  append(segment, ["a", "bc"], { timestamp: { high: 3, low: 4 }, dueMs: DUE_MS, attributes: ORIGIN });
  segment.commit();
  const [, { offset, length }] = batchesOf(imageOf(segment));

  const batch = Segment.ofBatch(imageOf(segment).slice(offset, offset + length));

  assertEquals([batch?.base, batch?.end, batch?.resident], [BASE + 1, BASE + 3, true]);
  assertEquals(batch && contentOf(batch), [
    { body: "a", high: 3, low: 4, dueMs: DUE_MS },
    { body: "bc", high: 3, low: 4, dueMs: DUE_MS },
  ]);
  assertEquals([batch?.earlierAttempts(0), batch?.earlierAttempts(1)], [7, 7]);
});

Deno.test("Segment.ofBatch() reads messages that have attributes of their own", () => {
  const segment = newSegment();
  const block = ownBlock({ attributes: "090001ff", body: "a" }, { attributes: "", body: "bc" });
  segment.append(block, 0, block.length, { count: 2, timestamp: { high: 1, low: 2 }, dueMs: 0, own: true });

  const batch = Segment.ofBatch(imageOf(segment).slice(16));

  assertEquals(batch && bodiesOf(batch), ["a", "bc"]);
});

Deno.test("Segment.ofBatch() is undefined of what is not one whole batch of messages", () => {
  const segment = newSegment();
  append(segment, ["a", "bc"], { dueMs: DUE_MS });
  segment.commit();
  segment.close();
  const image = imageOf(segment);
  const [messages, index, closing] = batchesOf(image).map(({ offset, length }) =>
    image.slice(offset, offset + length)
  );
  const has = (bytes: Uint8Array) => Segment.ofBatch(bytes) !== undefined;

  assertEquals([has(messages), has(index), has(closing)], [true, false, false]);
  assertEquals([has(messages.slice(1)), has(messages.slice(0, -1)), has(new Uint8Array())], [
    false,
    false,
    false,
  ]);
  assertEquals(has(Uint8Array.of(...messages, 0)), false);
  for (let bit = 0; bit < messages.length * 8; bit++) {
    assertEquals(has(messages.with(bit >> 3, messages[bit >> 3] ^ 1 << (bit & 7))), false, `bit ${bit}`);
  }
});

Deno.test("Segment.waitingIn() and deferredIn() count in any part of it", () => {
  const segment = newSegment();
  append(segment, ["a", "b"]);
  append(segment, ["c", "d"], { dueMs: DUE_MS });
  append(segment, ["e"]);
  segment.commit();
  const copy = segment.compacted((index) => index !== 0 && index !== 3, { stored: false });

  const parts: [number, number][] = [[0, 5], [0, 2], [1, 3], [2, 4], [4, 5], [2, 2]];
  assertEquals(parts.map(([from, to]) => segment.deferredIn(from, to)), [2, 0, 1, 2, 0, 0]);
  assertEquals(parts.map(([from, to]) => segment.waitingIn(from, to)), [3, 2, 1, 0, 1, 0]);
  assertEquals(parts.map(([from, to]) => copy.deferredIn(from, to)), [1, 0, 1, 1, 0, 0]);
  assertEquals(parts.map(([from, to]) => copy.waitingIn(from, to)), [2, 1, 1, 0, 1, 0]);
});

Deno.test("Segment.batchOffset() and batchLength() are where the batch of a message lies", () => {
  const segment = newSegment();
  for (const bodies of [["a", "b"], ["c"], ["d", "e", "f"]]) {
    append(segment, bodies);
    segment.commit();
  }
  const [first, second, third] = batchesOf(imageOf(segment));
  const placeOf = (index: number) => {
    const offset = segment.batchOffset(index);
    return [offset, segment.batchLength(offset)];
  };

  assertEquals([0, 1, 2, 3, 5].map(placeOf), [
    [first.offset, first.length],
    [first.offset, first.length],
    [second.offset, second.length],
    [third.offset, third.length],
    [third.offset, third.length],
  ]);
});

Deno.test("Segment.users are those who were added and not removed, each once", () => {
  const segment = newSegment();
  const [first, second] = [new NotedUser("user", []), new NotedUser("user", [])];

  segment.addUser(first);
  segment.addUser(second);
  segment.addUser(first);
  segment.removeUser(second);
  assertEquals([...segment.users], [first]);
  segment.removeUser(first);
  segment.removeUser(first);

  assertEquals([...segment.users], []);
});

Deno.test("Segment.isFinished while no channel is ahead of it, or has something open in it", () => {
  const segment = newSegment();

  assertEquals(segment.isFinished, true);
  segment.ahead = 1;
  assertEquals(segment.isFinished, false);
  segment.ahead = 0;
  segment.open = 1;

  assertEquals(segment.isFinished, false);
});

Deno.test("Segment grows with its messages as far as it has bytes for them", () => {
  const segment = newSegment({ capacityBytes: 500_000 });
  for (let i = 0; i < 10_000; i++) append(segment, [String(i)], { dueMs: i % 100 === 99 ? DUE_MS + i : 0 });
  segment.commit();

  const wrong = Array.from({ length: 10_000 }, (_, i) => i).filter((i) =>
    textOf(segment, i) !== String(i) || segment.dueMs(i) !== (i % 100 === 99 ? DUE_MS + i : 0)
  );

  assertEquals([wrong, segment.deferred], [[], 100]);
});

Deno.test("Segment.waitingSinceMs() is exact in memory, passes over what is deferred, and is estimated on disk", () => {
  // Ten, twenty and forty times 2^32 ns.
  const ms = (high: number) => high * (2 ** 32 / 1e6);
  const segment = newSegment();
  append(segment, ["a"], { timestamp: { high: 10, low: 0 } });
  append(segment, ["b"], { timestamp: { high: 20, low: 0 }, dueMs: DUE_MS });
  append(segment, ["c"], { timestamp: { high: 40, low: 0 } });
  segment.commit();
  segment.close();
  const image = imageOf(segment);
  const exact = [0, 1, 2, 3].map((index) => segment.waitingSinceMs(index));

  segment.evict();

  const estimated = [0, 1, 2].map((index) => segment.waitingSinceMs(index));
  const found = Segment.onDisk({ base: BASE, closing: closingOf(image, BASE), size: image.length });
  assertEquals(exact, [ms(10), ms(40), ms(40), undefined]);
  assertEquals(estimated, [ms(10), ms(25), ms(40)]);
  assertEquals([0, 1, 2].map((index) => found.waitingSinceMs(index)), estimated);
});

Deno.test("Segment.waitingSinceMs() is not known of a segment that has not been read", () => {
  assertEquals(Segment.unread({ base: BASE, size: 100, countMax: 5 }).waitingSinceMs(0), undefined);
});
