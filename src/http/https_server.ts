/**
 * Serves HTTPS, also to clients that must meet conditions: prove who they are by a certificate, or speak TLS 1.3.
 * `Deno.serve` knows no conditions and ignores options for them, so these are served by Node's TLS and HTTP, at
 * about ten times the cost of a request (Deno 2.9.6: 86 against 7 µs); everybody else is served by `Deno.serve`.
 *
 * ```
 *  Deno.listen ─▶ CipherStream ─▶ TLS: handshake, conditions ─▶ HTTP: requests ─▶ the handler
 * ```
 *
 * @module
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Logger } from "../base/logger.ts";
import { errorText } from "../base/error_text.ts";
import type { Address } from "../config/address.ts";
import { TlsAcceptor, type TlsServerOptions } from "../tls/acceptor.ts";
import { CipherStream } from "./cipher_stream.ts";
import type { Peer } from "./http_request.ts";
import { NodeRequest, sendResponse } from "./node_exchange.ts";
import { RenewableServer } from "./renewable_server.ts";
import { Requests, sendTimeMs, settles } from "./requests.ts";
import { formatAddress, type HttpServer, listenError, serveHttp, type ServeOptions } from "./server.ts";

/** A server that can go on with another certificate, and other authorities. */
export interface HttpsServer extends HttpServer {
  /** Serves by these from now on; settles when it does. */
  renew(tls: TlsServerOptions): Promise<void>;
}

/** What {@linkcode serveHttps} needs. */
export interface ServeHttpsOptions extends Omit<ServeOptions, "tls"> {
  readonly tls: TlsServerOptions;
}

/** After a failed accept (too many open files, for instance), how long to wait before the next. */
const ACCEPT_RETRY_MS = 50;
/** The answer to what is no request. */
const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/**
 * Listens and serves.
 *
 * @throws {Error} If it can't listen, or the conditions can't be enforced.
 */
export function serveHttps(options: ServeHttpsOptions): HttpsServer {
  const { clientAuth, minVersion } = options.tls;
  if (clientAuth !== "none" || minVersion !== "TLSv1.2") return new ConditionalServer(options);
  const serve = ({ cert, key }: TlsServerOptions, port?: number) => {
    const { address } = options;
    const there = port === undefined || address.kind === "unix" ? address : { ...address, port };
    return serveHttp({ ...options, address: there, tls: { cert, key } });
  };
  try {
    return new RenewableServer({ logger: options.logger, certificate: options.tls, serve });
  } catch (error) {
    // A certificate in X.509's version 1, as `openssl x509 -req` makes them, is too old for Deno.serve only.
    const tooOld = error instanceof Error && error.message.includes("UnsupportedCertVersion");
    if (tooOld && enforcesConditions()) return new ConditionalServer(options);
    throw error;
  }
}

class ConditionalServer implements HttpsServer {
  readonly address: string;
  readonly port: number;
  readonly finished: Promise<void>;
  #acceptor: TlsAcceptor;
  readonly #listener: Deno.TcpListener;
  readonly #logger: Logger;
  readonly #requests: Requests;
  readonly #http = createHttpServer();
  /** Open connections, with their decrypted side once there is one. */
  readonly #connections = new Map<CipherStream, TLSSocket | undefined>();
  readonly #peers = new WeakMap<Duplex, Peer>();
  readonly #idle = Promise.withResolvers<void>();
  #closing = false;

