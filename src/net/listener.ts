/**
 * Listening for connections, and the loop that accepts them.
 *
 * @module
 */

import type { AsyncGroup } from "../base/async_group.ts";
import type { Address } from "../config/address.ts";
import { addressText, type Connection, DenoConnection } from "./connection.ts";

/** After a failed accept (too many open files, for instance), how long to wait before the next. */
const ACCEPT_RETRY_MS = 50;

/** Listens on a TCP address or a unix socket. */
export class ConnectionListener {
  readonly #listener: Deno.Listener;
  readonly #path: string | undefined;
  #closed = false;

  /** Throws when the address cannot be listened on. */
  constructor(address: Address) {
    if (address.kind === "unix") {
      this.#path = address.path;
      this.#listener = Deno.listen({ transport: "unix", path: address.path });
    } else {
      const hostname = address.hostname === "" ? "0.0.0.0" : address.hostname;
      this.#listener = Deno.listen({ hostname, port: address.port });
    }
  }

  /** The address as Go prints it. */
  get text(): string {
    return addressText(this.#listener.addr);
  }

  /** The TCP port, or -1 of a unix socket. */
  get port(): number {
    return this.#listener.addr.transport === "tcp" ? this.#listener.addr.port : -1;
  }

  /** Accepts connections until `close()`; each is served as a task of the group. */
  async serve(
    group: AsyncGroup,
    serve: (connection: Connection) => Promise<void>,
    onError: (error: unknown) => void,
  ): Promise<void> {
    for (;;) {
      try {
        const connection = new DenoConnection(await this.#listener.accept());
        if (this.#closed) {
          // It came at the last moment: nobody who ends the others knows of it.
          connection.close();
          return;
        }
        group.spawn(`connection ${connection.peer}`, () => serve(connection));
      } catch (error) {
        if (this.#closed) return;
        onError(error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  /** Stops listening. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    if (this.#path !== undefined) removeSocket(this.#path);
  }
}

/** Deno leaves the socket's file behind, Go does not. */
function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    // Whoever removed it has done no harm: the daemon must stop all the same.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
