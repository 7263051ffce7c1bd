/**
 * A segment: a few MiB of a topic's log as one byte array, the image of its file, plus what the broker asks of each
 * message (message_table.ts). While its file has it all, neither needs to be in memory. Never does I/O.
 *
 * The image's format is in segment_image.ts.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { readU32, writeU32 } from "../protocol/frames.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import { readImage } from "./image_reader.ts";
import { BATCHES_AT_ONCE, BYTES_AT_ONCE, keptRuns, type Run } from "./kept_runs.ts";
import { MessageTable } from "./message_table.ts";
import {
  ATTRIBUTE,
  ATTRIBUTE_HEADER_LENGTH,
  ATTRIBUTES_LENGTH_MAX,
  BATCH_BYTES_MAX,
  BATCH_HEADER_LENGTH,
  BatchReader,
  type Closing,
  CLOSING_BATCH_LENGTH,
  type Damage,
  DUE_ATTRIBUTE_LENGTH,
  type DueIndex,
  INDEX_ENTRIES_MAX,
  INDEX_ENTRY_LENGTH,
  KIND,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_MESSAGES_MAX,
  type Timestamp,
  writeAttribute,
  writeBatchHeader,
  writeHeader,
  writeIndexEntry,
  writeSummary,
  writeU64,
} from "./segment_image.ts";

/** The usual most bytes of a segment's image. */
export const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Entries of an index that are written before others have their turn. */
const INDEX_ENTRIES_AT_ONCE = 10 * INDEX_ENTRIES_MAX;
const NO_TIMESTAMP: Timestamp = { high: 0, low: 0 };

/** What is kept of messages besides their bodies. */
export interface MessageFacts {
  readonly count: number;
  readonly timestamp: Timestamp;
  /** When they are due, in whole ms since 1970; 0 is at once. */
  readonly dueMs: number;
  /** Further attributes of all of them, as bytes of their image. */
  readonly attributes?: Uint8Array | undefined;
  /** Each message comes with attributes of its own, as in a batch of kind `own`. */
  readonly own?: boolean;
}

/** Who looks at a segment in memory, or may want to. */
export interface SegmentUser {
  /** Its bytes are about to leave memory. */
  leaving(): void;
  /** It is in memory again; when it was damaged, it has more holes than before. */
  loaded(): void;
  /** A copy without the messages that all users have finished is in its place. */
  replaced(copy: Segment): void;
  /** Its messages are all finished, and it begins anew as another. */
  restarted(next: Segment): void;
  /** It has left the log. */
  released(): void;
}

/** Part of a topic's log. */
export class Segment {
  /** Position of the first message. */
  readonly base: number;
  /** True when its bytes go to a file, false while it is in memory only. */
  stored: boolean;
  /** Positions in the segment, holes included. */
  count = 0;
  /** Positions up to here have been committed: they are the topic's. */
  committed = 0;
  /** Positions without a message. */
  holes = 0;
  /** The holes are known. */
  isCounted = true;
  /** Nothing is known but its place: the positions up to the next segment are taken for its own. */
  isUnread = false;
  /** No message is added any more. */
  sealed = false;
  /** Number of channels whose cursor has not passed all of it. */
  ahead = 0;
  /** Number of channels that have looked at messages of it and not finished them. */
  open = 0;
  /** Bytes of the image; they stay known while it is not in memory. */
  used = SEGMENT_HEADER_LENGTH;
  /** Bytes of the image that its file has. */
  written = 0;
  /** When the first deferred message is due, as far as that is known from its file; 0 is unknown. */
  earliestDueMs = 0;
  /** Where its file has an index of the deferred messages. */
  dueIndex: DueIndex | undefined;

