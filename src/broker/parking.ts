/**
 * Parked messages: deferred for so long that a slot for each is not worth its memory. A page knows how many it has; one
 * slot stands for all of them, and comes up shortly before the first is due. Then those that are due soon get slots of
 * their own: their segment's file has an index of its deferred messages by due time, of which only the next part is read.
 *
 * @module
 */

import type { Pace } from "../base/pace.ts";
import { type DuePoint, isAfter } from "../log/message_reader.ts";
import type { Segment } from "../log/segment.ts";
import { type DueEntry, INDEX_ENTRIES_MAX, SEGMENT_MESSAGES_MAX } from "../log/segment_image.ts";
import type { TopicLog } from "../log/topic_log.ts";
import { NONE, type Outstanding, type SlotOwner, STATE } from "./outstanding.ts";
import type { Page } from "./page.ts";

/** A message that is deferred for longer than this when it is published is parked. */
const PARK_BEYOND_MS = 60_000;
/** Parked messages are looked at this long before the first of them is due; it takes time to read when and where. */
const PARK_LEAD_MS = 10_000;
/** Parked messages in memory that get slots before others have their turn: some ms of work. */
const WAKE_MESSAGES_MAX = 10_000;

/** Behind everything that can be due. */
const EVERYTHING_DUE: DuePoint = { dueMs: Number.MAX_SAFE_INTEGER, index: SEGMENT_MESSAGES_MAX };

/** The two clocks. */
interface Times {
  /** Now by the wall clock, in ms since 1970. */
  nowMs(): number;
  /** Now by the monotonic clock, in ms. */
  monotonicMs(): number;
}

/** What parking uses of the topic. */
export interface ParkingTopic extends Times {
  readonly log: TopicLog;
  readonly waking: Pace;
}

/** Whose messages are parked; a channel. */
export interface ParkingOwner extends SlotOwner {
  /** Its number in the table. */
  readonly ownerId: number;
  readonly outstanding: Outstanding<ParkingOwner>;
  /** A slot for a message that is deferred until that time of the wall clock. */
  deferred(position: number, attempts: number, dueMs: number): number;
  /** The page's parked messages were looked at. */
  looked(page: Page): void;
}

/** The parked messages of a channel. */
export class Parking {
  /** How many there are. */
  count = 0;
  readonly #topic: ParkingTopic;
  readonly #owner: ParkingOwner;

  constructor(topic: ParkingTopic, owner: ParkingOwner) {
    this.#topic = topic;
    this.#owner = owner;
  }

  /** Takes the deferred ones among the messages [from, to) of the page's segment, which are as many. */
  take(page: Page, { from, to, deferred }: { from: number; to: number; deferred: number }): void {
    const { segment } = page;
    page.end = to;
    if (!segment.resident) {
      this.#park(page, deferred);
      this.#scheduleLook(page, segment.earliestDueMs);
      return;
    }
    if (page.parked === 0) page.woken = this.#soonOf(page);
    let parked = 0;
    let nextDueMs = Infinity;
    for (let index = from; index < to; index++) {
      const dueMs = segment.dueMs(index);
      if (dueMs === 0) continue;
      if (isAfter({ dueMs, index }, page.woken)) {
        parked++;
        nextDueMs = Math.min(nextDueMs, dueMs);
      } else {
        page.put(index, this.#slotOf(page, index, dueMs));
      }
    }
    this.#park(page, parked);
    this.#scheduleLook(page, nextDueMs);
  }

  /** Goes on after a restart with so many, the first of which is due then. */
  restore(page: Page, parked: number, nextDueMs: number): void {
    this.#park(page, parked);
    this.#scheduleLook(page, nextDueMs);
  }

  /** When the first of the page's parked messages is due, by the wall clock; 0 while they are being looked at. */
  nextDueMs(page: Page): number {
    const lookMs = page.parkSlot === NONE ? -Infinity : this.#owner.outstanding.key[page.parkSlot];
    return lookMs === -Infinity ? 0 : wallOf(lookMs + PARK_LEAD_MS, this.#topic);
  }

  /** The slot that stands for the page's parked messages is due. Returns how many have got slots of their own by that. */
  due(page: Page): number {
    const { parked } = page;
    this.#owner.outstanding.release(page.parkSlot);
    page.parkSlot = NONE;
    this.#look(page);
    return parked - page.parked;
  }

  /** The page's segment is in memory. */
  loaded(page: Page): void {
    if (page.waking !== "segment") return;
    page.waking = undefined;
    this.#wakeInMemory(page, { all: true });
    this.#topic.log.unpin(page.segment);
  }

  /** Counts anew which messages of the page, whose segment is in memory, are parked. */
  recount(page: Page): void {
    if (page.parked === 0) return;
    let parked = 0;
    for (let index = page.start; index < page.end; index++) {
      if (page.isParked(index)) parked++;
    }
    this.#park(page, parked - page.parked);
    if (page.parked === 0) this.forget(page);
  }

  /** Takes a message out that is parked: it is finished, or has got a slot before its time. */
  takeOut(page: Page, index: number, slot = NONE): void {
    page.taken.add(index);
    if (slot === NONE) this.#park(page, -1);
    else this.#unpark(page, index, slot);
    if (page.parked === 0) this.forget(page);
  }

  /** Looks at the page's parked messages no more. */
  forget(page: Page): void {
    if (page.parkSlot === NONE) return;
    const table = this.#owner.outstanding;
    table.undefer(page.parkSlot);
    table.release(page.parkSlot);
    page.parkSlot = NONE;
  }

  #park(page: Page, count: number): void {
    page.park(count);
    this.count += count;
  }

  #unpark(page: Page, index: number, slot: number): void {
    page.unpark(index, slot);
    this.count--;
  }

