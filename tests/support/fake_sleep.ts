/**
 * Waits that end when a test lets time pass, and not before.
 *
 * @module
 */

import { settle } from "./settle.ts";

/** One wait. */
interface Wait {
  readonly untilMs: number;
  readonly end: () => void;
}

/** Time, as far as waiting is concerned. */
export class FakeSleep {
  #nowMs = 0;
  readonly #waits = new Set<Wait>();

  /** Waits as `sleep()` of src/base/every.ts does. */
  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        this.#waits.delete(wait);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const wait = { untilMs: this.#nowMs + ms, end };
      this.#waits.add(wait);
      signal.addEventListener("abort", end);
    });
  };

  /** How long each wait still takes, the shortest first. */
  get left(): number[] {
    return [...this.#waits].map(({ untilMs }) => untilMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Lets time pass; what waits ends in order, and so do the waits that come of it. */
  async advance(ms: number): Promise<void> {
    await settle();
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = [...this.#waits].sort((a, b) => a.untilMs - b.untilMs)[0];
      if (next === undefined || next.untilMs > endMs) break;
      this.#nowMs = next.untilMs;
      next.end();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}
