/**
 * Waiting for a while, or until there is something to do.
 *
 * @module
 */

import type { Timers } from "./timers.ts";

/** Wakes the one who waits. One that is rung while nobody waits is heard by the next. */
export class Bell {
  #rung = false;
  #nap: AbortController | undefined;

  /** There is something to do. */
  ring(): void {
    this.#rung = true;
    this.#nap?.abort();
  }

  /** Waits until the bell is rung, but not longer than `ms`, and not longer than until the signal aborts. */
  async wait(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const nap = this.#nap = new AbortController();
      const wake = () => nap.abort();
      signal.addEventListener("abort", wake);
      await timers.sleep(ms, nap.signal);
      signal.removeEventListener("abort", wake);
    }
    this.#rung = false;
  }
}
