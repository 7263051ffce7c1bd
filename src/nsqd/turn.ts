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

import type { Clock } from "../base/clock.ts";
import { atEndOfTurn } from "../base/every.ts";
import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../broker/topic.ts";
import type { Timestamp } from "../log/segment_image.ts";

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
  readonly #clock: Pick<Clock, "monotonicMs" | "timestamp">;
  readonly #onError: (error: unknown) => void;
  #broker: Broker | undefined;
  #scheduled = false;
  #running = false;
  /** Arrays, because each says by itself that it is here, and a set costs more than what is said. */
  readonly #publishers: TurnMember[] = [];
  readonly #withOutput: TurnMember[] = [];
  /** When the turn is, once it was asked for; 0 is not known yet. */
  #monotonicMs = 0;
  #timestamp: Timestamp | undefined;

  /** `onError` is told of a fault in the work of a turn: the program cannot go on then. */
  constructor(clock: Pick<Clock, "monotonicMs" | "timestamp">, onError: (error: unknown) => void = rethrow) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Says whose work it is. */
  attach(broker: Broker): void {
    this.#broker = broker;
  }

  /** Now, by the monotonic clock. Looking at one costs as much as a short command: it is done once a turn. */
  get monotonicMs(): number {
    if (this.#monotonicMs === 0) {
      this.#monotonicMs = this.#clock.monotonicMs();
      // With whose end the time is another.
      if (!this.#running) this.schedule();
    }
    return this.#monotonicMs;
  }

  /** The same by the wall clock: messages that come in one turn have it in common, and cost less for it. */
  get timestamp(): Timestamp {
    if (this.#timestamp === undefined) {
      this.#timestamp = this.#clock.timestamp();
      if (!this.#running) this.schedule();
    }
    return this.#timestamp;
  }

  /** There is work: it is done when the connections that have something now have had their say. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // What a turn leaves to the next must let the loop go on: a turn is as long as it may be.
    if (this.#running) atEndOfTurn(this.#runSafely);
    else queueMicrotask(this.#runSafely);
  }

  /** The member has published something in this turn; it is to say so once. */
  published(member: TurnMember): void {
    this.#publishers.push(member);
    this.schedule();
  }

  /** The member has output; it is to say so once, until it is to send it. */
  hasOutput(member: TurnMember): void {
    this.#withOutput.push(member);
    // What this turn's deliveries have put out, it sends itself.
    if (!this.#running) this.schedule();
  }

  /**
   * Commits what members have published so far, and tells them. Who publishes outside of a turn does this first: what is kept
   * of the one must not be refused because of the other, or the other way round.
   */
  commit(): void {
    if (this.#broker && this.#publishers.length > 0) this.#commit(this.#broker);
  }

  /** Does the work. */
  run(): void {
    this.#running = true;
    try {
      this.#commitFirst();
      this.#broker?.pump(this.monotonicMs);
      for (const member of this.#withOutput) member.flush();
      this.#withOutput.length = 0;
    } finally {
      this.#running = false;
      this.#monotonicMs = 0;
      this.#timestamp = undefined;
    }
  }

  /** What a commit comes to is work for this turn: no other is to be scheduled for it. */
  #commitFirst(): void {
    this.#scheduled = true;
    try {
      if (this.#broker) this.#commit(this.#broker);
    } finally {
      this.#scheduled = false;
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
    this.#publishers.length = 0;
  }
}

function rethrow(error: unknown): never {
  throw error;
}
