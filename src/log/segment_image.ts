/**
 * The image of a segment: its bytes in memory and in its file. Bytes to values and back; no I/O.
 *
 * The image, version 2 (all numbers big-endian):
 *
 * ```
 *  file      = header batch… index… closing
 *  header    = "NSQSEG" [ version u16 ][ base position u64 ]                                        16 bytes
 *  batch     = [ magic u32 "NSQb" ][ crc u32 ][ length u32 ][ kind u8 ][ count u24 ]
 *              [ first position u64 ][ timestamp u64, ns ]                                          32 bytes
 *              [ attributes' length u16 ] attribute… message…                                       `length` bytes
 *  attribute = [ type u8 ][ length u16 ][ value ]
 *  message   = [ size u32 ][ body ]
 *            | [ attributes' length u16 ] attribute… [ size u32 ][ body ]                           in kind `own`
 *  index     = a batch of kind `index`, with entries in the place of messages
 *  entry     = [ due u64, ms ][ index u32 ][ offset u32 ][ length u32 ]                             20 bytes
 *  closing   = a batch of kind `closing`, with nothing behind its attributes `summary` and `trailer`
 * ```
 *
 * `crc` is the CRC-32C of the batch from `length` on. The messages of a batch have consecutive positions, one timestamp
 * and the same attributes, and in a batch of kind `own` further ones each. Positions between batches may be missing
 * (holes: messages that were damaged, or left out when a segment was rewritten). So that one message can be read
 * without its segment, a batch holds at most `BATCH_BYTES_MAX`, unless a single message is longer; an MPUB that needs
 * several marks all but the last as kind `more`: a file that ends before the last was torn in it, and has none of it.
 *
 * Attributes are kept byte for byte when a segment is rewritten, known or not. `due` is when a message is due (u64, µs, in
 * whole ms), `origin` what another queue had said about a message that was taken over from it: its id there, and its
 * attempts so far; `trace` the context of the span that it was published in: W3C's trace id, span id and flags.
 *
 * The index has every deferred message of the segment: when it is due, and where its batch lies. It is ordered by due time
 * and then by message, in blocks of `INDEX_ENTRIES_MAX` entries. The closing batch tells what is in the segment
 * ({@linkcode Closing}); the file's last bytes, the trailer, tell its length.
 *
 * To change this format: write a new version number, keep the reader of the old one beside it, add a golden
 * file of the old one to tests/log/golden, and say in docs/architecture.md what the new one brings. What changed so far:
 *
 * - Version 1 had no kinds, no index, and batches as long as their MPUB; its closing batch has the one attribute `end`
 *   (positions u32, deferred u32) and no trailer. It is still read; what is rewritten is written as version 2.
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
export const SEGMENT_VERSION = 2;
/** The oldest version that is read. */
const SEGMENT_VERSION_MIN = 1;
/** The most messages in a segment. */
export const SEGMENT_MESSAGES_MAX = 65536;
/** The most bytes of a batch's messages when there are several: what is read for the sake of one. */
export const BATCH_BYTES_MAX = 16 * 1024;

/** Kinds of batches besides the usual one, as bits. */
export const KIND = { more: 0x80, own: 0x40, index: 0x20, closing: 0x10 } as const;
const KINDS_KNOWN = KIND.more | KIND.own | KIND.index | KIND.closing;

/** Attribute types. */
export const ATTRIBUTE = { due: 1, end: 2, origin: 3, summary: 4, trailer: 5, trace: 6 } as const;
/** Bytes of an attribute before its value. */
export const ATTRIBUTE_HEADER_LENGTH = 3;
/** Bytes of a due attribute. */
export const DUE_ATTRIBUTE_LENGTH = ATTRIBUTE_HEADER_LENGTH + 8;
/** The most bytes of further attributes of a batch: with the due one their length has 16 bits. */
export const ATTRIBUTES_LENGTH_MAX = 0xffff - DUE_ATTRIBUTE_LENGTH;
/** Bytes of an origin: an id, and the attempts as u16. */
export const ORIGIN_LENGTH = MESSAGE_ID_LENGTH + 2;
/** Bytes of an origin attribute. */
export const ORIGIN_ATTRIBUTE_LENGTH = ATTRIBUTE_HEADER_LENGTH + ORIGIN_LENGTH;

