/**
 * The messages that a channel's cursor alone does not describe: in flight, deferred, or ready again after a
 * requeue. One table of typed arrays for the whole broker, a slot for each message and channel; no objects,
 * so a million deferred messages cost the garbage collector nothing.
 *
 * A slot is in exactly one of:
 * - the list of its holder (in flight), ordered by deadline: one consumer's timeout is the same for all, so
 *   a new deadline nearly always belongs at the end, and finding expired ones means looking at the front;
 * - the list of its owner (ready), first in, first out;
 * - the heap of all deferred ones, ordered by the time they are due, and then as they were published: what is due
 *   together lies together on the disk. There it may also stand for all the parked
 *   messages of a page (deferred for so long that they have no slots of their own), until it is time to look at them.
 *
 * A slot says where its message lies in its segment's file, once the segment has left memory, so that the message can be
 * read on its own.
 *
 * Never does I/O; times are arguments, in ms of the monotonic clock.
 *
 * @module
 */

import { Registry } from "../base/registry.ts";

/** No slot. */
export const NONE = -1;

/** What a slot's message is. */
export const STATE = { free: 0, inFlight: 1, deferred: 2, ready: 3, parked: 4 } as const;

/** Both ends of a list of slots. */
export interface SlotList {
  head: number;
  tail: number;
}

/** Whose message it is; a channel. */
export interface SlotOwner {
  /** Its ready ones. */
  readonly ready: SlotList;
  /**
   * The deferred message of the slot, which is in no list now, is due; or it is time to look at parked ones.
   *
   * @returns How many messages that was about.
   */
  due(slot: number): number;
  /** The slot has moved to another number; false when the owner does not know it any more. */
  moved(from: number, to: number): boolean;
}

/** Who has a message in flight; a consumer. */
export interface SlotHolder {
  readonly inFlight: SlotList;
}

/** A power of two. */
const SLOTS_MIN = 64;
/** The table gets smaller when this many times the slots in use would fit. */
const SHRINK_FACTOR = 4;
/** Slots that are moved to lower numbers in one step: a few ms of work. */
const MOVE_AT_ONCE = 20_000;
/** Slots that are looked at in one step, for those that are free: a few ms of work. */
const LIST_AT_ONCE = 500_000;
const ATTEMPTS_MAX = 0xffff;

/** The table. */
export class Outstanding<Owner extends SlotOwner = SlotOwner, Holder extends SlotHolder = SlotHolder> {
  /** Owners, and who has messages in flight. */
  readonly owners = new Registry<Owner>();
  readonly holders = new Registry<Holder>();
  /** Position of the slot's message in its topic's log. */
  position = new Float64Array(SLOTS_MIN);
  /** In flight: when it times out. Deferred: when it is due. Parked: when to look at the page. Ready: position of the log's end at that time. */
  key = new Float64Array(SLOTS_MIN);
  /** In flight: when it was delivered. */
  deliveredMs = new Float64Array(SLOTS_MIN);
  /** Where its batch lies in its segment's file, if `length` is not 0. */
  offset = new Uint32Array(SLOTS_MIN);
  /** Bytes of that batch; 0 while that is not known, or not needed. */
  length = new Uint32Array(SLOTS_MIN);
  attempts = new Uint16Array(SLOTS_MIN);
  state = new Uint8Array(SLOTS_MIN);
  /** The owner's number. */
  owner = new Int32Array(SLOTS_MIN);
  /** In flight: the number of who has it. */
  holder = new Int32Array(SLOTS_MIN);
  /** Number of slots in use. */
  size = 0;

