/**
 * Whose turn it is: consumers get messages one after the other, and nearer ones before those farther away.
 *
 * @module
 */

import type { Consumer } from "./consumer.ts";

/** Consumers that are equally near. */
interface Tier {
  readonly consumers: readonly Consumer[];
  /** Index of the one whose turn it is. */
  turn: number;
}

/** The consumers of a channel, in turn. */
export class ConsumerTurns {
  /** The nearest first. */
  readonly #tiers: readonly Tier[];

  constructor(consumers: Iterable<Consumer>) {
    const byNearness = Map.groupBy(consumers, (consumer) => consumer.nearness);
    this.#tiers = [...byNearness].sort(([a], [b]) => a - b).map(([, consumers]) => ({ consumers, turn: 0 }));
  }

  /** Of the nearest consumers that are ready for a message, the one whose turn it is. */
  next(): Consumer | undefined {
    for (const tier of this.#tiers) {
      for (let i = 0; i < tier.consumers.length; i++) {
        const consumer = tier.consumers[tier.turn];
        tier.turn = tier.turn + 1 === tier.consumers.length ? 0 : tier.turn + 1;
        if (consumer.ready) return consumer;
      }
    }
    return undefined;
  }
}
