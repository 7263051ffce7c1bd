/**
 * A channel's view of one segment, as far as its cursor does not describe it: the messages that have slots (in flight,
 * ready again, deferred), and the parked ones: deferred for so long that a slot for each is not worth its memory. What a
 * page keeps follows these, not the length of the segment; what the cursor has passed and no page speaks of is finished.
 *
 * Which messages are parked is said by a moment in the order of what is due: those of the segment's deferred ones that are
 * due after it, but for a few that somebody has taken out of their turn. What is due before has had a slot, and is finished
 * if it has none any more; so are those few.
 *
 * @module
 */

import { type DuePoint, isAfter, NOTHING_DUE } from "../log/message_reader.ts";
import type { Segment, SegmentUser } from "../log/segment.ts";
import { NONE, type Outstanding } from "./outstanding.ts";
import { SlotMap } from "./slot_map.ts";

/** Whose page it is; a channel. */
export interface PageOwner {
  readonly outstanding: Outstanding;
  /** The page's segment is in memory again. */
  pageLoaded(page: Page): void;
  /** The page's segment is another one now, in memory, with the same messages but for those that everybody has finished. */
  pageReplaced(page: Page): void;
  /** The page's segment has left the log. */
  pageReleased(page: Page): void;
}

/** A channel's messages of a segment that are neither waiting nor finished. */
export class Page implements SegmentUser {
  segment: Segment;
  /** The first message of the segment that is the channel's. */
  start: number;
  /** After the last deferred one that is: what follows may be the topic's, or have been dropped. */
  end: number;
  readonly slots: SlotMap;
  /** Parked messages. */
  parked = 0;
  /** What is due after this moment is parked. */
  woken: DuePoint = NOTHING_DUE;
  /** Messages that were parked and are not any more, though their time has not come. */
  readonly taken = new Set<number>();
  /** The slot that waits on behalf of the parked ones for the time to look at them. */
  parkSlot = NONE;
  /** What is being read for the sake of the parked ones. */
  waking: "index" | "segment" | undefined;
  /** Its segment is being read to find where its messages lie. */
  isLocating = false;
  /** It was made from the saved state. */
  isRestored = false;
  /** The channel was emptied. */
  isRetired = false;
  readonly #owner: PageOwner;

  /** `slots` has none in it. */
  constructor(owner: PageOwner, segment: Segment, options: { start: number; slots?: SlotMap | undefined }) {
    const { start, slots = new SlotMap() } = options;
    this.#owner = owner;
    this.segment = segment;
    this.slots = slots;
    this.start = this.end = start;
    segment.addUser(this);
  }

  /** Messages that are not finished. */
  get unfinished(): number {
    return this.slots.size + this.parked;
  }

  /** Gives the message at the index a slot; it has none. */
  put(index: number, slot: number): void {
    if (this.unfinished === 0) this.segment.open++;
    this.slots.add(index, slot);
  }

  /** Takes the slot of the message at the index away. */
  take(index: number): void {
    this.slots.delete(index);
    if (this.unfinished === 0) this.segment.open--;
  }

  /** So many more messages are parked, or fewer. */
  park(count: number): void {
    if (count === 0) return;
    if (this.unfinished === 0) this.segment.open++;
    this.parked += count;
    if (this.unfinished === 0) this.segment.open--;
  }

  /** A parked message has got a slot. */
  unpark(index: number, slot: number): void {
    this.parked--;
    this.slots.add(index, slot);
  }

  /** True when the message at the index, in memory and the channel's, is parked. */
  isParked(index: number): boolean {
    return this.isParkedUntil(this.segment.dueMs(index), index);
  }

  /** True when the message at the index, which was published to be due then, is parked. */
  isParkedUntil(dueMs: number, index: number): boolean {
    return dueMs > 0 && index >= this.start && index < this.end && isAfter({ dueMs, index }, this.woken) &&
      !this.taken.has(index);
  }

  /** Ends the page's part in its segment. */
  detach(): void {
    this.segment.removeUser(this);
  }

  leaving(): void {
    const { segment, slots } = this;
    const table = this.#owner.outstanding;
    if (slots.size === 0 || !segment.stored) return;
    for (const index of slots.indexes()) {
      const slot = slots.get(index);
      const offset = table.offset[slot] = segment.batchOffset(index);
      table.length[slot] = segment.batchLength(offset);
    }
  }

  loaded(): void {
    if (!this.isRetired) this.#owner.pageLoaded(this);
  }

  replaced(copy: Segment): void {
    this.segment = copy;
    if (!this.isRetired) this.#owner.pageReplaced(this);
  }

  released(): void {
    if (!this.isRetired) this.#owner.pageReleased(this);
  }

  restarted(next: Segment): void {
    this.segment = next;
    this.start = this.end = 0;
    this.woken = NOTHING_DUE;
    // To clear a set that is empty makes a new table, too.
    if (this.taken.size > 0) this.taken.clear();
  }
}
