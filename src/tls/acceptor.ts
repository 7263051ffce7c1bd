/**
 * The server's side of TLS, for TCP and HTTPS alike: the handshake on a stream, and what clients must prove. It is Node's TLS
 * over a stream over the connection: Deno can start TLS as a client only.
 *
 * A handshake that fails leaves nothing behind. Node's way, a server for each connection, would keep stream, server and
 * socket for as long as its timer runs, which nobody ends when a handshake fails (Deno 2.9.6).
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { createSecureContext, type DetailedPeerCertificate, type SecureContext, TLSSocket } from "node:tls";
import { Authorities, possessionRefusal } from "./chain.ts";

/** How long a client may take for the handshake, as in NSQ. */
export const HANDSHAKE_TIMEOUT_MS = 5000;

/** The runtime's word for a client without a certificate, and Go's. */
const NO_CERTIFICATE = "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE";
const NO_CERTIFICATE_REFUSAL = "tls: client didn't provide a certificate";

/** What a client must prove: nothing, that it has a certificate, or one that a known authority has signed. */
export type ClientAuthPolicy = "none" | "require" | "require-verify";

/** With what to serve TLS; the texts are in PEM form. */
export interface TlsServerOptions {
  readonly cert: string;
  readonly key: string;
  /** Certificates of the authorities that client certificates are verified against. */
  readonly rootCa: string | undefined;
  readonly clientAuth: ClientAuthPolicy;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** A handshake that has come to its end. */
export interface Accepted {
  readonly socket: TLSSocket;
  /** Subject's common name in the client's certificate, or "". */
  readonly commonName: string;
  /** Why the client is not to be served: TLS cannot be told by then, but what is spoken over it can be used to say so. */
  readonly refusal: string | undefined;
}

/** Does handshakes. */
export class TlsAcceptor {
  readonly #options: TlsServerOptions;
  readonly #context: SecureContext;
  readonly #authorities: Authorities;

  /** @throws {Error} When this runtime cannot, or the authorities are of no use. */
  constructor(options: TlsServerOptions) {
    const { cert, key, rootCa, minVersion } = options;
    // Older ones start no handshake on a stream, and take what they are told of client certificates and ignore it.
    if (!("getProtocol" in TLSSocket.prototype)) {
      throw new Error(`TLS is not served by this Deno (${Deno.version.deno}), but by 2.9`);
    }
    this.#options = options;
    this.#authorities = new Authorities(rootCa ?? "");
    this.#context = createSecureContext({ cert, key, minVersion, ...rootCa !== undefined && { ca: rootCa } });
  }

  /**
   * Does the handshake.
   *
   * @throws {Error} When it fails or takes too long; the stream is destroyed then, as soon as the client has been told.
   */
  async accept(stream: Duplex): Promise<Accepted> {
    const socket = await this.#handshake(stream);
    // Without this a vanished peer would be noticed by the next write only, and an error in what it sends not at all.
    stream.once("error", (error) => socket.destroy(error));
    stream.once("close", () => socket.destroy());
    socket.on("_tlsError", (error: Error) => socket.destroy(error));
    if (this.#options.clientAuth === "none") return { socket, commonName: "", refusal: undefined };
    try {
      const commonName = lastOf(socket.getPeerCertificate()?.subject?.CN);
      return { socket, commonName, refusal: await this.#refusal(presentedBy(socket)) };
    } catch (error) {
      // What the client has sent may be no certificates.
      socket.destroy();
      throw error;
    }
  }

  #handshake(stream: Duplex): Promise<TLSSocket> {
    const asks = this.#options.clientAuth !== "none";
    const letEnd = delayEnd(stream);
    // TLS sees to it that there is a certificate and that the client has its key, and to nothing else (Deno 2.9.6).
    const socket = new TLSSocket(stream, {
      isServer: true,
      secureContext: this.#context,
      requestCert: asks,
      rejectUnauthorized: asks,
    });
    return new Promise((resolve, reject) => {
      const gone = () => fail(new Error("tls: connection closed in the handshake"));
      const timer = setTimeout(() => {
        fail(new Error("tls: handshake timeout"));
        // It may be that the client does not read: whatever it should be told is not waited for.
        letEnd();
        stream.destroy();
      }, HANDSHAKE_TIMEOUT_MS);
      const fail = (error: Error & { readonly code?: string }) => {
        reject(error.code === NO_CERTIFICATE ? new Error(NO_CERTIFICATE_REFUSAL, { cause: error }) : error);
        socket.destroy();
      };
      stream.once("close", () => clearTimeout(timer));
      stream.once("error", fail).once("end", gone).once("close", gone);
      socket.once("error", fail);
      socket.once("secure", () => {
        clearTimeout(timer);
        letEnd();
        stream.off("error", fail).off("end", gone).off("close", gone);
        socket.off("error", fail);
        resolve(socket);
      });
    });
  }

  async #refusal(presented: readonly Uint8Array[]): Promise<string | undefined> {
    // A session that was begun where nobody asked for one can be resumed.
    if (presented.length === 0) return NO_CERTIFICATE_REFUSAL;
    const reason = this.#options.clientAuth === "require"
      ? possessionRefusal(presented)
      : await this.#authorities.refusal(presented, Date.now());
    return reason === undefined ? undefined : `tls: failed to verify certificate: ${reason}`;
  }
}

/** What the client has shown, in DER: its certificate first. */
function presentedBy(socket: TLSSocket): Uint8Array[] {
  const presented: Uint8Array[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw) {
    presented.push(certificate.raw);
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    // One that has signed itself is its own issuer.
    certificate = issuer === certificate ? undefined : issuer;
  }
  return presented;
}

/**
 * When a handshake fails, TLS destroys the stream first, and then writes the alert that tells the client why. So until the
 * function that this returns is called, destroying the stream only ends it, a moment later.
 */
function delayEnd(stream: Duplex): () => void {
  const letEnd = () => void Reflect.deleteProperty(stream, "destroy");
  stream.destroy = (error) => {
    letEnd();
    // The alert is a step away.
    queueMicrotask(() => queueMicrotask(() => stream.end(() => stream.destroy(error))));
    return stream;
  };
  return letEnd;
}

/** As in Go, the last one counts. */
function lastOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value.at(-1) : value) ?? "";
}
