/**
 * Holds up who guesses passwords or tokens: after many wrong ones in a row, one may be tried a minute. Of users and addresses alike,
 * whether there is such a user or not.
 *
 * @module
 */

/** Wrong ones in a row that cost nothing. */
export const WRONG_LOGINS_MAX = 50;
/** How long the next one takes after these, in ms. */
export const LOGIN_WAIT_MS = 60_000;
/** What was wrong longer ago than that, in ms, is forgotten. */
export const WRONG_LOGINS_KEPT_MS = 15 * 60_000;
/** Whom is remembered of, at a time: who was wrong the longest ago is forgotten first. */
export const WRONG_KEYS_MAX = 10_000;

interface Wrong {
  readonly count: number;
  /** Of the last. */
  readonly atMs: number;
}

/** Counts wrong logins by a key; times are by a clock that does not jump. */
export class Throttle {
  /** In the order of the last time. */
  readonly #wrong = new Map<string, Wrong>();

  /** Whether there were too many in a row. */
  holdsUp(key: string, nowMs: number): boolean {
    const wrong = this.#wrong.get(key);
    return wrong !== undefined && wrong.count >= WRONG_LOGINS_MAX &&
      nowMs - wrong.atMs < WRONG_LOGINS_KEPT_MS;
  }

  /** How long it is until the next login may be tried, in ms. */
  waitMs(key: string, nowMs: number): number {
    const wrong = this.#wrong.get(key);
    if (wrong === undefined || wrong.count < WRONG_LOGINS_MAX) return 0;
    return Math.max(0, wrong.atMs + LOGIN_WAIT_MS - nowMs);
  }

  /** A login was wrong. */
  failed(key: string, nowMs: number): void {
    const before = this.#wrong.get(key);
    const isInRow = before !== undefined && nowMs - before.atMs < WRONG_LOGINS_KEPT_MS;
    this.#wrong.delete(key);
    this.#wrong.set(key, { count: isInRow ? before.count + 1 : 1, atMs: nowMs });
    const [oldest] = this.#wrong.keys();
    if (this.#wrong.size > WRONG_KEYS_MAX) this.#wrong.delete(oldest);
  }

  /** A login was right: the row ends. */
  succeeded(key: string): void {
    this.#wrong.delete(key);
  }
}
