import { assertEquals, assertRejects } from "@std/assert";
import { Budget } from "../../src/base/budget.ts";
import {
  type DuePoint,
  isAfter,
  type MessagePlace,
  MessageReader,
  NOTHING_DUE,
} from "../../src/log/message_reader.ts";
import { Segment } from "../../src/log/segment.ts";
import type { ImagePart, SegmentStore } from "../../src/log/segment_store.ts";
import { TestStores } from "../support/broker_stores.ts";
import { settle } from "../support/settle.ts";
import { append, BASE, bodiesOf, DUE_MS, imageOf, newSegment } from "../support/segments.ts";

Deno.test("MessageReader.read() has the messages that are where they are said to be, and nothing else of the segment", async () => {
  const test = new ReaderTest(["a", "b", "c", "d"]);

  const found = await test.reader.read([test.place(3), test.place(0)]);

  assertEquals(test.found(found), { 0: "a", 3: "d" });
  const segment = found.get(BASE + 3);
  assertEquals([segment?.base, segment?.count, segment?.bytes.length], [BASE + 3, 1, 39]);
});

Deno.test("MessageReader.read() reads a batch once for several of its messages", async () => {
  const test = new ReaderTest([], (segment) => append(segment, ["a", "b", "c"]));

  const found = await test.reader.read([test.place(2), test.place(0)]);

  assertEquals([test.found(found), test.parts], [{ 0: "a", 2: "c" }, [{ offset: 16, length: 34 + 15 }]]);
  assertEquals(found.get(BASE) === found.get(BASE + 2), true);
});

Deno.test("MessageReader.read() of nothing reads nothing", async () => {
  const test = new ReaderTest(["a"]);

  assertEquals([(await test.reader.read([])).size, test.parts], [0, []]);
});

Deno.test("MessageReader.read() joins what lies within four times its own bytes, and nothing beyond", async () => {
  // Of 100 bytes each.
  const test = new ReaderTest(Array.from({ length: 40 }, (_, i) => String(i).padEnd(62)));

  // 800 bytes that have 200 wanted ones, and 900 that have as many.
  await test.reader.read([test.place(0), test.place(7)]);
  await test.reader.read([test.place(10), test.place(18)]);
  // 1200 that have 300.
  await test.reader.read([test.place(20), test.place(27), test.place(31)]);

  assertEquals(test.take(), [
    { offset: 16, length: 800 },
    { offset: 1016, length: 100 },
    { offset: 1816, length: 100 },
    { offset: 2016, length: 1200 },
  ]);
});

Deno.test("MessageReader.read() joins no more than a MiB", async () => {
  const body = (length: number) => "m".repeat(length - 38);
  const exact = new ReaderTest([body(512 * 1024), body(512 * 1024), "x"]);
  const more = new ReaderTest([body(512 * 1024), body(512 * 1024 + 1), "x"]);

  const all = await exact.reader.read([0, 1, 2].map((index) => exact.place(index)));
  await more.reader.read([0, 1, 2].map((index) => more.place(index)));

  assertEquals(all.size, 3);
  assertEquals(exact.take().map(({ length }) => length), [1024 * 1024, 39]);
  assertEquals(more.take().map(({ length }) => length), [512 * 1024, 512 * 1024 + 1 + 39]);
});

Deno.test("MessageReader.read() reads a message alone that is longer than that", async () => {
  const long = "l".repeat(2 * 1024 * 1024);
  const test = new ReaderTest(["a", long, "b"]);

  const found = await test.reader.read([0, 1, 2].map((index) => test.place(index)));

  assertEquals(Object.values(test.found(found)).map(({ length }) => length), [1, long.length, 1]);
  assertEquals(test.take().map(({ length }) => length), [39, 38 + long.length, 39]);
});

Deno.test("MessageReader.read() takes places in any order, of several segments", async () => {
  const test = new ReaderTest(["a", "b", "c"]);
  const other = new Segment({ base: BASE + 1000, capacityBytes: 1000, stored: true });
  append(other, ["z"]);
  test.store.append(other.base, other.unwritten());
  const otherPlace = { position: other.base, base: other.base, offset: 16, length: 39 };

  const found = await test.reader.read([test.place(2), otherPlace, test.place(0), test.place(1)]);

  assertEquals(test.found(found), { 0: "a", 1: "b", 2: "c", 1000: "z" });
  assertEquals(test.take(), [{ offset: 16, length: 117 }, { offset: 16, length: 39 }]);
});

