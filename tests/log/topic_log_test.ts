import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NOTHING_DUE } from "../../src/log/message_reader.ts";
import { SEGMENT_MESSAGES_MAX } from "../../src/log/segment_image.ts";
import { TestLog } from "../support/broker_log.ts";
import { blockOf, textOf } from "../support/broker_messages.ts";
import { batchesOf, DUE_MS, imageOf, NotedUser, ownBlock } from "../support/segments.ts";
import { settle } from "../support/settle.ts";

Deno.test("TopicLog.append() keeps messages in memory until as many wait there as may", () => {
  const test = new TestLog({ limits: { memQueueSize: 3 } });

  for (const body of ["a", "b", "c", "d", "e"]) {
    test.publish(body);
    test.waiting = Math.min(test.waiting + 1, 3);
  }

  assertEquals(test.content(), ["memory 1000: a b c", "stored 1003: d e"]);
});

Deno.test("TopicLog.append() divides a batch of which a part has room in memory", () => {
  const test = new TestLog({ limits: { memQueueSize: 3 } });

  test.publish("a", "b", "c", "d", "e");

  assertEquals(test.content(), ["memory 1000: a b c", "stored 1003: d e"]);
  assertEquals(test.take(), ["sealed 1000", "committed 1000-1003", "committed 1003-1005"]);
});

Deno.test("TopicLog.append() counts what was added to memory and is not committed", () => {
  const test = new TestLog({ limits: { memQueueSize: 2 } });

  test.append("a");
  test.append("b");
  test.append("c");

  assertEquals(test.content(), ["memory 1000: a b", "stored 1002: c"]);
});

Deno.test("TopicLog.append() goes on in a stored segment until it is full, and then returns to memory", () => {
  const test = new TestLog({ limits: { memQueueSize: 2, maxBytesPerFile: 250 } });
  test.waiting = 2;
  test.publish("a");
  test.waiting = 0;

  test.publish("b");
  test.publish("c".repeat(100));

  assertEquals(test.content(), ["stored 1000: (2)", `memory 1002: ${"c".repeat(100)}`]);
});

Deno.test("TopicLog.append() returns to memory with no more messages than may wait there", () => {
  const test = new TestLog({ limits: { memQueueSize: 3, maxBytesPerFile: 200 } });
  test.waiting = 3;
  test.publish("a".repeat(60));
  test.waiting = 0;

  test.publish("b".repeat(60), "c", "d", "e", "f");

  assertEquals(test.content(), [
    "stored 1000: (1)",
    `memory 1001: ${"b".repeat(60)} c d`,
    "stored 1004: e f",
  ]);
});

Deno.test("TopicLog.append() stores everything when nothing may wait in memory", () => {
  const test = new TestLog({ limits: { memQueueSize: 0 } });

  test.publish("a");

  assertEquals(test.content(), ["stored 1000: a"]);
  assertEquals(test.store.list().map(({ base, closing }) => ({ base, closing })), [{
    base: 1000,
    closing: undefined,
  }]);
});

Deno.test("TopicLog.append() keeps everything in memory when there is no store", () => {
  const test = new TestLog({ limits: { memQueueSize: 0 }, stored: false });

  test.publish("a", "b");

  assertEquals(test.content(), ["memory 1000: a b"]);
});

Deno.test("TopicLog.append() takes a message that is larger than a segment may be", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 100 } });
  const large = "x".repeat(10_000);

  test.append("a", large, "b");
  test.append("c".repeat(100));
  test.log.commit();

  assertEquals(test.log.segments.map(({ base, count }) => [base, count]), [[1000, 3], [1003, 1]]);
  assertEquals(test.log.segments.every(({ used, sealed }) => used < 200 || sealed), true);
});

Deno.test("TopicLog.append() divides a batch of more messages than a segment may have", () => {
  const test = new TestLog();

  const count = SEGMENT_MESSAGES_MAX + 1;
  const block = blockOf(Array(count).fill(new Uint8Array(1)));
  test.log.append(block, 0, block.length, { count, timestamp: { high: 1, low: 2 }, dueMs: 0 });

  assertEquals(test.log.segments.map(({ base, count }) => [base, count]), [[1000, 65536], [66536, 1]]);
  assertEquals(test.log.end, 66537);
});

