/**
 * One who tells of nodes, as long as he is watched: how he has answered, and since when he does not.
 *
 * @module
 */

import type { Moment } from "../../base/clock.ts";
import type { RegistryAnswer } from "../../cluster/cluster.ts";

/** An nsqlookupd, or an nsqd with gossip. */
export class WatchedRegistry {
  /** `host:port` of its HTTP API. */
  readonly address: string;
  /** What it answered last; kept when it fails. */
  answer: RegistryAnswer | undefined;
  /** When it did. */
  answered: Moment | undefined;
  /** Why it did not answer the last time. */
  reason: string | undefined;

  constructor(address: string) {
    this.address = address;
  }

  /** It has answered. */
  hasAnswered(answer: RegistryAnswer, at: Moment): void {
    this.answer = answer;
    this.answered = at;
    this.reason = undefined;
  }
}
