/**
 * Percentiles of the recent past: how long the slowest 1 % took in the last ten minutes, or so. Time is an
 * argument, by a clock that does not jump; nothing here reads one.
 *
 * The window is two halves, as in NSQ (internal/quantile/quantile.go): values go into the current half, and when
 * that is as old as half the window, the older half is emptied and takes its place. So a result covers between a
 * half and the whole of the window.
 *
 * A half is a histogram with buckets that grow by a constant factor, so that every value of a bucket is within
 * 1 % of what the bucket stands for (the idea of DDSketch, VLDB 2019). NSQ keeps a list of samples instead, whose
 * results may be off by 1 % in rank, which at the slow end can be far off in value. The histogram costs 7 KiB a
 * half, an insertion is a logarithm and an increment, and histograms add up without loss.
 *
 * @module
 */

/** One percentile; `quantile` is between 0 and 1. */
export interface QuantileValue {
  readonly quantile: number;
  readonly value: number;
}

/** Percentiles, and the number of values they are made from; `null` where none are kept. */
export interface QuantileResult {
  readonly count: number;
  readonly percentiles: readonly QuantileValue[] | null;
}

/** What stands where no percentiles are kept. */
export const NO_QUANTILES: QuantileResult = { count: 0, percentiles: null };

/** What a {@linkcode Quantile} is made with. */
export interface QuantileOptions {
  /** The quantiles asked for, each above 0 and up to 1; results have their order. */
  readonly quantiles: readonly number[];
  readonly windowMs: number;
  readonly nowMs: number;
}

/**
 * Percentiles of the values inserted within a sliding window.
 *
 * @example Insert and read
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Quantile } from "./quantile.ts";
 *
 * const latency = new Quantile({ quantiles: [1], windowMs: 60_000, nowMs: 0 });
 * latency.insert(2_000_000, 10);
 * latency.insert(5_000_000, 20);
 * assertEquals(latency.result(30), { count: 2, percentiles: [{ quantile: 1, value: 5_000_000 }] });
 * ```
 */
export class Quantile {
  readonly #quantiles: readonly number[];
  readonly #halfMs: number;
  #current = new Histogram();
  #previous = new Histogram();
  /** When the current half is old enough to become the previous one. */
  #moveMs: number;

  constructor(options: QuantileOptions) {
    this.#quantiles = options.quantiles;
    this.#halfMs = options.windowMs / 2;
    this.#moveMs = options.nowMs + this.#halfMs;
  }

  /** Adds a value. */
  insert(value: number, nowMs: number): void {
    if (nowMs > this.#moveMs) this.#move(nowMs);
    this.#current.insert(value);
  }

  /** The percentiles at this time; their values are 0 when nothing was inserted within the window. */
  result(nowMs: number): QuantileResult {
    return resultOf([this], this.#quantiles, nowMs);
  }

  /** The percentiles of all values of several windows, or {@linkcode NO_QUANTILES} if there are none. */
  static mergedResult(windows: readonly Quantile[], nowMs: number): QuantileResult {
    return windows.length === 0 ? NO_QUANTILES : resultOf(windows, windows[0].#quantiles, nowMs);
  }

  /** Adds the values that are in the window to `target`. */
  addTo(target: Histogram, nowMs: number): void {
    if (nowMs > this.#moveMs) this.#move(nowMs);
    target.add(this.#current);
    target.add(this.#previous);
  }

  #move(nowMs: number): void {
    const halves = Math.ceil((nowMs - this.#moveMs) / this.#halfMs);
    this.#moveMs += halves * this.#halfMs;
    [this.#current, this.#previous] = [this.#previous, this.#current];
    this.#current.clear();
    if (halves > 1) this.#previous.clear();
  }
}

function resultOf(windows: readonly Quantile[], quantiles: readonly number[], nowMs: number): QuantileResult {
  const all = new Histogram();
  for (const window of windows) window.addTo(all, nowMs);
  return {
    count: all.count,
    percentiles: quantiles.map((quantile) => ({ quantile, value: all.valueAt(quantile) })),
  };
}

/** Half of the largest distance between a value and its bucket's, as a fraction. */
const ACCURACY = 0.01;
const GROWTH = (1 + ACCURACY) / (1 - ACCURACY);
const BUCKETS_PER_LOG = 1 / Math.log(GROWTH);
/** Bucket n holds values up to GROWTH ** n; this one is for all above 2^53, in nanoseconds a hundred days. */
const BUCKET_MAX = Math.ceil(Math.log(2 ** 53) * BUCKETS_PER_LOG);

/** Counts of values by size; values are whole, and up to 2^53. */
export class Histogram {
  /** Number of values. */
  count = 0;
  #min = Infinity;
  #max = 0;
  /** Made with the first value, because most channels' windows stay empty. */
  #buckets: Uint32Array | undefined;

  /** Adds a value. */
  insert(value: number): void {
    const buckets = this.#buckets ??= new Uint32Array(BUCKET_MAX + 1);
    // A clock that was set back makes negative durations.
    const bucket = value <= 1 ? 0 : Math.ceil(Math.log(value) * BUCKETS_PER_LOG);
    buckets[Math.min(bucket, BUCKET_MAX)]++;
    this.count++;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds the values of another one. */
  add(other: Histogram): void {
    if (other.#buckets === undefined || other.count === 0) return;
    const buckets = this.#buckets ??= new Uint32Array(BUCKET_MAX + 1);
    for (let i = 0; i < buckets.length; i++) buckets[i] += other.#buckets[i];
    this.count += other.count;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Forgets all values. */
  clear(): void {
    if (this.count === 0) return;
    this.#buckets?.fill(0);
    this.count = 0;
    this.#min = Infinity;
    this.#max = 0;
  }

  /** The smallest value that so large a part of all values does not exceed; 0 if there are none. */
  valueAt(quantile: number): number {
    if (this.#buckets === undefined || this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil(quantile * this.count));
    if (rank >= this.count) return this.#max;
    let bucket = 0;
    for (let seen = this.#buckets[0]; seen < rank; seen += this.#buckets[bucket]) bucket++;
    const middle = 2 * GROWTH ** bucket / (GROWTH + 1);
    return Math.min(Math.max(middle, this.#min), this.#max);
  }
}
