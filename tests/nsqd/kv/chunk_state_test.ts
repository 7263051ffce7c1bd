import { assertEquals, assertThrows } from "@std/assert";
import { DamagedRecordError } from "../../../src/nsqd/kv/chunk.ts";
import { ChunkState } from "../../../src/nsqd/kv/chunk_state.ts";

const SHAPE = { count: 3, parts: 1, dueMs: 0 };
const NOW_MS = 1_000_000;
const TERMS = { timeoutMs: 60_000, nowMs: NOW_MS };

/** Two messages of which the same is true, and one that is done. */
const RECORD = [
  ...[1, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 2, 1, 0, 0, 1, 0, 0, 0, 2, 64, 20, 0, 0, 0, 0, 0, 0, 64, 8, 0, 0, 0, 0, 0, 0],
  ...[0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];

Deno.test("ChunkState writes this format, and reads it", () => {
  const state = ChunkState.initial(SHAPE);
  for (let i = 0; i < 3; i++) state.lease(i, { timeoutMs: 2, nowMs: 3 });
  state.finish(2);

  assertEquals([...state.encode()], RECORD);
  assertEquals([...ChunkState.decode(Uint8Array.from(RECORD)).encode()], RECORD);
});

Deno.test("ChunkState writes less than 1000 bytes for 256 messages that were leased 10 at a time", () => {
  const state = ChunkState.initial({ ...SHAPE, count: 256 });
  for (let i = 0; i < 256; i++) state.lease(i, { timeoutMs: 60_000, nowMs: NOW_MS + Math.floor(i / 10) });

  assertEquals(state.encode().length, 12 + 26 * 26);
  assertEquals(ChunkState.decode(state.encode()).encode(), state.encode());
});

Deno.test("ChunkState refuses a record that is none", () => {
  const record = Uint8Array.from(RECORD);

  assertThrows(() => ChunkState.decode(null), DamagedRecordError);
  assertThrows(() => ChunkState.decode(record.with(0, 2)), DamagedRecordError);
  for (let length = 0; length < record.length; length++) {
    assertThrows(() => ChunkState.decode(record.subarray(0, length)), DamagedRecordError);
  }
  assertThrows(() => ChunkState.decode(Uint8Array.from([...RECORD, 0])), DamagedRecordError);
  assertThrows(() => ChunkState.decode(record.with(13, 3)), DamagedRecordError);
  assertThrows(() => ChunkState.decode(record.with(13, 1)), DamagedRecordError);
});

Deno.test("ChunkState counts what can be had, what is leased and what is deferred, and knows when that changes", () => {
  const state = ChunkState.initial(SHAPE);
  assertEquals(state.counts(NOW_MS), { ready: 3, leased: 0, deferred: 0, changeMs: Infinity });
  state.lease(0, TERMS);
  state.requeue(1, NOW_MS + 5000);
  state.finish(2);

  assertEquals(state.counts(NOW_MS), { ready: 0, leased: 1, deferred: 1, changeMs: NOW_MS + 5000 });
  assertEquals(state.counts(NOW_MS + 5000), { ready: 1, leased: 1, deferred: 0, changeMs: NOW_MS + 60_000 });
  // Over for its holder, and left to it for a second more.
  assertEquals(state.counts(NOW_MS + 60_000), {
    ready: 1,
    leased: 0,
    deferred: 0,
    changeMs: NOW_MS + 61_000,
  });
  assertEquals(state.counts(NOW_MS + 61_000), { ready: 2, leased: 0, deferred: 0, changeMs: Infinity });
});

Deno.test("ChunkState.fateOf() tells what has become of a message since it was delivered", () => {
  const state = ChunkState.initial(SHAPE);
  assertEquals(state.fateOf(0, 1, NOW_MS), "unknown");
  assertEquals(state.lease(0, TERMS), 1);
  assertEquals(state.fateOf(0, 1, NOW_MS + 59_999), "held");
  assertEquals(state.fateOf(0, 1, NOW_MS + 60_000), "returned");
  assertEquals(state.fateOf(0, 2, NOW_MS), "unknown");
  assertEquals(state.fateOf(3, 1, NOW_MS), "unknown");
  assertEquals(state.lease(0, TERMS), 2);
  assertEquals(state.fateOf(0, 1, NOW_MS), "superseded");
  state.requeue(0, 0);
  assertEquals(state.fateOf(0, 2, NOW_MS), "returned");
  state.finish(0);
  assertEquals(state.fateOf(0, 1, NOW_MS), "finished");
});

Deno.test("ChunkState.touch() prolongs a lease by its time, but not beyond the longest one", () => {
  const state = ChunkState.initial(SHAPE);
  state.lease(0, TERMS);

  assertEquals(state.touch(0, { nowMs: NOW_MS + 50_000, heldMaxMs: 100_000 }), NOW_MS + 100_000);
  assertEquals(state.touch(0, { nowMs: NOW_MS + 30_000, heldMaxMs: 100_000 }), NOW_MS + 90_000);
});

Deno.test("ChunkState.lease() counts attempts up to 65535, and stays there", () => {
  const state = ChunkState.initial(SHAPE);
  for (let i = 1; i < 65_535; i++) state.lease(0, TERMS);

  assertEquals([state.lease(0, TERMS), state.lease(0, TERMS)], [65_535, 65_535]);
});

Deno.test("ChunkState.unlease() takes the attempt back", () => {
  const state = ChunkState.initial(SHAPE);
  state.lease(0, TERMS);
  state.unlease(0);

  assertEquals([state.attempts(0), state.isReady(0, NOW_MS)], [0, true]);
});

Deno.test("ChunkState.copy() is changed, and not what it is a copy of", () => {
  const state = ChunkState.initial({ ...SHAPE, count: 1 });
  const copy = state.copy();
  copy.finish(0);

  assertEquals([state.isDone, state.isChanged, copy.isDone, copy.isChanged], [false, false, true, true]);
});
