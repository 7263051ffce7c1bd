/**
 * What has become of the messages of a chunk in one channel. Every transition of a message is a change of this record, and
 * is committed only if nobody else has changed it meanwhile, and the chunk is still there; so a message is leased by one
 * only, and a stale lease changes nothing, whichever instance is asked.
 *
 * ```
 *           lease                 finish
 *  waiting ───────▶ leased ────────────────▶ done         finish also of what has timed out or was given back,
 *     ▲               │                                   as long as nobody has had it since
 *     └───────────────┘ requeue; or nothing at all: a lease whose time is over is as good as waiting
 * ```
 *
 * No timer is needed anywhere for a timeout: whoever looks next sees that the time is over. The clocks of instances may be
 * apart by a second ({@linkcode CLOCK_TOLERANCE_MS}): so much longer a message is left to the one who holds it.
 *
 * In a record neighbours of which the same is true are told of together: messages that were leased at once, or are done. So it
 * mostly has some hundred bytes, and requests of more than about 1000 take denokv 44 ms, smaller ones half of one.
 *
 * ```
 *  record   0 version │ 1 parts │ 2 count u16 │ 4 dueMs f64 │ runs
 *  run      0 length u16 │ 2 message
 *  message  0 status │ 2 attempts u16 │ 4 timeoutMs u32 │ 8 untilMs f64 │ 16 deliveredMs f64
 * ```
 *
 * @module
 */
import { DamagedRecordError } from "./chunk.ts";

/** How far the clocks of two instances may be apart, in ms. */
export const CLOCK_TOLERANCE_MS = 1000;
/** As with TCP clients, the counter stops there. */
const ATTEMPTS_MAX = 65_535;

const VERSION = 1;
const HEADER_LENGTH = 12;
const MESSAGE_LENGTH = 24;
/** Bytes of how many messages a run has. */
const RUN_LENGTH = 2;

const STATUS = { waiting: 0, leased: 1, done: 2 } as const;

/** What an answer to a lease finds. */
export type Fate = "held" | "returned" | "superseded" | "finished" | "unknown";

/** How many messages are in which state. */
export interface StateCounts {
  /** To be had now. */
  readonly ready: number;
  readonly leased: number;
  readonly deferred: number;
  /** When that changes by itself; Infinity if never. */
  readonly changeMs: number;
}

/** What a chunk is, as far as its states say it. */
export interface ChunkShape {
  readonly count: number;
  readonly parts: number;
  readonly dueMs: number;
}

/** The state of one chunk in one channel. */
export class ChunkState {
  readonly shape: ChunkShape;
  readonly #view: DataView<ArrayBuffer>;
  #isChanged = false;

  private constructor(shape: ChunkShape, view: DataView<ArrayBuffer>) {
    this.shape = shape;
    this.#view = view;
  }

  /** Of a chunk that nothing has become of yet. */
  static initial(shape: ChunkShape): ChunkState {
    const view = new DataView(new ArrayBuffer(HEADER_LENGTH + shape.count * MESSAGE_LENGTH));
    view.setUint8(0, VERSION);
    view.setUint8(1, shape.parts);
    view.setUint16(2, shape.count);
    view.setFloat64(4, shape.dueMs);
    for (let i = 0; i < shape.count; i++) view.setFloat64(at(i) + 8, shape.dueMs);
    return new ChunkState(shape, view);
  }

  /** @throws {DamagedRecordError} */
  static decode(value: unknown): ChunkState {
    if (!(value instanceof Uint8Array) || value.length < HEADER_LENGTH || value[0] !== VERSION) {
      throw new DamagedRecordError("The state of a chunk is none of this version");
    }
    const from = new DataView(value.buffer, value.byteOffset, value.length);
    const shape = { parts: from.getUint8(1), count: from.getUint16(2), dueMs: from.getFloat64(4) };
    const bytes = new Uint8Array(at(shape.count));
    bytes.set(value.subarray(0, HEADER_LENGTH));
    let end = HEADER_LENGTH;
    let offset = HEADER_LENGTH;
    while (end < bytes.length && offset + RUN_LENGTH + MESSAGE_LENGTH <= value.length) {
      const message = value.subarray(offset + RUN_LENGTH, offset + RUN_LENGTH + MESSAGE_LENGTH);
      for (let left = from.getUint16(offset); left > 0 && end < bytes.length; left--) {
        bytes.set(message, end);
        end += MESSAGE_LENGTH;
      }
      offset += RUN_LENGTH + MESSAGE_LENGTH;
    }
    if (end !== bytes.length || offset !== value.length) {
      throw new DamagedRecordError("The state of a chunk is not that of its messages");
    }
    return new ChunkState(shape, new DataView(bytes.buffer));
  }

