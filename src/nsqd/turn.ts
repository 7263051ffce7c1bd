/**
 * The end of a turn of the event loop. What all connections brought in one turn is worked on together: first
 * it is committed (one write for many publishers), then delivered, then each connection's output is sent in
 * one write.
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
    setImmediate(() => {
      try {
        this.run();
      } catch (error) {
        this.#onError(error);
      }
    });
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
    this.#commit(broker);
    broker.pump(this.#clock.monotonicMs());
    for (const member of this.#withOutput) member.flush();
    this.#withOutput.clear();
  }

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
