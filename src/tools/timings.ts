/**
 * How long messages took to their destinations, as a line for each so many of them, in the form of NSQ's tools:
 * `[aggregate]: finished 250 - 99th: 3.49ms - 95th: 2.20ms - avg: 1.39ms`.
 *
 * @module
 */

import type { ToolLog } from "./tool_log.ts";

/** Fewer than so many make no percentiles. */
const ACCURATE_COUNT = 100;

/** The times of all destinations, and of each where there are several. */
export class Timings {
  readonly #all: Timing;
  readonly #each: ReadonlyMap<string, Timing>;

  constructor(log: ToolLog, every: number, destinations: readonly string[]) {
    const known = every > 0 ? every : 0;
    if (known > 0 && known < ACCURATE_COUNT) {
      log.info(
        `Warning: use more than ${ACCURATE_COUNT} status values for accurate percentiles (configured with ${known})`,
      );
    }
    this.#all = new Timing(log, known, "[aggregate]:");
    const several = destinations.length > 1 ? destinations : [];
    this.#each = new Map(several.map((name) => [name, new Timing(log, known, `[${name}]:`)]));
  }

  /** A message took so long to a destination. */
  add(destination: string, ms: number): void {
    this.#all.add(ms);
    this.#each.get(destination)?.add(ms);
  }
}

class Timing {
  readonly #log: ToolLog;
  readonly #every: number;
  readonly #prefix: string;
  #timesMs: number[] = [];

  constructor(log: ToolLog, every: number, prefix: string) {
    this.#log = log;
    this.#every = every;
    this.#prefix = prefix;
  }

  add(ms: number): void {
    if (this.#every === 0) return;
    this.#timesMs.push(ms);
    if (this.#timesMs.length < this.#every) return;
    const sorted = this.#timesMs.sort((a, b) => a - b);
    this.#timesMs = [];
    const average = sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length;
    const text = (ms: number) => `${ms.toFixed(2)}ms`;
    this.#log.info(
      `${this.#prefix} finished ${sorted.length} - 99th: ${text(percentile(sorted, 99))} - 95th: ${
        text(percentile(sorted, 95))
      } - avg: ${text(average)}`,
    );
  }
}

/** NSQ's way of counting. */
function percentile(sorted: readonly number[], percent: number): number {
  const at = Math.ceil(percent / 100 * sorted.length + 0.5);
  return sorted[Math.min(at, sorted.length - 1)];
}