Deno.test("TopicLog.commit() writes many publishes to a segment at once", () => {
  const test = new TestLog();
  let writes = 0;
  test.stores.fault = () => void writes++;

  test.append("a");
  test.append("b", "c");
  test.append("d");
  assertEquals([test.log.mustWrite, writes], [true, 0]);
  test.log.commit();

  assertEquals([test.log.mustWrite, writes], [false, 1]);
  assertEquals(test.take(), ["committed 1000-1004"]);
});

Deno.test("TopicLog.commit() keeps nothing of what could not be written whole", () => {
  const test = new TestLog({ limits: { memQueueSize: 2, maxBytesPerFile: 300 } });
  test.publish("kept");
  test.take();
  let writes = 0;
  test.stores.fault = () => ++writes === 2 ? "fails" : undefined;

  // Into memory, and into two files.
  test.append("a", "b", "c");
  test.append("d".repeat(200));
  assertThrows(() => test.log.commit(), Error, "disk full");

  assertEquals(test.content(), ["memory 1000: kept"]);
  assertEquals(test.store.list(), []);
  assertEquals(test.take().filter((event) => event.startsWith("committed")), []);
});

Deno.test("TopicLog.commit() takes back what it had written when a later write fails", async () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 250 } });
  test.publish("kept");
  let writes = 0;
  test.stores.fault = () => ++writes === 2 ? "fails" : undefined;

  test.append("a");
  test.append("b".repeat(200));
  assertThrows(() => test.log.commit(), Error, "disk full");

  // The third closes what is left.
  assertEquals([writes, test.store.list().map(({ closing }) => closing?.positions)], [3, [1]]);
  const again = new TestLog({ stores: test.stores });
  again.recover();
  again.log.pin(again.log.segments[0]);
  await again.log.idle();
  assertEquals([again.content(), again.take()], [["stored 1000: kept"], []]);
});

Deno.test("TopicLog.commit() goes on after a failure, with positions that were not used", () => {
  const test = new TestLog();
  test.publish("kept");
  test.stores.fault = () => "fails";
  test.append("lost", "lost too");
  assertThrows(() => test.log.commit());
  test.stores.fault = () => undefined;

  test.publish("a");

  assertEquals(test.content(), ["stored 1000: (1)", "stored 1003: a"]);
});

Deno.test("TopicLog.commit() leaves no torn batch behind that it failed to write", () => {
  const test = new TestLog();
  test.publish("kept");
  let writes = 0;
  test.stores.fault = () => ++writes === 1 ? "tears" : undefined;
  test.append("lost", "lost too");
  assertThrows(() => test.log.commit());

  const again = new TestLog({ stores: test.stores });
  again.recover();

  assertEquals(again.content(), ["stored 1000: (1)"]);
  assertEquals(again.take(), []);
});

Deno.test("TopicLog.commit() does not take a refused message for one of its own that it could not remove", async () => {
  const test = new TestLog();
  test.publish("kept");
  test.stores.truncateFault = () => true;
  const { append } = test.store;
  test.store.append = (base, bytes) => {
    // Written, but the disk says that it was not.
    append.call(test.store, base, bytes);
    throw new Error("input/output error");
  };
  test.append("refused");
  assertThrows(() => test.log.commit(), Error, "input/output error");
  assertEquals(test.content(), ["stored 1000: (1)"]);

  test.log.pin(test.log.segments[0]);
  await test.log.idle();

  assertEquals([test.content(), test.log.closedEnd], [["stored 1000: kept"], 1000]);
  assertEquals(test.take(), ["committed 1000-1001", "sealed 1000"]);
});

Deno.test("TopicLog.commit() that fails tells again of a segment that was sealed with messages to come", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 250 } });
  test.publish("kept");
  test.append("refused");
  test.append("x".repeat(200));
  assertEquals(test.take(), ["committed 1000-1001", "sealed 1000"]);
  test.stores.fault = () => "fails";

  assertThrows(() => test.log.commit());

  // Its owner could not let it go before.
  assertEquals(test.take(), ["sealed 1000"]);
  assertEquals(test.log.segments.map(({ base, count, sealed }) => [base, count, sealed]), [[1000, 1, true]]);
});

