/**
 * Rewrites segments of which little is left, so that a few deferred messages do not keep them whole; and those in memory
 * of which only parked messages are left, so that these are on disk only. One segment at a time, whatever the topic has:
 * what it takes in memory is that segment and what is left of it.
 *
 * @module
 */

import { type DuePoint, isAfter } from "../log/message_reader.ts";
import type { Segment } from "../log/segment.ts";
import type { TopicLog } from "../log/topic_log.ts";
import { Page } from "./page.ts";

/** A segment of which less than this part is left is rewritten without the rest. */
const COMPACT_BELOW = 0.25;
/** It is rewritten only when at least this part is left of what there was in the last round: else it is gone soon. */
const STEADY_FROM = 0.75;
/** Smaller segments are not worth rewriting, in bytes. */
const COMPACT_SIZE_MIN = 64 * 1024;

/** Which segments of a topic are to be rewritten. */
export class Compaction {
  readonly #log: TopicLog;
  readonly #hasStore: boolean;
  readonly #isDistributed: (segment: Segment) => boolean;
  /** Segments that all channels have passed, and of which less is left than was, with what was left in the last round. */
  readonly #thinned = new Map<Segment, number>();
  #running: Promise<void> | undefined;

  /** `isDistributed` tells whether all messages of a segment are the channels'. */
  constructor(
    log: TopicLog,
    options: { hasStore: boolean; isDistributed: (segment: Segment) => boolean },
  ) {
    this.#log = log;
    this.#hasStore = options.hasStore;
    this.#isDistributed = options.isDistributed;
  }

  /** True while there may be something to do. */
  get isWanted(): boolean {
    return this.#thinned.size > 0;
  }

  /** All channels have passed the segment, and less is left of it than was. */
  thinned(segment: Segment): void {
    if (segment.used >= COMPACT_SIZE_MIN && !this.#thinned.has(segment)) this.#thinned.set(segment, Infinity);
  }

  /**
   * One round: rewrites what is worth it. `isEnough`, asked after each segment, ends it earlier.
   *
   * @throws What the store threw.
   */
  async run(isEnough: () => boolean): Promise<void> {
    for (const [segment, leftBefore] of [...this.#thinned]) {
      if (!this.#thinned.delete(segment) || !this.#isWorthIt(segment)) continue;
      const pages = pagesOf(segment);
      const left = leftAtMost(pages);
      if (left < STEADY_FROM * leftBefore && !this.#goesToDisk(segment, pages)) {
        this.#thinned.set(segment, left);
        continue;
      }
      this.#running = this.#rewrite(segment);
      try {
        await this.#running;
      } catch (error) {
        this.#thinned.set(segment, left);
        throw error;
      } finally {
        this.#running = undefined;
      }
      if (isEnough()) return;
    }
  }

  /** Settles when no segment is being rewritten. */
  async idle(): Promise<void> {
    try {
      await this.#running;
    } catch {
      // Whoever has called `run` is told.
    }
  }

  #isWorthIt(segment: Segment): boolean {
    if (!this.#log.has(segment) || !segment.sealed || segment.ahead > 0) return false;
    if (segment.committed < segment.count || !this.#isDistributed(segment)) return false;
    const pages = pagesOf(segment);
    return this.#goesToDisk(segment, pages) || isLeftLess(pages, COMPACT_BELOW * segment.messages);
  }

  /** Only parked messages are left, and they are in memory. */
  #goesToDisk(segment: Segment, pages: readonly Page[]): boolean {
    return this.#hasStore && !segment.stored && pages.length > 0 &&
      pages.every((page) => page.slots.size === 0);
  }

  async #rewrite(segment: Segment): Promise<void> {
    let kept = segment;
    this.#log.pin(segment);
    try {
      await this.#log.loaded(segment);
      // What the disk does not read now is tried again next time.
      if (!segment.resident) this.#thinned.set(segment, 0);
      if (!segment.resident || !this.#isWorthIt(segment)) return;
      const pages = pagesOf(segment);
      const stored = segment.stored || this.#goesToDisk(segment, pages);
      kept = await this.#log.rewrite(segment, keptBy(segment, pages), { stored }) ?? segment;
      // Its channels have seen it come into memory, and said so.
      this.#thinned.delete(segment);
    } finally {
      this.#log.unpin(kept);
    }
  }
}

function pagesOf(segment: Segment): Page[] {
  return [...segment.users].filter((user) => user instanceof Page);
}

/**
 * Which messages are not finished. Of the deferred ones a few more, perhaps: as many as if all channels had looked at what is
 * due as long ago as the one that was the last to do so.
 */
function keptBy(segment: Segment, pages: readonly Page[]): (index: number) => boolean {
  const hasSlot = new Uint8Array(segment.count);
  let woken: DuePoint | undefined;
  for (const page of pages) {
    for (const index of page.slots.indexes()) hasSlot[index] = 1;
    if (page.parked > 0 && (!woken || isAfter(woken, page.woken))) woken = page.woken;
  }
  return (index) => {
    if (hasSlot[index] === 1) return true;
    const dueMs = woken ? segment.dueMs(index) : 0;
    return woken !== undefined && dueMs > 0 && isAfter({ dueMs, index }, woken);
  };
}

/** Messages that are left, if the channels have finished different ones. */
function leftAtMost(pages: readonly Page[]): number {
  let left = 0;
  for (const page of pages) left += page.unfinished;
  return left;
}

/** True when fewer messages are left than `limit`: those that several channels have not finished are mostly the same ones. */
function isLeftLess(pages: readonly Page[], limit: number): boolean {
  if (leftAtMost(pages) < limit) return true;
  if (pages.some((page) => page.unfinished >= limit)) return false;
  const slots = new Set<number>();
  for (const page of pages) {
    for (const index of page.slots.indexes()) slots.add(index);
  }
  return slots.size + Math.max(...pages.map((page) => page.parked)) < limit;
}
