/**
 * How long to wait before a connection is made again: chosen by chance below a limit, so that clients which lost a node
 * at the same time do not all return at the same time; the limit doubles with each failure.
 *
 * @module
 */

import { DEFAULTS } from "./options.ts";

/** A connection that held for so long was a good one: the next failure is the first again. */
const HEALTHY_MS = 10_000;

/** The waits of one node. */
export class ReconnectWait {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #limitMs: number;

  constructor(
    limits: { readonly minMs?: number; readonly maxMs?: number } = {},
    random: () => number = Math.random,
  ) {
    this.#minMs = limits.minMs ?? DEFAULTS.reconnectMinMs;
    this.#maxMs = Math.max(this.#minMs, limits.maxMs ?? DEFAULTS.reconnectMaxMs);
    this.#random = random;
    this.#limitMs = this.#minMs;
  }

  /** The wait, in whole ms, after a connection that was not made, or held for `heldMs`. */
  next(heldMs = 0): number {
    if (heldMs >= HEALTHY_MS) this.#limitMs = this.#minMs;
    const waitMs = Math.ceil(this.#random() * this.#limitMs);
    this.#limitMs = Math.min(2 * this.#limitMs, this.#maxMs);
    return waitMs;
  }
}
