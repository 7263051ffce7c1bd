/**
 * A channel's cursor: the messages that the channel has not looked at yet, as ranges of positions. That is one range, from
 * the cursor to the end of what the topic has passed on, but for an ephemeral channel that has dropped some. Deferred
 * messages lie in the ranges, too; they are passed over, for they come when they are due (page.ts).
 *
 * While somebody reads, it keeps the segment at the cursor in memory, and the next one, so that it is read before it is
 * needed. Nothing else keeps whole segments.
 *
 * @module
 */

import type { Segment, SegmentUser } from "../log/segment.ts";
import type { PositionRange, TopicLog } from "../log/topic_log.ts";

/** Ranges that messages which are taken out leave at most: each is saved, and looked through. */
const RANGES_MAX = 1000;

/** What a cursor tells its channel. */
export interface CursorOwner {
  /** The cursor has passed all that there is of a segment. */
  passed(segment: Segment): void;
  /** The segment that was waited for is there. */
  readable(): void;
}

/** A channel's place in the log. */
export class Cursor {
  /** Messages that wait. */
  waiting = 0;
  readonly #log: TopicLog;
  readonly #owner: CursorOwner;
  readonly #ranges: { from: number; to: number }[] = [];
  /** Where the first range begins, once it was looked up. */
  #segment: Segment | undefined;
  /** Every message before this position waits, is in the segment, and that is kept in memory: nothing is to be looked at. */
  #plainEnd = 0;
  /** What is kept in memory: the segment at the cursor, and the next one. */
  #kept: Kept | undefined;
  #keptNext: Kept | undefined;

  constructor(log: TopicLog, owner: CursorOwner) {
    this.#log = log;
    this.#owner = owner;
  }

  /** What has not been looked at. */
  get ranges(): readonly PositionRange[] {
    return this.#ranges;
  }

  /** Position of the next message that may wait; the log's end when there is none. */
  get position(): number {
    return this.#ranges.length > 0 ? this.#ranges[0].from : this.#log.end;
  }

  /** The segment that the cursor is in, if it has been there. */
  get segment(): Segment | undefined {
    return this.#segment;
  }

  /** True while it keeps a segment in memory. */
  get isReading(): boolean {
    return this.#kept !== undefined;
  }

  /** Waiting messages in segments that are in memory only. */
  get waitingInMemory(): number {
    let count = 0;
    for (const segment of this.#log.inMemory) {
      for (const { from, to } of this.#ranges) {
        const [first, end] = [
          Math.max(from - segment.base, 0),
          Math.min(to - segment.base, segment.committed),
        ];
        if (first < end) count += segment.waitingIn(first, end);
      }
    }
    return count;
  }

  /** Takes the messages [from, to) of the segment, `waiting` of which are not deferred. */
  extend(segment: Segment, from: number, to: number, waiting: number): void {
    const last = this.#ranges.at(-1);
    if (!last || last.to <= segment.base) segment.ahead++;
    if (last?.to === segment.base + from) last.to = segment.base + to;
    else this.#ranges.push({ from: segment.base + from, to: segment.base + to });
    this.waiting += waiting;
  }

  /**
   * Drops the newest of the waiting messages, which are in the segment at or after `from`. The segment is in memory, or has
   * neither holes nor deferred messages.
   */
  dropNewest(segment: Segment, from: number, surplus: number): void {
    const last = this.#ranges.at(-1);
    if (!last) return;
    const isPlain = segment.holes === 0 && segment.deferred === 0;
    let left = surplus;
    let index = last.to - segment.base;
    for (; index > from && left > 0; index--) {
      if (!isPlain && (!segment.has(index - 1) || segment.dueMs(index - 1) > 0)) continue;
      left--;
      this.waiting--;
    }
    last.to = segment.base + index;
    this.#plainEnd = 0;
    if (last.to <= last.from) this.#ranges.pop();
    const end = this.#ranges.at(-1)?.to ?? 0;
    if (end <= segment.base) this.#pass(segment);
  }