  constructor({ address, handler, logger, tls }: ServeHttpsOptions) {
    this.#acceptor = new TlsAcceptor(tls);
    this.#logger = logger;
    this.#requests = new Requests(handler);
    this.#listener = listen(address);
    const { hostname, port } = this.#listener.addr;
    this.port = port;
    this.address = formatAddress({ kind: "tcp", hostname, port });

    // Connections come from this file's listener, but a server that does not listen itself keeps none alive.
    Object.defineProperty(this.#http, "listening", { value: true });
    this.#http.keepAliveTimeout = 0;
    this.#http.on("request", this.#answer);
    this.#http.on("checkContinue", this.#answer);
    this.#http.on("clientError", (_error, socket) => socket.end(BAD_REQUEST, () => socket.destroy()));

    this.finished = Promise.all([this.#accept(), this.#idle.promise]).then(() => {});
    logger.info(`HTTPS: listening on ${this.address}`);
  }

  renew(tls: TlsServerOptions): Promise<void> {
    // Each handshake asks anew.
    this.#acceptor = new TlsAcceptor(tls);
    return Promise.resolve();
  }

  async close(options: { readonly graceMs: number }): Promise<void> {
    this.#logger.info(`HTTPS: closing ${this.address}`);
    const endMs = performance.now() + options.graceMs;
    const inTime = await settles(this.#requests.close(), options.graceMs);
    this.#stopListening();
    if (!inTime) {
      this.#logger.warn(`HTTPS: cut off ${this.#requests.count} requests after ${options.graceMs}ms`);
    } else {
      for (const [stream, socket] of this.#connections) {
        if (socket === undefined) stream.destroy();
        else socket.destroySoon();
      }
      await settles(this.#idle.promise, sendTimeMs(endMs));
    }
    for (const stream of this.#connections.keys()) stream.destroy();
    await this.finished;
  }

  async #accept(): Promise<void> {
    while (!this.#closing) {
      try {
        this.#handshake(await this.#listener.accept());
      } catch (error) {
        if (this.#closing) return;
        this.#logger.warn(`HTTPS: temporary Accept() failure - ${error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  #handshake(connection: Deno.TcpConn): void {
    const { remoteAddr } = connection;
    connection.setNoDelay(true);
    const stream = new CipherStream(connection);
    this.#connections.set(stream, undefined);
    stream.on("error", (error) => this.#logger.debug(`HTTPS: [${formatPeer(remoteAddr)}] ${error}`));
    stream.once("close", () => this.#forget(stream));
    this.#secure(stream, remoteAddr).catch((error) => {
      this.#logger.warn(`HTTPS: TLS handshake error from ${formatPeer(remoteAddr)} - ${errorText(error)}`);
    });
  }

  /** Serves the connection over TLS. Rejects when the handshake fails, which closes it, or the client is refused. */
  async #secure(stream: CipherStream, remoteAddr: Deno.NetAddr): Promise<void> {
    const { socket, refusal } = await this.#acceptor.accept(stream);
    stream.feed(socket);
    if (refusal !== undefined) {
      socket.destroy();
      throw new Error(refusal);
    }
    this.#connections.set(stream, socket);
    this.#peers.set(socket, { remoteAddr });
    this.#http.emit("connection", socket);
  }

  readonly #answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { socket } = incoming;
    const peer = this.#peers.get(socket);
    if (peer === undefined) throw new TypeError("A request on a connection of somebody else");
    // A client that goes away is seen by whoever reads its body or writes its response.
    incoming.on("error", () => {});
    const request = new NodeRequest(incoming, outgoing);
    const send = (response: Response) => sendResponse(response, incoming, outgoing);
    this.#requests.exchange(request, peer, send).catch((error) => {
      this.#logger.error(`HTTPS: failed to respond - ${error}`);
      socket.destroy();
    });
  };

  #stopListening(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#listener.close();
    if (this.#connections.size === 0) this.#idle.resolve();
  }

  #forget(stream: CipherStream): void {
    this.#connections.delete(stream);
    if (this.#closing && this.#connections.size === 0) this.#idle.resolve();
  }
}

/** True if this runtime does what it is told about TLS. Older ones take the options and ignore them. */
function enforcesConditions(): boolean {
  return "getProtocol" in TLSSocket.prototype;
}

function listen(address: Address): Deno.TcpListener {
  if (address.kind === "unix") throw new TypeError("Cannot serve HTTPS on a unix socket");
  const hostname = address.hostname === "" ? "0.0.0.0" : address.hostname;
  try {
    return Deno.listen({ hostname, port: address.port });
  } catch (cause) {
    throw listenError(address, cause);
  }
}

function formatPeer({ hostname, port }: Deno.NetAddr): string {
  return formatAddress({ kind: "tcp", hostname, port });
}