Deno.test("MessageReader.read() leaves out what is not where it is said to be", async () => {
  const test = new ReaderTest(["a", "b", "c", "d"]);
  const { offset, length } = test.place(1);
  const wrong: MessagePlace[] = [
    // Another one is there, or the middle of one, or a part, or more than one, or nothing.
    { ...test.place(0), position: BASE + 2 },
    { ...test.place(1), offset: offset + 1 },
    { ...test.place(1), length: length - 1 },
    { ...test.place(1), length: 2 * length },
    { ...test.place(3), offset: 5000 },
    { ...test.place(3), offset: test.place(3).offset, length: 5000 },
  ];

  for (const place of wrong) {
    assertEquals(test.found(await test.reader.read([place])), {}, JSON.stringify(place));
    // And not what is.
    const found = test.found(await test.reader.read([test.place(0), place, test.place(3)]));
    assertEquals(found, { 0: "a", 3: "d" }, JSON.stringify(place));
  }
});

Deno.test("MessageReader.read() finds a message though another is said to be in the same batch, or that to be longer", async () => {
  const test = new ReaderTest(["a", "b"]);

  const found = await test.reader.read([
    { ...test.place(0), position: BASE + 1 },
    test.place(0),
    { ...test.place(1), length: 45 },
    test.place(1),
  ]);

  assertEquals(test.found(found), { 0: "a", 1: "b" });
});

Deno.test("MessageReader.read() leaves out a batch that is damaged, with all its messages", async () => {
  const test = new ReaderTest(["a", "b", "c"]);
  await test.change((image) => image[test.place(1).offset + 38] ^= 1);

  const found = await test.reader.read([0, 1, 2].map((index) => test.place(index)));

  assertEquals(test.found(found), { 0: "a", 2: "c" });
});

Deno.test("MessageReader.read() goes on with other segments when one cannot be read", async () => {
  const test = new ReaderTest(["a"]);
  const gone = { position: 5, base: 5, offset: 16, length: 39 };

  assertEquals(test.found(await test.reader.read([gone, test.place(0)])), { 0: "a" });
  test.stores.readFault = () => true;
  assertEquals(test.found(await test.reader.read([test.place(0)])), {});

  assertEquals(test.reads.used, 0);
});

Deno.test("MessageReader reads no more bytes at a time than the budget has", async () => {
  const test = new ReaderTest(
    ["a".repeat(1000), "b".repeat(5000), "c".repeat(1000)],
    undefined,
    new Budget(1500),
  );
  test.stores.holdReads();

  const [first, second] = [test.reader.read([test.place(0)]), test.reader.read([test.place(2)])];
  await settle();
  assertEquals([test.stores.partReads, test.reads.used], [1, 1038]);
  test.stores.releaseReads();
  const sizes = (await Promise.all([first, second])).map((found) => found.size);

  assertEquals([sizes, test.reads.used, test.stores.partReads], [[1, 1], 0, 2]);
});

Deno.test("MessageReader.readDue() goes through an index of several blocks in order, whatever is due at the same time", async () => {
  // Runs of equal due times, which go over the ends of blocks.
  const due = Array.from({ length: 1203 }, (_, i) => DUE_MS + Math.floor(((i * 7) % 1203) / 450));
  const test = new DueTest(due);

  const seen: number[] = [];
  const lengths: number[] = [];
  let point = NOTHING_DUE;
  for (;;) {
    const entries = await test.after(point);
    const last = entries?.at(-1);
    if (!entries || !last) break;
    lengths.push(entries.length);
    seen.push(...entries.map(({ index }) => index));
    point = last;
  }

  assertEquals(seen, [...test.segment.dueOrder()]);
  assertEquals(lengths, [500, 500, 203]);
  // Each block once.
  assertEquals(test.take().length, 3);
});

Deno.test("MessageReader.readDue() finds what comes after any point", async () => {
  const due = Array.from({ length: 2100 }, (_, i) => DUE_MS + i % 3);
  const test = new DueTest(due);
  const order = [...test.segment.dueOrder()].map((index): DuePoint => ({ dueMs: due[index], index }));
  const ranks = [0, 1, 498, 499, 500, 501, 998, 999, 1000, 1499, 1500, 2000, 2097, 2098, 2099, 700, 3, 1999];

  for (const rank of ranks) {
    const entries = await test.after(order[rank]);

    const next = order[rank + 1];
    const [first] = entries ?? [];
    assertEquals(first && { dueMs: first.dueMs, index: first.index }, next, `after ${rank}`);
  }
  // Between two, before all, and behind all.
  const firstAfter = async (point: DuePoint) => (await test.after(point))?.[0]?.index;
  assertEquals(await firstAfter({ dueMs: DUE_MS, index: 4 }), 6);
  assertEquals(await firstAfter({ dueMs: DUE_MS, index: 70_000 }), 1);
  assertEquals(await firstAfter({ dueMs: DUE_MS - 1, index: 5 }), 0);
  assertEquals(await test.after({ dueMs: DUE_MS + 2, index: 2099 }), []);
  assertEquals(await test.after({ dueMs: DUE_MS + 3, index: 0 }), []);
});

