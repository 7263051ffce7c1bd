/**
 * Time that passes when the test says so.
 *
 * @module
 */

import type { Timers } from "../../src/base/timers.ts";

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Timers that stand still until they are moved. */
export class FakeTimers implements Timers {
  readonly #sleepers = new Set<Sleeper>();
  #nowMs = 0;

  /** How long each of those that wait has to go, the shortest first. */
  get sleeping(): number[] {
    return [...this.#sleepers].map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", sleeper.wake);
    });
  }

  /** Lets time pass, and wakes those whose time has come. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const { atMs, wake } of [...this.#sleepers]) {
      if (atMs <= this.#nowMs) wake();
    }
  }
}
