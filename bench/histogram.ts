/**
 * Counts of latencies in buckets of at most 3 % width, so that recording one costs a few instructions and no
 * memory, however many there are. It never keeps single values.
 *
 * @module
 */

/** Each power of two is cut into this many buckets. */
const STEPS = 32;
const STEP_BITS = 5;
const BUCKETS = 32 * STEPS;

/** Latencies in milliseconds, as a report shows them. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** A histogram of durations from a microsecond to half an hour. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxUs = 0;

  /** One histogram with everything that several have recorded. */
  static merge(parts: readonly LatencyHistogram[]): LatencyHistogram {
    const whole = new LatencyHistogram();
    for (const part of parts) {
      part.#counts.forEach((count, bucket) => whole.#counts[bucket] += count);
      whole.#total += part.#total;
      whole.#maxUs = Math.max(whole.#maxUs, part.#maxUs);
    }
    return whole;
  }

  /** Adds `count` durations of `ms` milliseconds; negative ones (two clocks) count as zero. */
  record(ms: number, count = 1): void {
    const us = ms * 1000;
    this.#counts[bucketOf(us)] += count;
    this.#total += count;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** Forgets everything, at the end of a warm-up. */
  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#maxUs = 0;
  }

  /** The figures of a report, or nothing if nothing was recorded. */
  summary(): LatencySummary | undefined {
    if (this.#total === 0) return undefined;
    return {
      count: this.#total,
      p50Ms: this.#quantileMs(0.5),
      p90Ms: this.#quantileMs(0.9),
      p99Ms: this.#quantileMs(0.99),
      p999Ms: this.#quantileMs(0.999),
      maxMs: this.#maxUs / 1000,
    };
  }

  #quantileMs(quantile: number): number {
    const wanted = quantile * this.#total;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket];
      // The upper edge of a bucket may lie above the greatest value that is in it.
      if (seen >= wanted) return Math.min(upperEdgeUs(bucket), this.#maxUs) / 1000;
    }
    return this.#maxUs / 1000;
  }
}

function bucketOf(us: number): number {
  const whole = us < 0 ? 0 : us > 0x7fffffff ? 0x7fffffff : us | 0;
  if (whole < STEPS) return whole;
  const shift = 31 - Math.clz32(whole) - STEP_BITS;
  return (shift + 1) * STEPS + ((whole >> shift) & (STEPS - 1));
}

function upperEdgeUs(bucket: number): number {
  if (bucket < STEPS) return bucket + 1;
  const shift = Math.floor(bucket / STEPS) - 1;
  return (STEPS + (bucket % STEPS) + 1) * 2 ** shift;
}
