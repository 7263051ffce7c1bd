/**
 * What every store of segments must do: the broker relies on it (src/log/segment_store.ts).
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { StoreFactory } from "../../src/broker/broker.ts";
import { Segment } from "../../src/log/segment.ts";
import type { Closing } from "../../src/log/segment_image.ts";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import { blockOfTexts } from "../support/broker_messages.ts";
import { pieces } from "../support/pieces.ts";

/** Stores under test. */
export interface StoresUnderTest extends AsyncDisposable {
  /** The same stores as a program sees them that is started anew. */
  reopen(): StoreFactory;
}

/** A position of today, which needs more than 32 bits. */
const BASE = 1_387_738_195_312_640;
/** What `images()` says of itself. */
const CLOSING: Closing = {
  positions: 2,
  messages: 2,
  deferred: 0,
  earliestDueMs: 0,
  index: undefined,
  firstTimestamp: { high: 1, low: 2 },
  lastTimestamp: { high: 1, low: 2 },
  bodyBytes: 3,
};

/** Defines the tests for the stores of that name. */
export function segmentStoreTest(name: string, make: () => StoresUnderTest): void {
  /** A test of one store; `again` opens it as the next program would. */
  function test(
    does: string,
    run: (store: SegmentStore, again: () => SegmentStore) => Promise<void> | void,
  ): void {
    testStores(does, (open) => run(open("topic"), () => open("topic")));
  }

  /** A test of several stores, which are closed after it. */
  function testStores(
    does: string,
    run: (open: (topic: string) => SegmentStore, reopen: () => StoreFactory) => Promise<void> | void,
  ): void {
    Deno.test(`${name} ${does}`, async () => {
      await using stores = make();
      const opened: SegmentStore[] = [];
      const open = (topic: string) => {
        const store = stores.reopen().open(topic);
        opened.push(store);
        return store;
      };
      try {
        await run(open, () => stores.reopen());
      } finally {
        for (const store of opened) store.close();
      }
    });
  }

  test("has nothing at first", (store) => {
    assertEquals([store.list(), store.readState()], [[], undefined]);
  });

  test("append() begins a segment and then adds to its end", (store, again) => {
    store.append(BASE, bytesOf("one"));
    store.append(BASE, bytesOf("two"));

    assertEquals(textOf(store.readSync(BASE)), "onetwo");
    assertEquals(store.list(), [{ base: BASE, size: 6, closing: undefined }]);
    assertEquals(again().list(), [{ base: BASE, size: 6, closing: undefined }]);
  });

  test("append() goes on with a segment after others were written, and after a restart", (store, again) => {
    store.append(1, bytesOf("a"));
    store.append(2, bytesOf("b"));
    store.append(1, bytesOf("c"));
    store.close();
    again().append(2, bytesOf("d"));

    assertEquals([textOf(again().readSync(1)), textOf(again().readSync(2))], ["ac", "bd"]);
  });

  test("append() keeps what the bytes were at that time", (store) => {
    const bytes = bytesOf("abc");
    store.append(BASE, bytes);
    bytes.fill(0);

    assertEquals(textOf(store.readSync(BASE)), "abc");
  });

  test("list() names segments by position, and how many positions the closed ones have", (store, again) => {
    const { open, closed } = images(BASE);
    store.append(BASE + 9, open);
    store.append(BASE, closed);
    store.append(7, bytesOf("x"));

    for (const one of [store, again()]) {
      assertEquals(one.list(), [
        { base: 7, size: 1, closing: undefined },
        { base: BASE, size: closed.length, closing: CLOSING },
        { base: BASE + 9, size: open.length, closing: undefined },
      ]);
    }
  });

  test("list() counts a segment when it is closed later", (store) => {
    const { open, closed } = images(BASE);
    store.append(BASE, open);
    store.append(BASE, closed.subarray(open.length));

    assertEquals(store.list(), [{ base: BASE, size: closed.length, closing: CLOSING }]);
  });

  test("replace() puts an image in another's place, or where none was", async (store, again) => {
    store.append(1, bytesOf("a long image"));

    assertEquals(await store.replace(1, bytesOf("short"), () => true), true);
    assertEquals(await store.replace(2, bytesOf("new"), () => true), true);
    store.append(1, bytesOf("er"));

    for (const one of [store, again()]) {
      assertEquals([textOf(one.readSync(1)), textOf(one.readSync(2))], ["shorter", "new"]);
    }
  });

  test("truncate() cuts an image off, which then goes on there", (store, again) => {
    store.append(1, bytesOf("a long image"));
    store.append(2, bytesOf("another"));

    store.truncate(1, 6);
    assertEquals(textOf(store.readSync(1)), "a long");
    store.append(1, bytesOf("er one"));
    store.truncate(2, 0);

    for (const one of [store, again()]) {
      assertEquals([textOf(one.readSync(1)), textOf(one.readSync(2))], ["a longer one", ""]);
    }
  });

  test(
    "truncate() reaches back over several writes, and over those of an earlier program",
    (store, again) => {
      for (const text of ["ab", "cd", "ef"]) store.append(BASE, bytesOf(text));
      store.close();
      const next = again();

      next.truncate(BASE, 3);

      assertEquals(next.list(), [{ base: BASE, size: 3, closing: undefined }]);
      assertEquals(textOf(next.readSync(BASE)), "abc");
    },
  );

  test("list() says of a closed segment what the batch at its end says", (store) => {
    const segment = new Segment({ base: BASE, capacityBytes: 1000, stored: true });
    const block = blockOfTexts("a", "bc");
    segment.append(block, 0, block.length, { count: 2, timestamp: { high: 1, low: 2 }, dueMs: 77 });
    segment.close();
    store.append(BASE, segment.unwritten());

    // Behind the header and a batch with its two messages.
    const index = { offset: 16 + 34 + 11 + 4 + 1 + 4 + 2, entries: 2 };
    assertEquals(store.list().map(({ closing }) => closing), [
      { ...CLOSING, deferred: 2, earliestDueMs: 77, index },
    ]);
  });

  test("replace() asks whether it is wanted, and changes nothing when it is not", async (store, again) => {
    store.append(1, bytesOf("old"));

    assertEquals(await store.replace(1, bytesOf("new"), () => false), false);
    assertEquals(await store.replace(2, bytesOf("new"), () => false), false);

    for (const one of [store, again()]) {
      assertEquals(one.list().map(({ base, size }) => [base, size]), [[1, 3]]);
      assertEquals(textOf(one.readSync(1)), "old");
    }
  });

  test("replace() asks at the last moment whether it is wanted", async (store) => {
    store.append(1, bytesOf("old"));
    let wanted = true;

    const replaced = store.replace(1, bytesOf("new"), () => wanted);
    wanted = false;
    await store.remove(1);

    assertEquals([await replaced, store.list()], [false, []]);
  });

  test("replace() keeps what the image was when it was called", async (store) => {
    const image = bytesOf("image");
    const replaced = store.replace(1, image, () => true);
    image.fill(0);
    await replaced;

    assertEquals(textOf(store.readSync(1)), "image");
  });

  test("replace() of two segments at the same time replaces both", async (store) => {
    await Promise.all([1, 2].map((base) => store.replace(base, bytesOf(`image ${base}`), () => true)));

    assertEquals([textOf(store.readSync(1)), textOf(store.readSync(2))], ["image 1", "image 2"]);
  });

  test("keepDamage() says whether the damage is new", (store, again) => {
    store.append(1, bytesOf("abcdef"));
    const bytes = bytesOf("cd");

    assertEquals([store.keepDamage(1, 2, bytes), store.keepDamage(1, 4, bytes)], [true, true]);

    for (const one of [store, again()]) assertEquals(one.keepDamage(1, 2, bytes), false);
    assertEquals(again().keepDamage(2, 2, bytes), true);
  });

  test("keepDamage() leaves the segments as they are", (store, again) => {
    store.append(1, bytesOf("abcdef"));

    store.keepDamage(1, 2, bytesOf("cd"));

    for (const one of [store, again()]) {
      assertEquals([one.list().length, textOf(one.readSync(1))], [1, "abcdef"]);
    }
  });

  test("setStateAside() leaves no state, and the segments", async (store, again) => {
    store.append(1, bytesOf("a"));
    await store.writeState(pieces("state"));

    store.setStateAside();

    for (const one of [store, again()]) assertEquals([one.readState(), one.list().length], [undefined, 1]);
    await store.writeState(pieces("another"));
    assertEquals(textOf(again().readState() ?? new Uint8Array()), "another");
  });

  test("read() and readSync() give an image that is the caller's to change", async (store) => {
    store.append(BASE, bytesOf("abc"));

    (await store.read(BASE)).fill(0);
    store.readSync(BASE).fill(0);

    assertEquals([textOf(await store.read(BASE)), textOf(store.readSync(BASE))], ["abc", "abc"]);
  });

  test("read() and readSync() say NotFound of what is not there", async (store) => {
    await assertRejects(() => store.read(BASE), Deno.errors.NotFound);
    assertThrows(() => store.readSync(BASE), Deno.errors.NotFound);
    store.append(BASE, bytesOf("abc"));
    await assertRejects(() => store.read(BASE + 1), Deno.errors.NotFound);
  });

  test("remove() removes a segment, and does nothing when there is none", async (store, again) => {
    store.append(1, bytesOf("a"));
    store.append(2, bytesOf("b"));

    await store.remove(1);
    await store.remove(1);

    for (const one of [store, again()]) assertEquals(one.list().map(({ base }) => base), [2]);
    await assertRejects(() => store.read(1), Deno.errors.NotFound);
    store.append(1, bytesOf("anew"));
    assertEquals(textOf(store.readSync(1)), "anew");
  });

  test("setAside() takes a segment out of the list", async (store, again) => {
    store.append(1, bytesOf("a"));
    store.append(2, bytesOf("b"));

    store.setAside(2);

    for (const one of [store, again()]) assertEquals(one.list().map(({ base }) => base), [1]);
    await assertRejects(() => store.read(2), Deno.errors.NotFound);
  });

  test("writeState() keeps the last state, and undefined removes it", async (store, again) => {
    await store.writeState(pieces("first, long"));
    assertEquals(textOf(store.readState() ?? new Uint8Array()), "first, long");

    await store.writeState(pieces("second"));
    for (const one of [store, again()]) assertEquals(textOf(one.readState() ?? new Uint8Array()), "second");
    await store.writeState(undefined);
    await store.writeState(undefined);

    for (const one of [store, again()]) assertEquals(one.readState(), undefined);
  });

  test("writeState() puts the pieces together, however long they take", async (store, again) => {
    await store.writeState(pieces("one", "", " two", " three"));

    for (const one of [store, again()]) {
      assertEquals(textOf(one.readState() ?? new Uint8Array()), "one two three");
    }
  });

  test("writeState() leaves the state that was until all pieces are there", async (store, again) => {
    await store.writeState(pieces("old"));
    const { promise, resolve } = Promise.withResolvers<void>();
    async function* slowly() {
      yield bytesOf("n");
      await promise;
      yield bytesOf("ew");
    }

    const written = store.writeState(slowly());
    const during = textOf(again().readState() ?? new Uint8Array());
    resolve();
    await written;

    assertEquals([during, textOf(again().readState() ?? new Uint8Array())], ["old", "new"]);
  });

  test("writeState() leaves the state that was when a piece cannot be had", async (store, again) => {
    await store.writeState(pieces("old"));
    async function* failing() {
      yield* pieces("n");
      throw new Error("no more");
    }

    await assertRejects(() => store.writeState(failing()), Error, "no more");

    for (const one of [store, again()]) assertEquals(textOf(one.readState() ?? new Uint8Array()), "old");
  });

  test("readPart() and readPartSync() give some bytes of an image, for the caller to change", async (store) => {
    store.append(BASE, bytesOf("abc"));
    store.append(BASE, bytesOf("def"));
    const part = { offset: 2, length: 3 };

    (await store.readPart(BASE, part)).fill(0);
    store.readPartSync(BASE, part).fill(0);

    assertEquals(textOf(await store.readPart(BASE, part)), "cde");
    assertEquals(textOf(store.readPartSync(BASE, part)), "cde");
    assertEquals(textOf(store.readSync(BASE)), "abcdef");
  });

  test("readPart() and readPartSync() give as many bytes as there are", async (store) => {
    store.append(BASE, bytesOf("abc"));

    for (const [offset, length, text] of [[1, 9, "bc"], [3, 1, ""], [9, 1, ""], [1, 0, ""]] as const) {
      assertEquals(textOf(await store.readPart(BASE, { offset, length })), text);
      assertEquals(textOf(store.readPartSync(BASE, { offset, length })), text);
    }
  });

  test("readPart() and readPartSync() say NotFound of what is not there", async (store) => {
    const part = { offset: 0, length: 1 };
    await assertRejects(() => store.readPart(BASE, part), Deno.errors.NotFound);
    assertThrows(() => store.readPartSync(BASE, part), Deno.errors.NotFound);
  });

  test("rest() changes nothing, however often and between whatever it is called", async (store, again) => {
    store.rest();
    store.append(1, bytesOf("a"));
    for (let i = 0; i < 3; i++) store.rest();
    store.append(1, bytesOf("b"));
    store.rest();
    store.append(2, bytesOf("c"));
    store.rest();
    await store.sync();
    store.rest();
    store.truncate(1, 1);

    for (const one of [store, again()]) {
      assertEquals([textOf(one.readSync(1)), textOf(one.readSync(2))], ["a", "c"]);
    }
  });

  test("sync() settles, whatever was done before", async (store) => {
    await store.sync();
    store.append(1, bytesOf("a"));
    store.append(2, bytesOf("b"));
    const synced = store.sync();
    await Promise.all([store.remove(1), store.remove(2)]);
    await synced;
    await store.replace(3, bytesOf("c"), () => true);
    await store.sync();

    assertEquals(store.list().map(({ base }) => base), [3]);
  });

  test("sync() settles while a segment is written on, and when that is replaced or removed meanwhile", async (store) => {
    for (const base of [1, 2, 3]) store.append(base, bytesOf("a"));

    const synced = store.sync();
    store.append(3, bytesOf("b"));
    const removed = store.remove(1);
    const replaced = store.replace(2, bytesOf("c"), () => true);
    await Promise.all([synced, removed, replaced, store.sync()]);

    assertEquals(store.list().map(({ base, size }) => [base, size]), [[2, 1], [3, 2]]);
  });

  test("sync() settles though the segment that was written last is replaced meanwhile", async (store) => {
    for (let i = 0; i < 50; i++) {
      store.append(1, bytesOf("long"));

      await Promise.all([store.sync(), store.replace(1, bytesOf("new"), () => true)]);

      assertEquals(textOf(store.readSync(1)), "new");
    }
  });

  test("sync() settles though a segment is put aside meanwhile", async (store) => {
    for (let i = 0; i < 50; i++) {
      for (const base of [1, 2]) store.append(base, bytesOf("a"));
      const synced = store.sync();
      for (const base of [1, 2]) store.setAside(base);
      await synced;
    }

    assertEquals(store.list(), []);
  });

  test("sync() settles though the store is closed or destroyed meanwhile", async (store, again) => {
    store.append(1, bytesOf("a"));
    const closing = store.sync();
    store.close();
    await closing;
    const next = again();
    next.append(2, bytesOf("b"));
    const destroying = next.sync();
    await Promise.all([next.destroy(), destroying]);

    assertEquals(again().list(), []);
  });

  test("destroy() is not undone by what was begun before", async (store, again) => {
    store.append(1, bytesOf("a"));
    await store.writeState(pieces("state"));

    const begun = [store.writeState(pieces("late")), store.replace(2, bytesOf("late"), () => true)];
    const destroyed = store.destroy();
    const next = again();
    next.append(3, bytesOf("of another topic of that name"));
    await Promise.all([...begun, destroyed]);

    assertEquals([next.list().map(({ base }) => base), next.readState()], [[3], undefined]);
  });

  test("destroy() removes everything at once, as far as anybody can see", async (store, again) => {
    store.append(1, bytesOf("a"));
    await store.writeState(pieces("state"));

    const destroyed = store.destroy();
    const seen = [store, again()].map((one) => [one.list(), one.readState()]);
    await destroyed;

    assertEquals(seen, [[[], undefined], [[], undefined]]);
  });

  test(
    "destroy() of a topic that was there before leaves the next one of its name alone",
    async (store, again) => {
      const destroyed: Promise<void>[] = [];
      for (let i = 0; i < 5; i++) {
        const one = i === 0 ? store : again();
        one.append(i, bytesOf("a"));
        await one.writeState(pieces(`state ${i}`));
        destroyed.push(one.destroy());
      }
      const last = again();
      last.append(9, bytesOf("of the last"));
      await Promise.all([...destroyed, last.destroy()]);

      assertEquals([again().list(), again().readState()], [[], undefined]);
    },
  );

  test("close() keeps everything", async (store, again) => {
    store.append(BASE, bytesOf("abc"));
    await store.writeState(pieces("state"));

    store.close();

    assertEquals([again().list().length, textOf(again().readState() ?? new Uint8Array())], [1, "state"]);
  });

  test("destroy() removes everything, and the store can be used again", async (store, again) => {
    store.append(BASE, bytesOf("abc"));
    await store.writeState(pieces("state"));

    await store.destroy();
    for (const one of [store, again()]) assertEquals([one.list(), one.readState()], [[], undefined]);
    await store.destroy();
    store.append(BASE, bytesOf("anew"));

    assertEquals(textOf(again().readSync(BASE)), "anew");
  });

  test("reads what a segment writes", async (store) => {
    const { closed } = images(BASE);
    store.append(BASE, closed);
    const segment = Segment.onDisk({
      base: BASE,
      closing: CLOSING,
      size: closed.length,
    });

    assertEquals(segment.restore(await store.read(BASE)), []);
    assertEquals([segment.bodyLength(0), segment.bodyLength(1)], [1, 2]);
  });

  testStores("names topics that have a state only", async (open, reopen) => {
    await open("state").writeState(pieces("state"));
    const gone = open("gone");
    await gone.writeState(pieces("state"));
    await gone.writeState(undefined);
    gone.close();

    assertEquals(reopen().names(), ["state"]);
  });

  testStores("keeps topics apart, and names those that have segments", async (open, reopen) => {
    open("b").append(1, bytesOf("b"));
    open("a").append(1, bytesOf("a"));
    open("nothing");
    const gone = open("gone");
    gone.append(1, bytesOf("c"));
    await gone.destroy();

    assertEquals(reopen().names(), ["a", "b"]);
    assertEquals(textOf(open("a").readSync(1)), "a");
  });

  testStores("keeps topics apart whose names differ in case only", async (open, reopen) => {
    const names = ["ABC", "Abc", "abC", "abc", "a.b_c-D"];
    for (const [i, name] of names.entries()) {
      open(name).append(i, bytesOf(name));
      await open(name).writeState(pieces(`state of ${name}`));
    }

    assertEquals(reopen().names(), names.toSorted());
    for (const [i, name] of names.entries()) {
      assertEquals(open(name).list().map(({ base }) => base), [i]);
      assertEquals(textOf(open(name).readState() ?? new Uint8Array()), `state of ${name}`);
    }
  });
}

/** The image of a segment with two messages, before and after it is closed. */
function images(base: number): { open: Uint8Array; closed: Uint8Array } {
  const segment = new Segment({ base, capacityBytes: 1000, stored: true });
  const block = blockOfTexts("a", "bc");
  segment.append(block, 0, block.length, { count: 2, timestamp: { high: 1, low: 2 }, dueMs: 0 });
  segment.commit();
  const open = segment.unwritten().slice();
  segment.close();
  return { open, closed: segment.unwritten().slice() };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
