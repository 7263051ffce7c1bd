/**
 * How quickly work goes on that many do at the same time, each a little.
 *
 * @module
 */

/**
 * Lets so much of something be done, by all together, before others have their turn.
 *
 * @example
 * ```ts
 * import { Pace } from "./pace.ts";
 * import { othersFirst } from "./every.ts";
 *
 * const pace = new Pace(1000, othersFirst);
 * await pace.take(600);
 * await pace.take(600); // above the most, but the first had left something
 * await pace.take(1); // in another turn
 * ```
 */
export class Pace {
  readonly #most: number;
  readonly #othersFirst: () => Promise<void>;
  #left: number;
  /** Settles when others have had their turn. */
  #turn: Promise<void> | undefined;

  constructor(most: number, othersFirst: () => Promise<void>) {
    this.#most = most;
    this.#othersFirst = othersFirst;
    this.#left = most;
  }

  /** Settles when so much may be done. */
  async take(amount: number): Promise<void> {
    while (this.#left <= 0) await this.#turn;
    this.#left -= amount;
    this.#turn ??= this.#nextTurn();
  }

  async #nextTurn(): Promise<void> {
    await this.#othersFirst();
    this.#left = this.#most;
    this.#turn = undefined;
  }
}
