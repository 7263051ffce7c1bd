/**
 * What is made, at the start, of what a store has kept.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Expectation } from "../../src/log/recovery.ts";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import { TestLog } from "../support/broker_log.ts";
import { TestStores } from "../support/broker_stores.ts";
import { append, batchesOf, imageOf, newSegment, seal } from "../support/segments.ts";
import { writeU32 } from "../../src/protocol/frames.ts";
import { Segment } from "../../src/log/segment.ts";

Deno.test("TopicLog.recover() finds closed segments by their ends, and reads the last only, as it may not be one", () => {
  const { stores } = closed(["a", "b"], ["c"], ["d", "e", "f"]);

  const again = recovered(stores);

  assertEquals(again.content(), ["stored 1000: (2)", "stored 1002: (1)", "stored 1003: (3)"]);
  assertEquals([again.log.end, again.take(), stores.syncReads], [1006, [], 1]);
});

Deno.test("TopicLog.recover() after a stop in order reads nothing", () => {
  const { stores, expected } = closed(["a", "b"], ["c"]);

  const again = recovered(stores, expected);

  assertEquals([again.content(), again.take()], [["stored 1000: (2)", "stored 1002: (1)"], []]);
  assertEquals(stores.syncReads, 0);
});

Deno.test("TopicLog.recover() of nothing is empty", () => {
  assertEquals(recovered(new TestStores()).content(), []);
  assertEquals(recovered(new TestStores(), { stored: [], closedEnd: 1000, end: 1000 }).take(), []);
});

Deno.test("TopicLog.recover() closes a segment that was being written, for the next start", () => {
  const { stores, store } = killed(["a", "b"]);

  const again = recovered(stores);

  assertEquals([again.content(), again.take()], [["stored 1000: (2)"], []]);
  assertEquals(store.list().map(({ closing }) => [closing?.positions, closing?.messages]), [[2, 2]]);
  const third = recovered(stores);
  assertEquals([third.content(), third.log.closedEnd], [["stored 1000: (2)"], 1002]);
});

Deno.test("TopicLog.recover() tells of a torn tail, and cuts it off, wherever it is torn", () => {
  const whole = killed(["a"]).store.readSync(1000);
  const more = killed(["a"], ["bcd"]).store.readSync(1000);
  for (let length = whole.length + 1; length < more.length; length++) {
    const { stores, store } = storeWith({ 1000: more.slice(0, length) });

    const again = recovered(stores);

    assertEquals(again.content(), ["stored 1000: (1)"], `${length} bytes`);
    const reason = length < whole.length + 34 ? "torn batch header" : "torn batch";
    assertEquals(again.take(), [`damaged 1000: ${reason}`], `${length} bytes`);
    const { size, closing } = store.list()[0];
    assertEquals([size, closing?.positions], [whole.length + 100, 1]);
    assertEquals([recovered(stores).take(), stores.damages], [[], []]);
  }
});

Deno.test("TopicLog.recover() takes zeros at the end for what was never written", () => {
  const image = killed(["a"]).store.readSync(1000);
  const { stores, store } = storeWith({ 1000: Uint8Array.of(...image, ...new Uint8Array(4096)) });

  const again = recovered(stores);

  assertEquals([again.content(), again.take()], [["stored 1000: (1)"], ["damaged 1000: no batch"]]);
  assertEquals([store.list()[0].size, stores.damages], [image.length + 100, []]);
});

Deno.test("TopicLog.recover() keeps damaged bytes aside, and goes on behind them", () => {
  const image = killed(["a"], ["b"], ["c"]).store.readSync(1000);
  image[16 + 39 + 38] ^= 1;
  const { stores } = storeWith({ 1000: image });

  const again = new TestLog({ stores });
  again.log.recover(undefined);

  assertEquals([again.content(), again.take()], [["stored 1000: a - c"], ["damaged 1000: wrong checksum"]]);
  assertEquals(stores.damages, ["t 1000 55 39"]);
});

Deno.test("TopicLog.recover() leaves out an MPUB that was torn as a whole", () => {
  const test = new TestLog();
  test.publish("before");
  test.publish(...Array<string>(5).fill("m".repeat(10_000)));
  const image = test.store.readSync(test.log.segments[1].base);
  const { stores } = storeWith({ 1001: image.slice(0, -200) });

  const again = recovered(stores);

  assertEquals([again.content(), again.take()], [[], ["damaged 1001: torn MPUB"]]);
});

Deno.test("TopicLog.recover() removes a file that never got a message, and tells of a torn header", async () => {
  const header = killed(["a"]).store.readSync(1000).slice(0, 16);
  const cases: readonly (readonly [image: Uint8Array, event: string[]])[] = [
    [header, []],
    [new Uint8Array(), []],
    [header.slice(0, 9), ["damaged 1000: torn header"]],
    [new Uint8Array(5000), ["damaged 1000: torn header"]],
  ];
  for (const [image, events] of cases) {
    const { stores, store } = storeWith({ 1000: image });

    const again = recovered(stores);
    await again.log.idle();

    assertEquals([again.content(), again.take(), store.list()], [[], events, []], `${image.length} bytes`);
    assertEquals(stores.aside, []);
  }
});

Deno.test("TopicLog.recover() sets aside what is no segment, or one of a newer version", () => {
  const newer = killed(["a"]).store.readSync(1000);
  newer[7] = 3;
  const { stores } = storeWith({ 1000: newer, 2000: new TextEncoder().encode("not a segment file") });

  const again = recovered(stores);

  assertEquals(again.content(), []);
  assertEquals(again.take(), [
    "damaged 1000: Segment file of version 3, this program knows 2",
    "damaged 2000: Not a segment file",
  ]);
  assertEquals(stores.aside, ["t 1000", "t 2000"]);
});

Deno.test("TopicLog.recover() reserves the positions of a segment that cannot be read now", () => {
  const { stores } = killed(["a"], ["b"]);
  stores.readSyncFault = () => true;

  const again = recovered(stores);
  again.publish("new");

  assertEquals(again.take(), [
    "load failed 1000: Error: input/output error",
    "committed 66536-66537",
  ]);
  assertEquals(again.content(), ["stored 1000: (65536)", "stored 66536: new"]);
});

Deno.test("TopicLog.recover() takes a segment for stored of which not even the size can be read", () => {
  const { stores } = killed(["a"], ["b"]);
  const test = new TestLog({ stores });
  test.stores.readSyncFault = () => true;
  test.store.list = () => [{ base: 1000, size: 0, closing: undefined }];

  test.recover();

  assertEquals([test.log.storedRanges(), test.log.isInStore], [[{ from: 1000, to: 66536 }], true]);
});

Deno.test("TopicLog.recover() reserves no positions of the next segment for one that cannot be read now", async () => {
  const { stores, store } = closed(["a"], ["b"], ["c"]);
  const image = store.readSync(1001);
  await store.replace(1001, image.slice(0, -1), () => true);
  stores.readSyncFault = () => true;

  const again = recovered(stores);

  // The last one has not been read either.
  assertEquals(again.content(), ["stored 1000: (1)", "stored 1001: (1)", "stored 1002: (65536)"]);
});

Deno.test("TopicLog.recover() delivers from a disk that it cannot write to", async () => {
  const { stores, store } = killed(["a", "b"]);
  store.append(1000, Uint8Array.of(1, 2, 3));
  for (const fault of ["truncate", "append"] as const) {
    stores.truncateFault = () => fault === "truncate";
    stores.fault = () => fault === "append" ? "fails" : undefined;

    const again = recovered(stores);
    again.log.pin(again.log.segments[0]);
    await again.log.idle();

    assertEquals(again.content(), ["stored 1000: a b"], fault);
    assertEquals([again.log.closedEnd, again.log.end], [1000, 1002]);
  }
});

Deno.test("TopicLog.recover() does not believe a message at the end that looks like what closes a segment", () => {
  // "The segment has one message": so the others would be lost.
  const lure = lureFor(1000);
  const { stores, store } = killed(["a"], ["b"], ["c"]);
  const last = new Segment({ base: 1003, capacityBytes: 1000, stored: true });
  append(last, [lure]);
  store.append(1000, last.unwritten().slice(16));

  const again = recovered(stores);

  assertEquals([again.content(), again.take()], [["stored 1000: (4)"], []]);
  assertEquals(store.list()[0].closing?.positions, 4);
});

Deno.test("TopicLog.recover() after a stop in order tells of segments that are missing, with how many messages", async () => {
  const { stores, store, expected } = closed(["a", "b"], ["c"], ["d", "e", "f"], ["g"]);
  await store.remove(1002);
  await store.remove(1006);

  const again = recovered(stores, expected);

  assertEquals(again.content(), ["stored 1000: (2)", "stored 1003: (3)"]);
  assertEquals(again.take(), ["missing 1002: 1002-1003 1006-1007"]);
});

Deno.test("TopicLog.recover() after a stop in order tells of all segments when all are missing", async () => {
  const { stores, store, expected } = closed(["a", "b"], ["c"]);
  await store.remove(1000);
  await store.remove(1002);

  const again = recovered(stores, expected);

  assertEquals([again.content(), again.take()], [[], ["missing 1000: 1000-1003"]]);
});

Deno.test("TopicLog.recover() after a stop in order goes on with what is whole of a segment that is shorter, and keeps what was there", () => {
  const { stores: whole } = closed(["a"], ["b"], ["c"]);
  const image = whole.open("t").readSync(1000);
  for (let length = 55; length < image.length; length++) {
    // One segment of three batches.
    const { stores, expected } = closedAsOne(["a"], ["b"], ["c"]);
    const store = stores.open("t");
    store.truncate(1000, length);

    const again = recovered(stores, expected);

    const count = Math.min(Math.floor((length - 16) / 39), 3);
    assertEquals(again.content(), [`stored 1000: (${count})`], `${length} bytes`);
    // Where it is torn within a batch, that is told first.
    const events = again.take().filter((event) => !event.startsWith("damaged 1000: torn"));
    assertEquals(events, count < 3 ? [`shorter 1000: ${1000 + count}-1003`] : [], `${length} bytes`);
    assertEquals([stores.aside, store.list()[0].closing?.positions], [[], count]);
    // All that was there, or what follows the last message.
    const whole = 16 + 39 * count;
    const kept = count < 3
      ? [`t 1000 0 ${length}`]
      : length > whole
      ? [`t 1000 ${whole} ${length - whole}`]
      : [];
    assertEquals(stores.damages, kept);
    // Not again.
    assertEquals(recovered(stores).take(), []);
  }
});

Deno.test("TopicLog.recover() after a stop in order keeps the whole batches of an MPUB whose end is missing", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 4_000_000 } });
  test.publish(...Array<string>(5).fill("m".repeat(10_000)));
  const { stores, store, expected } = stop(test);
  store.truncate(1000, 16 + 3 * 10_038 + 100);

  const again = recovered(stores, expected);

  assertEquals(again.content(), ["stored 1000: (3)"]);
  assertEquals(again.take(), ["shorter 1000: 1003-1005"]);
});

Deno.test("TopicLog.recover() after a stop in order sets aside a segment of which nothing is left, and tells what is lost", () => {
  for (
    const image of [new Uint8Array(), new Uint8Array(300), closed(["a"]).store.readSync(1000).slice(0, 7)]
  ) {
    const { stores, store, expected } = closed(["a", "b"], ["c"]);
    store.truncate(1000, 0);
    store.append(1000, image);

    const again = recovered(stores, expected);

    assertEquals(again.content(), ["stored 1002: (1)"], `${image.length} bytes`);
    assertEquals(again.take(), ["damaged 1000: nothing is left of it", "shorter 1000: 1000-1002"]);
    assertEquals(stores.aside, ["t 1000"]);
  }
});

Deno.test("TopicLog.recover() after a stop in order sets aside a segment that has its header only", () => {
  const { stores, store, expected } = closed(["a", "b"], ["c"]);
  store.truncate(1000, 16);

  const again = recovered(stores, expected);

  assertEquals(again.content(), ["stored 1002: (1)"]);
  assertEquals(again.take(), ["damaged 1000: nothing is left of it", "shorter 1000: 1000-1002"]);
  assertEquals(stores.aside, ["t 1000"]);
});

Deno.test("TopicLog.recover() after a stop in order takes zeros in place of messages for an end that is missing", () => {
  const { stores, expected } = closedAsOne(["a"], ["b"], ["c"]);
  const store = stores.open("t");
  const { size } = store.list()[0];
  store.truncate(1000, 55);
  store.append(1000, new Uint8Array(size - 55));

  const again = recovered(stores, expected);

  assertEquals([again.content(), again.take()], [["stored 1000: (1)"], ["shorter 1000: 1001-1003"]]);
  assertEquals([stores.damages, store.list()[0].size], [[`t 1000 0 ${size}`], 55 + 100]);
});

Deno.test("TopicLog.recover() after a stop in order tells of damage in a segment whose end is missing, too", () => {
  const { stores, expected } = closedAsOne(["a"], ["b"], ["c"]);
  const store = stores.open("t");
  const image = store.readSync(1000).slice(0, 16 + 2 * 39 + 5);
  image[50] ^= 1;
  store.truncate(1000, 0);
  store.append(1000, image);

  const again = new TestLog({ stores });
  again.recover(expected);

  assertEquals(again.take(), ["damaged 1000: wrong checksum", "shorter 1000: 1002-1003"]);
  assertEquals(stores.damages, [`t 1000 0 ${image.length}`, "t 1000 16 39"]);
});

Deno.test("TopicLog.recover() tells apart the end that a segment has lost and the segments that are missing behind it", async () => {
  const { stores, store, expected } = closed(["a", "b", "c"], ["d"], ["e"]);
  store.truncate(1000, 16 + 39);
  await store.remove(1003);

  const again = recovered(stores, expected);

  assertEquals(again.content(), ["stored 1000: (1)", "stored 1004: (1)"]);
  // What followed it is not known.
  assertEquals(again.take(), ["shorter 1000: 1001-1004"]);
  const other = closed(["a"], ["b", "c", "d"], ["e"]);
  other.store.truncate(1001, 16 + 39);
  await other.store.remove(1000);

  assertEquals(recovered(other.stores, other.expected).take(), [
    "shorter 1001: 1002-1004",
    "missing 1000: 1000-1001",
  ]);
});

Deno.test("TopicLog.recover() tells which messages of a segment that was being written are damaged", () => {
  const image = killed(["a"], ["b"], ["c"], ["d"]).store.readSync(1000);
  image[16 + 39 + 38] ^= 1;
  const { stores } = storeWith({ 1000: image });

  assertEquals(recovered(stores).take(), ["damaged 1000: wrong checksum", "damaged 1000: 1001-1002"]);
  // Not of one that was closed: it may have been rewritten without them.
  assertEquals(recovered(stores).take(), []);
});

Deno.test("TopicLog.recover() after a stop in order cuts off what follows the end of a segment: nothing is missing", () => {
  const { stores, store, expected } = closed(["a", "b"], ["c"]);
  const { size } = store.list()[0];
  store.append(1000, Uint8Array.of(1, 2, 3));

  const again = recovered(stores, expected);

  assertEquals(again.content(), ["stored 1000: (2)", "stored 1002: (1)"]);
  assertEquals(again.take(), ["damaged 1000: torn batch header"]);
  assertEquals([store.list()[0].size, stores.aside], [size, []]);
  assertEquals(stores.damages, [`t 1000 ${size} 3`]);
});

Deno.test("TopicLog.recover() goes on with a shorter segment as it is when what was there cannot be kept", () => {
  const { stores, expected } = closedAsOne(["a"], ["b"]);
  const store = stores.open("t");
  store.truncate(1000, 16 + 39 + 10);
  const again = new TestLog({ stores });
  again.store.keepDamage = () => {
    throw new Error("read-only file system");
  };

  again.recover(expected);

  assertEquals(again.content(), ["stored 1000: (1)"]);
  assertEquals(again.take(), ["load failed 1000: Error: read-only file system", "shorter 1000: 1001-1002"]);
  assertEquals(store.list()[0].size, 16 + 39 + 10);
});

Deno.test("TopicLog.recover() has what it finds after a kill synced: the state may soon say that it was closed", async () => {
  const { stores, store } = closed(["a"], ["b"]);
  const synced: number[] = [];
  const test = new TestLog({ stores });
  const { truncate } = test.store;
  test.store.truncate = (base, size) => {
    synced.push(base);
    truncate.call(test.store, base, size);
  };
  const sizes = store.list().map(({ size }) => size);

  test.recover({ stored: [{ from: 1000, to: 1002 }], closedEnd: 1001, end: 1002 });

  assertEquals([synced, store.list().map(({ size }) => size)], [[1001], sizes]);
  await test.log.idle();
});

Deno.test("TopicLog.recover() after a kill takes a segment that is shorter for what was finished or lost since", async () => {
  const test = new TestLog();
  test.publish("a");
  test.publish("b");
  const expected = expectationOf(test);
  assertEquals(expected, { stored: [{ from: 1000, to: 1002 }], closedEnd: 1000, end: 1002 });
  const { stores, store } = test;
  store.truncate(1000, 16 + 39);

  const again = recovered(stores, expected);

  assertEquals([again.content(), again.take()], [["stored 1000: (1)"], ["missing 1001: 1001-1002"]]);
  assertEquals(stores.aside, []);
  await store.remove(1000);
  assertEquals(recovered(stores, expected).take(), ["missing 1000: 1000-1002"]);
});

Deno.test("TopicLog.recover() removes what had been finished or refused when the state was saved", async () => {
  const { stores, store } = closed(["a"], ["b"], ["c"], ["d"]);

  const again = recovered(stores, {
    stored: [{ from: 1000, to: 1001 }, { from: 1002, to: 1003 }],
    closedEnd: 1003,
    end: 1003,
  });
  await again.log.idle();

  // What came later is not known, and kept.
  assertEquals(again.content(), ["stored 1000: (1)", "stored 1002: (1)", "stored 1003: (1)"]);
  assertEquals([again.take(), store.list().map(({ base }) => base)], [[], [1000, 1002, 1003]]);
});

Deno.test("TopicLog.recover() compares many ranges with many segments", async () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 100 } });
  for (let i = 0; i < 300; i++) {
    test.publish(String(i));
    test.log.seal();
  }
  // Every third was finished, every seventh of the others is missing.
  for (const segment of [...test.log.segments]) if (segment.base % 3 === 0) test.log.release(segment);
  const { stores, store, expected } = stop(test);
  const gone = test.log.segments.map(({ base }) => base).filter((_, i) => i % 7 === 0);
  for (const base of gone) await store.remove(base);
  assertEquals(expected.stored.length, 100);

  const again = recovered(stores, expected);

  assertEquals(again.log.segments.length, 200 - gone.length);
  assertEquals(again.take(), [
    `missing ${gone[0]}: ${gone.map((base) => `${base}-${base + 1}`).join(" ")}`,
  ]);
});

/** A log whose segments have these messages, each published alone, as a stop in order leaves it. */
function closed(...segments: readonly (readonly string[])[]) {
  const test = new TestLog();
  for (const bodies of segments) {
    for (const body of bodies) test.publish(body);
    test.log.seal();
  }
  return stop(test);
}