Deno.test("TopicLog.commit() that fails does not make later segments larger than what there is calls for", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 4_000_000 } });
  for (let i = 0; i < 40; i++) {
    test.publish("x".repeat(100));
    // Sealed with the message that is refused, for the next one has no room.
    test.append("refused");
    test.append("x".repeat(100_000));
    test.stores.fault = () => "fails";
    assertThrows(() => test.log.commit());
    test.stores.fault = () => undefined;
  }

  test.publish("last");

  // Twice what the 40 take, which have no closing batch: that was refused, too.
  assertEquals(test.log.segments.slice(0, -1).map(({ used }) => used), Array(40).fill(16 + 138));
  assertEquals(test.log.active?.capacityBytes, 2 * 40 * (16 + 138));
});

Deno.test("TopicLog.seal() keeps the messages when it cannot write that there are no more", () => {
  const test = new TestLog();
  test.publish("a", "b");
  test.stores.fault = () => "fails";

  test.log.seal();

  assertEquals(test.content(), ["stored 1000: (2)"]);
  assertEquals(test.store.list().map(({ closing }) => closing), [undefined]);
});

Deno.test("TopicLog.seal() of a segment without messages leaves nothing of it", () => {
  const test = new TestLog();
  test.append("refused");
  test.stores.fault = () => "fails";
  assertThrows(() => test.log.commit());
  test.stores.fault = () => undefined;

  test.log.seal();

  assertEquals([test.log.segments, test.log.active, test.take()], [[], undefined, []]);
  test.publish("a");
  assertEquals(test.content(), ["stored 1001: a"]);
});

Deno.test("TopicLog.append() divides messages that have attributes of their own where a segment ends", () => {
  const test = new TestLog({ limits: { memQueueSize: 2 } });
  const block = ownBlock(
    ...["a", "b", "c"].map((body, i) => ({ attributes: `0900010${i}`, body })),
  );

  test.log.append(block, 0, block.length, { count: 3, timestamp: { high: 1, low: 2 }, dueMs: 0, own: true });

  assertEquals(test.content(), ["memory 1000: a b", "stored 1002: c"]);
  const [batch] = batchesOf(imageOf(test.log.segments[1]));
  assertEquals(batch.messages, [{ own: "000409000102", body: "c" }]);
});

Deno.test("TopicLog.append() makes segments larger as the log grows, to the size that a file may have", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 40_000 } });
  const sizes: number[] = [];
  for (let i = 0; i < 200; i++) {
    test.publish("x".repeat(1000));
    const { active } = test.log;
    if (active && active.capacityBytes !== sizes.at(-1)) sizes.push(active.capacityBytes);
  }

  assertEquals([sizes[0], sizes.at(-1)], [4096, 40_000]);
  assertEquals(sizes.every((size, i) => i === 0 || size > sizes[i - 1]), true);
});

Deno.test("TopicLog.committedEnd is behind what is the topic's, and end behind all that was added", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 250 } });
  test.publish("a");
  test.append("b");
  test.append("x".repeat(200));

  assertEquals([test.log.committedEnd, test.log.end], [1001, 1003]);
  test.log.commit();

  assertEquals([test.log.committedEnd, test.log.end], [1003, 1003]);
});

Deno.test("TopicLog.storedRanges() and closedEnd say what is in the store", () => {
  const test = new TestLog({ limits: { memQueueSize: 2, maxBytesPerFile: 250 } });
  test.publish("a", "b");
  test.waiting = 2;
  test.publish("c");
  assertEquals([test.log.storedRanges(), test.log.closedEnd], [[{ from: 1002, to: 1003 }], 1002]);
  test.publish("d".repeat(200));
  test.publish("e".repeat(200));
  assertEquals([test.log.storedRanges(), test.log.closedEnd], [[{ from: 1002, to: 1005 }], 1004]);
  test.log.seal();
  assertEquals(test.log.closedEnd, 1005);
  test.log.release(test.log.segments[2]);
  test.append("not committed");

  assertEquals(test.log.storedRanges(), [{ from: 1002, to: 1003 }, { from: 1004, to: 1005 }]);
  assertEquals(new TestLog().log.storedRanges(), []);
});

