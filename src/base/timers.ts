/**
 * Time as something that passes, passed in wherever a program waits, so that tests can let it pass themselves.
 *
 * @module
 */

import { sleep } from "./every.ts";

/** Tells the time, and lets it pass. */
export interface Timers {
  /** ms by a clock that does not jump, since some time in the past. */
  monotonicMs(): number;
  /** Waits, but not longer than until the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The system's time. */
export const SYSTEM_TIMERS: Timers = { monotonicMs: () => performance.now(), sleep };

/** What the promise settles with, or `undefined` if that takes longer than `ms`. */
export async function within<T>(timers: Timers, ms: number, promise: Promise<T>): Promise<T | undefined> {
  const settled = new AbortController();
  const timeout = timers.sleep(ms, settled.signal).then(() => undefined);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    settled.abort();
  }
}