Deno.test("MessageReader.readDue() of 65,536 entries reads no more blocks than halving takes", async () => {
  const test = new DueTest(Array.from({ length: 65536 }, (_, i) => DUE_MS + i));

  for (const rank of [65_535, 10, 60_000, 30_000, 123, 65_000]) {
    test.take();
    const entries = await test.after({ dueMs: DUE_MS + rank, index: rank });
    assertEquals(entries?.[0]?.index, rank === 65_535 ? undefined : rank + 1);
    // 132 blocks: the one of the last time, or the next, then the first, and then halves.
    assertEquals(test.take().length <= 2 + 8, true, `after ${rank}`);
  }
});

Deno.test("MessageReader.readDue() has where the messages lie", async () => {
  const test = new DueTest([DUE_MS + 1, DUE_MS]);

  assertEquals(await test.after(NOTHING_DUE), [
    { dueMs: DUE_MS, index: 1, offset: 66, length: 50 },
    { dueMs: DUE_MS + 1, index: 0, offset: 16, length: 50 },
  ]);
});

Deno.test("MessageReader.readDue() is undefined when a block is damaged, or is not there", async () => {
  const test = new DueTest(Array.from({ length: 600 }, (_, i) => DUE_MS + i));
  const { offset } = test.index;
  await test.change((image) => image[offset + 10_034 + 60] ^= 1);

  assertEquals((await test.after(NOTHING_DUE))?.length, 500);
  assertEquals(await test.after({ dueMs: DUE_MS + 499, index: 499 }), undefined);
  assertEquals(await test.reader.readDue(BASE, { offset: offset + 7, entries: 600 }, NOTHING_DUE), undefined);
  assertEquals(await test.reader.readDue(BASE, { offset: 9_000_000, entries: 600 }, NOTHING_DUE), undefined);
});

Deno.test("MessageReader.readDue() rejects with what the store says", async () => {
  const test = new DueTest([DUE_MS]);
  test.stores.readFault = () => true;

  await assertRejects(() => test.after(NOTHING_DUE), Error, "input/output error");

  assertEquals(test.reads.used, 0);
});

Deno.test("MessageReader.readDueSync() has all entries, or nothing when they cannot be used", async () => {
  const test = new DueTest(Array.from({ length: 1001 }, (_, i) => DUE_MS + 5000 - i));

  const entries = test.reader.readDueSync(BASE, test.index);
  assertEquals(entries?.map(({ index }) => index), Array.from({ length: 1001 }, (_, i) => 1000 - i));
  assertEquals(test.reader.readDueSync(BASE, undefined), undefined);
  await test.change((image) => image[test.index.offset + 10_034 + 60] ^= 1);

  assertEquals(test.reader.readDueSync(BASE, test.index), undefined);
});

Deno.test("isAfter() is the order of due times, and of messages that are due at the same time", () => {
  const point = { dueMs: 10, index: 5 };

  assertEquals(isAfter({ dueMs: 10, index: 6 }, point), true);
  assertEquals(isAfter({ dueMs: 11, index: 0 }, point), true);
  assertEquals(isAfter(point, point), false);
  assertEquals(isAfter({ dueMs: 10, index: 4 }, point), false);
  assertEquals(isAfter({ dueMs: 9, index: 9 }, point), false);
  assertEquals(isAfter({ dueMs: 0, index: 0 }, NOTHING_DUE), true);
});

Deno.test("MessageReader.readFrom() has the batches from a position on, and no further than a chunk goes", async () => {
  // Of 1000 bytes each.
  const test = new ReaderTest(Array.from({ length: 600 }, (_, i) => String(i).padEnd(962)));

  const first = await test.from(0);
  const [from, to] = [first.batches[0], first.batches[first.batches.length - 1]];
  const next = await test.from(to.segment.end - BASE, to.offset);

  assertEquals([from.segment.base, from.offset, from.length], [BASE, 16, 1000]);
  // What the chunk ends in the middle of is in the next one.
  assertEquals([first.batches.length, first.isBroken], [262, false]);
  assertEquals([next.batches[0].segment.base, next.batches[0].offset], [BASE + 262, 16 + 262_000]);
  assertEquals(test.take(), [
    { offset: 16, length: 256 * 1024 },
    { offset: 16 + 261_000, length: 256 * 1024 },
  ]);
});