  /** In a list: the next slot. Free: the next free one. */
  #next = new Int32Array(SLOTS_MIN);
  /** In a list: the slot before. Deferred: the place in the heap. */
  #previous = new Int32Array(SLOTS_MIN);
  /** Slots by place in the heap. */
  #heap = new Int32Array(SLOTS_MIN);
  #heapSize = 0;
  #free = NONE;
  /** The free slots below this number are listed. */
  #listed = Infinity;
  /** No slot at or after this number has been in use. */
  #used = 0;
  #capacity = SLOTS_MIN;
  /** The next array is made larger when so many slots have been used. */
  #growAt = 0.75 * SLOTS_MIN;
  /** How many of the arrays are twice as large by now. */
  #grown = 0;
  /** Gives an array of the table another length. */
  readonly #resizers: readonly ((length: number) => void)[] = [
    (length) => this.position = resized(this.position, new Float64Array(length)),
    (length) => this.key = resized(this.key, new Float64Array(length)),
    (length) => this.deliveredMs = resized(this.deliveredMs, new Float64Array(length)),
    (length) => this.offset = resized(this.offset, new Uint32Array(length)),
    (length) => this.length = resized(this.length, new Uint32Array(length)),
    (length) => this.attempts = resized(this.attempts, new Uint16Array(length)),
    (length) => this.state = resized(this.state, new Uint8Array(length)),
    (length) => this.owner = resized(this.owner, new Int32Array(length)),
    (length) => this.holder = resized(this.holder, new Int32Array(length)),
    (length) => this.#next = resized(this.#next, new Int32Array(length)),
    (length) => this.#previous = resized(this.#previous, new Int32Array(length)),
  ];

  /** Slots that there is memory for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Who has the slot's message in flight; undefined when nobody has. */
  holderOf(slot: number): Holder | undefined {
    return slot !== NONE && this.state[slot] === STATE.inFlight
      ? this.holders.get(this.holder[slot])
      : undefined;
  }

  /** A slot for a message of the owner with that number, in no list yet. */
  allocate(owner: number, position: number, attempts: number): number {
    let slot = this.#free;
    if (slot !== NONE) {
      this.#free = this.#next[slot];
    } else {
      slot = this.#used++;
      if (slot >= this.#growAt) this.#grow();
    }
    this.size++;
    this.position[slot] = position;
    this.attempts[slot] = attempts;
    this.length[slot] = 0;
    this.owner[slot] = owner;
    return slot;
  }

  /** Gives a slot back that is in no list. */
  release(slot: number): void {
    this.state[slot] = STATE.free;
    if (slot < this.#listed) this.#listFree(slot);
    this.size--;
  }

  /** Counts one more attempt; unlike NSQ's, the counter stops at its greatest value instead of wrapping. */
  countAttempt(slot: number): number {
    const attempts = Math.min(this.attempts[slot] + 1, ATTEMPTS_MAX);
    this.attempts[slot] = attempts;
    return attempts;
  }

  /** Adds to the end of a list. */
  append(list: SlotList, slot: number): void {
    this.#insertAfter(list, list.tail, slot);
  }

  /** Adds to the beginning of a list. */
  prepend(list: SlotList, slot: number): void {
    this.#insertAfter(list, NONE, slot);
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
      this.#heap = resized(this.#heap, new Int32Array(2 * this.#heapSize));
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

  /** Parked messages are due by the wall clock, which was set forward by so many ms. */
  wallClockStepped(stepMs: number): void {
    for (let i = 0; i < this.#heapSize; i++) {
      const slot = this.#heap[i];
      if (this.state[slot] === STATE.parked) this.key[slot] = this.key[slot] - stepMs;
    }
    for (let i = (this.#heapSize >> 1) - 1; i >= 0; i--) this.#siftDown(i, this.#heap[i]);
  }

  /**
   * Gives memory back that a table with few slots in use does not need any more, in short steps: slots move to lower
   * numbers, and then the arrays get shorter.
   */
  *shrinking(): Generator<void> {
    if (isSparse(this.#heapSize, this.#heap.length)) {
      this.#heap = resized(this.#heap, new Int32Array(capacityFor(this.#heapSize)));
    }
    if (!isSparse(this.size, this.#capacity)) return;
    this.#free = NONE;
    this.#listed = 0;
    for (let free = 0; isSparse(this.size, this.#used);) {
      const end = Math.max(this.size, this.#used - MOVE_AT_ONCE);
      while (this.#used > end) {
        const last = this.#used - 1;
        if (this.state[last] !== STATE.free) {
          while (this.state[free] !== STATE.free) free++;
          // Who has it does not know that yet, or what has been given back lies behind.
          if (free > last || !this.#move(last, free)) break;
        }
        this.#used--;
      }
      const isStuck = this.#used > end;
      yield;
      if (isStuck) break;
    }
    while (this.#listed < this.#used) {
      const end = Math.min(this.#used, this.#listed + LIST_AT_ONCE);
      for (; this.#listed < end; this.#listed++) {
        if (this.state[this.#listed] === STATE.free) this.#listFree(this.#listed);
      }
      yield;
    }
    this.#listed = Infinity;
    const capacity = capacityFor(this.#used);
    if (capacity >= this.#capacity) return;
    this.#capacity = capacity;
    this.#growAt = 0.75 * capacity;
    this.#grown = 0;
    for (const resize of this.#resizers) {
      // It is growing again.
      if (this.#capacity !== capacity || this.#grown > 0) return;
      resize(capacity);
      yield;
    }
  }

  /** Moves a slot to the number of a free one; false when its owner has forgotten it. */
  #move(from: number, to: number): boolean {
    const owner = this.owners.get(this.owner[from]);
    if (!owner?.moved(from, to)) return false;
    const state = this.state[from];
    for (
      const column of [
        this.position,
        this.key,
        this.deliveredMs,
        this.offset,
        this.length,
        this.attempts,
        this.state,
        this.owner,
        this.holder,
        this.#next,
        this.#previous,
      ]
    ) column[to] = column[from];
    this.state[from] = STATE.free;
    if (state === STATE.deferred || state === STATE.parked) {
      this.#heap[this.#previous[to]] = to;
      return true;
    }
    const list = state === STATE.inFlight ? this.holderOf(to)?.inFlight : owner.ready;
    const [previous, next] = [this.#previous[to], this.#next[to]];
    if (previous !== NONE) this.#next[previous] = to;
    else if (list) list.head = to;
    if (next !== NONE) this.#previous[next] = to;
    else if (list) list.tail = to;
    return true;
  }

  #listFree(slot: number): void {
    this.#next[slot] = this.#free;
    this.#free = slot;
  }

  /**
   * Makes one array larger, and the others when some more slots have been used: all of them at a time would hold up
   * everybody, with millions of slots.
   */
  #grow(): void {
    const steps = this.#resizers.length;
    this.#resizers[this.#grown++](2 * this.#capacity);
    if (this.#grown < steps) {
      this.#growAt += this.#capacity / 4 / steps;
      return;
    }
    this.#grown = 0;
    this.#capacity *= 2;
    this.#growAt = 0.75 * this.#capacity;
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
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = this.#heap[parent];
      if (!this.#isBefore(slot, other)) break;
      this.#place(at, other);
      at = parent;
    }
    this.#place(at, slot);
  }

  #siftDown(at: number, slot: number): void {
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#heapSize) break;
      let other = this.#heap[child];
      const sibling = child + 1 < this.#heapSize ? this.#heap[child + 1] : NONE;
      if (sibling !== NONE && this.#isBefore(sibling, other)) {
        other = sibling;
        child++;
      }
      if (!this.#isBefore(other, slot)) break;
      this.#place(at, other);
      at = child;
    }
    this.#place(at, slot);
  }

  /** True when one deferred message is due before the other. */
  #isBefore(slot: number, other: number): boolean {
    const [key, otherKey] = [this.key[slot], this.key[other]];
    return key < otherKey || key === otherKey && this.position[slot] < this.position[other];
  }

  #place(at: number, slot: number): void {
    this.#heap[at] = slot;
    this.#previous[slot] = at;
  }
}

/** So few are in use that memory is worth giving back. */
function isSparse(size: number, capacity: number): boolean {
  return SHRINK_FACTOR * Math.max(size, SLOTS_MIN) < capacity;
}

/** A power of two with room for so many, and as many again. */
function capacityFor(size: number): number {
  let capacity = SLOTS_MIN;
  while (capacity < 2 * size) capacity *= 2;
  return capacity;
}

/** The array with another length; the memory of the one that was is given back at once. */
function resized<
  T extends
    | Float64Array<ArrayBuffer>
    | Int32Array<ArrayBuffer>
    | Uint32Array<ArrayBuffer>
    | Uint16Array<ArrayBuffer>
    | Uint8Array<ArrayBuffer>,
>(from: T, to: T): T {
  to.set(from.subarray(0, to.length));
  from.buffer.transfer(0);
  return to;
}
