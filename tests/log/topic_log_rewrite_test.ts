/**
 * How a segment is rewritten without some of its messages, and what becomes of those who use it.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { Segment } from "../../src/log/segment.ts";
import { TestLog } from "../support/broker_log.ts";
import { settle } from "../support/settle.ts";
import { bodiesOf, NotedUser } from "../support/segments.ts";

Deno.test("TopicLog.replace() puts a copy in the segment's place, in the store and for those who pinned it", async () => {
  const { test, log, segment } = await loaded();
  const copy = copyOf(segment);

  assertEquals(await log.replace(segment, copy), true);

  assertEquals(test.content(), ["stored 1000: - b"]);
  assertEquals([log.has(segment), log.has(copy), log.isPinned(segment), log.isPinned(copy)], [
    false,
    true,
    false,
    true,
  ]);
  log.unpin(copy);
  assertEquals(copy.resident, false);
  log.pin(copy);
  await log.idle();
  assertEquals([test.content(), log.closedEnd], [["stored 1000: - b"], 1002]);
});

Deno.test("TopicLog.replace() gives the memory of the old one back at once, and of the copy if nobody has pinned it", async () => {
  const { log, segment } = await loaded();
  const copy = copyOf(segment);
  log.unpin(segment);

  await log.replace(segment, copy);

  assertEquals([segment.resident, copy.resident, copy.count, copy.holes], [false, false, 2, 1]);
});

Deno.test("TopicLog.replace() hands the users over with what channels have of it, and each is told when the copy is there", async () => {
  const { log, segment } = await loaded();
  const told: string[] = [];
  const first = new NotedUser("first", told).use(segment);
  new NotedUser("second", told).use(segment);
  segment.ahead = 2;
  const copy = copyOf(segment);
  segment.open = 3;

  await log.replace(segment, copy);

  assertEquals(told, ["first replaced: - b", "second replaced: - b"]);
  assertEquals([copy.ahead, copy.open, [...copy.users].length, [...segment.users]], [2, 3, 2, []]);
  assertEquals(first.segment === copy, true);
});

Deno.test("TopicLog.replace() keeps everything as it was when the store refuses the copy, which gives its memory back", async () => {
  const { test, log, segment } = await loaded();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  const copy = copyOf(segment);
  test.stores.replaceFault = () => true;

  await assertRejects(() => log.replace(segment, copy), Error, "disk full");

  assertEquals([test.content(), told, copy.resident], [["stored 1000: a b"], [], false]);
  test.stores.replaceFault = () => false;
  assertEquals(await log.replace(segment, copyOf(segment)), true);
});

Deno.test("TopicLog.replace() puts no copy in place of a segment that has left the log meanwhile", async () => {
  const { test, log, segment } = await loaded();
  const copy = copyOf(segment);
  test.stores.holdSyncs();

  const replacing = log.replace(segment, copy);
  await settle();
  log.release(segment);
  test.stores.releaseSyncs();

  assertEquals(await replacing, false);
  await log.idle();
  assertEquals([log.segments, test.store.list(), copy.resident], [[], [], false]);
});

Deno.test("TopicLog.replace() leaves no file behind when the segment leaves the log after its file was replaced", async () => {
  const { test, log, segment } = await loaded();
  const { replace } = test.store;
  test.store.replace = async (base, image, wanted) => {
    const isReplaced = await replace.call(test.store, base, image, wanted);
    log.release(segment);
    return isReplaced;
  };

  assertEquals(await log.replace(segment, copyOf(segment)), false);
  await log.idle();

  assertEquals([log.segments, test.store.list()], [[], []]);
});

Deno.test("TopicLog.replace() puts no copy in a log whose store is gone", async () => {
  const { test, log, segment } = await loaded();
  const copy = copyOf(segment);
  await test.store.destroy();

  assertEquals(await log.replace(segment, copy), false);

  assertEquals([log.has(copy), copy.resident], [false, false]);
});

Deno.test("TopicLog.replace() moves a segment from memory to the store", async () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  const { log } = test;
  test.publish("a", "b");
  log.seal();
  const [segment] = log.segments;

  await log.replace(segment, segment.compacted((index) => index === 1, { stored: true }));

  assertEquals([test.content(), log.inMemory], [["stored 1000: (2)"], []]);
  assertEquals(test.store.list().map(({ closing }) => closing?.messages), [1]);
});

Deno.test("TopicLog.replace() by a copy in memory asks nothing of the store", async () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  const { log } = test;
  test.publish("a", "b");
  log.seal();
  const [segment] = log.segments;
  const copy = segment.compacted((index) => index === 1, { stored: false });

  await log.replace(segment, copy);

  assertEquals([test.content(), log.inMemory[0] === copy, test.store.list()], [
    ["memory 1000: - b"],
    true,
    [],
  ]);
  assertEquals(segment.resident, false);
});

Deno.test("TopicLog takes nothing for lost that a copy left out which is in the store, because replacing failed late", async () => {
  const { test, log, segment } = await loaded();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.nameFault = () => true;
  await assertRejects(() => log.replace(segment, copyOf(segment)), Error, "input/output error");
  log.unpin(segment);

  log.pin(segment);
  await log.idle();

  assertEquals([test.content(), told], [["stored 1000: - b"], ["user leaving: a b", "user loaded: - b"]]);
  assertEquals(test.take(), ["changed 1000: 0 lost"]);
});

Deno.test("TopicLog writes a segment anew that may be in the store, because moving it there failed late", async () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  const { log } = test;
  test.publish("a", "b");
  log.seal();
  const [segment] = log.segments;
  test.stores.nameFault = () => true;
  await assertRejects(() =>
    log.replace(segment, segment.compacted((index) => index === 1, { stored: true }))
  );
  assertEquals([test.content(), test.store.list().length], [["memory 1000: a b"], 1]);

  await log.save();

  assertEquals(test.store.list().map(({ size, closing }) => [size, closing?.messages]), [[segment.used, 2]]);
});

Deno.test("TopicLog removes a segment from the store that may be there, because moving it there failed late", async () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  const { log } = test;
  test.publish("a", "b");
  log.seal();
  const [segment] = log.segments;
  test.stores.nameFault = () => true;
  await assertRejects(() =>
    log.replace(segment, segment.compacted((index) => index === 1, { stored: true }))
  );

  log.release(segment);
  await log.idle();

  assertEquals([log.segments, test.store.list()], [[], []]);
});

Deno.test("TopicLog.rewrite() makes the copy in steps, and puts it in place", async () => {
  const test = new TestLog({ limits: { memQueueSize: 100_000, maxBytesPerFile: 4_000_000 } });
  const { log } = test;
  for (let i = 0; i < 9000; i++) test.publish(String(i));
  log.seal();
  const segment = log.segments.reduce((a, b) => a.count > b.count ? a : b);
  const { base, count } = segment;
  let turns = 0;
  test.othersFirst = () => {
    turns++;
    assertEquals(log.has(segment), true);
    return Promise.resolve();
  };

  const copy = await log.rewrite(segment, (index) => index % 2 === 0, { stored: true });

  assertEquals([copy?.base, copy?.count, copy?.messages], [base, count, Math.ceil(count / 2)]);
  assertEquals([log.from(base) === copy, turns >= 2, count > 4000], [true, true, true]);
});

Deno.test("TopicLog.rewrite() is undefined when the segment leaves the log while the copy is made", async () => {
  const test = new TestLog({ limits: { memQueueSize: 100_000, maxBytesPerFile: 4_000_000 } });
  const { log } = test;
  for (let i = 0; i < 9000; i++) test.publish(String(i));
  log.seal();
  const segment = log.segments.reduce((a, b) => a.count > b.count ? a : b);
  test.othersFirst = () => {
    log.release(segment);
    return Promise.resolve();
  };

  assertEquals(await log.rewrite(segment, () => true, { stored: true }), undefined);
  await log.idle();

  assertEquals([log.has(segment), test.store.list()], [false, []]);
});

/** A log of one segment, which is on disk and pinned. */
async function loaded(): Promise<{ test: TestLog; log: TestLog["log"]; segment: Segment }> {
  const test = new TestLog();
  const { log } = test;
  test.publish("a");
  test.publish("b");
  log.seal();
  const [segment] = log.segments;
  log.pin(segment);
  await log.idle();
  test.take();
  assertEquals(bodiesOf(segment), ["a", "b"]);
  return { test, log, segment };
}

/** A copy without the first message. */
function copyOf(segment: Segment): Segment {
  return segment.compacted((index) => index === 1, { stored: true });
}
