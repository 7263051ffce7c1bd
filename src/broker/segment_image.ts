/**
 * The image of a segment: its bytes in memory and in its file. Bytes to values and back; no I/O.
 *
 * The image, version 1 (all numbers big-endian):
 *
 * ```
 *  file   = header batch…
 *  header = "NSQSEG" [ version u16 ][ base position u64 ]                                    16 bytes
 *  batch  = [ magic u32 "NSQb" ][ crc u32 ][ length u32 ][ count u32 ]
 *           [ first position u64 ][ timestamp u64, ns ]                                      32 bytes
 *           [ attributes' length u16 ] attribute… message…                                   `length` bytes
 *  attribute = [ type u8 ][ length u16 ][ value ]
 *  message   = [ size u32 ][ body ]
 * ```
 *
 * `crc` is the CRC-32C of the batch from `length` on. The messages of a batch have consecutive positions, one
 * timestamp and the same attributes; positions between batches may be missing (they are holes: messages that
 * were damaged, or left out when a segment was compacted). An unknown attribute type is skipped. A batch of
 * zero messages closes a finished segment: its attribute `end` holds the number of positions of the segment.
 *
 * To change this format: write a new version number, keep the reader of the old one beside it, add a golden
 * file of the old one to the tests, and say in docs/architecture.md what the new one brings.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { readU32, writeU32 } from "../protocol/frames.ts";

/** Bytes of the file's header. */
export const SEGMENT_HEADER_LENGTH = 16;
/** Bytes of a batch before its attributes and messages, the attributes' length included. */
export const BATCH_HEADER_LENGTH = 34;
/** The version of the format that is written. */
export const SEGMENT_VERSION = 1;
/** The most messages in a segment: bounds the arrays that a channel keeps of one. */
export const SEGMENT_MESSAGES_MAX = 65536;
/** Bytes of the batch that closes a segment. */
export const CLOSING_BATCH_LENGTH = BATCH_HEADER_LENGTH + 3 + 4;

const FILE_MAGIC = new TextEncoder().encode("NSQSEG");
/** First bytes of a batch. */
export const BATCH_MAGIC = 0x4e535162;

/** Attribute types. */
export const ATTRIBUTE = { due: 1, end: 2 } as const;
/** Bytes of a due attribute. */
export const DUE_ATTRIBUTE_LENGTH = 3 + 8;

const TWO_TO_32 = 2 ** 32;

/** A moment in ns since 1970 as two unsigned 32-bit halves, because a double cannot hold it. */
export interface Timestamp {
  readonly high: number;
  readonly low: number;
}

/** What is wrong with an image, and where. */
export interface Damage {
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

/** The image is of another program, or of a version that this one does not know. */
export class SegmentFormatError extends Error {
  override readonly name = "SegmentFormatError";
}

/** A batch that was read. */
export interface Batch {
  readonly count: number;
  readonly firstPosition: number;
  readonly timestamp: Timestamp;
  readonly dueMs: number;
  /** Positions of the whole segment, of the batch that closes it; else -1. */
  readonly positions: number;
  /** Where the messages begin. */
  readonly messages: number;
  /** Where the batch ends. */
  readonly end: number;
}

/** How many positions the closing batch at the end of `tail` says, or -1 without one. */
export function closingCount(tail: Uint8Array): number {
  const batch = tail.length < CLOSING_BATCH_LENGTH
    ? "too short"
    : readBatch(tail, tail.length - CLOSING_BATCH_LENGTH);
  // A body could look like one at the end of a torn file: only what can be is believed.
  const plausible = typeof batch !== "string" && batch.count === 0 && batch.positions <= SEGMENT_MESSAGES_MAX;
  return plausible && batch.positions > 0 ? batch.positions : -1;
}

/** The batch at `offset`, or what is wrong with it. */
export function readBatch(bytes: Uint8Array, offset: number): Batch | string {
  if (bytes.length - offset < BATCH_HEADER_LENGTH) return "torn batch header";
  if (readU32(bytes, offset) !== BATCH_MAGIC) return "no batch";
  const end = offset + BATCH_HEADER_LENGTH - 2 + readU32(bytes, offset + 8);
  if (end > bytes.length) return "torn batch";
  if (crc32c(bytes, offset + 8, end) !== readU32(bytes, offset + 4)) return "wrong checksum";
  const messages = offset + BATCH_HEADER_LENGTH + (bytes[offset + 32] << 8 | bytes[offset + 33]);
  let dueMs = 0;
  let positions = -1;
  for (let at = offset + BATCH_HEADER_LENGTH; at + 3 <= messages;) {
    const length = bytes[at + 1] << 8 | bytes[at + 2];
    if (bytes[at] === ATTRIBUTE.due) dueMs = readU64(bytes, at + 3) / 1000;
    else if (bytes[at] === ATTRIBUTE.end) positions = readU32(bytes, at + 3);
    at += 3 + length;
  }
  return {
    count: readU32(bytes, offset + 12),
    firstPosition: readU64(bytes, offset + 16),
    timestamp: { high: readU32(bytes, offset + 24), low: readU32(bytes, offset + 28) },
    dueMs,
    positions,
    messages,
    end,
  };
}

/** Where the next whole batch begins at or after `offset`, or the end. */
export function nextBatch(bytes: Uint8Array, offset: number): number {
  for (
    let at = bytes.indexOf(BATCH_MAGIC >>> 24, offset);
    at >= 0;
    at = bytes.indexOf(BATCH_MAGIC >>> 24, at + 1)
  ) {
    if (typeof readBatch(bytes, at) !== "string") return at;
  }
  return bytes.length;
}

/** Writes the header of a segment that begins at that position. */
export function writeHeader(image: Uint8Array, base: number): void {
  image.set(FILE_MAGIC);
  image[6] = SEGMENT_VERSION >>> 8;
  image[7] = SEGMENT_VERSION;
  writeU64(image, 8, base);
}

/** Throws a {@linkcode SegmentFormatError} when the image is not of this version, or of another segment. */
export function checkHeader(image: Uint8Array, base: number): void {
  if (image.length < SEGMENT_HEADER_LENGTH || FILE_MAGIC.some((byte, i) => image[i] !== byte)) {
    throw new SegmentFormatError("Not a segment file");
  }
  const version = image[6] << 8 | image[7];
  if (version !== SEGMENT_VERSION) {
    throw new SegmentFormatError(`Segment file of version ${version}, this program knows ${SEGMENT_VERSION}`);
  }
  if (readU64(image, 8) !== base) throw new SegmentFormatError("Segment file under another's name");
}

/** Writes the type and length of an attribute. */
export function writeAttribute(bytes: Uint8Array, offset: number, type: number, length: number): void {
  bytes[offset] = type;
  bytes[offset + 1] = length >>> 8;
  bytes[offset + 2] = length;
}

/** Writes a whole number of up to 53 bits as 64. */
export function writeU64(bytes: Uint8Array, offset: number, value: number): void {
  writeU32(bytes, offset, Math.floor(value / TWO_TO_32));
  writeU32(bytes, offset + 4, value % TWO_TO_32);
}

/** Reads what `writeU64` wrote. */
export function readU64(bytes: Uint8Array, offset: number): number {
  return readU32(bytes, offset) * TWO_TO_32 + readU32(bytes, offset + 4);
}

/** Where `count` messages, each a size and a body, that begin at `start` end. */
export function endOfMessages(block: Uint8Array, start: number, count: number): number {
  let end = start;
  for (let i = 0; i < count; i++) end += 4 + readU32(block, end);
  return end;
}
