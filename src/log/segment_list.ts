/**
 * The segments of a log, found by position.
 *
 * @module
 */

import type { Segment } from "./segment.ts";

/** Segments, by position; none overlaps another. Finding one takes log n steps. */
export class SegmentList {
  readonly #segments: Segment[] = [];

  /** All of them. */
  get all(): readonly Segment[] {
    return this.#segments;
  }

  /** Index of the segment that has the position, or else of the first one behind it. */
  indexFrom(position: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const segment = this.#segments[middle];
      // An empty one, which may be added to, holds the position that it begins at.
      if (segment.end <= position && segment.base < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The segment that has the position, or else the first one behind it. */
  from(position: number): Segment | undefined {
    return this.#segments[this.indexFrom(position)];
  }

  has(segment: Segment): boolean {
    return this.from(segment.base) === segment;
  }

  /** Adds one at the end. */
  push(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** Puts one in the place of another, without overlapping its neighbours; false when that one is not there. */
  replace(segment: Segment, next: Segment): boolean {
    const at = this.indexFrom(segment.base);
    if (this.#segments[at] !== segment) return false;
    this.#segments[at] = next;
    return true;
  }

  /** Takes one out; false when it is not there. */
  remove(segment: Segment): boolean {
    const at = this.indexFrom(segment.base);
    if (this.#segments[at] !== segment) return false;
    if (at === 0) this.#segments.shift();
    else this.#segments.splice(at, 1);
    return true;
  }
}
