/**
 * What is kept in memory of each message of a segment besides its bytes, in typed arrays: no object per message, so that
 * ten million waiting ones do not slow the garbage collector. A position without a message is a hole.
 *
 * @module
 */

import { type BatchReader, SEGMENT_MESSAGES_MAX } from "./segment_image.ts";

/** Numbers kept of each message: offset of its body, timestamp's high and low half. */
const STRIDE = 3;
const MESSAGES_MIN = 64;
/** Numbers kept of each batch: its first message, and where it begins. */
const BATCH_STRIDE = 2;
const BATCHES_MIN = 8;
/** In the year 10889; what is due later is not ordered by time. */
const DUE_MS_MAX = 2 ** 48 - 1;

/** The messages of a segment that is in memory. */
export class MessageTable {
  /** Messages that are deferred. */
  deferred = 0;
  #facts: Uint32Array;
  /** When each message is due, in ms; 0 is at once. Absent while no message is deferred. */
  #due: Float64Array | undefined;
  /** Where in the image each message's origin is, or 0. Absent while none has one. */
  #origins: Uint32Array | undefined;
  #batches = new Uint32Array(BATCHES_MIN * BATCH_STRIDE);
  #batchCount = 0;

  /** With room for `count` messages, which grows. */
  constructor(count = MESSAGES_MIN) {
    this.#facts = new Uint32Array(count * STRIDE);
  }

