/**
 * Waiting for what another process or the operating system does. The only place in the tests that waits for
 * time to pass; whatever has a clock of its own is given one instead.
 *
 * @module
 */

import { AssertionError } from "@std/assert";

const INTERVAL_MS = 5;
/**
 * What has not come by then never will, also on a machine that runs much else, where what takes a moment elsewhere may take a
 * minute. It bounds only how long a test takes that fails.
 */
export const PATIENCE_MS = 120_000;

/**
 * Calls `check` until its result is neither `undefined` nor `false` and it throws no AssertionError; that result
 * is the result.
 *
 * @throws {AssertionError} If that has not come within the time; what `check` threw last.
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  options: { readonly timeoutMs?: number } = {},
): Promise<Exclude<T, undefined | false>> {
  const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let last: AssertionError | undefined;
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result as Exclude<T, undefined | false>;
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      last = error;
    }
    if (performance.now() > endMs) throw last ?? new AssertionError(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
