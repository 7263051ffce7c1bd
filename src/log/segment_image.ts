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
 * zero messages closes a finished segment: its attribute `end` holds the number of positions of the segment, and
 * how many of its messages are deferred. `origin` is what another queue had said about a message that was taken
 * over from it: its id there, and its attempts so far.
 *
 * To change this format: write a new version number, keep the reader of the old one beside it, add a golden
 * file of the old one to the tests, and say in docs/architecture.md what the new one brings.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { readU32, writeU32 } from "../protocol/frames.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";

/** Bytes of the file's header. */
export const SEGMENT_HEADER_LENGTH = 16;
/** Bytes of a batch before its attributes and messages, the attributes' length included. */
export const BATCH_HEADER_LENGTH = 34;
/** The version of the format that is written. */
export const SEGMENT_VERSION = 1;
/** The most messages in a segment: bounds the arrays that a channel keeps of one. */
export const SEGMENT_MESSAGES_MAX = 65536;
/** Bytes of the batch that closes a segment. */
export const CLOSING_BATCH_LENGTH = BATCH_HEADER_LENGTH + 3 + 8;

const FILE_MAGIC = new TextEncoder().encode("NSQSEG");
/** First bytes of a batch. */
export const BATCH_MAGIC = 0x4e535162;

/** Attribute types. */
export const ATTRIBUTE = { due: 1, end: 2, origin: 3 } as const;
/** Bytes of a due attribute. */
export const DUE_ATTRIBUTE_LENGTH = 3 + 8;
/** Bytes of an origin: an id, and the attempts as u16. */
export const ORIGIN_LENGTH = MESSAGE_ID_LENGTH + 2;
/** Bytes of an origin attribute. */
export const ORIGIN_ATTRIBUTE_LENGTH = 3 + ORIGIN_LENGTH;

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
  /** The end of the image is missing: a write was interrupted. Nothing that was whole once is in these bytes. */
  readonly torn: boolean;
}

/** What the batch says that closes a segment. */
export interface Closing {
  /** Positions of the segment. */
  readonly positions: number;
  /** Deferred messages. */
  readonly deferred: number;
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
  /** Where the origin of its message is, or 0. */
  readonly origin: number;
  /** Of the batch that closes a segment. */
  readonly closing: Closing | undefined;
  /** Where the messages begin. */
  readonly messages: number;
  /** Where the batch ends. */
  readonly end: number;
}

/** What the closing batch at the end of `tail` says, or undefined without one. */
export function closingOf(tail: Uint8Array): Closing | undefined {
  if (tail.length < CLOSING_BATCH_LENGTH) return undefined;
  const batch = readBatch(tail, tail.length - CLOSING_BATCH_LENGTH);
  if (typeof batch === "string" || batch.count > 0 || !batch.closing) return undefined;
  // A body could look like one at the end of a torn file: only what can be is believed.
  const { positions, deferred } = batch.closing;
  return positions > 0 && positions <= SEGMENT_MESSAGES_MAX && deferred <= positions
    ? batch.closing
    : undefined;
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
  let origin = 0;
  let closing: Closing | undefined;
  for (let at = offset + BATCH_HEADER_LENGTH; at + 3 <= messages;) {
    const length = bytes[at + 1] << 8 | bytes[at + 2];
    if (bytes[at] === ATTRIBUTE.due) dueMs = readU64(bytes, at + 3) / 1000;
    else if (bytes[at] === ATTRIBUTE.origin) origin = at + 3;
    else if (bytes[at] === ATTRIBUTE.end && length >= 8) {
      closing = { positions: readU32(bytes, at + 3), deferred: readU32(bytes, at + 7) };
    }
    at += 3 + length;
  }
  return {
    count: readU32(bytes, offset + 12),
    firstPosition: readU64(bytes, offset + 16),
    timestamp: { high: readU32(bytes, offset + 24), low: readU32(bytes, offset + 28) },
    dueMs,
    origin,
    closing,
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

/**
 * Where the first batch is to begin: behind the header or, when that is damaged and batches of the segment follow, at
 * the beginning.
 *
 * @throws {SegmentFormatError} When the image is not of this version, of another segment, or none.
 */
export function firstBatch(image: Uint8Array, base: number): number {
  if (image.length < SEGMENT_HEADER_LENGTH || FILE_MAGIC.some((byte, i) => image[i] !== byte)) {
    const first = readBatch(image, nextBatch(image, 0));
    const index = typeof first === "string" ? -1 : first.firstPosition - base;
    if (index < 0 || index >= SEGMENT_MESSAGES_MAX) throw new SegmentFormatError("Not a segment file");
    return 0;
  }
  const version = image[6] << 8 | image[7];
  if (version !== SEGMENT_VERSION) {
    throw new SegmentFormatError(`Segment file of version ${version}, this program knows ${SEGMENT_VERSION}`);
  }
  if (readU64(image, 8) !== base) throw new SegmentFormatError("Segment file under another's name");
  return SEGMENT_HEADER_LENGTH;
}

/** True when not even the header of the segment was written to its end. */
export function isTornHeader(image: Uint8Array, base: number): boolean {
  if (isZero(image, 0, image.length)) return true;
  if (image.length >= SEGMENT_HEADER_LENGTH) return false;
  const header = new Uint8Array(SEGMENT_HEADER_LENGTH);
  writeHeader(header, base);
  return image.every((byte, i) => byte === header[i] || byte === 0);
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

/** True when the bytes [from, to) are all zero: what a file system leaves where a write was not synced. */
export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if (bytes[i] !== 0) return false;
  }
  return true;
}

/** Where `count` messages, each a size and a body, that begin at `start` end. */
export function endOfMessages(block: Uint8Array, start: number, count: number): number {
  let end = start;
  for (let i = 0; i < count; i++) end += 4 + readU32(block, end);
  return end;
}
