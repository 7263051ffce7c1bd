/**
 * A chunk: messages that were published together, in one commit. It never changes, so whoever has read it may keep it. Its
 * entry says what it holds, and its bytes are sizes and bodies one after the other, as MPUB has them; a message that is too
 * large for one value has a chunk of its own, in parts.
 *
 * ```
 *  entry   0 version │ 1 parts │ 2 count u16 │ 4 bytes u32 │ 8 timestamp u64, ns │ 16 dueMs f64      24 bytes
 * ```
 *
 * @module
 */
import { readU32, writeU32 } from "../../protocol/frames.ts";

/** Bytes of one value: a database takes 64 KiB, and 10 to 12 such values in a commit. */
export const PART_SIZE_MAX = 60_000;
/** Values of one chunk. */
export const PARTS_MAX = 12;
/** Messages of one chunk: the state of all of them is written with every change of one. */
export const CHUNK_MESSAGES_MAX = 256;
/** Bytes before each body. */
export const SIZE_LENGTH = 4;
/** Bytes of the largest message: a commit takes 819,200 in all. */
export const MESSAGE_SIZE_MAX = PART_SIZE_MAX * PARTS_MAX - SIZE_LENGTH;

const VERSION = 1;
const ENTRY_LENGTH = 24;

/** What the entry of a chunk says. */
export interface ChunkEntry {
  readonly count: number;
  /** Values that its bytes are in. */
  readonly parts: number;
  readonly sizeBytes: number;
  readonly timestamp: { readonly high: number; readonly low: number };
  /** When it may be delivered first, in ms since 1970; 0 is at once. */
  readonly dueMs: number;
}

/** The messages of a chunk. */
export interface Chunk extends ChunkEntry {
  readonly bytes: Uint8Array;
  /** Where the body of each message begins, and one more, as if there were a message after the last. */
  readonly offsets: Uint32Array;
}

/** A database has something that this program has not put there, or not like that. */
export class DamagedRecordError extends Error {
  override readonly name = "DamagedRecordError";
}

/** The entry as bytes. */
export function encodeEntry({ count, parts, sizeBytes, timestamp, dueMs }: ChunkEntry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = parts;
  view.setUint16(2, count);
  view.setUint32(4, sizeBytes);
  view.setUint32(8, timestamp.high);
  view.setUint32(12, timestamp.low);
  view.setFloat64(16, dueMs);
  return bytes;
}

/** @throws {DamagedRecordError} */
export function decodeEntry(value: unknown): ChunkEntry {
  if (!(value instanceof Uint8Array) || value.length < ENTRY_LENGTH || value[0] !== VERSION) {
    throw new DamagedRecordError("The entry of a chunk is none of this version");
  }
  const view = new DataView(value.buffer, value.byteOffset);
  return {
    parts: value[1],
    count: view.getUint16(2),
    sizeBytes: view.getUint32(4),
    timestamp: { high: view.getUint32(8), low: view.getUint32(12) },
    dueMs: view.getFloat64(16),
  };
}

/** The parts that the bytes of a chunk are kept in. */
export function partsOf(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += PART_SIZE_MAX) {
    parts.push(bytes.subarray(from, from + PART_SIZE_MAX));
  }
  return parts;
}

/** The chunk of these parts. @throws {DamagedRecordError} */
export function chunkOf(entry: ChunkEntry, parts: readonly unknown[]): Chunk {
  const bytes = new Uint8Array(entry.sizeBytes);
  let end = 0;
  for (const part of parts) {
    if (!(part instanceof Uint8Array) || end + part.length > bytes.length) {
      throw new DamagedRecordError("A part of a chunk is missing, or none");
    }
    bytes.set(part, end);
    end += part.length;
  }
  const offsets = new Uint32Array(entry.count + 1);
  let offset = SIZE_LENGTH;
  for (let i = 0; i < entry.count; i++) {
    offsets[i] = offset;
    if (offset > end) throw new DamagedRecordError("A chunk has fewer messages than its entry says");
    offset += readU32(bytes, offset - SIZE_LENGTH) + SIZE_LENGTH;
  }
  offsets[entry.count] = offset;
  if (end !== bytes.length || offset !== end + SIZE_LENGTH) {
    throw new DamagedRecordError("The bytes of a chunk are not those of its messages");
  }
  return { ...entry, bytes, offsets };
}

/** Bytes of all bodies. */
export function bodiesLength({ sizeBytes, count }: ChunkEntry): number {
  return sizeBytes - count * SIZE_LENGTH;
}

/** Bytes of the body of a message. */
export function bodyLength({ offsets }: Pick<Chunk, "offsets">, index: number): number {
  return offsets[index + 1] - offsets[index] - SIZE_LENGTH;
}

/** The body of a message, as a copy. */
export function bodyOf(chunk: Chunk, index: number): Uint8Array<ArrayBuffer> {
  const from = chunk.offsets[index];
  return chunk.bytes.slice(from, from + bodyLength(chunk, index)) as Uint8Array<ArrayBuffer>;
}

/** One message as it is in a chunk: its size, and its body. */
export function sizedBody(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(SIZE_LENGTH + body.length);
  writeU32(bytes, 0, body.length);
  bytes.set(body, SIZE_LENGTH);
  return bytes;
}

/** Messages in the bytes [from, to) of a batch that go into one chunk. */
export interface BatchPiece {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** The pieces of a batch of messages, each as large as a chunk may be. @throws {RangeError} If a message is too large for any. */
export function* batchPieces(block: Uint8Array): Generator<BatchPiece> {
  let from = 0;
  let count = 0;
  let end = 0;
  while (end < block.length) {
    const size = SIZE_LENGTH + readU32(block, end);
    if (size > MESSAGE_SIZE_MAX + SIZE_LENGTH) throw new RangeError("Message too large for a chunk");
    const isFull = count === CHUNK_MESSAGES_MAX || end + size - from > PART_SIZE_MAX;
    if (isFull && count > 0) {
      yield { from, to: end, count };
      from = end;
      count = 0;
    }
    end += size;
    count++;
  }
  if (count > 0) yield { from, to: end, count };
}
