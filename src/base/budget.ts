/**
 * An amount of something that many want a part of for a while: memory for what is being read, say.
 *
 * @module
 */

/** A part of a budget that was taken; disposing of it gives it back. */
export interface Lease extends Disposable {
  readonly amount: number;
}

/**
 * Gives out parts of an amount, first come, first served. Who wants more than there is in all gets it when nobody else has
 * any, so that nothing waits for ever.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Budget } from "./budget.ts";
 *
 * const budget = new Budget(10);
 * {
 *   using lease = await budget.take(7);
 *   assertEquals([lease.amount, budget.used], [7, 7]);
 * }
 * assertEquals(budget.used, 0);
 * ```
 */
export class Budget {
  readonly max: number;
  #used = 0;
  readonly #waiting: { readonly amount: number; readonly give: (lease: Lease) => void }[] = [];

  constructor(max: number) {
    this.max = max;
  }

  /** What is given out. */
  get used(): number {
    return this.#used;
  }

  /** Settles with that much of the budget as soon as it is there. */
  take(amount: number): Promise<Lease> {
    const { promise, resolve } = Promise.withResolvers<Lease>();
    this.#waiting.push({ amount, give: resolve });
    this.#giveOut();
    return promise;
  }

  #giveOut(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (!next || this.#used > 0 && this.#used + next.amount > this.max) return;
      this.#waiting.shift();
      next.give(this.#lease(next.amount));
    }
  }

  #lease(amount: number): Lease {
    this.#used += amount;
    let isTaken = true;
    return {
      amount,
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#used -= amount;
        this.#giveOut();
      },
    };
  }
}
