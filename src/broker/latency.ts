/**
 * How long a channel's messages take from publishing to FIN: percentiles of the recent past, as NSQ has them, and a histogram
 * of all there were, which can be added up over channels and nodes. Time is an argument.
 *
 * @module
 */

import { FixedHistogram } from "../base/fixed_histogram.ts";
import { NO_QUANTILES, Quantile, type QuantileOptions, type QuantileResult } from "../base/quantile.ts";

const NS_PER_S = 1e9;
/** From what nobody notices to what was deferred for an hour. */
const BOUNDS_S = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 3600];

/** Lengths of the processing of one channel's messages. */
export class Latency {
  /** All of them, in seconds. */
  readonly histogram = new FixedHistogram(BOUNDS_S);
  readonly #quantile: Quantile | undefined;

  /** Without quantiles there is the histogram only. */
  constructor(options: QuantileOptions) {
    this.#quantile = options.quantiles.length > 0 ? new Quantile(options) : undefined;
  }

  /** Adds one, in ns. */
  insert(valueNs: number, nowMs: number): void {
    this.histogram.insert(valueNs / NS_PER_S);
    this.#quantile?.insert(valueNs, nowMs);
  }

  /** The percentiles at this time. */
  result(nowMs: number): QuantileResult {
    return this.#quantile?.result(nowMs) ?? NO_QUANTILES;
  }

  /** The percentiles of several channels together. */
  static mergedResult(latencies: readonly Latency[], nowMs: number): QuantileResult {
    return Quantile.mergedResult(latencies.flatMap((each) => each.#quantile ?? []), nowMs);
  }
}
