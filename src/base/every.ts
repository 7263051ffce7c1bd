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