/** As `closed`, with one segment. */
function closedAsOne(...messages: readonly (readonly string[])[]) {
  return closed(messages.flat());
}

function stop(test: TestLog) {
  test.log.seal();
  return { stores: test.stores, store: test.store, expected: expectationOf(test) };
}

/** What the state says of a log. */
function expectationOf({ log }: TestLog): Expectation {
  return { stored: log.storedRanges(), closedEnd: log.closedEnd, end: log.committedEnd };
}

/** A log with these messages, each published alone, in one segment, as a kill leaves it. */
function killed(...messages: readonly (readonly string[])[]) {
  const test = new TestLog();
  for (const body of messages.flat()) test.publish(body);
  return { stores: test.stores, store: test.store };
}

/** A store with these images. */
function storeWith(images: Record<number, Uint8Array>): { stores: TestStores; store: SegmentStore } {
  const stores = new TestStores();
  const store = stores.open("t");
  for (const [base, image] of Object.entries(images)) store.append(Number(base), image);
  return { stores, store };
}

function recovered(stores: TestStores, expected?: Expectation): TestLog {
  stores.syncReads = 0;
  const test = new TestLog({ stores });
  test.recover(expected);
  return test;
}

/** A message that looks like what closes a segment of one message that begins there. */
function lureFor(base: number): Uint8Array {
  const segment = newSegment();
  append(segment, ["x"]);
  segment.commit();
  segment.close();
  const image = imageOf(segment);
  const { offset } = batchesOf(image)[1];
  const lure = image.slice(offset);
  writeU32(lure, 16, 0);
  writeU32(lure, 20, base + 1);
  seal(lure, 0);
  return lure;
}
