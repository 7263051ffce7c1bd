/**
 * So many in a second, evenly: what was not used is kept for a second. No clock of its own.
 *
 * @module
 */

/** Limits a rate. */
export class RateLimit {
  readonly #perSecond: number;
  #lastMs: number | undefined;
  /** The first goes out at once, as with NSQ's to_nsq. */
  #credit = 1;

  /** @param perSecond 0 for no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** How long it takes until one more may be taken. */
  get intervalMs(): number {
    return Math.max(1, 1000 / this.#perSecond);
  }

  /** How many of those wanted may be taken now; 0 for none. */
  take(wanted: number, nowMs: number): number {
    if (this.#perSecond <= 0) return wanted;
    const passedMs = nowMs - (this.#lastMs ?? nowMs);
    this.#lastMs = nowMs;
    this.#credit = Math.min(this.#credit + passedMs * this.#perSecond / 1000, Math.max(1, this.#perSecond));
    const count = Math.min(wanted, Math.floor(this.#credit));
    this.#credit -= count;
    return count;
  }
}
