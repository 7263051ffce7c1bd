/**
 * A channel's view of one segment: the run of its messages that are the channel's, how far its cursor has
 * come in it, and what became of each message out of order.
 *
 * @module
 */

import type { Segment } from "./segment.ts";

/** The message has nothing but the cursor to say about it. */
export const UNTOUCHED = 0;
/** The message is finished for this channel. */
export const FINISHED = -1;

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
  /** Messages in flight or ready again: while there are any, the segment stays in memory. */
  busy = 0;
  /** The cursor is in this page or in the one before: the segment stays in memory. */
  near = false;
  /** Messages at or after the cursor that are not untouched. */
  #ahead = 0;
  /** By message: `UNTOUCHED`, `FINISHED`, or its slot in the outstanding table plus one. */
  #states: Int32Array | undefined;

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
