/**
 * A channel's view of one segment: the run of its messages that are the channel's, how far its cursor has
 * come in it, and what became of each message out of order.
 *
 * @module
 */

import { NONE, type Outstanding, STATE } from "./outstanding.ts";
import type { Segment } from "../log/segment.ts";
import { encodePage, type OutstandingState, type Range } from "./topic_state.ts";

/** The message has nothing but the cursor to say about it. */
export const UNTOUCHED = 0;
/** The message is finished for this channel. */
export const FINISHED = -1;
/** The message was deferred when it was published, and is due later than a slot is worth its memory. */
export const PARKED = -2;

const STATES_MIN = 16;

/** The messages [start, end) of a segment. */
export class Page {
  segment: Segment;
  /** The first message that is the channel's. */
  readonly start: number;
  /** After the last one. */
  end: number;
  /** The cursor: the next message that has not been looked at. */
  next: number;
  /** Finished messages. */
  finished = 0;
  /** Parked messages. */
  parked = 0;
  /** When the first of them is due, in ms. */
  parkedDueMs = Infinity;
  /** The slot that waits for that on behalf of them all. */
  parkSlot = NONE;
  /** Its segment is being read, because parked messages are due soon. */
  waking = false;
  /** Messages in flight or ready again: while there are any, the segment stays in memory. */
  busy = 0;
  /** The cursor is in this page or in the one before: the segment stays in memory. */
  near = false;
  /** Messages at or after the cursor that are not untouched. */
  #ahead = 0;
  /** By message: `UNTOUCHED`, `FINISHED`, `PARKED`, or its slot in the outstanding table plus one. */
  #states: Int32Array | undefined;
  /** What `record()` said last, while nothing has changed. */
  #record: Uint8Array | undefined;

  constructor(segment: Segment, start: number) {
    this.segment = segment;
    this.start = this.end = this.next = start;
  }

  /** Messages that are not finished. */
  get unfinished(): number {
    return this.end - this.start - this.finished;
  }

  /** Messages at or after the cursor that are untouched. */
  get waiting(): number {
    return this.end - this.next - this.#ahead;
  }

  /** Moves the cursor over a message that is not untouched. */
  skip(): void {
    this.next++;
    this.#ahead--;
  }

  /** State of the message at the index. */
  state(index: number): number {
    const at = index - this.start;
    return this.#states === undefined || at >= this.#states.length ? UNTOUCHED : this.#states[at];
  }

  /** Sets the state of the message at the index. */
  setState(index: number, state: number): void {
    const at = index - this.start;
    if (this.#states === undefined || at >= this.#states.length) this.#grow(at + 1);
    if (!this.#states) return;
    if (index >= this.next && this.#states[at] === UNTOUCHED) this.#ahead++;
    this.#states[at] = state;
    this.#record = undefined;
  }

  /** Attempts or times of its outstanding messages have changed. */
  changed(): void {
    this.#record = undefined;
  }

  /** Marks the message at the index finished. */
  finish(index: number): void {
    this.setState(index, FINISHED);
    this.finished++;
  }

  /** Goes over the slots of its outstanding messages. */
  *slots(): Generator<number> {
    if (!this.#states) return;
    for (const state of this.#states) {
      if (state > 0) yield state - 1;
    }
  }

  /** What must be known of its messages after a restart; undefined when they all wait. */
  record(table: Outstanding): Uint8Array | undefined {
    if (this.start === 0 && this.#states === undefined) return undefined;
    return this.#record ??= this.#encode(table);
  }

  #encode(table: Outstanding): Uint8Array {
    const finished = new Runs(this.start);
    const parked = new Runs(0);
    const outstanding: OutstandingState[] = [];
    let parkedDueMs = this.parked > 0 ? this.parkedDueMs : Infinity;
    for (let i = 0; this.#states !== undefined && i < this.#states.length; i++) {
      const state = this.#states[i];
      if (state === UNTOUCHED) continue;
      const index = this.start + i;
      const slot = state - 1;
      if (state === FINISHED) {
        finished.add(index);
      } else if (state === PARKED) {
        parked.add(index);
      } else if (table.state[slot] === STATE.deferred && table.attempts[slot] === 0) {
        // Its segment says until when, too.
        parked.add(index);
        parkedDueMs = Math.min(parkedDueMs, table.key[slot]);
      } else {
        const dueMs = table.state[slot] === STATE.deferred ? table.key[slot] : 0;
        outstanding.push({ index, attempts: table.attempts[slot], dueMs });
      }
    }
    return encodePage({
      finished: finished.ranges,
      parked: parked.ranges,
      parkedDueMs: parkedDueMs === Infinity ? 0 : parkedDueMs,
      outstanding,
    });
  }

  #grow(size: number): void {
    const capacity = Math.max(
      size,
      STATES_MIN,
      Math.min(2 * (this.#states?.length ?? 0), this.end - this.start),
    );
    const larger = new Int32Array(capacity);
    if (this.#states) larger.set(this.#states);
    this.#states = larger;
  }
}

/** Joins indexes that come in order to ranges. */
class Runs {
  readonly ranges: Range[] = [];

  /** Begins with what lies before `start`. */
  constructor(start: number) {
    if (start > 0) this.ranges.push({ from: 0, to: start });
  }

  add(index: number): void {
    const last = this.ranges.at(-1);
    if (last?.to === index) this.ranges[this.ranges.length - 1] = { from: last.from, to: index + 1 };
    else this.ranges.push({ from: index, to: index + 1 });
  }
}
