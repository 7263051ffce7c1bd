/**
 * The pages of a channel, by position, and the cursor that goes through them. It keeps the segments in memory that the
 * channel is about to need: the one at the cursor, the one after it (so it is read before it is needed), and those
 * with messages in flight or ready again.
 *
 * @module
 */

import { type Page, UNTOUCHED } from "./page.ts";
import type { Segment } from "../log/segment.ts";

/** Keeps segments in memory; the topic's log. */
export interface SegmentKeeper {
  pin(segment: Segment): void;
  unpin(segment: Segment): void;
}

/** Pages that are not finished. */
export class PageList {
  readonly #keeper: SegmentKeeper;
  #pages: Page[] = [];
  /** Index of the page that the cursor is in; the number of pages when it is behind them all. */
  #current = 0;
  /** The page that was found last: the next position is mostly in the same. */
  #found: Page | undefined;

  constructor(keeper: SegmentKeeper) {
    this.#keeper = keeper;
  }

  /** All pages. */
  get all(): readonly Page[] {
    return this.#pages;
  }

  /** The page of the newest messages. */
  get last(): Page | undefined {
    return this.#pages.at(-1);
  }

  /** The page of the segment. */
  of(segment: Segment): Page | undefined {
    return this.#pages.find((page) => page.segment === segment);
  }

  /** The page that holds the position. */
  at(position: number): Page | undefined {
    if (this.#found && holds(this.#found, position)) return this.#found;
    let low = 0;
    let high = this.#pages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#pages[middle].segment.base <= position) low = middle + 1;
      else high = middle;
    }
    const page = this.#pages[low - 1];
    if (page === undefined || !holds(page, position)) return undefined;
    return this.#found = page;
  }

  /** Adds a page at the end. */
  push(page: Page): void {
    page.segment.holders++;
    this.#pages.push(page);
    this.#updateNear();
  }

  /** Takes out a page whose segment the channel has finished; false when it is not there. */
  remove(page: Page): boolean {
    const at = this.#pages.indexOf(page);
    if (at < 0) return false;
    this.#pages.splice(at, 1);
    if (at < this.#current) this.#current--;
    if (this.#found === page) this.#found = undefined;
    this.#updateNear();
    this.#letGo(page);
    return true;
  }

  /** Takes out all pages, and returns them. */
  clear(): Page[] {
    const pages = this.#pages;
    this.#pages = [];
    this.#current = 0;
    this.#found = undefined;
    for (const page of pages) this.#letGo(page);
    return pages;
  }

  /** Forgets the last page, whose segment begins anew as another. */
  forgetLast(): void {
    this.#pages.pop();
    this.#found = undefined;
    this.#current = Math.min(this.#current, this.#pages.length);
  }

  /** The page at the cursor, which is moved to the first message that is untouched; undefined when there is none. */
  firstUntouched(): Page | undefined {
    while (this.#current < this.#pages.length) {
      const page = this.#pages[this.#current];
      if (skipTouched(page)) return page;
      if (this.#current === this.#pages.length - 1) return undefined;
      this.#current++;
      this.#updateNear();
    }
    return undefined;
  }

  /** Takes pages over after a restart, and puts the cursor at the first message that is untouched. */
  adopt(pages: readonly Page[]): void {
    for (const page of pages) page.segment.holders++;
    this.#pages = [...pages];
    // Only then, so that what it passes needs not be in memory.
    while (this.#current < pages.length && isPassed(pages[this.#current])) this.#current++;
    this.#updateNear();
  }

  /** Waiting messages in segments of a kind. */
  waitingWhere(counts: (segment: Segment) => boolean): number {
    let count = 0;
    for (let i = this.#current; i < this.#pages.length; i++) {
      if (counts(this.#pages[i].segment)) count += this.#pages[i].waiting;
    }
    return count;
  }

  /** A message of the page is in flight or ready again: its bytes are needed. */
  pin(page: Page): void {
    if (page.busy++ === 0) this.#keeper.pin(page.segment);
  }

  /** Takes a `pin` back. */
  unpin(page: Page): void {
    if (--page.busy === 0) this.#keeper.unpin(page.segment);
  }

  #letGo(page: Page): void {
    if (page.near) this.#keeper.unpin(page.segment);
    if (page.busy > 0) this.#keeper.unpin(page.segment);
    page.segment.holders--;
  }

  #updateNear(): void {
    const from = Math.max(this.#current - 1, 0);
    for (let i = from; i < this.#pages.length && i <= this.#current + 2; i++) {
      const page = this.#pages[i];
      const near = i === this.#current || i === this.#current + 1;
      if (near === page.near) continue;
      page.near = near;
      if (near) this.#keeper.pin(page.segment);
      else this.#keeper.unpin(page.segment);
    }
  }
}

/** Moves the page's cursor to the first message that is untouched; false when there is none. */
function skipTouched(page: Page): boolean {
  while (page.next < page.end && page.state(page.next) !== UNTOUCHED) page.skip();
  return page.next < page.end;
}

/** Moves the page's cursor, and is true when nothing of its segment can wait any more. */
function isPassed(page: Page): boolean {
  return !skipTouched(page) && page.end === page.segment.count;
}

function holds(page: Page, position: number): boolean {
  const index = position - page.segment.base;
  return index >= page.start && index < page.end;
}
