/**
 * What is left to do when a channel was emptied or deleted: its slots go back, and the segments that only it needed go.
 *
 * @module
 */

import type { Segment } from "../log/segment.ts";
import type { PositionRange, TopicLog } from "../log/topic_log.ts";
import { NONE, type Outstanding, STATE } from "./outstanding.ts";
import type { Page } from "./page.ts";

/** Segments that are left, and slots that are released, in one step. */
const SEGMENTS_AT_ONCE = 16;
const SLOTS_AT_ONCE = 5000;

/** What is taken apart. */
export interface Retired {
  readonly pages: readonly Page[];
  /** What was ahead of the cursor. */
  readonly ranges: readonly PositionRange[];
  /** The channel's number in the table, when the channel is gone, too; else `NONE`. */
  readonly owner: number;
}

/** Takes it apart, in steps; `left` is told of segments of which the channel needs nothing any more. */
export function* takeApart(
  { pages, ranges, owner }: Retired,
  options: { log: TopicLog; outstanding: Outstanding; left: (segment: Segment) => void },
): Generator<void> {
  const { log, outstanding, left } = options;
  let segments = 0;
  let last: Segment | undefined;
  for (const { from, to } of ranges) {
    for (let position = from; position < to;) {
      const segment = log.from(position);
      if (!segment || segment.base >= to) break;
      position = Math.max(segment.end, position + 1);
      // Several ranges in one segment were counted once.
      if (segment === last) continue;
      last = segment;
      segment.ahead--;
      left(segment);
      if (++segments % SEGMENTS_AT_ONCE === 0) yield;
    }
  }
  let slots = 0;
  for (const page of pages) {
    if (page.parkSlot !== NONE) release(outstanding, page.parkSlot);
    for (const index of page.slots.indexes()) {
      release(outstanding, page.slots.get(index));
      page.take(index);
      if (++slots % SLOTS_AT_ONCE === 0) yield;
    }
    page.park(-page.parked);
    page.detach();
    left(page.segment);
    if (++slots % SLOTS_AT_ONCE === 0) yield;
  }
  if (owner !== NONE) outstanding.owners.remove(owner);
}

/** Lists of consumers and channels were begun anew; only the heap still has its slots. */
function release(outstanding: Outstanding, slot: number): void {
  const state = outstanding.state[slot];
  if (state === STATE.deferred || state === STATE.parked) outstanding.undefer(slot);
  outstanding.release(slot);
}