  /** The record. */
  encode(): Uint8Array {
    const { count } = this.shape;
    const messages = new Uint8Array(this.#view.buffer);
    const record = new Uint8Array(HEADER_LENGTH + count * (RUN_LENGTH + MESSAGE_LENGTH));
    const view = new DataView(record.buffer);
    record.set(messages.subarray(0, HEADER_LENGTH));
    let end = HEADER_LENGTH;
    for (let i = 0; i < count;) {
      const first = i;
      do i++; while (i < count && this.#isSame(first, i));
      view.setUint16(end, i - first);
      record.set(messages.subarray(at(first), at(first + 1)), end + RUN_LENGTH);
      end += RUN_LENGTH + MESSAGE_LENGTH;
    }
    return record.slice(0, end);
  }

  /** The same state, to be changed. */
  copy(): ChunkState {
    return new ChunkState(this.shape, new DataView(this.#view.buffer.slice(0)));
  }

  /** It was changed since it was made, decoded or copied. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** Every message is done. */
  get isDone(): boolean {
    for (let i = 0; i < this.shape.count; i++) if (this.#status(i) !== STATUS.done) return false;
    return true;
  }

  /** What there is at this time by the wall clock. */
  counts(nowMs: number): StateCounts {
    let [ready, leased, deferred, changeMs] = [0, 0, 0, Infinity];
    for (let i = 0; i < this.shape.count; i++) {
      const status = this.#status(i);
      if (status === STATUS.done) continue;
      const untilMs = this.#untilMs(i);
      const readyMs = this.#readyMs(i);
      if (readyMs <= nowMs) ready++;
      else if (status === STATUS.waiting) deferred++;
      if (status === STATUS.leased && untilMs > nowMs) {
        leased++;
        changeMs = Math.min(changeMs, untilMs);
      } else if (readyMs > nowMs) {
        changeMs = Math.min(changeMs, readyMs);
      }
    }
    return { ready, leased, deferred, changeMs };
  }

  isReady(index: number, nowMs: number): boolean {
    return this.#status(index) !== STATUS.done && this.#readyMs(index) <= nowMs;
  }

  /** It is another's lease whose time is over. */
  isTimedOut(index: number, nowMs: number): boolean {
    return this.#status(index) === STATUS.leased && this.#readyMs(index) <= nowMs;
  }

  attempts(index: number): number {
    return this.#view.getUint16(at(index) + 2);
  }

  /** How long the lease is valid, in ms since 1970. */
  leasedUntilMs(index: number): number {
    return this.#untilMs(index);
  }

  /** What has become of the message since it was delivered for that attempt. */
  fateOf(index: number, attempt: number, nowMs: number): Fate {
    if (index >= this.shape.count) return "unknown";
    const status = this.#status(index);
    // How often it was delivered by then is not kept.
    if (status === STATUS.done) return "finished";
    const attempts = this.attempts(index);
    if (attempt > attempts) return "unknown";
    if (attempt < attempts) return "superseded";
    return status === STATUS.leased && this.#untilMs(index) > nowMs ? "held" : "returned";
  }

  /** Gives the message out; the result is which attempt that is. */
  lease(index: number, { timeoutMs, nowMs }: { timeoutMs: number; nowMs: number }): number {
    const attempts = Math.min(this.attempts(index) + 1, ATTEMPTS_MAX);
    const offset = at(index);
    this.#view.setUint16(offset + 2, attempts);
    this.#view.setUint32(offset + 4, timeoutMs);
    this.#view.setFloat64(offset + 16, nowMs);
    this.#set(index, STATUS.leased, nowMs + timeoutMs);
    return attempts;
  }

  /** Takes back that it was given out: nobody has got it. */
  unlease(index: number): void {
    this.#view.setUint16(at(index) + 2, Math.max(this.attempts(index) - 1, 0));
    this.#set(index, STATUS.waiting, 0);
  }

  finish(index: number): void {
    new Uint8Array(this.#view.buffer).fill(0, at(index), at(index + 1));
    this.#set(index, STATUS.done, 0);
  }

  /** It may be had again from that time on. */
  requeue(index: number, dueMs: number): void {
    this.#set(index, STATUS.waiting, dueMs);
  }

  /** Its lease is valid for its time again, but for no longer than `heldMaxMs` in all; the result is until when. */
  touch(index: number, { nowMs, heldMaxMs }: { nowMs: number; heldMaxMs: number }): number {
    const timeoutMs = this.#view.getUint32(at(index) + 4);
    const deliveredMs = this.#view.getFloat64(at(index) + 16);
    const untilMs = Math.min(nowMs + timeoutMs, deliveredMs + heldMaxMs);
    this.#set(index, STATUS.leased, untilMs);
    return untilMs;
  }

  #set(index: number, status: number, untilMs: number): void {
    this.#isChanged = true;
    this.#view.setUint8(at(index), status);
    this.#view.setFloat64(at(index) + 8, untilMs);
  }

  /** The same is true of both messages. */
  #isSame(one: number, other: number): boolean {
    for (let i = 0; i < MESSAGE_LENGTH; i += 4) {
      if (this.#view.getUint32(at(one) + i) !== this.#view.getUint32(at(other) + i)) return false;
    }
    return true;
  }

  #status(index: number): number {
    return this.#view.getUint8(at(index));
  }

  #untilMs(index: number): number {
    return this.#view.getFloat64(at(index) + 8);
  }

  /** From when on it can be had. */
  #readyMs(index: number): number {
    return this.#untilMs(index) + (this.#status(index) === STATUS.leased ? CLOCK_TOLERANCE_MS : 0);
  }
}

function at(index: number): number {
  return HEADER_LENGTH + index * MESSAGE_LENGTH;
}
