import { assertEquals, assertThrows } from "@std/assert";
import {
  batchPieces,
  bodyOf,
  CHUNK_MESSAGES_MAX,
  chunkOf,
  DamagedRecordError,
  decodeEntry,
  encodeEntry,
  MESSAGE_SIZE_MAX,
  PART_SIZE_MAX,
  partsOf,
  sizedBody,
} from "../../../src/nsqd/kv/chunk.ts";
import { writeU32 } from "../../../src/protocol/frames.ts";

const ENTRY = { count: 2, parts: 1, sizeBytes: 13, timestamp: { high: 0x18a0, low: 0xffff_ffff }, dueMs: 0 };
const ENTRY_BYTES = [1, 1, 0, 2, 0, 0, 0, 13, 0, 0, 0x18, 0xa0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0];
const CHUNK_BYTES = [0, 0, 0, 2, 97, 98, 0, 0, 0, 3, 99, 100, 101];

/** Messages of these sizes, one after the other. */
function blockOf(...sizes: readonly number[]): Uint8Array {
  const block = new Uint8Array(sizes.reduce((sum, size) => sum + 4 + size, 0));
  let end = 0;
  for (const size of sizes) {
    writeU32(block, end, size);
    end += 4 + size;
  }
  return block;
}

function countsOf(block: Uint8Array): number[] {
  return [...batchPieces(block)].map(({ count }) => count);
}

Deno.test("encodeEntry() writes this format, which decodeEntry() reads", () => {
  assertEquals([...encodeEntry(ENTRY)], ENTRY_BYTES);
  assertEquals(decodeEntry(Uint8Array.from(ENTRY_BYTES)), ENTRY);
});

Deno.test("decodeEntry() refuses what is none", () => {
  assertThrows(() => decodeEntry("text"), DamagedRecordError);
  assertThrows(() => decodeEntry(Uint8Array.from(ENTRY_BYTES.slice(1))), DamagedRecordError);
  assertThrows(() => decodeEntry(Uint8Array.from(ENTRY_BYTES.with(0, 2))), DamagedRecordError);
});

Deno.test("chunkOf() finds each message, also when its bytes are in parts", () => {
  const bytes = Uint8Array.from(CHUNK_BYTES);
  for (const parts of [[bytes], [bytes.subarray(0, 5), bytes.subarray(5)]]) {
    const chunk = chunkOf(ENTRY, parts);
    assertEquals([bodyOf(chunk, 0), bodyOf(chunk, 1)], [Uint8Array.of(97, 98), Uint8Array.of(99, 100, 101)]);
  }
});

Deno.test("chunkOf() refuses bytes that are not those of its messages", () => {
  const bytes = Uint8Array.from(CHUNK_BYTES);
  assertThrows(() => chunkOf(ENTRY, [bytes.subarray(1)]), DamagedRecordError);
  assertThrows(() => chunkOf(ENTRY, [bytes, bytes]), DamagedRecordError);
  assertThrows(() => chunkOf(ENTRY, [null]), DamagedRecordError);
  assertThrows(() => chunkOf({ ...ENTRY, count: 3 }, [bytes]), DamagedRecordError);
  assertThrows(() => chunkOf({ ...ENTRY, count: 1 }, [bytes]), DamagedRecordError);
  assertThrows(() => chunkOf(ENTRY, [bytes.with(3, 200)]), DamagedRecordError);
});

Deno.test("batchPieces() fills a piece to its most bytes, and not beyond", () => {
  const half = PART_SIZE_MAX / 2 - 4;

  assertEquals(countsOf(blockOf(half, half)), [2]);
  assertEquals(countsOf(blockOf(half, half + 1)), [1, 1]);
  assertEquals(countsOf(blockOf(half, half, 1)), [2, 1]);
});

Deno.test("batchPieces() fills a piece to its most messages, and not beyond", () => {
  const ones = (count: number) => blockOf(...Array.from({ length: count }, () => 1));

  assertEquals(countsOf(ones(CHUNK_MESSAGES_MAX)), [256]);
  assertEquals(countsOf(ones(CHUNK_MESSAGES_MAX + 1)), [256, 1]);
});

Deno.test("batchPieces() gives a large message a piece of its own, and refuses one that is too large", () => {
  assertEquals(countsOf(blockOf(1, MESSAGE_SIZE_MAX, 1)), [1, 1, 1]);
  assertThrows(() => countsOf(blockOf(1, MESSAGE_SIZE_MAX + 1)), RangeError);
});

Deno.test("partsOf() makes as many parts of the largest message as a chunk has", () => {
  const parts = partsOf(sizedBody(new Uint8Array(MESSAGE_SIZE_MAX)));

  assertEquals(parts.map(({ length }) => length), Array.from({ length: 12 }, () => 60_000));
});
