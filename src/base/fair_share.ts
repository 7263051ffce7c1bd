/**
 * Shares the event loop among work that others can make as much of as they like: whoever has done some waits for its turn
 * to do more, so that what is small and seldom is served between. It costs next to nothing as long as turns are short.
 *
 * This is for work that comes in pieces which nobody can cut, and which therefore wait before they begin. What can stop
 * anywhere and look at the time, and does a little in each turn whatever the others do, shares a slice (time_slice.ts).
 *
 * @module
 */

import { othersFirst } from "./every.ts";
import { SLICE_MS } from "./time_slice.ts";

/**
 * How many pieces a turn has besides its time. The runtime lets 128 reads and writes succeed before it looks for what else is ready, and those that
 * succeed at once come first (Deno 2.9.6): whoever reads on and on would leave the others none.
 */
const PIECES_MAX = 32;

/** The turns of all who share. */
export class FairShare {
  readonly #nowMs: () => number;
  readonly #othersFirst: () => Promise<void>;
  /** When the work of this turn began. */
  #startMs = 0;
  #pieces = 0;
  /** Settles when the next turn begins; there is none while nobody works. */
  #next: Promise<void> | undefined;

  /** `nowMs` tells the time by a clock that does not jump. */
  constructor(nowMs: () => number = () => performance.now(), others: () => Promise<void> = othersFirst) {
    this.#nowMs = nowMs;
    this.#othersFirst = others;
  }

  /** Settles when there is time for a piece of work, which is short: those that wait may do theirs all at once. */
  turn(): Promise<void> {
    return this.run(() => {});
  }

  /** Settles when the turn has ended that there is, if there is one. */
  async ended(): Promise<void> {
    await this.#next;
  }

  /** Does work that may be long, and does not wait, when there is time for it. */
  async run<T>(work: () => T): Promise<Awaited<T>> {
    for (;;) {
      if (this.#next === undefined) {
        this.#startMs = this.#nowMs();
        this.#pieces = 0;
        this.#next = this.#othersFirst().then(() => {
          this.#next = undefined;
        });
      }
      if (this.#pieces < PIECES_MAX && this.#nowMs() - this.#startMs < SLICE_MS) {
        this.#pieces++;
        return await work();
      }
      await this.#next;
    }
  }
}
