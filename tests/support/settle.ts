/**
 * Waiting for work that no time is needed for, only turns of the event loop.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Longer than any chain of work that one event begins. */
const SETTLE_TURNS = 4;

/** Lets everything happen that can happen without time passing. */
export async function settle(): Promise<void> {
  for (let i = 0; i < SETTLE_TURNS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