Deno.test("TopicLog.from() and allFrom() find segments by position", () => {
  const test = threeSegments();
  const basesFrom = (position: number) => [...test.log.allFrom(position)].map(({ base }) => base);

  assertEquals([999, 1000, 1001, 1002, 1003].map((position) => test.log.from(position)?.base), [
    1000,
    1000,
    1001,
    1002,
    undefined,
  ]);
  assertEquals([basesFrom(0), basesFrom(1001), basesFrom(1003)], [[1000, 1001, 1002], [1001, 1002], []]);
  const [first] = test.log.segments;
  test.log.release(first);
  assertEquals([test.log.has(first), test.log.has(test.log.segments[0])], [false, true]);
});

Deno.test("TopicLog.release() removes the segment from the store too, and tells its users", async () => {
  const test = new TestLog();
  test.publish("a");
  test.log.seal();
  const [segment] = test.log.segments;
  const told: string[] = [];
  new NotedUser("user", told).use(segment);

  test.log.release(segment);
  assertEquals([test.log.segments, test.log.leaving], [[], { segments: 1, bytes: segment.written }]);
  assertEquals(test.log.isInStore, true);
  await test.log.idle();

  assertEquals([test.store.list(), test.log.leaving], [[], { segments: 0, bytes: 0 }]);
  assertEquals([told, test.log.isInStore, test.log.hasRemoved], [["user released: not there"], false, true]);
  test.log.release(segment);
  assertEquals(told.length, 1);
});

Deno.test("TopicLog.release() of a segment in memory gives its memory back, and asks nothing of the store", async () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  test.publish("a");
  const [segment] = test.log.segments;

  test.log.release(segment);
  await test.log.idle();

  assertEquals([segment.resident, test.log.inMemory, test.log.active], [false, [], undefined]);
  assertEquals(test.log.hasRemoved, false);
  test.publish("b");
  assertEquals(test.content(), ["memory 1001: b"]);
});

Deno.test("TopicLog removes one segment after the other, and tries those again that it could not, telling once", async () => {
  const test = threeSegments();
  let atOnce = 0;
  let most = 0;
  const { remove } = test.store;
  test.store.remove = async (base) => {
    most = Math.max(most, ++atOnce);
    await Promise.resolve();
    atOnce--;
    await remove.call(test.store, base);
  };
  test.stores.removeFault = () => true;

  for (const segment of [...test.log.segments]) test.log.release(segment);
  await test.log.idle();
  assertEquals(
    test.take(),
    [1000, 1001, 1002].map((base) => `remove failed ${base}: Error: operation not permitted`),
  );
  assertEquals([test.log.isInStore, test.log.hasRemoved, most], [true, false, 1]);
  test.log.retry();
  await test.log.idle();
  assertEquals([test.take(), test.store.list().length], [[], 3]);
  test.stores.removeFault = () => false;
  test.log.retry();
  await test.log.idle();

  assertEquals([test.store.list(), test.log.isInStore, test.log.hasRemoved], [[], false, true]);
});

Deno.test("TopicLog.restartActive() begins an empty segment after the last message", () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  test.publish("a", "b");

  test.log.restartActive();
  assertEquals([test.log.segments.length, test.log.inMemory[0] === test.log.active], [1, true]);
  test.publish("c");

  assertEquals(test.content(), ["memory 1002: c"]);
});

Deno.test("TopicLog.restartActive() keeps the pins of those who follow it", () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  test.publish("a", "b");
  const [segment] = test.log.segments;
  const user = new NotedUser("user", []).use(segment);
  test.log.pin(segment);

  test.log.restartActive();

  const [next] = test.log.segments;
  assertEquals([user.segment === next, test.log.isPinned(next), test.log.isPinned(segment)], [
    true,
    true,
    false,
  ]);
});

Deno.test("TopicLog.restartActive() is for a segment in memory only", () => {
  const test = new TestLog();
  test.publish("a");

  assertThrows(() => test.log.restartActive(), Error, "No segment in memory to begin anew");
});

