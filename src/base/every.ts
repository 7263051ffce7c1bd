/**
 * Loops that do something again and again until they are told to stop.
 *
 * @module
 */

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

/**
 * Settles when whatever else waits has had its turn: for work that is long, and can be done in pieces of a few ms. It
 * takes a timer, which costs 1-2 ms: with `setImmediate` the runtime looks at sockets only every 61st time (Deno 2.9.6,
 * pieces of 5 ms: a round trip of another connection takes 370 ms, at most 450, and with the timer 4 ms, at most 24).
 */
export function othersFirst(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

/**
 * Calls `work` when what the sockets have brought in this turn of the event loop has been dealt with. That is `setImmediate`: the
 * global one, which comes with the first timer, and which the types of Deno 2.6 do not have.
 */
export function atEndOfTurn(work: () => void): void {
  (globalThis as unknown as { setImmediate(work: () => void): void }).setImmediate(work);
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
