/**
 * How late the event loop comes to what is due: the time for which somebody's work has kept everybody else waiting, seen by
 * a timer ten times a second.
 *
 * @module
 */

import { every } from "./every.ts";
import { FixedHistogram } from "./fixed_histogram.ts";

const INTERVAL_MS = 100;
const BOUNDS_S = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** Measures it, in seconds. */
export class LoopLag {
  readonly histogram = new FixedHistogram(BOUNDS_S);
  readonly #nowMs: () => number;
  #dueMs: number;

  /** `nowMs` tells the time by a clock that does not jump, and does not leave out what takes long. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#dueMs = nowMs() + INTERVAL_MS;
  }

  /** Measures until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#dueMs = this.#nowMs() + INTERVAL_MS;
    await every(INTERVAL_MS, signal, () => this.look());
  }

  /** Notes how late it is; to be called a tenth of a second after the last call. */
  look(): void {
    const nowMs = this.#nowMs();
    this.histogram.insert(Math.max(nowMs - this.#dueMs, 0) / 1000);
    this.#dueMs = nowMs + INTERVAL_MS;
  }
}