Deno.test("TopicLog.save() writes what is in memory only, and recover() finds it", async () => {
  const test = new TestLog({ limits: { memQueueSize: 2 } });
  test.publish("a", "b", "c");

  await test.log.save();
  const again = new TestLog({ stores: test.stores, end: 5 });
  again.recover();

  assertEquals(again.content(), ["stored 1000: (2)", "stored 1002: (1)"]);
  assertEquals([again.log.end, test.log.closedEnd], [1003, 1003]);
});

Deno.test("TopicLog.save() writes one segment after the other, and others have their turn between them", async () => {
  const test = new TestLog({ limits: { memQueueSize: 100, maxBytesPerFile: 200 } });
  for (let i = 0; i < 5; i++) test.publish("x".repeat(200));
  let turns = 0;
  test.othersFirst = () => {
    turns++;
    return Promise.resolve();
  };

  await test.log.save();

  assertEquals([turns, test.store.list().length], [5, 5]);
});

Deno.test("TopicLog.save() leaves out what leaves the log meanwhile", async () => {
  const test = new TestLog({ limits: { memQueueSize: 100, maxBytesPerFile: 200 } });
  for (let i = 0; i < 3; i++) test.publish("x".repeat(200));
  test.othersFirst = () => {
    for (const segment of [...test.log.segments]) test.log.release(segment);
    return Promise.resolve();
  };

  await test.log.save();
  await test.log.idle();

  assertEquals([test.log.segments, test.store.list()], [[], []]);
});

Deno.test("TopicLog.save() tries every segment, and throws what the store threw first", async () => {
  const test = new TestLog({ limits: { memQueueSize: 100, maxBytesPerFile: 200 } });
  for (let i = 0; i < 3; i++) test.publish("x".repeat(200));
  let writes = 0;
  test.stores.fault = () => ++writes === 2 ? "fails" : undefined;

  await assertRejects(() => test.log.save(), Error, "disk full");

  assertEquals(test.store.list().map(({ base }) => base), [1000, 1002]);
});

Deno.test("TopicLog.save() without a store does nothing", async () => {
  const test = new TestLog({ stored: false });
  test.publish("a");

  await test.log.save();

  assertEquals(test.content(), ["memory 1000: a"]);
});

Deno.test("TopicLog.waitingIn() counts what is not deferred in any part of a segment, on disk or not", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 1_000_000 } });
  for (let i = 0; i < 12; i++) test.defer(String(i), i % 3 === 0 ? DUE_MS : 0);
  test.log.commit();
  const [segment] = test.log.segments;
  const parts: [number, number][] = [[0, 12], [0, 3], [1, 3], [3, 4], [4, 12], [5, 5]];
  const counts = () => parts.map(([from, to]) => test.log.waitingIn(segment, from, to));
  const expected = [8, 2, 2, 0, 6, 0];

  assertEquals([counts(), segment.resident], [expected, true]);
  test.log.seal();
  assertEquals([counts(), segment.resident], [expected, false]);
  // By its index.
  assertEquals(test.stores.syncReads, 0);
});

Deno.test("TopicLog.waitingIn() reads a segment that has holes, or an index that cannot be used", async () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 1_000_000 } });
  for (let i = 0; i < 12; i++) test.defer(String(i), i % 3 === 0 ? DUE_MS : 0);
  test.log.commit();
  const [segment] = test.log.segments;
  const copy = segment.compacted((index) => index !== 1, { stored: true });
  test.log.seal();
  const { dueIndex } = segment;
  segment.dueIndex = undefined;

  assertEquals([test.log.waitingIn(segment, 0, 6), test.stores.syncReads, segment.resident], [4, 1, false]);
  segment.dueIndex = { offset: 17, entries: dueIndex?.entries ?? 0 };
  assertEquals([test.log.waitingIn(segment, 0, 6), test.stores.syncReads], [4, 2]);
  await test.log.replace(segment, copy);

  assertEquals([test.log.waitingIn(copy, 0, 6), test.stores.syncReads, copy.resident], [3, 3, false]);
});

Deno.test("TopicLog.waitingIn() of what cannot be read takes all for waiting", () => {
  const test = new TestLog({ limits: { maxBytesPerFile: 1_000_000 } });
  for (let i = 0; i < 4; i++) test.defer(String(i), i === 0 ? DUE_MS : 0);
  test.log.commit();
  test.log.seal();
  test.stores.readSyncFault = () => true;

  assertEquals(test.log.waitingIn(test.log.segments[0], 0, 2), 2);
});

