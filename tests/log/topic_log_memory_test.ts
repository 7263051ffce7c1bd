/**
 * What of a log is in memory: which segments are given back, and how they are read again.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Segment } from "../../src/log/segment.ts";
import { TestLog } from "../support/broker_log.ts";

Deno.test("TopicLog gives a stored segment's memory back when it is written and finished", () => {
  const { log, segment } = withSegment();

  assertEquals(segment.resident, true);
  log.seal();

  assertEquals(segment.resident, false);
});

Deno.test("TopicLog keeps a segment in memory that is pinned, until the last pin is taken back", () => {
  const { log, segment } = withSegment();

  log.pin(segment);
  log.pin(segment);
  log.seal();
  log.unpin(segment);
  assertEquals(segment.resident, true);
  log.unpin(segment);

  assertEquals(segment.resident, false);
});

Deno.test("TopicLog.pin() reads a segment back and tells its owner", async () => {
  const { test, log, segment } = evicted();

  log.pin(segment);
  assertEquals(segment.resident, false);
  await log.idle();

  assertEquals(test.content(), ["stored 1000: a b"]);
  assertEquals(test.take(), ["loaded 1000"]);
});

Deno.test("TopicLog reads a segment once for two pins", async () => {
  const { test, log, segment } = evicted();

  log.pin(segment);
  log.pin(segment);
  await log.idle();

  assertEquals(test.take(), ["loaded 1000"]);
});

Deno.test("TopicLog gives a segment back that is not wanted any more when it has been read", async () => {
  const { test, log, segment } = evicted();

  log.pin(segment);
  log.unpin(segment);
  await log.idle();

  assertEquals([segment.resident, test.take()], [false, ["loaded 1000"]]);
});

Deno.test("TopicLog.pin() right after an unwanted reading has ended reads again", async () => {
  const { test, log, segment } = evicted();
  test.onLoaded = () => {
    test.onLoaded = () => {};
    queueMicrotask(() => log.pin(segment));
  };

  log.pin(segment);
  log.unpin(segment);
  await log.idle();
  await log.idle();

  assertEquals([segment.resident, test.take()], [true, ["loaded 1000", "loaded 1000"]]);
});

Deno.test("TopicLog keeps a segment in memory while its owner looks at it", async () => {
  const { test, log, segment } = evicted();
  const resident: boolean[] = [];
  test.onLoaded = () => {
    log.unpin(segment);
    resident.push(segment.resident);
  };

  log.pin(segment);
  await log.idle();

  assertEquals([resident, segment.resident], [[true], false]);
});

Deno.test("TopicLog.retry() reads again what could not be read", async () => {
  const { test, log, segment } = evicted();
  const { read } = test.store;
  test.store.read = () => Promise.reject(new Error("input/output error"));
  log.pin(segment);
  await log.idle();
  assertEquals(test.take(), ["load failed 1000: Error: input/output error"]);
  test.store.read = read;

  log.retry();
  await log.idle();

  assertEquals([segment.resident, test.take()], [true, ["loaded 1000"]]);
});

Deno.test("TopicLog.retry() does not read what nobody wants", async () => {
  const { test, log } = evicted();

  log.retry();
  await log.idle();

  assertEquals(test.take(), []);
});

Deno.test("TopicLog goes on without a segment whose file is gone", async () => {
  const { test, log, segment } = evicted();
  test.store.remove(1000);

  log.pin(segment);
  await log.idle();

  assertEquals(test.content(), ["stored 1000: - -"]);
  assertEquals(test.take(), ["missing 1000", "loaded 1000"]);
});

Deno.test("TopicLog sets aside a segment that it cannot read, and goes on without it", async () => {
  const { test, log, segment } = evicted();
  const image = test.store.readSync(1000);
  image[7] = 2;
  await test.store.replace(1000, image, () => true);

  log.pin(segment);
  await log.idle();

  assertEquals(test.content(), ["stored 1000: - -"]);
  const reason = "Segment file of version 2, this program knows 1";
  assertEquals(test.take(), [`damaged 1000: ${reason}`, "loaded 1000"]);
  assertEquals(test.store.list(), []);
});

Deno.test("TopicLog tells of a batch that was damaged since it was written", async () => {
  const { test, log, segment } = evicted();
  const image = test.store.readSync(1000);
  image[54] ^= 1;
  await test.store.replace(1000, image, () => true);

  log.pin(segment);
  await log.idle();

  assertEquals(test.content(), ["stored 1000: - b"]);
  assertEquals(test.take(), ["damaged 1000: wrong checksum", "loaded 1000"]);
});

Deno.test("TopicLog says nothing of a segment that was released while it was read", async () => {
  const { test, log, segment } = evicted();
  test.stores.holdReads();

  log.pin(segment);
  log.release(segment);
  test.stores.releaseReads();
  await log.idle();

  assertEquals([test.take(), log.segments], [[], []]);
});

Deno.test("TopicLog.replace() puts a copy in the segment's place, in the store and for those who pinned it", async () => {
  const { test, log, segment } = evicted();
  log.pin(segment);
  await log.idle();

  const copy = segment.compacted((index) => index === 1, { stored: true });
  await log.replace(segment, copy);

  assertEquals(test.content(), ["stored 1000: - b"]);
  log.unpin(copy);
  assertEquals(copy.resident, false);
  log.pin(copy);
  await log.idle();
  assertEquals(test.content(), ["stored 1000: - b"]);
});

/** A log with one stored segment, which is being written. */
function withSegment(): { test: TestLog; log: TestLog["log"]; segment: Segment } {
  const test = new TestLog();
  test.publish("a");
  test.publish("b");
  test.take();
  return { test, log: test.log, segment: test.log.segments[0] };
}

/** A log with one segment, which is on disk only. */
function evicted(): ReturnType<typeof withSegment> {
  const made = withSegment();
  made.log.seal();
  made.test.take();
  return made;
}
