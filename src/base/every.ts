/**
 * Loops that do something again and again until they are told to stop.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Waits, but not longer than until the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/** Settles when whatever else waits has had its turn: for work that is long, and can be done in pieces. */
export function othersFirst(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Runs `work` every `intervalMs` until the signal aborts, never twice at a time. */
export async function every(
  intervalMs: number,
  signal: AbortSignal,
  work: () => void | Promise<void>,
): Promise<void> {
  for (;;) {
    await sleep(intervalMs, signal);
    if (signal.aborted) return;
    await work();
  }
}