  /** Gives its memory back; it is of no use then. */
  drop(): void {
    for (const array of [this.#facts, this.#due, this.#origins, this.#batches]) giveBack(array);
  }

  /** Makes room for `count` messages in all. */
  reserve(count: number): void {
    if (count * STRIDE <= this.#facts.length) return;
    const capacity = Math.min(
      Math.max(count, 2 * this.#facts.length / STRIDE, MESSAGES_MIN),
      SEGMENT_MESSAGES_MAX,
    );
    const facts = new Uint32Array(capacity * STRIDE);
    this.#facts = larger(this.#facts, facts);
    if (this.#due) this.#due = larger(this.#due, new Float64Array(capacity));
    if (this.#origins) this.#origins = larger(this.#origins, new Uint32Array(capacity));
  }

  /** Sets a message for which there is room. */
  set(index: number, body: number, timestampHigh: number, timestampLow: number): void {
    const at = index * STRIDE;
    this.#facts[at] = body;
    this.#facts[at + 1] = timestampHigh;
    this.#facts[at + 2] = timestampLow;
  }

  /** Says when the messages [from, to) are due. */
  setDue(from: number, to: number, dueMs: number): void {
    this.#due ??= new Float64Array(this.#facts.length / STRIDE);
    this.#due.fill(dueMs, from, to);
    this.deferred += to - from;
  }

  /** Says where the origin of the messages [from, to) is. */
  setOrigin(from: number, to: number, offset: number): void {
    this.#origins ??= new Uint32Array(this.#facts.length / STRIDE);
    this.#origins.fill(offset, from, to);
  }

  /** A batch begins at `offset` with the message at `index`. */
  addBatch(index: number, offset: number): void {
    const at = this.#batchCount++ * BATCH_STRIDE;
    if (at === this.#batches.length) this.#batches = larger(this.#batches, new Uint32Array(2 * at));
    this.#batches[at] = index;
    this.#batches[at + 1] = offset;
  }

  /** Adds the messages of a batch that begins at `offset`; false when they do not fill it as they should. */
  index(batch: BatchReader, index: number, offset: number): boolean {
    this.reserve(index + batch.count);
    const { timestampHigh, timestampLow } = batch;
    const isWhole = batch.walk((i, _, body) => this.set(index + i, body, timestampHigh, timestampLow));
    if (!isWhole) {
      this.#facts.fill(0, index * STRIDE, (index + batch.count) * STRIDE);
      return false;
    }
    this.addBatch(index, offset);
    if (batch.dueMs > 0) this.setDue(index, index + batch.count, batch.dueMs);
    if (batch.origin > 0) this.setOrigin(index, index + batch.count, batch.origin);
    return true;
  }

  /** Forgets the messages [from, to), which are the last, with their batches. */
  truncate(from: number, to: number): void {
    this.#facts.fill(0, from * STRIDE, to * STRIDE);
    this.deferred -= this.deferredIn(from, to);
    this.#due?.fill(0, from, to);
    this.#origins?.fill(0, from, to);
    while (this.#batchCount > 0 && this.#batches[(this.#batchCount - 1) * BATCH_STRIDE] >= from) {
      this.#batchCount--;
    }
  }

  /** Where the body of the message at the index begins; 0 at a hole. */
  body(index: number): number {
    return this.#facts[index * STRIDE];
  }

  timestampHigh(index: number): number {
    return this.#facts[index * STRIDE + 1];
  }

  timestampLow(index: number): number {
    return this.#facts[index * STRIDE + 2];
  }

  /** When the message at the index is due, in ms; 0 is at once. */
  dueMs(index: number): number {
    return this.#due === undefined ? 0 : this.#due[index];
  }

  /** Where the origin of the message at the index is, or 0. */
  origin(index: number): number {
    return this.#origins === undefined ? 0 : this.#origins[index];
  }

  /** Deferred messages among [from, to). */
  deferredIn(from: number, to: number): number {
    let count = 0;
    if (this.#due) {
      for (let i = from; i < to; i++) if (this.#due[i] > 0) count++;
    }
    return count;
  }

  /** Messages among [from, to), without holes. */
  presentIn(from: number, to: number): number {
    let count = 0;
    for (let i = from; i < to; i++) if (this.#facts[i * STRIDE] > 0) count++;
    return count;
  }

  /** Where the batches begin, by message. */
  *batches(): Generator<{ readonly index: number; readonly offset: number }> {
    for (let at = 0; at < this.#batchCount * BATCH_STRIDE; at += BATCH_STRIDE) {
      yield { index: this.#batches[at], offset: this.#batches[at + 1] };
    }
  }

  /** Where the batch begins that has the message at the index. */
  batchOf(index: number): number {
    let low = 0;
    let high = this.#batchCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#batches[middle * BATCH_STRIDE] <= index) low = middle + 1;
      else high = middle;
    }
    return this.#batches[(low - 1) * BATCH_STRIDE + 1];
  }

  /** Where the batch of each message among [0, count) begins: as `batchOf`, for many. */
  batchOffsets(count: number): Uint32Array {
    const offsets = new Uint32Array(count);
    let end = count;
    for (let at = (this.#batchCount - 1) * BATCH_STRIDE; at >= 0; at -= BATCH_STRIDE) {
      offsets.fill(this.#batches[at + 1], this.#batches[at], end);
      end = this.#batches[at];
    }
    return offsets;
  }

  /** The indexes of the deferred messages among [0, count), ordered by the time they are due and then by index. */
  dueOrder(count: number): Uint16Array {
    const due = this.#due;
    if (!due) return new Uint16Array(0);
    // Whole numbers are sorted many times faster than by a function: the time and the index make one of 64 bits. Its halves
    // are little-endian, as every machine is that Deno runs on.
    const keys = new BigUint64Array(this.deferred);
    const halves = new Uint32Array(keys.buffer);
    let size = 0;
    for (let i = 0; i < count; i++) {
      if (due[i] === 0) continue;
      const dueMs = Math.min(due[i], DUE_MS_MAX);
      const high = Math.floor(dueMs / 0x10000);
      halves[size] = (dueMs - high * 0x10000) * 0x10000 + i;
      halves[size + 1] = high;
      size += 2;
    }
    keys.sort();
    const order = new Uint16Array(keys.length);
    for (let rank = 0; rank < order.length; rank++) order[rank] = halves[2 * rank];
    return order;
  }
}

function larger<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  giveBack(from);
  return to;
}

/** At once and not whenever the garbage collector frees many of them together. */
function giveBack(array: Float64Array | Uint32Array | undefined): void {
  if (array?.buffer instanceof ArrayBuffer) array.buffer.transfer(0);
}