/** Bytes of a trace's context: ids of 16 and 8 bytes, and flags. */
export const TRACE_LENGTH = 25;
/** Bytes of a trace attribute. */
export const TRACE_ATTRIBUTE_LENGTH = ATTRIBUTE_HEADER_LENGTH + TRACE_LENGTH;

/** Bytes of an entry of the index. */
export const INDEX_ENTRY_LENGTH = 20;
/** The most entries of a block of the index. */
export const INDEX_ENTRIES_MAX = 500;
/** Bytes of a full block of the index. */
export const INDEX_BLOCK_LENGTH = BATCH_HEADER_LENGTH + INDEX_ENTRIES_MAX * INDEX_ENTRY_LENGTH;

const SUMMARY_LENGTH = 52;
const TRAILER_LENGTH = 8;
/** Bytes of the batch that closes a segment. */
export const CLOSING_BATCH_LENGTH = BATCH_HEADER_LENGTH + 2 * ATTRIBUTE_HEADER_LENGTH + SUMMARY_LENGTH +
  TRAILER_LENGTH;
const CLOSING_BATCH_LENGTH_V1 = BATCH_HEADER_LENGTH + ATTRIBUTE_HEADER_LENGTH + 8;
/** So many bytes of a file's end hold its closing batch, whatever later versions add to it. */
export const TAIL_LENGTH = 512;

/** Where the version is in a file's header, as u16. */
const VERSION_OFFSET = 6;
const FILE_MAGIC = new TextEncoder().encode("NSQSEG");
/** First bytes of a batch. */
export const BATCH_MAGIC = 0x4e535162;
/** Last bytes of a closed segment: "NSQe". */
const TRAILER_MAGIC = 0x4e535165;

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
  /** Messages, without the holes; undefined in version 1, which does not say. */
  readonly messages: number | undefined;
  /** Deferred messages. */
  readonly deferred: number;
  /** When the first of them is due, in ms; 0 without any, or where that is not known. */
  readonly earliestDueMs: number;
  /** Where the index begins, and its entries; undefined where there is none. */
  readonly index: DueIndex | undefined;
  readonly firstTimestamp: Timestamp;
  readonly lastTimestamp: Timestamp;
  /** Bytes of the bodies together. */
  readonly bodyBytes: number;
}

/** Where a segment's index is. */
export interface DueIndex {
  readonly offset: number;
  readonly entries: number;
}

/** A deferred message, as the index has it. */
export interface DueEntry {
  readonly dueMs: number;
  /** Of the message in the segment. */
  readonly index: number;
  /** Where its batch lies in the image. */
  readonly offset: number;
  readonly length: number;
}

/** The image is of another program, or of a version that this one does not know. */
export class SegmentFormatError extends Error {
  override readonly name = "SegmentFormatError";
}

/** Reads batches, one after the other: an object for each would be a burden where messages come singly. */
export class BatchReader {
  /** What is wrong with the batch that was to be read; empty when nothing is. */
  fault = "";
  kind = 0;
  count = 0;
  firstPosition = 0;
  timestampHigh = 0;
  timestampLow = 0;
  /** When its messages are due, in ms; 0 is at once. */
  dueMs = 0;
  /** Where the origin of its message is, or 0. */
  origin = 0;
  /** Where the context of the trace of its messages is, or 0. */
  trace = 0;
  /** What it says of the segment that it closes; undefined when it does not. */
  closing: Closing | undefined;
  /** Where the messages begin. */
  messages = 0;
  /** Where the batch ends. */
  end = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Reads the batch at `offset`; false when there is none that is whole, which `fault` explains. */
  read(offset: number): boolean {
    this.fault = this.#read(offset, true);
    return this.fault === "";
  }

  /** Reads a batch in memory, whose checksum may not have been written yet. */
  readUnchecked(offset: number): void {
    this.fault = this.#read(offset, false);
  }

