import { assertEquals, assertThrows } from "@std/assert";
import { SEGMENT_MESSAGES_MAX } from "../../src/log/segment_image.ts";
import { blockOf } from "../support/broker_messages.ts";
import { TestLog } from "../support/broker_log.ts";

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
  test.append("c");
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
  assertEquals([again.content(), again.take()], [["stored 1000: kept"], ["loaded 1000"]]);
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
  test.stores.replaceFault = () => true;
  test.store.append = (base, bytes) => {
    // Written, but the disk says that it was not.
    test.stores.open("t").append(base, bytes);
    throw new Error("input/output error");
  };
  test.append("refused");
  assertThrows(() => test.log.commit(), Error, "input/output error");

  test.log.pin(test.log.segments[0]);
  await test.log.idle();

  assertEquals(test.content(), ["stored 1000: kept"]);
  assertEquals(test.take().at(-1), "loaded 1000");
});

Deno.test("TopicLog.seal() keeps the messages when it cannot write that there are no more", () => {
  const test = new TestLog();
  test.publish("a", "b");
  test.stores.fault = () => "fails";

  test.log.seal();

  assertEquals(test.content(), ["stored 1000: (2)"]);
  assertEquals(test.store.list().map(({ closing }) => closing), [undefined]);
});

Deno.test("TopicLog.release() removes the segment from the store too", () => {
  const test = new TestLog();
  test.publish("a");
  test.log.seal();

  test.log.release(test.log.segments[0]);

  assertEquals([test.log.segments, test.store.list()], [[], []]);
});

Deno.test("TopicLog.restartActive() begins an empty segment after the last message", () => {
  const test = new TestLog({ limits: { memQueueSize: 10 } });
  test.publish("a", "b");

  test.log.restartActive();
  test.publish("c");

  assertEquals(test.content(), ["memory 1002: c"]);
});

Deno.test("TopicLog.save() writes what is in memory only, and recover() finds it", () => {
  const test = new TestLog({ limits: { memQueueSize: 2 } });
  test.publish("a", "b", "c");

  test.log.save();
  const again = new TestLog({ stores: test.stores, end: 5 });
  again.recover();

  assertEquals(again.content(), ["stored 1000: (2)", "stored 1002: (1)"]);
  assertEquals(again.log.end, 1003);
});

Deno.test("TopicLog.recover() closes a segment that was being written, and reads it once only", async () => {
  const test = new TestLog();
  test.publish("a", "b");

  const again = new TestLog({ stores: test.stores });
  again.recover();

  assertEquals(again.store.list().map(({ closing }) => closing?.positions), [2]);
  again.log.pin(again.log.segments[0]);
  await again.log.idle();
  assertEquals(again.content(), ["stored 1000: a b"]);
  assertEquals(again.take(), ["loaded 1000"]);
});

Deno.test("TopicLog.recover() tells of a torn tail, and cuts it off", () => {
  const test = new TestLog();
  test.publish("a");
  test.store.append(1000, Uint8Array.of(0x4e, 0x53, 0x51));

  const again = new TestLog({ stores: test.stores });
  again.recover();
  const third = new TestLog({ stores: test.stores });
  third.recover();

  assertEquals(again.take(), ["damaged 1000: torn batch header"]);
  assertEquals([third.content(), third.take()], [["stored 1000: (1)"], []]);
});

Deno.test("TopicLog.recover() delivers from a disk that it cannot write to", async () => {
  const test = new TestLog();
  test.publish("a", "b");
  test.stores.replaceFault = () => true;

  const again = new TestLog({ stores: test.stores });
  again.recover();
  again.log.pin(again.log.segments[0]);
  await again.log.idle();

  assertEquals(again.content(), ["stored 1000: a b"]);
});

Deno.test("TopicLog.recover() sets aside what is no segment, and removes one without messages", () => {
  const test = new TestLog();
  test.publish("a");
  test.store.append(2000, new TextEncoder().encode("not a segment file"));
  test.store.append(3000, test.store.readSync(1000).slice(0, 16).with(14, 0x0b).with(15, 0xb8));

  const again = new TestLog({ stores: test.stores });
  again.recover();

  assertEquals(again.content(), ["stored 1000: (1)"]);
  assertEquals(again.take(), ["damaged 2000: Not a segment file"]);
  assertEquals(again.store.list().map(({ base }) => base), [1000]);
});