  /**
   * The segment, in memory, whose message `index()` is the next that waits; undefined when none waits, or its segment
   * must be read first: `readable` is called then.
   */
  front(): Segment | undefined {
    const first = this.#ranges[0];
    if (first !== undefined && first.from < this.#plainEnd && this.#segment?.resident) return this.#segment;
    this.#plainEnd = 0;
    for (let range = this.#ranges[0]; range !== undefined; range = this.#ranges[0]) {
      const segment = this.#segment ?? this.#find(range);
      if (segment === undefined) continue;
      const end = Math.min(range.to - segment.base, segment.committed);
      let index = Math.max(range.from - segment.base, 0);
      if (this.waiting === 0 || isAllDeferred(segment, index, end)) {
        index = end;
      } else if (index < end) {
        if (this.#kept?.segment !== segment) this.#keep(segment);
        if (this.#keptNext === undefined) this.#keepNext(segment);
        if (!segment.resident) return undefined;
        if (segment.holes > 0 || segment.deferred > 0) {
          while (index < end && (!segment.has(index) || segment.dueMs(index) > 0)) index++;
        } else {
          this.#plainEnd = segment.base + end;
        }
      }
      range.from = segment.base + index;
      if (index < end) return segment;
      this.#leave(segment, range);
    }
    this.waiting = 0;
    return undefined;
  }

  /** Takes the message at the front, and returns its index in the segment. */
  take(segment: Segment): number {
    this.waiting--;
    return this.#ranges[0].from++ - segment.base;
  }

  /** True when the position has not been passed. */
  has(position: number): boolean {
    const range = this.#ranges[this.#indexOf(position)];
    return range !== undefined && position >= range.from;
  }

  /** False when taking the message out, which waits, would leave more ranges than there may be. */
  canTakeOut(position: number): boolean {
    const { from, to } = this.#ranges[this.#indexOf(position)];
    return this.#ranges.length < RANGES_MAX || position === from || position === to - 1;
  }

  /** Takes a message out that waits, wherever it is. */
  takeOut(segment: Segment, position: number): void {
    const at = this.#indexOf(position);
    const { from, to } = this.#ranges[at];
    const left = [{ from, to: position }, { from: position + 1, to }].filter(({ from, to }) => from < to);
    this.#ranges.splice(at, 1, ...left);
    this.waiting--;
    this.#plainEnd = 0;
    if (!this.#overlaps(segment.base, segment.count)) this.#pass(segment);
    this.settle();
  }

  /** Passes what has been taken and what is deferred, as far as that needs no reading. */
  settle(): void {
    if (this.waiting === 0) {
      this.front();
      return;
    }
    const segment = this.#segment;
    const range = this.#ranges[0];
    if (segment && range && range.from >= Math.min(range.to, segment.base + segment.committed)) {
      this.#leave(segment, range);
    }
  }

  /** No message is added to the segment any more. */
  sealed(segment: Segment): void {
    if (this.#kept?.segment === segment && this.#segment !== segment) this.#moveOn();
  }

  /** Lets the segments go that it keeps in memory: nobody reads. */
  rest(): void {
    this.#plainEnd = 0;
    this.#kept?.end();
    this.#keptNext?.end();
    this.#kept = this.#keptNext = undefined;
  }

  /** Forgets everything; `passed` is for the caller to see to, with what is returned. */
  clear(): PositionRange[] {
    this.rest();
    this.waiting = 0;
    this.#segment = undefined;
    return this.#ranges.splice(0);
  }

  /** Takes ranges over after a restart, in which so many messages wait; their segments know of it already. */
  adopt(ranges: readonly PositionRange[], waiting: number): void {
    this.#ranges.push(...ranges.map(({ from, to }) => ({ from, to })));
    this.waiting = waiting;
  }

  /**
   * A segment, in memory, has not the messages that it was taken to have, and perhaps fewer positions: counts anew what
   * waits, as far as that can be told without reading.
   */
  recount(segment: Segment, countBefore: number): void {
    this.#plainEnd = 0;
    if (this.#overlaps(segment.base, countBefore) && !this.#overlaps(segment.base, segment.count)) {
      this.#pass(segment);
    }
    let count = 0;
    for (const { from, to } of this.#ranges) {
      for (const segment of this.#log.allFrom(from)) {
        if (segment.base >= to) break;
        const [first, end] = [
          Math.max(from - segment.base, 0),
          Math.min(to - segment.base, segment.committed),
        ];
        if (!segment.resident && (first > 0 || end < segment.count)) return;
        count += segment.waitingIn(first, end);
      }
    }
    this.waiting = count;
  }

  /** The range has been passed, or all of it that lies in the segment. */
  #leave(segment: Segment, range: PositionRange): void {
    if (range.from === range.to) this.#ranges.shift();
    const [next] = this.#ranges;
    // An ephemeral channel may have a further range in it.
    if (next && next.from < segment.base + segment.count) return;
    this.#pass(segment);
  }

  #pass(segment: Segment): void {
    this.#segment = undefined;
    segment.ahead--;
    // More comes into one that is not sealed, mostly at once.
    if (this.#kept?.segment === segment && segment.sealed) this.#moveOn();
    this.#owner.passed(segment);
  }

  /** Index of the range that has the position, or else of the first one behind it. */
  #indexOf(position: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle].to <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** True when some of the positions have not been passed. */
  #overlaps(base: number, count: number): boolean {
    return this.#ranges.some(({ from, to }) => from < base + count && to > base);
  }

  #moveOn(): void {
    this.#kept?.end();
    this.#kept = this.#keptNext;
    this.#keptNext = undefined;
  }

  /** The segment that the range begins in; undefined when there is none, and the range is gone. */
  #find(range: { from: number; to: number }): Segment | undefined {
    const segment = this.#log.from(range.from);
    if (segment !== undefined && segment.base < range.to) return this.#segment = segment;
    // What was there is lost.
    this.#ranges.shift();
    return undefined;
  }

  #keep(segment: Segment): void {
    this.#kept?.end();
    if (this.#keptNext?.segment === segment) {
      this.#kept = this.#keptNext;
    } else {
      this.#keptNext?.end();
      this.#kept = new Kept(segment, this.#log, this.#owner);
    }
    this.#keptNext = undefined;
  }