Deno.test("TopicLog.readMessages() and readDue() read parts of segments, and idle() waits for them", async () => {
  const test = new TestLog();
  test.defer("a", DUE_MS);
  test.append("b");
  test.log.commit();
  const [segment] = test.log.segments;
  const offset = segment.batchOffset(0);
  const place = { position: 1000, base: 1000, offset, length: segment.batchLength(offset) };
  test.log.seal();
  test.stores.holdReads();
  let isIdle = false;

  const messages = test.log.readMessages([place]);
  const due = test.log.readDue(segment, NOTHING_DUE);
  const idle = test.log.idle().then(() => isIdle = true);
  await settle();
  assertEquals(isIdle, false);
  test.stores.releaseReads();
  await idle;

  assertEquals([...await messages].map(([position, segment]) => [position, textOf(segment, 0)]), [[
    1000,
    "a",
  ]]);
  assertEquals((await due)?.map(({ index }) => index), [0]);
  assertEquals([segment.resident, test.stores.reads], [false, 0]);
});

Deno.test("TopicLog.readDue() is undefined when there is no index, or it cannot be read", async () => {
  const test = new TestLog();
  test.defer("a", DUE_MS);
  test.log.commit();
  test.log.seal();
  const [segment] = test.log.segments;
  test.stores.readFault = () => true;

  assertEquals(await test.log.readDue(segment, NOTHING_DUE), undefined);
  segment.dueIndex = undefined;
  assertEquals(await test.log.readDue(segment, NOTHING_DUE), undefined);
  await test.log.idle();

  assertEquals(test.take().slice(2), []);
});

Deno.test("TopicLog without a store has everything in memory, and nothing to read", async () => {
  const test = new TestLog({ stored: false });
  test.publish("a", "b");
  const [segment] = test.log.segments;
  let looked = 0;

  test.log.pin(segment);
  test.log.seal();
  test.log.unpin(segment);
  test.log.lookAt(segment, () => looked++);
  test.log.retry();
  test.log.recover(undefined);
  test.log.recovered();
  await test.log.loaded(segment);
  await test.log.idle();

  assertEquals([test.content(), looked, test.log.isPinned(segment)], [["memory 1000: a b"], 1, false]);
  const place = { position: 1000, base: 1000, offset: 16, length: 39 };
  assertEquals((await test.log.readMessages([place])).size, 0);
  assertEquals(await test.log.readDue(segment, NOTHING_DUE), undefined);
  assertEquals([test.log.isInStore, test.log.mustWrite], [false, false]);
  test.log.release(segment);
  assertEquals([test.log.segments, segment.resident], [[], false]);
});

Deno.test("TopicLog.dropping() gives all memory back in steps, and asks nothing of the store", async () => {
  const test = new TestLog({ limits: { memQueueSize: 20, maxBytesPerFile: 200 } });
  for (let i = 0; i < 40; i++) {
    test.waiting = i;
    test.publish("x".repeat(200));
  }
  const segments = [...test.log.segments];
  test.log.pin(segments[30]);
  await test.log.idle();

  const steps = [...test.log.dropping()].length;

  assertEquals([steps, test.log.segments, test.log.inMemory, test.log.active], [2, [], [], undefined]);
  assertEquals([segments.some(({ resident }) => resident), test.log.isPinned(segments[30])], [false, false]);
  await test.log.idle();
  assertEquals(test.store.list().length, 20);
});

Deno.test("TopicLog.dropping() gives up what is to be removed, for the store is gone", async () => {
  const test = threeSegments();
  for (const segment of [...test.log.segments]) test.log.release(segment);

  for (const _ of test.log.dropping()) assertEquals(_, undefined);
  await test.log.idle();

  // The first was under way.
  assertEquals([test.store.list().length, test.log.leaving.segments], [2, 0]);
});

/** A log of three segments of a message each, on disk. */
function threeSegments(): TestLog {
  const test = new TestLog();
  for (const body of ["a", "b", "c"]) {
    test.publish(body);
    test.log.seal();
  }
  test.take();
  return test;
}
