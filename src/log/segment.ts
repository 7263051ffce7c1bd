/**
 * A segment: a few MiB of a topic's log as one byte array, the image of its file, plus typed arrays for what
 * the broker asks of each message. No object per message: ten million waiting ones do not slow the garbage
 * collector. Never does I/O.
 *
 * The image's format is in segment_image.ts.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { readU32, writeU32 } from "../protocol/frames.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import {
  ATTRIBUTE,
  type Batch,
  BATCH_HEADER_LENGTH,
  BATCH_MAGIC,
  type Closing,
  CLOSING_BATCH_LENGTH,
  type Damage,
  DUE_ATTRIBUTE_LENGTH,
  firstBatch,
  isZero,
  nextBatch,
  ORIGIN_ATTRIBUTE_LENGTH,
  ORIGIN_LENGTH,
  readBatch,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_MESSAGES_MAX,
  type Timestamp,
  writeAttribute,
  writeHeader,
  writeU64,
} from "./segment_image.ts";

/** The usual most bytes of a segment's image. */
export const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Numbers kept of each message: offset of its body, timestamp's high and low half. */
const STRIDE = 3;
const MESSAGES_MIN = 64;

/** What is kept of messages besides their bodies. */
export interface MessageFacts {
  readonly count: number;
  readonly timestamp: Timestamp;
  /** When they are due, in ms; 0 is at once. */
  readonly dueMs: number;
  /** Of one message that was taken over from another queue: its id there and its attempts, `ORIGIN_LENGTH` bytes. */
  readonly origin?: Uint8Array | undefined;
}

/** Part of a topic's log. */
export class Segment {
  /** Position of the first message. */
  readonly base: number;
  /** True when its bytes go to a file as they come, false while it is in memory only. */
  readonly stored: boolean;
  /** Positions in the segment, holes included. */
  count = 0;
  /** Positions up to here have been committed: they are the topic's. */
  committed = 0;
  /** Positions without a message. */
  holes = 0;
  /** Messages that were deferred when they were published. */
  deferred = 0;
  /** No message is added any more. */
  sealed = false;
  /** Number of channels that have not finished all of it. */
  holders = 0;
  /** Bytes of the image; they stay known while it is not in memory. */
  used = SEGMENT_HEADER_LENGTH;
  /** Bytes of the image that its file has. */
  written = 0;

  /** The image; undefined while it is on disk only. */
  #bytes: Uint8Array | undefined;
  #meta: Uint32Array | undefined;
  /** When each message is due, in ms; 0 is at once. Absent while no message is deferred. */
  #due: Float64Array | undefined;
  /** Where in the image each message's origin is, or 0. Absent while none has one. */
  #origins: Uint32Array | undefined;
  /** Where the batch begins that the next message may join, or 0. */
  #openBatch = 0;
  /** Bytes of the image when messages were last committed. */
  #committedUsed = SEGMENT_HEADER_LENGTH;

  constructor(options: { base: number; capacityBytes: number; stored: boolean }) {
    this.base = options.base;
    this.stored = options.stored;
    this.#bytes = new Uint8Array(Math.max(options.capacityBytes, SEGMENT_HEADER_LENGTH));
    this.#meta = new Uint32Array(MESSAGES_MIN * STRIDE);
    writeHeader(this.bytes, options.base);
  }

  /** A finished segment that is on disk. */
  static onDisk(options: { base: number; closing?: Closing | undefined; size: number }): Segment {
    const segment = new Segment({ base: options.base, capacityBytes: 0, stored: true });
    segment.count = segment.committed = options.closing?.positions ?? 0;
    segment.deferred = options.closing?.deferred ?? 0;
    segment.used = segment.written = options.size;
    segment.sealed = true;
    segment.evict();
    return segment;
  }

  /** Position after the last message. */
  get end(): number {
    return this.base + this.count;
  }

  /** True while its messages are in memory. */
  get resident(): boolean {
    return this.#bytes !== undefined;
  }

