/**
 * All TCP clients: who is kept, and how they end together. How many there may be is the listener's business.
 *
 * @module
 */

import type { Consumer } from "../../broker/consumer.ts";
import type { Connection } from "../../net/connection.ts";
import { type Carrier, Session, type SessionContext } from "./session.ts";

/** The sessions of one nsqd. */
export class Sessions {
  readonly #context: SessionContext;
  #carried = 0;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Serves a connection to its end. */
  readonly serve = async (connection: Connection): Promise<void> => {
    await new Session(this.#context, connection).run();
  };

  /** Serves a client that has come another way, to its end. */
  async serveCarried(connection: Connection, carrier: Carrier): Promise<void> {
    this.#carried++;
    try {
      await new Session(this.#context, connection, carrier).run();
    } finally {
      this.#carried--;
    }
  }

  /** How many of these there are. */
  get carried(): number {
    return this.#carried;
  }

  /** Sends the heartbeats that are due, and ends connections that nobody is behind any more. */
  keepAlive(): void {
    const monotonicMs = this.#context.clock.monotonicMs();
    for (const session of this.#context.connections) session.keepAlive(monotonicMs);
  }

  /** Those that speak the protocol. */
  speaking(): Iterable<Session> {
    return [...this.#context.connections].filter((session) => session.speaks);
  }

  /** The client that a consumer of the broker belongs to. */
  clientOf(consumer: Consumer): Session {
    if (!(consumer.sink instanceof Session)) throw new Error("A consumer that is no client");
    return consumer.sink;
  }

  /** Ends the connections of the client with that address at once; returns how many. */
  kick(address: string): number {
    let count = 0;
    // Somebody may have very many ended, one after the other: no list of all is made for each.
    for (const session of this.#context.connections) {
      if (session.remoteAddress !== address) continue;
      session.close();
      count++;
    }
    return count;
  }

  /** Ends all connections at once. */
  close(): void {
    for (const session of this.#context.connections) session.close();
  }
}
