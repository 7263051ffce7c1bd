/**
 * TLS on a connection that has begun in plain: the server's side of the upgrade. It costs twice what TLS on a socket of Node's
 * own costs, and so a plain connection, which stays on Deno's socket, pays nothing for TLS being possible
 * (docs/performance.md).
 *
 * @module
 */

import { TlsAcceptor, type TlsServerOptions } from "../tls/acceptor.ts";
import type { Connection } from "./connection.ts";
import { ReadGate, StreamConnection, streamOf } from "./node_stream.ts";

/** What was agreed on, in Go's names. */
export interface TlsState {
  /** `TLS1.2` or `TLS1.3`. */
  readonly version: string;
  readonly cipherSuite: string;
  /** Subject's common name in the client's certificate, or "". */
  readonly commonName: string;
}

/** A connection with TLS on it. */
export interface TlsUpgrade {
  readonly connection: Connection;
  readonly state: TlsState;
  /** Why the client is not to be served; it can be told so over the connection. */
  readonly refusal: string | undefined;
}

/** Upgrades connections. */
export class TlsServer {
  readonly options: TlsServerOptions;
  readonly #acceptor: TlsAcceptor;

  /** @throws {Error} When TLS cannot be served with these options. */
  constructor(options: TlsServerOptions) {
    this.options = options;
    this.#acceptor = new TlsAcceptor(options);
  }

  /**
   * Does the handshake.
   *
   * @throws {Error} When it fails or takes too long; the connection is closed then.
   */
  async upgrade(connection: Connection): Promise<TlsUpgrade> {
    const gate = new ReadGate();
    const { socket, commonName, refusal } = await this.#acceptor.accept(streamOf(connection, gate));
    const state = {
      version: (socket.getProtocol() ?? "").replace("TLSv", "TLS"),
      cipherSuite: socket.getCipher()?.standardName ?? "",
      commonName,
    };
    return { connection: new StreamConnection(socket, gate, connection.peer), state, refusal };
  }
}
