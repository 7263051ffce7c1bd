/**
 * Producers, and lists of them in order of age, in which a search halves.
 *
 * @module
 */

import type { Moment } from "../base/clock.ts";
import type { NodeInfo } from "../protocol/lookup_requests.ts";

/** What is known of a producer, in the form and order of NSQ's JSON. */
export interface ProducerInfo extends NodeInfo {
  readonly remote_address: string;
}

/** An nsqd. */
export class Producer {
  /** What the log calls it. */
  readonly id: string;
  readonly info: ProducerInfo;
  /** Greater than that of every older one. */
  readonly serial: number;
  /** When it was last heard of. */
  lastUpdate: Moment;
  /** Topics and channels that it is registered for. The database counts them. */
  registrationCount = 0;

  constructor(options: { id: string; info: ProducerInfo; serial: number; now: Moment }) {
    this.id = options.id;
    this.info = options.info;
    this.serial = options.serial;
    this.lastUpdate = options.now;
  }
}

/** True if the producer is there. */
export function has(producers: readonly Producer[], producer: Producer): boolean {
  return producers[place(producers, producer)] === producer;
}

/** Puts a producer into its place; false if it is there already. */
export function insert(producers: Producer[], producer: Producer): boolean {
  const index = place(producers, producer);
  if (producers[index] === producer) return false;
  producers.splice(index, 0, producer);
  return true;
}

/** Takes a producer out; false if it is not there. */
export function remove(producers: Producer[], producer: Producer): boolean {
  const index = place(producers, producer);
  if (producers[index] !== producer) return false;
  producers.splice(index, 1);
  return true;
}

/** Where a producer is, or would be, in a list of which the oldest are first. */
function place(producers: readonly Producer[], { serial }: Producer): number {
  let low = 0;
  let high = producers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (producers[middle].serial < serial) low = middle + 1;
    else high = middle;
  }
  return low;
}