  /** Bytes of memory that the image takes. */
  get capacityBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** The image. */
  get bytes(): Uint8Array {
    if (!this.#bytes) throw new Error(`Segment ${this.base} is not in memory`);
    return this.#bytes;
  }

  /** True when that many more messages of that many bytes, with their sizes, fit. */
  fits(count: number, bytes: number): boolean {
    const attributes = DUE_ATTRIBUTE_LENGTH + ORIGIN_ATTRIBUTE_LENGTH;
    const needed = BATCH_HEADER_LENGTH + attributes + bytes + CLOSING_BATCH_LENGTH;
    return this.count + count <= SEGMENT_MESSAGES_MAX && this.used + needed <= this.capacityBytes;
  }

  /** Adds `count` messages, the bytes [from, to) of `block`, each a size and a body. They must fit. */
  append(block: Uint8Array, from: number, to: number, facts: MessageFacts): void {
    const { count, timestamp, dueMs, origin } = facts;
    const bytes = this.bytes;
    if (origin !== undefined || !this.#joins(timestamp, dueMs)) this.#beginBatch(facts);
    const start = this.used;
    // One copy of the whole block: an MPUB costs little more than its bytes.
    bytes.set(block.subarray(from, to), start);
    this.used = start + to - from;
    const batch = this.#openBatch;
    writeU32(bytes, batch + 8, this.used - batch - BATCH_HEADER_LENGTH + 2);
    writeU32(bytes, batch + 12, readU32(bytes, batch + 12) + count);

    this.#grow(this.count + count);
    const meta = this.#metadata();
    let offset = start;
    let at = this.count * STRIDE;
    for (let i = 0; i < count; i++) {
      meta[at] = offset + 4;
      meta[at + 1] = timestamp.high;
      meta[at + 2] = timestamp.low;
      at += STRIDE;
      offset += 4 + readU32(bytes, offset);
    }
    if (dueMs > 0) {
      this.#dueTimes().fill(dueMs, this.count, this.count + count);
      this.deferred += count;
    }
    if (origin !== undefined) {
      this.#originOffsets()[this.count] = start - ORIGIN_LENGTH;
      // The next message is not to join: it has another origin, or none.
      this.#openBatch = 0;
    }
    this.count += count;
  }

  /** Makes the messages so far the topic's. */
  commit(): void {
    this.committed = this.count;
    this.#committedUsed = this.used;
    // A batch that holds committed messages only can stay as it is when later ones are taken back.
    this.#openBatch = 0;
  }

  /** Takes back the messages that were not committed. */
  rollback(): void {
    this.#metadata().fill(0, this.committed * STRIDE, this.count * STRIDE);
    for (let i = this.committed; i < this.count; i++) {
      if (this.dueMs(i) > 0) this.deferred--;
    }
    this.#due?.fill(0, this.committed, this.count);
    this.#origins?.fill(0, this.committed, this.count);
    this.count = this.committed;
    this.used = this.#committedUsed;
    this.written = Math.min(this.written, this.used);
    this.#openBatch = 0;
  }

  /** Begins anew after the last message: for a segment whose messages are all finished. */
  restartAt(base: number): Segment {
    const next = new Segment({ base, capacityBytes: 0, stored: this.stored });
    next.#bytes = this.#bytes;
    next.#meta = this.#meta;
    writeHeader(next.bytes, base);
    return next;
  }

  /** True when there is a message at the index, false at a hole. */
  has(index: number): boolean {
    return this.#metadata()[index * STRIDE] !== 0;
  }

  /** Where the body of the message at the index begins in `bytes`. */
  bodyOffset(index: number): number {
    return this.#metadata()[index * STRIDE];
  }

  /** Length of the body of the message at the index. */
  bodyLength(index: number): number {
    return readU32(this.bytes, this.bodyOffset(index) - 4);
  }

  /** High half of the timestamp of the message at the index. */
  timestampHigh(index: number): number {
    return this.#metadata()[index * STRIDE + 1];
  }

  /** Low half of the timestamp of the message at the index. */
  timestampLow(index: number): number {
    return this.#metadata()[index * STRIDE + 2];
  }

  /** When the message at the index is due, in ms; 0 is at once. */
  dueMs(index: number): number {
    return this.#due === undefined ? 0 : this.#due[index];
  }

  /** Where in `bytes` the id is that the message at the index had in another queue, or 0. */
  foreignId(index: number): number {
    return this.#origins === undefined ? 0 : this.#origins[index];
  }

  /** Attempts to deliver the message at the index that another queue had made. */
  earlierAttempts(index: number): number {
    const at = this.foreignId(index);
    return at === 0 ? 0 : this.bytes[at + MESSAGE_ID_LENGTH] << 8 | this.bytes[at + MESSAGE_ID_LENGTH + 1];
  }

  /** Forgets the batch that closes it, which could not be written: it is found again by reading. */
  reopenImage(): void {
    this.used = this.written;
  }

  /** Adds the batch that says how many positions the segment has. */
  close(): void {
    this.sealed = true;
    if (this.used + CLOSING_BATCH_LENGTH > this.capacityBytes) this.#resize(this.used + CLOSING_BATCH_LENGTH);
    this.#openBatch = 0;
    const start = this.used;
    const bytes = this.bytes;
    this.#writeBatchHeader(start, this.end, { high: 0, low: 0 }, 3 + 8);
    writeAttribute(bytes, start + BATCH_HEADER_LENGTH, ATTRIBUTE.end, 8);
    writeU32(bytes, start + BATCH_HEADER_LENGTH + 3, this.count);
    writeU32(bytes, start + BATCH_HEADER_LENGTH + 7, this.deferred);
    this.used = start + CLOSING_BATCH_LENGTH;
  }

  /** Completes the checksums of the bytes from `written` on and returns these bytes: they end the batch. */
  unwritten(): Uint8Array {
    const bytes = this.bytes;
    let offset = Math.max(this.written, SEGMENT_HEADER_LENGTH);
    while (offset < this.used) {
      const end = offset + BATCH_HEADER_LENGTH - 2 + readU32(bytes, offset + 8);
      writeU32(bytes, offset + 4, crc32c(bytes, offset + 8, end));
      offset = end;
    }
    this.#openBatch = 0;
    return bytes.subarray(this.written, this.used);
  }

  /** Gives the memory back: its file has it all, or it is not needed any more. */
  evict(): void {
    // At once and not whenever the garbage collector frees many of them together, which stalls everything.
    if (this.#bytes?.buffer instanceof ArrayBuffer) this.#bytes.buffer.transfer(0);
    this.#bytes = undefined;
    this.#meta = undefined;
    this.#due = undefined;
    this.#origins = undefined;
    this.#openBatch = 0;
  }

  /**
   * Takes the image of a file: of this segment when it was evicted, or of an unknown one.
   *
   * @returns What was damaged, and is a hole now.
   * @throws {SegmentFormatError}
   */
  restore(image: Uint8Array): Damage[] {
    let offset = firstBatch(image, this.base);
    this.#bytes = image;
    const knownCount = this.count;
    this.count = this.deferred = 0;
    this.#meta = new Uint32Array(Math.max(knownCount, MESSAGES_MIN) * STRIDE);
    const damages: Damage[] = [];
    let present = 0;
    let closed = -1;
    let wholeEnd = SEGMENT_HEADER_LENGTH;
    while (offset < image.length) {
      const batch = readBatch(image, offset);
      if (typeof batch === "string") {
        const next = nextBatch(image, offset + 1);
        const torn = next === image.length && (batch.startsWith("torn") || isZero(image, offset, next));
        damages.push({ offset, length: next - offset, reason: batch, torn });
        offset = next;
        continue;
      }
      if (batch.closing) closed = batch.closing.positions;
      if (batch.count > 0) {
        const index = batch.firstPosition - this.base;
        // Of a refused write there may be messages in the file that nobody knows.
        if (knownCount > 0 && index >= knownCount) break;
        if (index < this.count || index + batch.count > SEGMENT_MESSAGES_MAX) {
          const reason = "positions out of order";
          damages.push({ offset, length: batch.end - offset, reason, torn: false });
        } else {
          this.#index(batch, index);
          present += batch.count;
        }
      }
      offset = wholeEnd = batch.end;
    }
    this.count = Math.max(this.count, knownCount, closed);
    this.#grow(this.count);
    this.holes = this.count - present;
    this.used = this.written = wholeEnd;
    this.#openBatch = 0;
    this.commit();
    if (closed >= 0) this.sealed = true;
    return damages;
  }

  /** A closed copy that holds only the messages for which `keep` is true, at the same positions. */
  compacted(keep: (index: number) => boolean, options: { stored: boolean }): Segment {
    let size = SEGMENT_HEADER_LENGTH + CLOSING_BATCH_LENGTH;
    for (let i = 0; i < this.count; i++) {
      if (!this.has(i) || !keep(i)) continue;
      size += BATCH_HEADER_LENGTH + DUE_ATTRIBUTE_LENGTH + ORIGIN_ATTRIBUTE_LENGTH + 4 + this.bodyLength(i);
    }
    const copy = new Segment({ base: this.base, capacityBytes: size, stored: options.stored });
    for (let i = 0; i < this.count; i++) {
      if (!this.has(i) || !keep(i)) {
        // The next message begins a batch of its own, because positions in a batch are consecutive.
        copy.#openBatch = 0;
        copy.#grow(copy.count + 1);
        copy.count++;
        copy.holes++;
        continue;
      }
      const offset = this.bodyOffset(i) - 4;
      const timestamp = { high: this.timestampHigh(i), low: this.timestampLow(i) };
      copy.append(this.bytes, offset, offset + 4 + this.bodyLength(i), {
        count: 1,
        timestamp,
        dueMs: this.dueMs(i),
        origin: this.#originOf(i),
      });
    }
    copy.commit();
    copy.holders = this.holders;
    copy.close();
    return copy;
  }

  #index(batch: Batch, index: number): void {
    this.#grow(index + batch.count);
    const meta = this.#metadata();
    let offset = batch.messages;
    for (let i = index; i < index + batch.count; i++) {
      meta[i * STRIDE] = offset + 4;
      meta[i * STRIDE + 1] = batch.timestamp.high;
      meta[i * STRIDE + 2] = batch.timestamp.low;
      offset += 4 + readU32(this.bytes, offset);
    }
    this.count = index + batch.count;
    if (batch.dueMs > 0) {
      this.#dueTimes().fill(batch.dueMs, index, this.count);
      this.deferred += batch.count;
    }
    if (batch.origin > 0) this.#originOffsets().fill(batch.origin, index, this.count);
  }

  #originOf(index: number): Uint8Array | undefined {
    const at = this.foreignId(index);
    return at === 0 ? undefined : this.bytes.subarray(at, at + ORIGIN_LENGTH);
  }

  #joins(timestamp: Timestamp, dueMs: number): boolean {
    const at = this.#openBatch;
    if (at === 0 || dueMs > 0) return false;
    const bytes = this.bytes;
    return readU32(bytes, at + 24) === timestamp.high && readU32(bytes, at + 28) === timestamp.low &&
      bytes[at + 32] === 0 && bytes[at + 33] === 0;
  }