  /** The image; undefined while it is on disk only. */
  #bytes: Uint8Array | undefined;
  #table: MessageTable | undefined;
  /** Deferred messages, while it is on disk only. */
  #deferred = 0;
  /** When its first and last messages were published, while it is on disk only; 0 is unknown. */
  #firstMs = 0;
  #lastMs = 0;
  /** The image ends with the batch that closes it. */
  #hasClosing = false;
  /** Where the batch begins that the next message may join, or 0. */
  #openBatch = 0;
  /** Bytes of the image when messages were last committed. */
  #committedUsed = SEGMENT_HEADER_LENGTH;
  #users: Set<SegmentUser> | undefined;

  /** An empty one with room for so many bytes; without `capacityBytes` it is not in memory. */
  constructor(options: { base: number; capacityBytes?: number; stored: boolean }) {
    const { base, capacityBytes, stored } = options;
    this.base = base;
    this.stored = stored;
    if (capacityBytes === undefined) return;
    this.#bytes = new Uint8Array(Math.max(capacityBytes, SEGMENT_HEADER_LENGTH));
    this.#table = new MessageTable();
    writeHeader(this.#bytes, base);
  }

  /** A finished segment that is on disk. */
  static onDisk(options: { base: number; closing?: Closing | undefined; size: number }): Segment {
    const { base, closing, size } = options;
    const segment = new Segment({ base, stored: true });
    segment.count = segment.committed = closing?.positions ?? 0;
    segment.isCounted = closing?.messages !== undefined;
    segment.holes = segment.count - (closing?.messages ?? segment.count);
    segment.#deferred = closing?.deferred ?? 0;
    segment.earliestDueMs = closing?.earliestDueMs ?? 0;
    segment.dueIndex = closing?.index;
    if (closing) segment.#firstMs = msOf(closing.firstTimestamp);
    if (closing) segment.#lastMs = msOf(closing.lastTimestamp);
    segment.used = segment.written = size;
    segment.#hasClosing = closing !== undefined;
    segment.sealed = true;
    return segment;
  }

  /** A segment that is on disk and has not been read, with room for so many positions. */
  static unread({ base, size, countMax }: { base: number; size: number; countMax: number }): Segment {
    // It is there, even if not so much is known of it.
    const segment = Segment.onDisk({ base, size: Math.max(size, SEGMENT_HEADER_LENGTH) });
    segment.count = segment.committed = countMax;
    segment.isUnread = true;
    return segment;
  }

  /** A batch of a segment, read on its own, as a segment of its messages; undefined when the bytes are none. */
  static ofBatch(bytes: Uint8Array): Segment | undefined {
    const batch = new BatchReader(bytes);
    if (!batch.read(0) || batch.end !== bytes.length || batch.kind & KIND.index) return undefined;
    if (batch.count === 0 || batch.count > SEGMENT_MESSAGES_MAX) return undefined;
    const segment = new Segment({ base: batch.firstPosition, stored: true });
    segment.#bytes = bytes;
    segment.#table = new MessageTable(batch.count);
    if (!segment.#table.index(batch, 0, 0)) return undefined;
    segment.count = segment.committed = batch.count;
    return segment;
  }

  /** Bytes that a segment needs for messages of that many bytes, with their sizes. */
  static capacityFor(bytes: number, attributesLength = 0): number {
    return SEGMENT_HEADER_LENGTH + batchesLength(bytes, DUE_ATTRIBUTE_LENGTH + attributesLength) +
      closingLength(0);
  }

  /** Position after the last message. */
  get end(): number {
    return this.base + this.count;
  }

  /** Messages, without holes. */
  get messages(): number {
    return this.count - this.holes;
  }

  /** Messages that were deferred when they were published. */
  get deferred(): number {
    return this.#table?.deferred ?? this.#deferred;
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

  /** Its file says at its end what it has. */
  get isClosed(): boolean {
    return this.#hasClosing && this.written === this.used;
  }

  /** No channel needs any of its messages. */
  get isFinished(): boolean {
    return this.ahead === 0 && this.open === 0;
  }

  /** Who is told what happens to it. */
  get users(): Iterable<SegmentUser> {
    return this.#users ?? [];
  }

  addUser(user: SegmentUser): void {
    (this.#users ??= new Set()).add(user);
  }

  removeUser(user: SegmentUser): void {
    this.#users?.delete(user);
    if (this.#users?.size === 0) this.#users = undefined;
  }

  /** True when that many more messages of that many bytes, with their sizes, fit. */
  fits(count: number, bytes: number, attributesLength = 0): boolean {
    const needed = batchesLength(bytes, DUE_ATTRIBUTE_LENGTH + attributesLength) +
      closingLength(this.deferred === 0 ? 0 : this.deferred + count);
    return this.count + count <= SEGMENT_MESSAGES_MAX && this.used + needed <= this.capacityBytes;
  }

  /** Adds `count` messages, the bytes [from, to) of `block`, each a size and a body. They must fit. */
  append(block: Uint8Array, from: number, to: number, facts: MessageFacts): void {
    const { count, timestamp, dueMs, attributes, own = false } = facts;
    const { high, low } = timestamp;
    if (attributes && attributes.length > ATTRIBUTES_LENGTH_MAX) {
      throw new RangeError(`${attributes.length} bytes of attributes, at most ${ATTRIBUTES_LENGTH_MAX} fit`);
    }
    const bytes = this.bytes;
    const table = this.#messageTable();
    table.reserve(this.count + count);
    const first = this.count;
    if (!this.#joins(facts)) this.#beginBatch(facts);
    let index = first;
    let at = from;
    while (index < first + count) {
      const batch = this.#openBatch;
      const batchStart = this.#messagesOf(batch);
      // From the block to the image.
      const shift = this.used - at;
      const room = batchStart + BATCH_BYTES_MAX - this.used;
      const isEmpty = this.used === batchStart;
      const start = at;
      const before = index;
      while (index < first + count) {
        const sizeAt = own ? at + 2 + (block[at] << 8 | block[at + 1]) : at;
        const end = sizeAt + 4 + readU32(block, sizeAt);
        if (end - start > room && !(isEmpty && index === before)) break;
        table.set(index++, sizeAt + 4 + shift, high, low);
        at = end;
      }
      // One copy of many messages: an MPUB costs little more than its bytes.
      bytes.set(block.subarray(start, at), this.used);
      this.used += at - start;
      writeU32(bytes, batch + 8, this.used - batch - BATCH_HEADER_LENGTH + 2);
      writeU32(bytes, batch + 12, readU32(bytes, batch + 12) + index - before);
      if (attributes) this.#noteOrigin(batch, before, index);
      if (index === first + count) break;
      bytes[batch + 12] |= KIND.more;
      this.count = index;
      this.#beginBatch(facts);
    }
    if (at !== to) throw new RangeError(`A block of ${to - from} bytes has messages of ${at - from}`);
    this.count = first + count;
    if (dueMs > 0) table.setDue(first, this.count, dueMs);
    // The next message is not to join: it has other attributes.
    if (attributes !== undefined || own) this.#openBatch = 0;
  }

  /** Makes the messages so far the topic's. */
  commit(): void {
    this.committed = this.count;
    this.#committedUsed = this.used;
    // A batch that holds committed messages only can stay as it is when later ones are taken back.
    this.#openBatch = 0;
  }

  /** Takes back the messages that were not committed, and with them what closes the segment. */
  rollback(): void {
    this.#messageTable().truncate(this.committed, this.count);
    this.count = this.committed;
    this.used = this.#committedUsed;
    this.written = Math.min(this.written, this.used);
    this.sealed = false;
    this.dueIndex = undefined;
    this.#hasClosing = false;
    this.#openBatch = 0;
  }

  /** Begins anew after the last message: for a segment whose messages are all finished. */
  restartAt(base: number): Segment {
    const next = new Segment({ base, stored: this.stored });
    next.#bytes = this.#bytes;
    next.#table = this.#table;
    next.#table?.truncate(0, this.count);
    next.#users = this.#users;
    // The memory is the other's now.
    this.#bytes = this.#table = this.#users = undefined;
    writeHeader(next.bytes, base);
    for (const user of next.users) user.restarted(next);
    return next;
  }

  /** True when there is a message at the index, false at a hole. */
  has(index: number): boolean {
    return index < this.count && this.#messageTable().body(index) !== 0;
  }

  /** Where the body of the message at the index begins in `bytes`. */
  bodyOffset(index: number): number {
    return this.#messageTable().body(index);
  }

  /** Length of the body of the message at the index. */
  bodyLength(index: number): number {
    return readU32(this.bytes, this.bodyOffset(index) - 4);
  }

  /** High half of the timestamp of the message at the index. */
  timestampHigh(index: number): number {
    return this.#messageTable().timestampHigh(index);
  }

  /** Low half of the timestamp of the message at the index. */
  timestampLow(index: number): number {
    return this.#messageTable().timestampLow(index);
  }

  /** When the message at the index was published, in ms since 1970. */
  timestampMs(index: number): number {
    return msOf({ high: this.timestampHigh(index), low: this.timestampLow(index) });
  }

  /**
   * When the first message at or behind the index that is not deferred was published, in ms since 1970. While it is on disk
   * only, that is as if its messages had come evenly; undefined when nothing is known of it.
   */
  waitingSinceMs(index: number): number | undefined {
    if (this.resident) {
      let at = index;
      while (at < this.count && (!this.has(at) || this.dueMs(at) > 0)) at++;
      return at < this.count ? this.timestampMs(at) : undefined;
    }
    if (this.#firstMs === 0) return undefined;
    return this.#firstMs + (this.#lastMs - this.#firstMs) * index / Math.max(this.count - 1, 1);
  }

  /** When the message at the index is due, in ms; 0 is at once. */
  dueMs(index: number): number {
    return this.#messageTable().dueMs(index);
  }

  /** Where in `bytes` the id is that the message at the index had in another queue, or 0. */
  foreignId(index: number): number {
    return this.#messageTable().origin(index);
  }

  /** Attempts to deliver the message at the index that another queue had made. */
  earlierAttempts(index: number): number {
    const at = this.foreignId(index);
    return at === 0 ? 0 : this.bytes[at + MESSAGE_ID_LENGTH] << 8 | this.bytes[at + MESSAGE_ID_LENGTH + 1];
  }

  /** Where in `bytes` the context of the trace is that the message at the index was published in, or 0. */
  traceAt(index: number): number {
    const batch = this.#messageTable().batchOf(index);
    if (this.#messagesOf(batch) === batch + BATCH_HEADER_LENGTH) return 0;
    const reader = new BatchReader(this.bytes);
    reader.readUnchecked(batch);
    return reader.trace;
  }

  /** Deferred messages among [from, to). The segment is in memory, or that is all of it. */
  deferredIn(from: number, to: number): number {
    if (this.deferred === 0) return 0;
    return from === 0 && to === this.count ? this.deferred : this.#messageTable().deferredIn(from, to);
  }

  /** Messages among [from, to) that are not deferred. The segment is in memory, or that is all of it. */
  waitingIn(from: number, to: number): number {
    const present = this.holes === 0
      ? to - from
      : from === 0 && to === this.count
      ? this.messages
      : this.#messageTable().presentIn(from, to);
    return present - this.deferredIn(from, to);
  }

  /** Where in the image the batch begins that has the message at the index. */
  batchOffset(index: number): number {
    return this.#messageTable().batchOf(index);
  }

  /** Bytes of the batch that begins there. */
  batchLength(offset: number): number {
    return BATCH_HEADER_LENGTH - 2 + readU32(this.bytes, offset + 8);
  }

  /** The deferred messages, ordered by the time they are due and then by index. */
  dueOrder(): Uint16Array {
    return this.#messageTable().dueOrder(this.count);
  }

  /** Forgets the batches that close it, which could not be written: they are found again by reading. */
  reopenImage(): void {
    this.used = this.written;
    this.dueIndex = undefined;
    this.#hasClosing = false;
  }

  /** Adds the index of what is deferred, and the batch that says what the segment has, unless they are there. */
  close(): void {
    if (!this.#hasClosing) lastOf(this.#closing());
  }

  /** Completes the checksums of the bytes from `written` on and returns these bytes: they end the batch. */
  unwritten(): Uint8Array {
    const bytes = this.bytes;
    let offset = Math.max(this.written, SEGMENT_HEADER_LENGTH);
    while (offset < this.used) {
      const end = offset + this.batchLength(offset);
      writeU32(bytes, offset + 4, crc32c(bytes, offset + 8, end));
      offset = end;
    }
    this.#openBatch = 0;
    return bytes.subarray(this.written, this.used);
  }

  /** Gives the memory back: its file has it all, or it is not needed any more. */
  evict(): void {
    this.#deferred = this.deferred;
    if (this.stored) this.#noteTimes();
    // At once and not whenever the garbage collector frees many of them together, which stalls everything.
    if (this.#bytes?.buffer instanceof ArrayBuffer) this.#bytes.buffer.transfer(0);
    this.#table?.drop();
    this.#bytes = this.#table = undefined;
    this.#openBatch = 0;
  }

  /**
   * Takes the image of a file: of this segment when it was evicted, or of an unknown one. One that was once closed does not
   * end in an interrupted write.
   *
   * @returns What was damaged, and is a hole now.
   * @throws {SegmentFormatError}
   */
  restore(image: Uint8Array, options: { wasClosed?: boolean } = {}): readonly Damage[] {
    return lastOf(this.restoring(image, options));
  }

  /**
   * As {@linkcode Segment.restore}, in steps that are short; the messages are there after the last.
   *
   * @throws {SegmentFormatError}
   */
  *restoring(
    image: Uint8Array,
    { wasClosed = false }: { wasClosed?: boolean } = {},
  ): Generator<void, readonly Damage[]> {
    const isKnown = this.count > 0 && !this.isUnread;
    const { table, count, messages, closing, wholeEnd, damages } = yield* readImage(image, {
      base: this.base,
      countMax: this.count > 0 ? this.count : SEGMENT_MESSAGES_MAX,
      isKnown,
      mayBeTorn: !isKnown && !wasClosed,
    });
    this.#bytes = image;
    this.#table = table;
    this.count = Math.max(count, isKnown ? this.count : 0, closing?.positions ?? 0);
    table.reserve(this.count);
    this.holes = this.count - messages;
    this.isCounted = true;
    this.isUnread = false;
    this.used = this.written = wholeEnd;
    // An index that speaks of messages that are lost would mislead.
    this.dueIndex = closing?.index?.entries === table.deferred ? closing.index : undefined;
    this.#openBatch = 0;
    this.commit();
    this.#hasClosing = closing !== undefined;
    if (closing) this.sealed = true;
    return damages;
  }

  /** As {@linkcode Segment.compacting}, at once. */
  compacted(keep: (index: number) => boolean, options: { stored: boolean }): Segment {
    const copy = lastOf(this.compacting(keep, options));
    if (!copy) throw new Error(`Segment ${this.base} is not in memory`);
    return copy;
  }

  /**
   * Makes a closed copy that holds only the messages for which `keep` is true, at the same positions, in steps that are
   * short. Undefined when the segment leaves memory meanwhile.
   */
  *compacting(
    keep: (index: number) => boolean,
    options: { stored: boolean },
  ): Generator<void, Segment | undefined> {
    const { base, bytes, count } = this;
    const steps = keptRuns(bytes, this.#messageTable().batches(), keep);
    let step = steps.next();
    for (; !step.done; step = steps.next()) {
      yield;
      if (this.#bytes !== bytes) return undefined;
    }
    const { runs, size, deferred } = step.value;
    const capacityBytes = SEGMENT_HEADER_LENGTH + size + closingLength(deferred);
    const copy = new Segment({ base, capacityBytes, stored: options.stored });
    copy.#messageTable().reserve(count);
    let stepEnd = copy.used + BYTES_AT_ONCE;
    for (const [i, run] of runs.entries()) {
      copy.#takeRun(bytes, run);
      if (i % BATCHES_AT_ONCE !== BATCHES_AT_ONCE - 1 && copy.used < stepEnd) continue;
      stepEnd = copy.used + BYTES_AT_ONCE;
      yield;
      if (this.#bytes === bytes) continue;
      copy.evict();
      return undefined;
    }
    copy.count = count;
    copy.holes = count - copy.#messageTable().presentIn(0, count);
    copy.commit();
    yield* copy.#closing();
    return copy;
  }

  /** Adds messages of a batch of another segment's image, byte for byte. */
  #takeRun(image: Uint8Array, run: Run): void {
    const source = new BatchReader(image);
    source.readUnchecked(run.batch);
    const start = this.used;
    const bytes = this.bytes;
    bytes.set(image.subarray(run.batch, source.messages), start);
    const messages = start + source.messages - run.batch;
    bytes.set(image.subarray(run.from, run.to), messages);
    this.used = messages + run.to - run.from;
    writeU32(bytes, start + 8, this.used - start - BATCH_HEADER_LENGTH + 2);
    writeU32(bytes, start + 12, run.count);
    // Whatever was torn is known by now.
    bytes[start + 12] = source.kind & ~KIND.more;
    writeU64(bytes, start + 16, this.base + run.index);
    const copied = new BatchReader(bytes);
    copied.readUnchecked(start);
    this.#messageTable().index(copied, run.index, start);
  }

  /** Closes it, in steps that are short. */
  *#closing(): Generator<void, void> {
    this.sealed = true;
    this.#openBatch = 0;
    const end = this.used + closingLength(this.deferred);
    if (end > this.capacityBytes) this.#resize(end);
    const order = this.dueOrder();
    this.earliestDueMs = order.length > 0 ? this.dueMs(order[0]) : 0;
    this.dueIndex = order.length > 0 ? { offset: this.used, entries: order.length } : undefined;
    if (order.length > 0) yield* this.#indexing(order);
    writeBatchHeader(this.bytes, this.used, {
      kind: KIND.closing,
      position: this.end,
      timestamp: NO_TIMESTAMP,
      attributesLength: CLOSING_BATCH_LENGTH - BATCH_HEADER_LENGTH,
    });
    writeSummary(this.bytes, this.used + BATCH_HEADER_LENGTH, this.#summary());
    this.used += CLOSING_BATCH_LENGTH;
    this.#hasClosing = true;
  }

  #joins({ timestamp, dueMs, attributes, own }: MessageFacts): boolean {
    const at = this.#openBatch;
    if (at === 0 || dueMs > 0 || attributes !== undefined || own) return false;
    const bytes = this.bytes;
    return readU32(bytes, at + 24) === timestamp.high && readU32(bytes, at + 28) === timestamp.low &&
      this.#messagesOf(at) === at + BATCH_HEADER_LENGTH && this.used - at < BATCH_BYTES_MAX;
  }

  /** Where the messages of a batch begin. */
  #messagesOf(batch: number): number {
    return batch + BATCH_HEADER_LENGTH + (this.bytes[batch + 32] << 8 | this.bytes[batch + 33]);
  }

  #beginBatch({ timestamp, dueMs, attributes, own }: MessageFacts): void {
    const start = this.used;
    const dueLength = dueMs > 0 ? DUE_ATTRIBUTE_LENGTH : 0;
    const attributesLength = dueLength + (attributes?.length ?? 0);
    const kind = own ? KIND.own : 0;
    writeBatchHeader(this.bytes, start, { kind, position: this.end, timestamp, attributesLength });
    const at = start + BATCH_HEADER_LENGTH;
    if (dueMs > 0) {
      writeAttribute(this.bytes, at, ATTRIBUTE.due, 8);
      writeU64(this.bytes, at + ATTRIBUTE_HEADER_LENGTH, dueMs * 1000);
    }
    if (attributes) this.bytes.set(attributes, at + dueLength);
    this.used = at + attributesLength;
    this.#openBatch = start;
    this.#messageTable().addBatch(this.count, start);
  }

  /** The messages [from, to) are of a batch whose attributes may have an origin. */
  #noteOrigin(batch: number, from: number, to: number): void {
    const reader = new BatchReader(this.bytes);
    reader.readUnchecked(batch);
    if (reader.origin > 0) this.#messageTable().setOrigin(from, to, reader.origin);
  }

  /** Adds the index of the deferred messages, which come in their order. */
  *#indexing(order: Uint16Array): Generator<void> {
    const offsets = this.#messageTable().batchOffsets(this.count);
    for (let rank = 0; rank < order.length; rank += INDEX_ENTRIES_MAX) {
      this.#writeIndexBlock(order.subarray(rank, rank + INDEX_ENTRIES_MAX), offsets);
      if ((rank + INDEX_ENTRIES_MAX) % INDEX_ENTRIES_AT_ONCE === 0) yield;
    }
  }

  #writeIndexBlock(indexes: Uint16Array, batchOffsets: Uint32Array): void {
    const { bytes, used, end } = this;
    writeBatchHeader(bytes, used, { kind: KIND.index, position: end, timestamp: NO_TIMESTAMP });
    let at = used + BATCH_HEADER_LENGTH;
    for (const index of indexes) {
      const offset = batchOffsets[index];
      writeIndexEntry(bytes, at, {
        dueMs: this.dueMs(index),
        index,
        offset,
        length: this.batchLength(offset),
      });
      at += INDEX_ENTRY_LENGTH;
    }
    writeU32(bytes, used + 8, 2 + at - used - BATCH_HEADER_LENGTH);
    this.used = at;
  }

  #summary(): Closing {
    const table = this.#messageTable();
    let first = -1;
    let last = -1;
    let bodyBytes = 0;
    for (let i = 0; i < this.count; i++) {
      const body = table.body(i);
      if (body === 0) continue;
      if (first < 0) first = i;
      last = i;
      bodyBytes += readU32(this.bytes, body - 4);
    }
    const timestampOf = (index: number): Timestamp =>
      index < 0 ? NO_TIMESTAMP : { high: table.timestampHigh(index), low: table.timestampLow(index) };
    return {
      positions: this.count,
      messages: this.messages,
      deferred: this.deferred,
      earliestDueMs: this.earliestDueMs,
      index: this.dueIndex,
      firstTimestamp: timestampOf(first),
      lastTimestamp: timestampOf(last),
      bodyBytes,
    };
  }

  #noteTimes(): void {
    if (!this.#table) return;
    let [first, last] = [0, this.count - 1];
    while (first < last && !this.has(first)) first++;
    while (last > first && !this.has(last)) last--;
    this.#firstMs = first <= last ? this.timestampMs(first) : 0;
    this.#lastMs = first <= last ? this.timestampMs(last) : 0;
  }

  #messageTable(): MessageTable {
    if (!this.#table) throw new Error(`Segment ${this.base} is not in memory`);
    return this.#table;
  }

  #resize(capacityBytes: number): void {
    const larger = new Uint8Array(capacityBytes);
    larger.set(this.bytes.subarray(0, this.used));
    this.#bytes = larger;
  }
}

function msOf({ high, low }: Timestamp): number {
  return high * (2 ** 32 / 1e6) + low / 1e6;
}

/** What work in steps comes to. */
function lastOf<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** The most bytes that messages of so many bytes take in batches: two of them are never less full than one. */
function batchesLength(bytes: number, attributesLength: number): number {
  const batches = 1 + Math.floor(2 * bytes / BATCH_BYTES_MAX);
  return bytes + batches * (BATCH_HEADER_LENGTH + attributesLength);
}

/** Bytes of the index of so many deferred messages, and of the closing batch. */
function closingLength(deferred: number): number {
  const blocks = Math.ceil(deferred / INDEX_ENTRIES_MAX);
  return blocks * BATCH_HEADER_LENGTH + deferred * INDEX_ENTRY_LENGTH + CLOSING_BATCH_LENGTH;
}
