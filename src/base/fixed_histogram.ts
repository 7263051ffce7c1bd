/**
 * Counts of values by size, with bounds that never change: those of several sources can be added up, and what was counted stays
 * counted. An insertion is a few comparisons and two additions.
 *
 * @module
 */

/**
 * A histogram.
 *
 * @example Insert and read
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { FixedHistogram } from "./fixed_histogram.ts";
 *
 * const seconds = new FixedHistogram([0.1, 1]);
 * seconds.insert(0.1);
 * seconds.insert(5);
 * assertEquals([seconds.count, seconds.sum, [...seconds.counts]], [2, 5.1, [1, 0, 1]]);
 * ```
 */
export class FixedHistogram {
  /** The largest value of each bucket but the last one, which has no bound; ascending. */
  readonly bounds: readonly number[];
  /** Values in each bucket. */
  readonly counts: Float64Array;
  /** Sum of all values. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Number of values. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** Adds a value. */
  insert(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.sum += value;
  }

  /** Adds what another one with the same bounds has counted. */
  add(other: FixedHistogram): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i] += other.counts[i];
    this.sum += other.sum;
  }
}
