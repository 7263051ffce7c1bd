/**
 * Lines that strangers can cause at will: one a second is written, with the number of those that were left out.
 *
 * @module
 */

/** Between one line and the next, in ms. */
const INTERVAL_MS = 1000;

/** Says things of one kind, but seldom. */
export class Seldom {
  readonly #say: (text: string) => void;
  readonly #nowMs: () => number;
  #nextMs = -Infinity;
  #skipped = 0;

  /** `nowMs` tells the time by a clock that does not jump. */
  constructor(say: (text: string) => void, nowMs: () => number = () => performance.now()) {
    this.#say = say;
    this.#nowMs = nowMs;
  }

  /** Says it, or counts it as left out. */
  say(text: string): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#nextMs) {
      this.#skipped++;
      return;
    }
    this.#say(this.#skipped === 0 ? text : `${text} (and ${this.#skipped} more like it before)`);
    this.#nextMs = nowMs + INTERVAL_MS;
    this.#skipped = 0;
  }
}
