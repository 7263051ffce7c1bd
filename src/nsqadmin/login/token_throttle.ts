/**
 * Holds up who guesses tokens, by the rule for passwords (throttle.ts), from an address: a wrong token is nobody's. Behind one
 * address there may be others: a user who has brought a right one from there goes on, whoever guesses.
 *
 * @module
 */

import { Throttle } from "./throttle.ts";

/** Users at addresses that are known, at a time: who has come the longest ago is forgotten first. */
export const KNOWN_USERS_MAX = 10_000;

/** Counts tokens that were wrong; times are by a clock that does not jump. */
export class TokenThrottle {
  readonly #wrong = new Throttle();
  /** Users and the addresses that they have come from, in the order of the last time. */
  readonly #known = new Set<string>();

  /** How long it is until a token from there may be tried, in ms; `user` is whose it is, if it is somebody's. */
  waitMs(address: string, user: string | undefined, nowMs: number): number {
    const isKnown = user !== undefined && this.#known.has(keyOf(address, user));
    return isKnown ? 0 : this.#wrong.waitMs(address, nowMs);
  }

  /** One was tried. */
  tried(address: string, user: string | undefined, nowMs: number): void {
    if (user === undefined) {
      this.#wrong.failed(address, nowMs);
      return;
    }
    const key = keyOf(address, user);
    // What is known proves nothing more: a script that goes on would end the row of whoever guesses beside it.
    if (!this.#known.delete(key)) this.#wrong.succeeded(address);
    this.#known.add(key);
    const [oldest] = this.#known;
    if (this.#known.size > KNOWN_USERS_MAX) this.#known.delete(oldest);
  }
}

/** Neither has a space. */
function keyOf(address: string, user: string): string {
  return `${user} ${address}`;
}
