/**
 * TLS on a connection that has begun in plain: the server's side of the upgrade.
 *
 * Deno can start TLS on a connection as a client only, so it is Node's TLS over a stream over the connection. That
 * costs twice what TLS on a socket of Node's own costs, and so a plain connection, which stays on Deno's socket, pays
 * nothing for TLS being possible (docs/performance.md).
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { createSecureContext, createServer, type SecureContext, TLSSocket } from "node:tls";
import type { Connection } from "./connection.ts";
import { ReadGate, StreamConnection, streamOf } from "./node_stream.ts";

/** How long a client may take for the handshake, as in NSQ. */
const HANDSHAKE_TIMEOUT_MS = 5000;

/** What a client must prove: nothing, that it has a certificate, or one that a known authority has signed. */
export type ClientAuthPolicy = "none" | "require" | "require-verify";

/** What {@linkcode TlsServer} is made from; the texts are in PEM form. */
export interface TlsServerOptions {
  readonly cert: string;
  readonly key: string;
  readonly rootCa: string | undefined;
  readonly clientAuth: ClientAuthPolicy;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** What was agreed on, in Go's names. */
export interface TlsState {
  /** `TLS1.2` or `TLS1.3`. */
  readonly version: string;
  readonly cipherSuite: string;
  /** Subject's common name in the client's certificate, or "". */
  readonly commonName: string;
}

/** Upgrades connections. */
export class TlsServer {
  readonly options: TlsServerOptions;
  readonly #context: SecureContext;

  constructor(options: TlsServerOptions) {
    // Older ones start no handshake on a stream, and know of no client certificates.
    if (!("getProtocol" in TLSSocket.prototype)) {
      throw new Error(`TLS is not served by this Deno (${Deno.version.deno}), but by 2.9`);
    }
    this.options = options;
    this.#context = createSecureContext({
      cert: options.cert,
      key: options.key,
      ...options.rootCa !== undefined && { ca: options.rootCa },
    });
  }

  /**
   * Does the handshake.
   *
   * @throws {Error} When it fails or takes too long; the connection is closed then.
   */
  async upgrade(connection: Connection): Promise<{ connection: Connection; state: TlsState }> {
    const gate = new ReadGate();
    const socket = await this.#handshake(streamOf(connection, gate));
    const { clientAuth } = this.options;
    const certificate = socket.getPeerCertificate();
    const hasCertificate = certificate !== null && Object.keys(certificate).length > 0;
    if (clientAuth === "require" && !hasCertificate) {
      socket.destroy();
      throw new Error("tls: client didn't provide a certificate");
    }
    // The handshake has seen to this already; better twice than never.
    if (clientAuth === "require-verify" && !socket.authorized) {
      socket.destroy();
      throw new Error("tls: client's certificate is not verified");
    }
    const state = {
      version: (socket.getProtocol() ?? "").replace("TLSv", "TLS"),
      cipherSuite: socket.getCipher()?.standardName ?? "",
      commonName: text(hasCertificate ? certificate.subject?.CN : undefined),
    };
    return { connection: new StreamConnection(socket, gate, connection.peer), state };
  }

  #handshake(stream: Duplex): Promise<TLSSocket> {
    const { cert, key, rootCa, clientAuth, minVersion } = this.options;
    // A server of its own for each connection (0.15 ms, a handshake takes 3): its events are this connection's.
    const server = createServer({
      secureContext: this.#context,
      cert,
      key,
      ...rootCa !== undefined && { ca: rootCa },
      minVersion,
      requestCert: clientAuth !== "none",
      rejectUnauthorized: clientAuth === "require-verify",
    });
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        clearTimeout(timer);
        stream.destroy();
        reject(error);
      };
      // The runtime has no words for a certificate that is not good.
      const unverified = clientAuth === "require-verify" ? "client's certificate is not verified, or " : "";
      const gone = () => fail(new Error(`tls: ${unverified}connection closed in the handshake`));
      const timer = setTimeout(() => fail(new Error("tls: handshake timeout")), HANDSHAKE_TIMEOUT_MS);
      stream.once("error", fail).once("end", gone).once("close", gone);
      server.once("tlsClientError", fail);
      server.once("secureConnection", (socket) => {
        clearTimeout(timer);
        stream.off("error", fail).off("end", gone).off("close", gone);
        // Without this a vanished peer would be noticed by the next write only.
        stream.once("error", (error) => socket.destroy(error));
        stream.once("close", () => socket.destroy());
        resolve(socket);
      });
      server.emit("connection", stream);
    });
  }
}

function text(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value[0] ?? "" : value ?? "";
}