  /** Keeps the segment behind this one, too, if there is one with something of the channel's. */
  #keepNext(segment: Segment): void {
    const end = this.#ranges[this.#ranges.length - 1].to;
    if (end <= segment.end) return;
    const next = this.#log.from(segment.end);
    if (next && next.base < end) this.#keptNext = new Kept(next, this.#log, this.#owner);
  }
}

/** Keeps a segment in memory. */
class Kept implements SegmentUser {
  segment: Segment;
  readonly #log: TopicLog;
  readonly #owner: CursorOwner;

  constructor(segment: Segment, log: TopicLog, owner: CursorOwner) {
    this.segment = segment;
    this.#log = log;
    this.#owner = owner;
    segment.addUser(this);
    log.pin(segment);
  }

  end(): void {
    this.segment.removeUser(this);
    this.#log.unpin(this.segment);
  }

  leaving(): void {}

  released(): void {}

  loaded(): void {
    this.#owner.readable();
  }

  replaced(copy: Segment): void {
    this.segment = copy;
    this.#owner.readable();
  }

  restarted(next: Segment): void {
    this.segment = next;
  }
}

/** True when none of the messages [from, to) waits, as far as is known without reading. */
function isAllDeferred(segment: Segment, from: number, to: number): boolean {
  return from === 0 && to === segment.count && segment.deferred > 0 && segment.waitingIn(from, to) === 0;
}
