/**
 * How long to wait before something that failed is tried again: longer each time.
 *
 * @module
 */

/** Doubles the wait from one failure to the next, up to a limit. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor(limits: { readonly minMs: number; readonly maxMs: number }) {
    this.#minMs = limits.minMs;
    this.#maxMs = limits.maxMs;
    this.#nextMs = limits.minMs;
  }

  /** The wait after one more failure. */
  next(): number {
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(2 * waitMs, this.#maxMs);
    return waitMs;
  }

  /** It has worked: the next failure is the first again. */
  reset(): void {
    this.#nextMs = this.#minMs;
  }
}
