/**
 * All TCP clients: who is let in, who is kept, and how they end together.
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import type { Consumer } from "../../broker/consumer.ts";
import type { Connection } from "../../net/connection.ts";
import { Session, type SessionContext } from "./session.ts";

/** The sessions of one nsqd. */
export class Sessions {
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Serves a connection to its end, if there may be one more. */
  readonly serve = async (connection: Connection): Promise<void> => {
    const { options: { maxConnections }, connections, logger } = this.#context;
    if (maxConnections > 0 && connections.size >= maxConnections) {
      logger.warn(`TCP: refused client(${connection.peer}): there are ${maxConnections} connections`);
      connection.close();
      return;
    }
    await new Session(this.#context, connection).run();
  };

  /** A connection could not be accepted; the next may be. */
  readonly acceptFailed = (error: unknown): void => {
    this.#context.logger.warn(`temporary Accept() failure - ${errorText(error)}`);
  };

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

  /** Ends all connections at once. */
  close(): void {
    for (const session of this.#context.connections) session.close();
  }
}
