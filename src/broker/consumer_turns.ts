/**
 * Whose turn it is: consumers get messages one after the other, and nearer ones before those farther away. Only those
 * that may be ready are in turn, so hundreds that are not cost nothing: one that turns out not to be ready is left out
 * until it is offered again.
 *
 * @module
 */

import { type Consumer, NEARNESS } from "./consumer.ts";

/** Consumers that are equally near. */
interface Tier {
  readonly consumers: Consumer[];
  /** Index of the one whose turn it is. */
  turn: number;
}

/** The consumers of a channel, in turn. */
export class ConsumerTurns {
  /** By nearness. */
  readonly #tiers: readonly Tier[] = Object.values(NEARNESS).map(() => ({ consumers: [], turn: 0 }));

  /** The consumer may be ready for a message, now or again. */
  offer(consumer: Consumer): void {
    if (consumer.inTurn) return;
    consumer.inTurn = true;
    this.#tiers[consumer.nearness].consumers.push(consumer);
  }

  /** The consumer takes no more messages. */
  remove(consumer: Consumer): void {
    if (!consumer.inTurn) return;
    const tier = this.#tiers[consumer.nearness];
    leaveOut(tier, tier.consumers.indexOf(consumer));
  }

  /** Of the nearest consumers that are ready for a message, the one whose turn it is. */
  next(): Consumer | undefined {
    for (const tier of this.#tiers) {
      while (tier.consumers.length > 0) {
        if (tier.turn >= tier.consumers.length) tier.turn = 0;
        const consumer = tier.consumers[tier.turn];
        if (consumer.ready) {
          tier.turn++;
          return consumer;
        }
        leaveOut(tier, tier.turn);
      }
    }
    return undefined;
  }
}

/** Takes the consumer at the index out; the last one takes its place. */
function leaveOut({ consumers }: Tier, index: number): void {
  consumers[index].inTurn = false;
  const last = consumers.pop();
  if (last && index < consumers.length) consumers[index] = last;
}
