/**
 * Which segments of a log are in memory, and what is done when they cannot be brought there.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Budget } from "../../src/base/budget.ts";
import type { Segment } from "../../src/log/segment.ts";
import { TestLog } from "../support/broker_log.ts";
import { TestStores } from "../support/broker_stores.ts";
import { settle } from "../support/settle.ts";
import { batchesOf, bodiesOf, NotedUser } from "../support/segments.ts";

Deno.test("A stored segment's memory is given back when it is finished and written", () => {
  const { log, segment } = withSegment();

  assertEquals(segment.resident, true);
  log.seal();

  assertEquals(segment.resident, false);
});

Deno.test("A segment stays in memory whose file does not have all of it, and goes when it has", () => {
  const { test, log } = withSegment();

  test.append("c");
  log.seal();
  assertEquals(test.content(), ["stored 1000: a b c"]);
  log.commit();

  assertEquals(test.content(), ["stored 1000: (3)"]);
});

Deno.test("A segment stays in memory that is pinned, until the last pin is taken back", () => {
  const { log, segment } = withSegment();

  log.pin(segment);
  log.pin(segment);
  log.seal();
  log.unpin(segment);
  assertEquals([segment.resident, log.isPinned(segment)], [true, true]);
  log.unpin(segment);

  assertEquals([segment.resident, log.isPinned(segment)], [false, false]);
});

Deno.test("Users of a segment are told before it leaves memory, while it is there", () => {
  const { log, segment } = withSegment();
  const told: string[] = [];
  new NotedUser("first", told).use(segment);
  new NotedUser("second", told).use(segment);

  log.seal();

  assertEquals(told, ["first leaving: a b", "second leaving: a b"]);
});

Deno.test("TopicLog.pin() reads a segment back and tells its users, and loaded() settles then", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("first", told).use(segment);
  new NotedUser("second", told).use(segment);

  log.pin(segment);
  assertEquals(segment.resident, false);
  await log.loaded(segment);

  assertEquals(test.content(), ["stored 1000: a b"]);
  assertEquals([told, test.take()], [["first loaded: a b", "second loaded: a b"], []]);
});

Deno.test("TopicLog.loaded() settles at once when nothing is read", async () => {
  const { log, segment } = evicted();

  await log.loaded(segment);

  assertEquals(segment.resident, false);
});

Deno.test("A segment is read once for two pins", async () => {
  const { test, log, segment } = evicted();

  log.pin(segment);
  log.pin(segment);
  await log.idle();

  assertEquals([test.stores.reads, segment.resident], [1, true]);
});

Deno.test("A reading is given up that nobody wants any more, and nobody is told", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.holdReads();

  log.pin(segment);
  log.unpin(segment);
  test.stores.releaseReads();
  await log.idle();

  assertEquals([segment.resident, told, test.take()], [false, [], []]);
});

Deno.test("A reading that waits for the budget is not begun when nobody wants it any more", async () => {
  const reads = new Budget(1);
  const { test, log, segment } = evicted({ reads });
  const other = await reads.take(1);

  log.pin(segment);
  await settle();
  log.unpin(segment);
  other[Symbol.dispose]();
  await log.idle();

  assertEquals([test.stores.reads, reads.used, segment.resident], [0, 0, false]);
});

Deno.test("A reading is given up between two steps, and what it took of the budget comes back", async () => {
  const reads = new Budget(1_000_000);
  const { test, log, segment } = evicted({ reads, batches: 5000 });
  const gate = Promise.withResolvers<void>();
  test.othersFirst = () => gate.promise;

  log.pin(segment);
  await settle();
  assertEquals([test.stores.reads, reads.used], [1, segment.used]);
  log.unpin(segment);
  gate.resolve();
  await log.idle();

  assertEquals([segment.resident, reads.used], [false, 0]);
});

Deno.test("A segment is read again that was given up and is wanted after all", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.holdReads();

  log.pin(segment);
  log.unpin(segment);
  log.pin(segment);
  test.stores.releaseReads();
  await log.idle();

  assertEquals([segment.resident, told], [true, ["user loaded: a b"]]);
});

Deno.test("A segment is read again that is wanted at whatever moment after a reading has come to nothing", async () => {
  for (let moments = 0; moments < 20; moments++) {
    const { test, log, segment } = evicted();
    test.stores.holdReads();
    log.pin(segment);
    log.unpin(segment);
    test.stores.releaseReads();
    for (let i = 0; i < moments; i++) await Promise.resolve();

    log.pin(segment);
    await settle();

    assertEquals(segment.resident, true, `${moments} moments later`);
  }
});

Deno.test("A segment stays in memory while its users look at it, and goes when none has kept it", async () => {
  const { log, segment } = evicted();
  const told: string[] = [];
  const user = new NotedUser("first", told).use(segment);
  new NotedUser("second", told).use(segment);
  user.onLoaded = (segment) => log.unpin(segment);

  log.pin(segment);
  await log.idle();

  assertEquals(told, [
    "first loaded: a b",
    "second loaded: a b",
    "first leaving: a b",
    "second leaving: a b",
  ]);
  assertEquals(segment.resident, false);
});

Deno.test("No more bytes are read at a time than the budget of all logs has, first come, first served", async () => {
  const stores = new TestStores();
  const reads = new Budget(1);
  const { test, log } = evicted({ reads, stores });
  test.publish("c");
  log.seal();
  const [first, second] = log.segments;
  const told: string[] = [];
  new NotedUser("first", told).use(first);
  new NotedUser("second", told).use(second);
  stores.holdReads();

  // Larger than the budget: one at a time.
  log.pin(second);
  log.pin(first);
  await settle();
  assertEquals([stores.reads, reads.used], [1, second.used]);
  stores.releaseReads();
  await log.idle();

  assertEquals(told, ["second loaded: c", "first loaded: a b"]);
  assertEquals([stores.reads, reads.used], [2, 0]);
});

Deno.test("What could not be read at the start takes of the budget what its file has", async () => {
  const { test, segment: { used } } = evicted();
  const reads = new Budget(1_000_000);
  const again = new TestLog({ stores: test.stores, reads });
  test.stores.readSyncFault = () => true;
  test.store.append(1000, Uint8Array.of(0));
  again.recover();
  again.take();
  test.stores.holdReads();

  again.log.pin(again.log.segments[0]);
  await settle();

  assertEquals(reads.used, used + 1);
  test.stores.releaseReads();
  await again.log.idle();
  assertEquals([again.content(), reads.used], [["stored 1000: a b"], 0]);
});

Deno.test("A failed reading gives back what it took of the budget", async () => {
  const reads = new Budget(1);
  const { test, log, segment } = evicted({ reads });
  test.stores.readFault = () => true;

  log.pin(segment);
  await log.idle();

  assertEquals(reads.used, 0);
});

Deno.test("A segment that has left the log cannot be pinned any more", async () => {
  const { test, log, segment } = evicted();
  log.release(segment);

  log.pin(segment);
  log.retry();
  await log.idle();

  assertEquals([log.isPinned(segment), test.stores.reads, test.take()], [false, 0, []]);
  log.unpin(segment);
  assertEquals(log.isPinned(segment), false);
});

Deno.test("Pins of a segment end when it leaves the log", async () => {
  const { test, log, segment } = evicted();
  log.pin(segment);
  await log.idle();

  log.release(segment);
  log.retry();
  await log.idle();

  assertEquals([log.isPinned(segment), segment.resident, test.stores.reads], [false, false, 1]);
});

Deno.test("Nothing is said of a segment that was released while it was read, not even that its file has gone", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.holdReads();

  log.pin(segment);
  await settle();
  log.release(segment);
  test.stores.releaseReads();
  await log.idle();

  assertEquals([test.take(), log.segments, told], [[], [], ["user released: not there"]]);
});

Deno.test("A reading that failed is told once, however often it is tried again, and once more when it had worked", async () => {
  const { test, log, segment } = evicted();
  test.stores.readFault = () => true;
  test.stores.readError = new Error("too many open files");

  log.pin(segment);
  await log.idle();
  for (let i = 0; i < 20; i++) {
    log.retry();
    await log.idle();
  }
  assertEquals([test.take(), test.stores.reads], [["load failed 1000: Error: too many open files"], 21]);
  test.stores.readError = new Error("permission denied");
  log.retry();
  await log.idle();
  assertEquals(test.take(), ["load failed 1000: Error: permission denied"]);
  test.stores.readFault = () => false;
  log.retry();
  await log.idle();
  assertEquals([test.take(), segment.resident], [[], true]);
  log.unpin(segment);
  test.stores.readFault = () => true;
  log.pin(segment);
  await log.idle();

  assertEquals(test.take(), ["load failed 1000: Error: permission denied"]);
});

Deno.test("TopicLog.retry() reads what could not be read, and its users are told", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.readFault = () => true;
  log.pin(segment);
  await log.idle();
  test.stores.readFault = () => false;

  log.retry();
  await log.idle();

  assertEquals(told, ["user loaded: a b"]);
});

Deno.test("TopicLog.retry() does not read what nobody wants", async () => {
  const { test, log } = evicted();

  log.retry();
  await log.idle();

  assertEquals([test.stores.reads, test.take()], [0, []]);
});

Deno.test("A segment is set aside that the disk could not read five times, and its users go on without it", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.readFault = () => true;
  test.stores.readError = errorOf("EIO");

  log.pin(segment);
  await log.idle();
  for (let i = 2; i < 5; i++) {
    log.retry();
    await log.idle();
  }
  assertEquals([test.stores.reads, test.take(), test.stores.aside], [
    4,
    ["load failed 1000: Error: EIO"],
    [],
  ]);
  log.retry();
  await log.idle();

  assertEquals([test.content(), told], [["stored 1000: - -"], ["user loaded: - -"]]);
  assertEquals(test.take(), ["damaged 1000: EIO", "changed 1000: 2 lost"]);
  assertEquals([test.stores.aside, test.store.list()], [["t 1000"], []]);
});

Deno.test("A segment is not set aside that the disk can read now and then", async () => {
  const { test, log, segment } = evicted();
  test.stores.readError = errorOf("EIO");
  for (let i = 0; i < 3; i++) {
    test.stores.readFault = () => true;
    log.pin(segment);
    await log.idle();
    for (let i = 0; i < 3; i++) {
      log.retry();
      await log.idle();
    }
    test.stores.readFault = () => false;
    log.retry();
    await log.idle();
    log.unpin(segment);
  }

  assertEquals([test.stores.aside, test.stores.reads], [[], 15]);
});

Deno.test("What stands in a file's place and is none is set aside as what the disk cannot read", async () => {
  const { test, log, segment } = evicted();
  test.stores.readFault = () => true;
  test.stores.readError = errorOf("EISDIR");

  log.pin(segment);
  await log.idle();
  for (let i = 0; i < 4; i++) {
    log.retry();
    await log.idle();
  }

  assertEquals(test.stores.aside, ["t 1000"]);
});

Deno.test("A segment that cannot be set aside is tried again, and that is told once", async () => {
  const { test, log, segment } = evicted();
  const { setAside } = test.store;
  test.stores.readFault = () => true;
  test.stores.readError = errorOf("EIO");
  test.store.setAside = () => {
    throw new Error("read-only file system");
  };

  log.pin(segment);
  await log.idle();
  for (let i = 0; i < 10; i++) {
    log.retry();
    await log.idle();
  }
  assertEquals(test.take(), [
    "load failed 1000: Error: EIO",
    "remove failed 1000: Error: read-only file system",
  ]);
  assertEquals(segment.resident, false);
  test.store.setAside = setAside;
  log.retry();
  await log.idle();

  assertEquals(test.take(), ["damaged 1000: EIO", "changed 1000: 2 lost"]);
});

Deno.test("A segment whose file has gone is told to be missing, and its users go on without it", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  await test.store.remove(1000);

  log.pin(segment);
  await log.idle();

  assertEquals(test.content(), ["stored 1000: - -"]);
  assertEquals(test.take(), ["missing 1000", "changed 1000: 2 lost"]);
  assertEquals(told, ["user loaded: - -"]);
});

Deno.test("A segment is set aside that is of an unknown format, and its users go on without it", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  await change(test, (image) => image[7] = 3);

  log.pin(segment);
  await log.idle();

  const reason = "Segment file of version 3, this program knows 2";
  assertEquals(test.take(), [`damaged 1000: ${reason}`, "changed 1000: 2 lost"]);
  assertEquals([test.content(), test.store.list(), told], [["stored 1000: - -"], [], ["user loaded: - -"]]);
});

Deno.test("A batch that was damaged since it was written is kept aside and told, once", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  await change(test, (image) => image[54] ^= 1);

  log.pin(segment);
  await log.idle();
  assertEquals(test.take(), ["damaged 1000: wrong checksum", "changed 1000: 1 lost"]);
  log.unpin(segment);
  log.pin(segment);
  await log.idle();

  assertEquals([test.content(), test.take()], [["stored 1000: - b"], []]);
  assertEquals(told, ["user loaded: - b", "user leaving: - b", "user loaded: - b"]);
  assertEquals(test.stores.damages, ["t 1000 16 39"]);
});

Deno.test("Damage is told that cannot be kept aside", async () => {
  const { test, log, segment } = evicted();
  await change(test, (image) => image[54] ^= 1);
  test.store.keepDamage = () => {
    throw new Error("disk full");
  };

  log.pin(segment);
  await log.idle();

  assertEquals(test.take(), [
    "load failed 1000: Error: disk full",
    "damaged 1000: wrong checksum",
    "changed 1000: 1 lost",
  ]);
});

Deno.test("A segment that was not read at the start has its messages counted when it is", async () => {
  const before = evicted().test;
  before.stores.readSyncFault = () => true;
  before.store.append(1000, Uint8Array.of(0));
  const test = new TestLog({ stores: before.stores });
  test.recover();
  assertEquals(test.take(), ["load failed 1000: Error: input/output error"]);
  assertEquals(test.content(), ["stored 1000: (65536)"]);

  test.log.pin(test.log.segments[0]);
  await test.log.idle();

  assertEquals(test.content(), ["stored 1000: a b"]);
  assertEquals(test.take(), ["damaged 1000: torn batch header", "changed 1000: 0 lost"]);
});

Deno.test("Users are not told that a segment is there which its owner has released when it came", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  await test.store.remove(1000);
  test.changed = (segment: Segment) => log.release(segment);

  log.pin(segment);
  await log.idle();

  assertEquals([log.segments, told], [[], ["user released: - -"]]);
});

Deno.test("A segment that is damaged stays until all are told, though who wanted it does not any more", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  await change(test, (image) => image[54] ^= 1);
  test.changed = (segment: Segment) => {
    log.unpin(segment);
    told.push(`changed: ${bodiesOf(segment).join(" ")}`);
  };

  log.pin(segment);
  await log.idle();

  assertEquals(told, ["changed: - b", "user loaded: - b", "user leaving: - b"]);
  assertEquals(segment.resident, false);
});

Deno.test("Users of a segment that is rewritten while it is read are told of the copy, which is there", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  const user = new NotedUser("user", told);
  log.pin(segment);
  await log.idle();
  const copy = segment.compacted((index) => index === 1, { stored: true });
  log.unpin(segment);
  user.use(segment);
  test.stores.holdSyncs();
  test.stores.holdReads();

  const replacing = log.replace(segment, copy);
  log.pin(segment);
  await settle();
  test.stores.releaseSyncs();
  assertEquals(await replacing, true);
  assertEquals(told, ["user replaced: - b"]);
  test.stores.releaseReads();
  await log.idle();

  assertEquals([told, test.content()], [["user replaced: - b"], ["stored 1000: - b"]]);
  assertEquals([user.segment === copy, log.isPinned(copy), log.isPinned(segment)], [true, true, false]);
  log.unpin(copy);
  assertEquals(told.slice(1), ["user leaving: - b"]);
});

Deno.test("TopicLog.lookAt() has a segment in memory while it is looked at, and no longer", () => {
  const { test, log, segment } = evicted();
  const seen: string[][] = [];

  log.lookAt(segment, () => seen.push(bodiesOf(segment)));

  assertEquals([seen, segment.resident, test.stores.syncReads], [[["a", "b"]], false, 1]);
});

Deno.test("TopicLog.lookAt() leaves a segment in memory that was there", () => {
  const { test, log, segment } = withSegment();
  log.pin(segment);
  log.seal();
  const { syncReads } = test.stores;

  log.lookAt(segment, () => {});

  assertEquals([segment.resident, test.stores.syncReads - syncReads], [true, 0]);
});

Deno.test("TopicLog.lookAt() of a segment that cannot be read looks at it as it is, and tells", () => {
  const { test, log, segment } = evicted();
  test.stores.readSyncFault = () => true;
  let looked = 0;

  log.lookAt(segment, () => looked++);

  assertEquals([looked, segment.resident], [1, false]);
  assertEquals(test.take(), ["load failed 1000: Error: input/output error"]);
});

Deno.test("TopicLog.lookAt() tells of damage that it meets", async () => {
  const { test, log, segment } = evicted();
  await change(test, (image) => image[54] ^= 1);

  log.lookAt(segment, () => {});

  assertEquals(test.take(), ["damaged 1000: wrong checksum", "changed 1000: 1 lost"]);
});

Deno.test("TopicLog.lookAt() of a segment that is being read tells those who wait for it", async () => {
  const { test, log, segment } = evicted();
  const told: string[] = [];
  new NotedUser("user", told).use(segment);
  test.stores.holdReads();
  log.pin(segment);
  await settle();

  log.lookAt(segment, () => {});
  assertEquals(told, ["user loaded: a b"]);
  test.stores.releaseReads();
  await log.idle();

  assertEquals([told, segment.resident], [["user loaded: a b"], true]);
});

Deno.test("A segment that was read otherwise meanwhile is not taken for lost when reading it fails", async () => {
  const { test, log, segment } = evicted();
  test.stores.holdReads();
  log.pin(segment);
  await settle();
  log.lookAt(segment, () => {});
  await test.store.remove(1000);

  test.stores.releaseReads();
  await log.idle();

  assertEquals([test.content(), test.take()], [["stored 1000: a b"], []]);
});

Deno.test("What the channels look at once more at the start stays in memory until they have what they need", () => {
  const { test } = withSegment();
  const again = new TestLog({ stores: test.stores });

  again.log.recover(undefined);
  // It was read to be closed.
  assertEquals(again.content(), ["stored 1000: (2)"]);
  again.log.pin(again.log.segments[0]);
  again.log.lookAt(again.log.segments[0], () => assertEquals(again.content(), ["stored 1000: a b"]));
  assertEquals(again.content(), ["stored 1000: a b"]);
  again.log.unpin(again.log.segments[0]);
  again.log.recovered();

  assertEquals(again.content(), ["stored 1000: (2)"]);
});

Deno.test("A segment with many batches is read in steps, and others have their turn between them", async () => {
  const { test, log, segment } = evicted({ batches: 12_000 });
  let turns = 0;
  test.othersFirst = () => {
    turns++;
    assertEquals(segment.resident, false);
    return Promise.resolve();
  };

  log.pin(segment);
  await log.idle();

  const batches = batchesOf(segment.bytes).length;
  assertEquals([turns, segment.resident, batches > 4000], [Math.floor(batches / 2000), true, true]);
});

/** A log with one stored segment, which is being written. */
function withSegment(
  { batches = 2, ...options }: { batches?: number; reads?: Budget; stores?: TestStores } = {},
): { test: TestLog; log: TestLog["log"]; segment: Segment } {
  const test = new TestLog({ limits: { maxBytesPerFile: 4_000_000 }, ...options });
  for (let i = 0; i < batches; i++) test.publish(batches === 2 ? "ab"[i] : String(i));
  test.take();
  // The first ones are small.
  while (test.log.segments.length > 1) test.log.release(test.log.segments[0]);
  return { test, log: test.log, segment: test.log.segments[0] };
}

/** A log with one segment, which is on disk only. */
function evicted(options: Parameters<typeof withSegment>[0] = {}): ReturnType<typeof withSegment> {
  const made = withSegment(options);
  made.log.seal();
  made.test.take();
  return made;
}

/** Changes the file of the segment. */
async function change(test: TestLog, how: (image: Uint8Array) => void): Promise<void> {
  const image = test.store.readSync(1000);
  how(image);
  await test.store.replace(1000, image, () => true);
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code });
}