  /**
   * Calls `see` for each message, with the offset of its body and what precedes its size: where the message begins.
   *
   * @returns false when they do not fill the batch as they should.
   */
  walk(see: (index: number, start: number, body: number) => void): boolean {
    const bytes = this.#bytes;
    let at = this.messages;
    for (let i = 0; i < this.count; i++) {
      const start = at;
      if (this.kind & KIND.own) {
        if (at + 2 > this.end) return false;
        at += 2 + (bytes[at] << 8 | bytes[at + 1]);
      }
      if (at + 4 > this.end) return false;
      const body = at + 4;
      at = body + readU32(bytes, at);
      if (at > this.end) return false;
      see(i, start, body);
    }
    return at === this.end;
  }

  #read(offset: number, checked: boolean): string {
    const bytes = this.#bytes;
    if (bytes.length - offset < BATCH_HEADER_LENGTH) return "torn batch header";
    if (readU32(bytes, offset) !== BATCH_MAGIC) return "no batch";
    const length = readU32(bytes, offset + 8);
    const end = offset + BATCH_HEADER_LENGTH - 2 + length;
    if (end > bytes.length) return "torn batch";
    if (checked && (length < 2 || crc32c(bytes, offset + 8, end) !== readU32(bytes, offset + 4))) {
      return "wrong checksum";
    }
    const messages = offset + BATCH_HEADER_LENGTH + (bytes[offset + 32] << 8 | bytes[offset + 33]);
    if (messages > end) return "attributes longer than their batch";
    this.kind = bytes[offset + 12];
    if (this.kind & ~KINDS_KNOWN) return "batch of an unknown kind";
    this.count = readU32(bytes, offset + 12) & 0xffffff;
    this.firstPosition = readU64(bytes, offset + 16);
    this.timestampHigh = readU32(bytes, offset + 24);
    this.timestampLow = readU32(bytes, offset + 28);
    this.messages = messages;
    this.end = end;
    return this.#readAttributes(offset + BATCH_HEADER_LENGTH);
  }

  #readAttributes(start: number): string {
    const bytes = this.#bytes;
    this.dueMs = this.origin = this.trace = 0;
    this.closing = undefined;
    for (let at = start; at < this.messages;) {
      const value = at + ATTRIBUTE_HEADER_LENGTH;
      const length = bytes[at + 1] << 8 | bytes[at + 2];
      if (value + length > this.messages) return "attribute longer than its batch";
      const type = bytes[at];
      if (type === ATTRIBUTE.due && length === 8) this.dueMs = Math.ceil(readU64(bytes, value) / 1000);
      else if (type === ATTRIBUTE.origin && length === ORIGIN_LENGTH) this.origin = value;
      else if (type === ATTRIBUTE.trace && length === TRACE_LENGTH) this.trace = value;
      else if (type === ATTRIBUTE.summary && length >= SUMMARY_LENGTH) {
        this.closing = readSummary(bytes, value);
      } else if (type === ATTRIBUTE.end && length >= 8) this.closing = readEnd(bytes, value);
      at = value + length;
    }
    if (this.count > 0 && this.closing) return "messages in a closing batch";
    return "";
  }
}

/** What the closing batch at the end of `tail` says of the segment at `base`, or undefined without one. */
export function closingOf(tail: Uint8Array, base: number): Closing | undefined {
  const hasTrailer = tail.length >= TRAILER_LENGTH && readU32(tail, tail.length - 4) === TRAILER_MAGIC;
  const length = hasTrailer ? readU32(tail, tail.length - TRAILER_LENGTH) : CLOSING_BATCH_LENGTH_V1;
  const batch = new BatchReader(tail);
  if (length > tail.length || !batch.read(tail.length - length)) return undefined;
  const { closing } = batch;
  // A body could look like one at the end of a torn file: only what can be is believed.
  return closing && batch.end === tail.length && batch.firstPosition === base + closing.positions &&
      isPlausible(closing)
    ? closing
    : undefined;
}