  #beginBatch({ timestamp, dueMs, origin }: MessageFacts): void {
    const start = this.used;
    const length = (dueMs > 0 ? DUE_ATTRIBUTE_LENGTH : 0) + (origin ? ORIGIN_ATTRIBUTE_LENGTH : 0);
    this.#writeBatchHeader(start, this.end, timestamp, length);
    let at = start + BATCH_HEADER_LENGTH;
    if (dueMs > 0) {
      writeAttribute(this.bytes, at, ATTRIBUTE.due, 8);
      writeU64(this.bytes, at + 3, Math.ceil(dueMs * 1000));
      at += DUE_ATTRIBUTE_LENGTH;
    }
    // Last, so that it ends where the message begins.
    if (origin) {
      writeAttribute(this.bytes, at, ATTRIBUTE.origin, ORIGIN_LENGTH);
      this.bytes.set(origin, at + 3);
      at += ORIGIN_ATTRIBUTE_LENGTH;
    }
    this.used = at;
    this.#openBatch = start;
  }

  #writeBatchHeader(start: number, position: number, timestamp: Timestamp, attributesLength: number): void {
    const bytes = this.bytes;
    writeU32(bytes, start, BATCH_MAGIC);
    writeU32(bytes, start + 4, 0);
    writeU32(bytes, start + 8, 2 + attributesLength);
    writeU32(bytes, start + 12, 0);
    writeU64(bytes, start + 16, position);
    writeU32(bytes, start + 24, timestamp.high);
    writeU32(bytes, start + 28, timestamp.low);
    bytes[start + 32] = attributesLength >>> 8;
    bytes[start + 33] = attributesLength;
  }

  #metadata(): Uint32Array {
    if (!this.#meta) throw new Error(`Segment ${this.base} is not in memory`);
    return this.#meta;
  }

  #dueTimes(): Float64Array {
    return this.#due ??= new Float64Array(this.#metadata().length / STRIDE);
  }

  #originOffsets(): Uint32Array {
    return this.#origins ??= new Uint32Array(this.#metadata().length / STRIDE);
  }

  #grow(count: number): void {
    const meta = this.#metadata();
    if (count * STRIDE <= meta.length) return;
    const capacity = Math.min(Math.max(count, 2 * meta.length / STRIDE), SEGMENT_MESSAGES_MAX);
    const larger = new Uint32Array(capacity * STRIDE);
    larger.set(meta);
    this.#meta = larger;
    if (this.#due) {
      const due = new Float64Array(capacity);
      due.set(this.#due);
      this.#due = due;
    }
    if (this.#origins) {
      const origins = new Uint32Array(capacity);
      origins.set(this.#origins);
      this.#origins = origins;
    }
  }

  #resize(capacityBytes: number): void {
    const larger = new Uint8Array(capacityBytes);
    larger.set(this.bytes.subarray(0, this.used));
    this.#bytes = larger;
  }
}