  #slotOf({ segment }: Page, index: number, dueMs: number): number {
    return this.#owner.deferred(segment.base + index, segment.earlierAttempts(index), dueMs);
  }

  /** What is due before it gets slots. In whole ms, as due times are. */
  #soon(): DuePoint {
    return { dueMs: Math.floor(this.#topic.nowMs() + PARK_BEYOND_MS), index: SEGMENT_MESSAGES_MAX };
  }

  /** As `#soon`, and never before what has got slots already: the clock may have been set back. */
  #soonOf({ woken }: Page): DuePoint {
    const soon = this.#soon();
    return isAfter(soon, woken) ? soon : woken;
  }

  /** Sees to it that the page's parked messages, the first of which is due then, are looked at in time. */
  #scheduleLook(page: Page, nextDueMs: number): void {
    if (page.parked === 0 || page.waking) return;
    const table = this.#owner.outstanding;
    const lookMs = monotonicOf(nextDueMs, this.#topic) - PARK_LEAD_MS;
    let slot = page.parkSlot;
    if (slot === NONE) {
      slot = page.parkSlot = table.allocate(this.#owner.ownerId, page.segment.base, 0);
      table.state[slot] = STATE.parked;
    } else {
      if (table.key[slot] <= lookMs) return;
      table.undefer(slot);
    }
    table.key[slot] = lookMs;
    table.defer(slot);
  }

  /** Gives slots to the parked messages that are due soon. */
  #look(page: Page): void {
    const { segment } = page;
    if (page.parked === 0 || page.waking) return;
    if (segment.resident) {
      this.#wakeInMemory(page, { all: false });
      this.#owner.looked(page);
    } else if (segment.dueIndex) {
      page.waking = "index";
      void this.#wakeByIndex(page, segment);
    } else {
      page.waking = "segment";
      this.#topic.log.pin(segment);
    }
  }

  /** Of a segment in memory: those that are due soon, or `all` of them, where there is no index to come back to. */
  #wakeInMemory(page: Page, { all }: { all: boolean }): void {
    const { segment } = page;
    let until = all ? EVERYTHING_DUE : this.#soonOf(page);
    if (page.parked > WAKE_MESSAGES_MAX && !all) {
      const order = segment.dueOrder();
      const first = order.findIndex((index) => page.isParked(index));
      const index = order[first + WAKE_MESSAGES_MAX - 1];
      const dueMs = index === undefined ? Infinity : segment.dueMs(index);
      if (index !== undefined && !isAfter({ dueMs, index }, until)) until = { dueMs, index };
    }
    let nextDueMs = Infinity;
    for (let index = page.start; index < page.end && page.parked > 0; index++) {
      if (!page.isParked(index)) continue;
      const dueMs = segment.dueMs(index);
      if (isAfter({ dueMs, index }, until)) nextDueMs = Math.min(nextDueMs, dueMs);
      else this.#unpark(page, index, this.#slotOf(page, index, dueMs));
    }
    page.woken = until;
    this.recount(page);
    this.#scheduleLook(page, nextDueMs);
  }

  /** Of a segment that is on disk only. */
  async #wakeByIndex(page: Page, segment: Segment): Promise<void> {
    let nextDueMs: number | undefined;
    while (page.parked > 0 && nextDueMs === undefined) {
      await this.#topic.waking.take(INDEX_ENTRIES_MAX);
      const entries = await this.#topic.log.readDue(segment, page.woken);
      if (page.isRetired) return;
      if (page.segment !== segment || segment.resident) break;
      // Damaged, or the disk does not read: as a whole it is read again and again, and told about.
      if (!entries || entries.length === 0) segment.dueIndex = undefined;
      if (!segment.dueIndex) break;
      nextDueMs = this.#wakeEntries(page, entries ?? []);
    }
    page.waking = undefined;
    if (nextDueMs === undefined) this.#look(page);
    else this.#scheduleLook(page, nextDueMs);
    this.#owner.looked(page);
  }

  /** Returns when the first is due that is not due soon; undefined when there may be more that are. */
  #wakeEntries(page: Page, entries: readonly DueEntry[]): number | undefined {
    const { segment } = page;
    const untilMs = this.#soon().dueMs;
    const table = this.#owner.outstanding;
    for (const { dueMs, index, offset, length } of entries) {
      if (dueMs > untilMs) return dueMs;
      page.woken = { dueMs, index };
      if (index < page.start || index >= page.end || page.parked === 0 || page.taken.has(index)) continue;
      const slot = this.#owner.deferred(segment.base + index, 0, dueMs);
      table.offset[slot] = offset;
      table.length[slot] = length;
      this.#unpark(page, index, slot);
    }
    return undefined;
  }
}

/** A time of the wall clock as one of the monotonic clock; 0 is long ago. */
export function monotonicOf(wallMs: number, times: Times): number {
  return wallMs + times.monotonicMs() - times.nowMs();
}

/** A time of the monotonic clock as one of the wall clock. */
export function wallOf(monotonicMs: number, times: Times): number {
  return monotonicMs + times.nowMs() - times.monotonicMs();
}