/** True when a segment can be like that. */
export function isPlausible({ positions, messages, deferred, index }: Closing): boolean {
  return positions > 0 && positions <= SEGMENT_MESSAGES_MAX && deferred <= (messages ?? positions) &&
    (messages ?? 0) <= positions && (index === undefined || index.entries === deferred);
}

/** The bytes of the block of the index that has the entry of that rank. */
export function indexBlock({ offset, entries }: DueIndex, rank: number): { offset: number; length: number } {
  const block = Math.floor(rank / INDEX_ENTRIES_MAX);
  const count = Math.min(entries - block * INDEX_ENTRIES_MAX, INDEX_ENTRIES_MAX);
  return {
    offset: offset + block * INDEX_BLOCK_LENGTH,
    length: BATCH_HEADER_LENGTH + count * INDEX_ENTRY_LENGTH,
  };
}

/** The entries of a block of the index; undefined when the bytes are none. */
export function readIndexBlock(bytes: Uint8Array): DueEntry[] | undefined {
  const batch = new BatchReader(bytes);
  if (!batch.read(0) || batch.kind !== KIND.index || batch.end !== bytes.length) return undefined;
  const entries: DueEntry[] = [];
  for (let at = batch.messages; at + INDEX_ENTRY_LENGTH <= batch.end; at += INDEX_ENTRY_LENGTH) {
    entries.push({
      dueMs: readU64(bytes, at),
      index: readU32(bytes, at + 8),
      offset: readU32(bytes, at + 12),
      length: readU32(bytes, at + 16),
    });
  }
  return entries;
}

/** Writes the header of a segment that begins at that position. */
export function writeHeader(image: Uint8Array, base: number): void {
  image.set(FILE_MAGIC);
  image[VERSION_OFFSET] = SEGMENT_VERSION >>> 8;
  image[VERSION_OFFSET + 1] = SEGMENT_VERSION;
  writeU64(image, 8, base);
}

/** True when the image begins as a segment's does. */
export function hasFileMagic(image: Uint8Array): boolean {
  return image.length >= SEGMENT_HEADER_LENGTH && FILE_MAGIC.every((byte, i) => image[i] === byte);
}

/**
 * Reads the header of an image that has one.
 *
 * @throws {SegmentFormatError} When the image is of an unknown version, or not of the segment at `base`.
 */
export function readHeader(image: Uint8Array, base: number): void {
  const version = image[VERSION_OFFSET] << 8 | image[VERSION_OFFSET + 1];
  if (version < SEGMENT_VERSION_MIN || version > SEGMENT_VERSION) {
    throw new SegmentFormatError(`Segment file of version ${version}, this program knows ${SEGMENT_VERSION}`);
  }
  if (readU64(image, 8) !== base) throw new SegmentFormatError("Segment file under another's name");
}

/** True when not even the header of the segment was written to its end, by a program of whatever version. */
export function isTornHeader(image: Uint8Array, base: number): boolean {
  if (isZero(image, 0, image.length)) return true;
  if (image.length >= SEGMENT_HEADER_LENGTH) return false;
  const header = new Uint8Array(SEGMENT_HEADER_LENGTH);
  writeHeader(header, base);
  return image.every((byte, i) => byte === header[i] || byte === 0 || i === VERSION_OFFSET + 1);
}

/** Writes the type and length of an attribute. */
export function writeAttribute(bytes: Uint8Array, offset: number, type: number, length: number): void {
  bytes[offset] = type;
  bytes[offset + 1] = length >>> 8;
  bytes[offset + 2] = length;
}

/** Writes the beginning of a trace attribute; its context is to follow where that ends, which is returned. */
export function writeTraceAttribute(bytes: Uint8Array, offset: number): number {
  writeAttribute(bytes, offset, ATTRIBUTE.trace, TRACE_LENGTH);
  return offset + ATTRIBUTE_HEADER_LENGTH;
}