Deno.test("MessageReader.readFrom() reads from the beginning where the hint is wrong", async () => {
  const test = new ReaderTest(["a", "b", "c"]);

  for (const hint of [0, 1, 17, test.place(2).offset, 5000]) {
    const { batches } = await test.from(1, hint);
    assertEquals([hint, batches.map(({ segment }) => segment.base - BASE)], [hint, [1, 2]]);
  }
});

Deno.test("MessageReader.readFrom() has a batch that is longer than a chunk, and nothing behind the last", async () => {
  const test = new ReaderTest(["a", "m".repeat(300_000), "b"]);

  const bodies = [];
  for (let index = 0, hint = 0; index < 3;) {
    const { batches } = await test.from(index, hint);
    for (const { segment, offset } of batches) {
      bodies.push(bodiesOf(segment).map(({ length }) => length));
      [index, hint] = [segment.end - BASE, offset];
    }
  }

  assertEquals(bodies, [[1], [300_000], [1]]);
  assertEquals(await test.from(3), { batches: [], isBroken: false });
});

Deno.test("MessageReader.readFrom() tells what is not whole, or cannot be read", async () => {
  const test = new ReaderTest(["a", "b", "c"]);
  await test.change((image) => image[test.place(1).offset + 38] ^= 1);

  const first = await test.from(0);
  const rest = await test.from(1, first.batches[0].offset);
  const { readPart } = test.store;
  test.store.readPart = () => Promise.reject(new Error("no"));
  const unread = await test.from(0);
  test.store.readPart = readPart;

  assertEquals([first.batches.length, first.isBroken], [1, true]);
  assertEquals([rest.batches.length, rest.isBroken], [0, true]);
  assertEquals([unread.batches.length, unread.isBroken], [0, true]);
});

Deno.test("MessageReader.readFrom() waits for a part of the budget", async () => {
  const reads = new Budget(1000);
  const test = new ReaderTest(["a"], undefined, reads);
  const lease = await reads.take(1000);
  let isRead = false;
  const reading = test.from(0).then(() => isRead = true);

  await settle();
  assertEquals([isRead, test.parts], [false, []]);
  lease[Symbol.dispose]();
  await reading;
  assertEquals(reads.used, 0);
});

/** A reader, and a store with one segment. */
class ReaderTest {
  readonly stores = new TestStores();
  readonly store: SegmentStore;
  readonly segment = newSegment({ capacityBytes: 10_000_000 });
  readonly reads: Budget;
  readonly reader: MessageReader;
  /** What has been read. */
  readonly parts: ImagePart[] = [];

  /** With each body in a batch of its own; or with what `fill` appends. */
  constructor(
    bodies: readonly string[],
    fill: (segment: Segment) => void = () => {},
    reads = new Budget(Infinity),
  ) {
    this.store = this.stores.open("t");
    const { readPart } = this.store;
    this.store.readPart = (base, part) => {
      this.parts.push(part);
      return readPart.call(this.store, base, part);
    };
    this.reads = reads;
    this.reader = new MessageReader(this.store, reads);
    for (const body of bodies) {
      append(this.segment, [body]);
      this.segment.commit();
    }
    fill(this.segment);
    this.segment.commit();
    this.segment.close();
    this.store.append(BASE, imageOf(this.segment));
  }

  /** Batches from the message at the index on. */
  from(index: number, hint = 0) {
    return this.reader.readFrom({ base: BASE, size: this.segment.used, position: BASE + index, hint });
  }

  /** Where the message at the index is. */
  place(index: number): MessagePlace {
    const offset = this.segment.batchOffset(index);
    return { position: BASE + index, base: BASE, offset, length: this.segment.batchLength(offset) };
  }

  /** The bodies that were found, by index. */
  found(segments: ReadonlyMap<number, Segment>): Record<number, string> {
    return Object.fromEntries(
      [...segments].map((
        [position, segment],
      ) => [position - BASE, bodiesOf(segment)[position - segment.base]]),
    );
  }

  /** What has been read since the last call. */
  take(): ImagePart[] {
    return this.parts.splice(0);
  }

  async change(how: (image: Uint8Array) => void): Promise<void> {
    const image = this.store.readSync(BASE);
    how(image);
    await this.store.replace(BASE, image, () => true);
  }
}

/** As {@linkcode ReaderTest}, with messages that are due then. */
class DueTest extends ReaderTest {
  constructor(due: readonly number[]) {
    super([], (segment) => {
      for (const dueMs of due) append(segment, ["m"], { dueMs });
    });
  }

  get index() {
    const { dueIndex } = this.segment;
    if (!dueIndex) throw new Error("There is no index");
    return dueIndex;
  }

  after(point: DuePoint) {
    return this.reader.readDue(BASE, this.index, point);
  }
}
