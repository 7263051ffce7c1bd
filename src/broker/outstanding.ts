/**
 * The messages that a channel's cursor alone does not describe: in flight, deferred, or ready again after a
 * requeue. One table of typed arrays for the whole broker, a slot for each message and channel; no objects,
 * so a million deferred messages cost the garbage collector nothing.
 *
 * A slot is in exactly one of:
 * - the list of its consumer (in flight), ordered by deadline: one consumer's timeout is the same for all, so
 *   a new deadline nearly always belongs at the end, and finding expired ones means looking at the front;
 * - the list of its channel (ready), first in, first out;
 * - the heap of all deferred ones, ordered by the time they are due. There it may also stand for all the parked
 *   messages of a page (deferred for so long that they have no slots of their own), until it is time to look at them.
 *
 * Never does I/O; times are arguments, in ms.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import type { Consumer } from "./consumer.ts";

/** No slot. */
export const NONE = -1;

/** What a slot's message is. */
export const STATE = { free: 0, inFlight: 1, deferred: 2, ready: 3, parked: 4 } as const;

/** Both ends of a list of slots. */
export interface SlotList {
  head: number;
  tail: number;
}

const SLOTS_MIN = 64;
const ATTEMPTS_MAX = 0xffff;

/** The table. */
export class Outstanding {
  /** Position of the slot's message in its topic's log. */
  position = new Float64Array(SLOTS_MIN);
  /** In flight: when it times out. Deferred: when it is due. Parked: when to look at the page. Ready: position of the log's end at that time. */
  key = new Float64Array(SLOTS_MIN);
  /** In flight: when it was delivered. */
  deliveredMs = new Float64Array(SLOTS_MIN);
  attempts = new Uint16Array(SLOTS_MIN);
  state = new Uint8Array(SLOTS_MIN);
  readonly channel: (Channel | undefined)[] = [];
  /** In flight: who has it. */
  readonly consumer: (Consumer | undefined)[] = [];

  /** In a list: the next slot. Free: the next free one. */
  #next = new Int32Array(SLOTS_MIN);
  /** In a list: the slot before. Deferred: the place in the heap. */
  #previous = new Int32Array(SLOTS_MIN);
  #free = NONE;
  #used = 0;
  #heap = new Int32Array(SLOTS_MIN);
  #heapSize = 0;

  /** Number of slots in use. */
  size = 0;

  /** A slot for a message of the channel, in no list yet. */
  allocate(channel: Channel, position: number, attempts: number): number {
    let slot = this.#free;
    if (slot !== NONE) {
      this.#free = this.#next[slot];
    } else {
      if (this.#used === this.state.length) this.#grow();
      slot = this.#used++;
    }
    this.size++;
    this.position[slot] = position;
    this.attempts[slot] = attempts;
    this.channel[slot] = channel;
    return slot;
  }

  /** Gives a slot back that is in no list. */
  release(slot: number): void {
    this.state[slot] = STATE.free;
    this.channel[slot] = undefined;
    this.consumer[slot] = undefined;
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.size--;
  }

  /** Counts one more attempt; unlike NSQ's, the counter stops at its greatest value instead of wrapping. */
  countAttempt(slot: number): number {
    return this.attempts[slot] = Math.min(this.attempts[slot] + 1, ATTEMPTS_MAX);
  }

  /** Adds to the end of a list. */
  append(list: SlotList, slot: number): void {
    this.#insertAfter(list, list.tail, slot);
  }

  /** Adds to a list that is ordered by key. */
  insertByKey(list: SlotList, slot: number): void {
    let after = list.tail;
    while (after !== NONE && this.key[after] > this.key[slot]) after = this.#previous[after];
    this.#insertAfter(list, after, slot);
  }

  /** Takes a slot out of its list. */
  remove(list: SlotList, slot: number): void {
    const next = this.#next[slot];
    const previous = this.#previous[slot];
    if (previous === NONE) list.head = next;
    else this.#next[previous] = next;
    if (next === NONE) list.tail = previous;
    else this.#previous[next] = previous;
  }

  /** The slot after this one in its list. */
  next(slot: number): number {
    return this.#next[slot];
  }

  /** Adds to the deferred ones; its key says when it is due. */
  defer(slot: number): void {
    if (this.#heapSize === this.#heap.length) {
      this.#heap = larger(this.#heap, new Int32Array(2 * this.#heapSize));
    }
    this.#siftUp(this.#heapSize++, slot);
  }

  /** Takes a slot out of the deferred ones. */
  undefer(slot: number): void {
    const at = this.#previous[slot];
    const last = this.#heap[--this.#heapSize];
    if (last === slot) return;
    this.#siftUp(at, last);
    this.#siftDown(this.#previous[last], last);
  }

  /** The deferred slot that is due first, if that is at or before `nowMs`. */
  firstDue(nowMs: number): number {
    return this.#heapSize > 0 && this.key[this.#heap[0]] <= nowMs ? this.#heap[0] : NONE;
  }

  #insertAfter(list: SlotList, after: number, slot: number): void {
    const next = after === NONE ? list.head : this.#next[after];
    this.#previous[slot] = after;
    this.#next[slot] = next;
    if (after === NONE) list.head = slot;
    else this.#next[after] = slot;
    if (next === NONE) list.tail = slot;
    else this.#previous[next] = slot;
  }

  #siftUp(at: number, slot: number): void {
    const key = this.key[slot];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = this.#heap[parent];
      if (this.key[other] <= key) break;
      this.#place(at, other);
      at = parent;
    }
    this.#place(at, slot);
  }

  #siftDown(at: number, slot: number): void {
    const key = this.key[slot];
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#heapSize) break;
      if (child + 1 < this.#heapSize && this.key[this.#heap[child + 1]] < this.key[this.#heap[child]]) {
        child++;
      }
      const other = this.#heap[child];
      if (this.key[other] >= key) break;
      this.#place(at, other);
      at = child;
    }
    this.#place(at, slot);
  }

  #place(at: number, slot: number): void {
    this.#heap[at] = slot;
    this.#previous[slot] = at;
  }

  #grow(): void {
    const size = 2 * this.state.length;
    this.position = larger(this.position, new Float64Array(size));
    this.key = larger(this.key, new Float64Array(size));
    this.deliveredMs = larger(this.deliveredMs, new Float64Array(size));
    this.attempts = larger(this.attempts, new Uint16Array(size));
    this.state = larger(this.state, new Uint8Array(size));
    this.#next = larger(this.#next, new Int32Array(size));
    this.#previous = larger(this.#previous, new Int32Array(size));
  }
}

function larger<T extends Float64Array | Int32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
