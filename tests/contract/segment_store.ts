/**
 * What every store of segments must do: the broker relies on it (src/log/segment_store.ts).
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { StoreFactory } from "../../src/broker/broker.ts";
import { Segment } from "../../src/log/segment.ts";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import { blockOfTexts } from "../support/broker_messages.ts";

/** Stores under test. */
export interface StoresUnderTest extends AsyncDisposable {
  /** The same stores as a program sees them that is started anew. */
  reopen(): StoreFactory;
}

/** A position of today, which needs more than 32 bits. */
const BASE = 1_387_738_195_312_640;

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
        { base: BASE, size: closed.length, closing: { positions: 2, deferred: 0 } },
        { base: BASE + 9, size: open.length, closing: undefined },
      ]);
    }
  });

  test("list() counts a segment when it is closed later", (store) => {
    const { open, closed } = images(BASE);
    store.append(BASE, open);
    store.append(BASE, closed.subarray(open.length));

    assertEquals(store.list(), [{ base: BASE, size: closed.length, closing: { positions: 2, deferred: 0 } }]);
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

    assertEquals(store.list().map(({ closing }) => closing), [{ positions: 2, deferred: 2 }]);
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
    store.remove(1);

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
    await store.writeState(bytesOf("state"));

    store.setStateAside();

    for (const one of [store, again()]) assertEquals([one.readState(), one.list().length], [undefined, 1]);
    await store.writeState(bytesOf("another"));
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

    store.remove(1);
    store.remove(1);

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
    const state = bytesOf("first, long");
    const written = store.writeState(state);
    state.fill(0);
    await written;
    assertEquals(textOf(store.readState() ?? new Uint8Array()), "first, long");

    await store.writeState(bytesOf("second"));
    for (const one of [store, again()]) assertEquals(textOf(one.readState() ?? new Uint8Array()), "second");
    await store.writeState(undefined);
    await store.writeState(undefined);

    for (const one of [store, again()]) assertEquals(one.readState(), undefined);
  });

  test("sync() settles, whatever was done before", async (store) => {
    await store.sync();
    store.append(1, bytesOf("a"));
    store.append(2, bytesOf("b"));
    const synced = store.sync();
    store.remove(1);
    store.remove(2);
    await synced;
    await store.replace(3, bytesOf("c"), () => true);
    await store.sync();

    assertEquals(store.list().map(({ base }) => base), [3]);
  });

  test("sync() settles while a segment is written on, and when that is replaced or removed meanwhile", async (store) => {
    for (const base of [1, 2, 3]) store.append(base, bytesOf("a"));

    const synced = store.sync();
    store.append(3, bytesOf("b"));
    store.remove(1);
    const replaced = store.replace(2, bytesOf("c"), () => true);
    await Promise.all([synced, replaced, store.sync()]);

    assertEquals(store.list().map(({ base, size }) => [base, size]), [[2, 1], [3, 2]]);
  });

  test("sync() settles though the store is closed or destroyed meanwhile", async (store, again) => {
    store.append(1, bytesOf("a"));
    const closing = store.sync();
    store.close();
    await closing;
    const next = again();
    next.append(2, bytesOf("b"));
    const destroying = next.sync();
    next.destroy();

    await destroying;

    assertEquals(again().list(), []);
  });

  test("destroy() is not undone by what was begun before", async (store, again) => {
    store.append(1, bytesOf("a"));
    await store.writeState(bytesOf("state"));

    const begun = [store.writeState(bytesOf("late")), store.replace(2, bytesOf("late"), () => true)];
    store.destroy();
    const next = again();
    next.append(3, bytesOf("of another topic of that name"));
    await Promise.all(begun);

    assertEquals([next.list().map(({ base }) => base), next.readState()], [[3], undefined]);
  });

  test("close() keeps everything", async (store, again) => {
    store.append(BASE, bytesOf("abc"));
    await store.writeState(bytesOf("state"));

    store.close();

    assertEquals([again().list().length, textOf(again().readState() ?? new Uint8Array())], [1, "state"]);
  });

  test("destroy() removes everything, and the store can be used again", async (store, again) => {
    store.append(BASE, bytesOf("abc"));
    await store.writeState(bytesOf("state"));

    store.destroy();
    for (const one of [store, again()]) assertEquals([one.list(), one.readState()], [[], undefined]);
    store.destroy();
    store.append(BASE, bytesOf("anew"));

    assertEquals(textOf(again().readSync(BASE)), "anew");
  });

  test("reads what a segment writes", async (store) => {
    const { closed } = images(BASE);
    store.append(BASE, closed);
    const segment = Segment.onDisk({
      base: BASE,
      closing: { positions: 2, deferred: 0 },
      size: closed.length,
    });

    assertEquals(segment.restore(await store.read(BASE)), []);
    assertEquals([segment.bodyLength(0), segment.bodyLength(1)], [1, 2]);
  });

  testStores("names topics that have a state only", async (open, reopen) => {
    await open("state").writeState(bytesOf("state"));
    const gone = open("gone");
    await gone.writeState(bytesOf("state"));
    await gone.writeState(undefined);
    gone.close();

    assertEquals(reopen().names(), ["state"]);
  });

  testStores("keeps topics apart, and names those that have segments", (open, reopen) => {
    open("b").append(1, bytesOf("b"));
    open("a").append(1, bytesOf("a"));
    open("nothing");
    const gone = open("gone");
    gone.append(1, bytesOf("c"));
    gone.destroy();

    assertEquals(reopen().names(), ["a", "b"]);
    assertEquals(textOf(open("a").readSync(1)), "a");
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