/** Writes the header of a batch without messages, for the next message to be at `position`. Its checksum is left out. */
export function writeBatchHeader(
  bytes: Uint8Array,
  start: number,
  { kind, position, timestamp, attributesLength = 0 }: {
    readonly kind: number;
    readonly position: number;
    readonly timestamp: Timestamp;
    readonly attributesLength?: number;
  },
): void {
  writeU32(bytes, start, BATCH_MAGIC);
  writeU32(bytes, start + 4, 0);
  writeU32(bytes, start + 8, 2 + attributesLength);
  writeU32(bytes, start + 12, 0);
  bytes[start + 12] = kind;
  writeU64(bytes, start + 16, position);
  writeU32(bytes, start + 24, timestamp.high);
  writeU32(bytes, start + 28, timestamp.low);
  bytes[start + 32] = attributesLength >>> 8;
  bytes[start + 33] = attributesLength;
}

/** Writes an entry of the index. */
export function writeIndexEntry(
  bytes: Uint8Array,
  at: number,
  { dueMs, index, offset, length }: DueEntry,
): void {
  writeU64(bytes, at, dueMs);
  writeU32(bytes, at + 8, index);
  writeU32(bytes, at + 12, offset);
  writeU32(bytes, at + 16, length);
}

/** Writes the attributes `summary` and `trailer`, which a closing batch of that length ends with. */
export function writeSummary(bytes: Uint8Array, offset: number, closing: Closing): void {
  const { index, firstTimestamp, lastTimestamp } = closing;
  writeAttribute(bytes, offset, ATTRIBUTE.summary, SUMMARY_LENGTH);
  const at = offset + ATTRIBUTE_HEADER_LENGTH;
  writeU32(bytes, at, closing.positions);
  writeU32(bytes, at + 4, closing.messages ?? closing.positions);
  writeU32(bytes, at + 8, closing.deferred);
  writeU32(bytes, at + 12, index?.offset ?? 0);
  writeU32(bytes, at + 16, index?.entries ?? 0);
  writeU32(bytes, at + 20, firstTimestamp.high);
  writeU32(bytes, at + 24, firstTimestamp.low);
  writeU32(bytes, at + 28, lastTimestamp.high);
  writeU32(bytes, at + 32, lastTimestamp.low);
  writeU64(bytes, at + 36, closing.earliestDueMs);
  writeU64(bytes, at + 44, closing.bodyBytes);
  const trailer = at + SUMMARY_LENGTH;
  writeAttribute(bytes, trailer, ATTRIBUTE.trailer, TRAILER_LENGTH);
  writeU32(bytes, trailer + ATTRIBUTE_HEADER_LENGTH, CLOSING_BATCH_LENGTH);
  writeU32(bytes, trailer + ATTRIBUTE_HEADER_LENGTH + 4, TRAILER_MAGIC);
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

/** Where `count` messages, each a size and a body, that begin at `start` end; with attributes of their `own`, if they have. */
export function endOfMessages(block: Uint8Array, start: number, count: number, own = false): number {
  let end = start;
  for (let i = 0; i < count; i++) {
    if (own) end += 2 + (block[end] << 8 | block[end + 1]);
    end += 4 + readU32(block, end);
  }
  return end;
}

function readSummary(bytes: Uint8Array, at: number): Closing {
  const offset = readU32(bytes, at + 12);
  return {
    positions: readU32(bytes, at),
    messages: readU32(bytes, at + 4),
    deferred: readU32(bytes, at + 8),
    index: offset > 0 ? { offset, entries: readU32(bytes, at + 16) } : undefined,
    firstTimestamp: { high: readU32(bytes, at + 20), low: readU32(bytes, at + 24) },
    lastTimestamp: { high: readU32(bytes, at + 28), low: readU32(bytes, at + 32) },
    earliestDueMs: readU64(bytes, at + 36),
    bodyBytes: readU64(bytes, at + 44),
  };
}

/** What a segment of version 1 says. */
function readEnd(bytes: Uint8Array, at: number): Closing {
  const positions = readU32(bytes, at);
  return {
    positions,
    messages: undefined,
    deferred: readU32(bytes, at + 4),
    index: undefined,
    firstTimestamp: { high: 0, low: 0 },
    lastTimestamp: { high: 0, low: 0 },
    earliestDueMs: 0,
    bodyBytes: 0,
  };
}
