/**
 * The end of a turn of the event loop. What all connections brought in one turn is worked on together: first
 * it is committed (one write for many publishers), then delivered, then each connection's output is sent in
 * one write.
 *
 * The runtime tells of all that is ready together, so a microtask comes when all connections have read, and a round through
 * the loop is saved (Deno 2.9.6: a message that is alone is delivered 15 to 20 % earlier, for 10 % less).
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../base/clock.ts";
import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../broker/topic.ts";

/** A connection, as far as a turn is concerned. */
export interface TurnMember {
  /** Takes the answers to this turn's publishes back, if they were to one of the topics. */
  publishFailed(failed: ReadonlyMap<Topic, unknown>): void;
  /** The publishes of this turn are kept, once those of `pending` topics are. */
  publishKept(pending: ReadonlyMap<Topic, Promise<void>>): void;
  /** Begins to send what is in the output. */
  flush(): void;
}

/** Gathers the work of a turn. */
export class Turn {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #onError: (error: unknown) => void;
  #broker: Broker | undefined;
  #scheduled = false;
  #running = false;
  readonly #publishers = new Set<TurnMember>();
  readonly #withOutput = new Set<TurnMember>();

  /** `onError` is told of a fault in the work of a turn: the program cannot go on then. */
  constructor(clock: Pick<Clock, "monotonicMs">, onError: (error: unknown) => void = rethrow) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Says whose work it is. */
  attach(broker: Broker): void {
    this.#broker = broker;
  }

  /** There is work: it is done when the connections that have something now have had their say. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // What a turn leaves to the next must let the loop go on: a turn is as long as it may be.
    if (this.#running) setImmediate(this.#runSafely);
    else queueMicrotask(this.#runSafely);
  }

  /** The member has published something in this turn. */
  published(member: TurnMember): void {
    this.#publishers.add(member);
    this.schedule();
  }

  /** The member has output. */
  hasOutput(member: TurnMember): void {
    this.#withOutput.add(member);
    this.schedule();
  }

  /**
   * Commits what members have published so far, and tells them. Who publishes outside of a turn does this first: what is kept
   * of the one must not be refused because of the other, or the other way round.
   */
  commit(): void {
    if (this.#broker && this.#publishers.size > 0) this.#commit(this.#broker);
  }

  /** Does the work. */
  run(): void {
    this.#scheduled = false;
    const broker = this.#broker;
    if (!broker) return;
    this.#running = true;
    try {
      this.#commit(broker);
      broker.pump(this.#clock.monotonicMs());
      for (const member of this.#withOutput) member.flush();
      this.#withOutput.clear();
    } finally {
      this.#running = false;
    }
  }

  readonly #runSafely = (): void => {
    try {
      this.run();
    } catch (error) {
      this.#onError(error);
    }
  };

  #commit(broker: Broker): void {
    const { failed, pending } = broker.commit();
    for (const member of this.#publishers) {
      if (failed.size > 0) member.publishFailed(failed);
      member.publishKept(pending);
    }
    this.#publishers.clear();
  }
}

function rethrow(error: unknown): never {
  throw error;
}
