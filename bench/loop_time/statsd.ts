/**
 * Stands in for a statsd: tells when a push has come to its end.
 *
 * @module
 */

import { createSocket, type Socket } from "node:dgram";

/** The last line of a push. */
const LAST_LINE = "mem.gc_runs:";

/** Listens on a port of its own. */
export class StatsdStandIn {
  readonly #socket: Socket;
  #pushed = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (packet) => {
      if (!packet.includes(LAST_LINE)) return;
      this.#pushed.resolve();
      this.#pushed = Promise.withResolvers();
    });
  }

  /** Opens the port. */
  static async listen(): Promise<StatsdStandIn> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return new StatsdStandIn(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Settles with the end of the next push. */
  push(): Promise<void> {
    return this.#pushed.promise;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
