/**
 * The pages of a channel, found by position.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** Pages, by the position of their segments, one for a segment at most. */
export class PageList {
  readonly #pages: Page[] = [];
  /** The page that was found last: the next position is mostly in the same. */
  #found: Page | undefined;

  /** All pages. */
  get all(): readonly Page[] {
    return this.#pages;
  }

  /** The page of the segment that begins at the position. */
  of(base: number): Page | undefined {
    const page = this.#pages[this.#indexAfter(base) - 1];
    return page?.segment.base === base ? page : undefined;
  }

  /** The page of the segment that has the position. */
  at(position: number): Page | undefined {
    if (this.#found && holds(this.#found, position)) return this.#found;
    const page = this.#pages[this.#indexAfter(position) - 1];
    if (page === undefined || !holds(page, position)) return undefined;
    return this.#found = page;
  }

  /** Adds a page. */
  add(page: Page): void {
    const { base } = page.segment;
    const last = this.#pages.at(-1);
    if (!last || last.segment.base < base) this.#pages.push(page);
    else this.#pages.splice(this.#indexAfter(base), 0, page);
  }

  /** Takes a page out. */
  remove(page: Page): void {
    const at = this.#indexAfter(page.segment.base) - 1;
    if (this.#pages[at] !== page) return;
    if (at === 0) this.#pages.shift();
    else this.#pages.splice(at, 1);
    if (this.#found === page) this.#found = undefined;
  }

  /** Takes all pages out, and returns them. */
  clear(): Page[] {
    this.#found = undefined;
    return this.#pages.splice(0);
  }

  /** Index after the last page whose segment begins at or before the position. */
  #indexAfter(position: number): number {
    let low = 0;
    let high = this.#pages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#pages[middle].segment.base <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function holds({ segment }: Page, position: number): boolean {
  return position >= segment.base && position < segment.end;
}
