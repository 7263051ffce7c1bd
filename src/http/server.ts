/**
 * Serves HTTP/1.1, in plain or over TLS, on a TCP address or a unix socket.
 *
 * ```
 *  ConnectionListener ─▶ (TLS: handshake, conditions) ─▶ HttpConnection ─▶ the handler
 * ```
 *
 * Every server is a tracked promise, `finished`, and each of its connections is one of its tasks. `Deno.serve` would be the
 * obvious way, and is the way where the platform accepts the connections: on Deno Deploy (deno_serve.ts). Elsewhere it
 * is not, because of what it has no means for (Deno 2.9.6):
 *
 * - its accept loop ends for good with the first accept that fails: a stranger who uses up the descriptors ends it;
 * - no limit on connections, on the time of heads, bodies and idle connections, or on clients that do not read;
 * - a Host header is made a part of the URL before anybody can look at it, and of two lengths one is hidden;
 * - it costs twice as much for a publish (docs/performance.md).
 *
 * TLS is Node's, for every client. The runtime's own (`Deno.listenTls`) costs half as much, but its connections cannot be
 * ended: while a client leaves the handshake unfinished, or what it is sent unread, `close()` leaves the descriptor open
 * until that client goes (Deno 2.9.6).
 *
 * @module
 */
import { AsyncGroup, TasksStillRunningError } from "../base/async_group.ts";
import type { Clock } from "../base/clock.ts";
import type { ErrorSink } from "../base/error_sink.ts";
import { errorText } from "../base/error_text.ts";
import { every } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { FairShare } from "../base/fair_share.ts";
import { isOnDeploy } from "../base/platform.ts";
import { Seldom } from "../base/seldom.ts";
import type { Address } from "../config/address.ts";
import type { ConnectionLimits } from "../net/admission.ts";
import { type Connection, type DenoConnection, isDisconnect, writeAll } from "../net/connection.ts";
import { cannotListen, ConnectionListener } from "../net/listener.ts";
import type { TlsServer, TlsUpgrade } from "../net/tls_server.ts";
import { BodyBudget } from "./body_budget.ts";
import { serveWithRuntime } from "./deno_serve.ts";
import { HttpConnection, type HttpConnectionContext, type HttpTimeouts } from "./http_connection.ts";
import type { RequestHandler } from "./http_request.ts";
import type { HttpOptions } from "./options.ts";

/** What {@linkcode serveHttp} needs. */
export interface ServeOptions {
  /** Where to listen; port 0 is any free port. */
  readonly address: Address;
  readonly handler: RequestHandler;
  readonly logger: Logger;
  readonly limits: HttpLimits;
  /** By which limits of time go. */
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Serve HTTPS: with which certificate, and on which conditions. */
  readonly tls?: TlsServer | undefined;
  /** What log lines begin with. @default {"HTTP" or "HTTPS"} */
  readonly name?: string;
  /** Is told of what clients do wrong before there is a request. @default {nobody} */
  readonly onError?: ErrorSink | undefined;
}

/** How much clients may take. */
export interface HttpLimits {
  readonly connections: ConnectionLimits;
  readonly timeouts: HttpTimeouts;
  /** Shared by all servers of a program. */
  readonly budget: BodyBudget;
}

/** A listener and its requests. */
export interface HttpServer {
  /** What it is bound to: `127.0.0.1:4151`, or the path of the socket. */
  readonly address: string;
  /** The port it is bound to, or `undefined` for a unix socket. */
  readonly port: number | undefined;
  /** Connections that have been refused, because there were too many. */
  readonly refused: number;
  /** Settles when it has stopped serving. */
  readonly finished: Promise<void>;
  /** New connections get another certificate, or meet other conditions; for a server of HTTPS. @throws {Error} */
  renew(tls: TlsServer): void;
  /** Refuses new requests, lets those in progress finish, and cuts off what is left after `graceMs`. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

/** How often connections are held against their time limits, in ms. */
const CHECK_INTERVAL_MS = 500;
/** What a connection beyond the limit is told, in plain. */
const TOO_MANY = new TextEncoder().encode(
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
);
/** So many at a time are told so, each for so long; others are closed without a word. */
const REFUSALS_MAX = 32;
const REFUSAL_TIME_MS = 200;
const REFUSAL_READ_SIZE = 1024;

/** The limits of connections that the options ask for. */
export function httpConnections(
  { httpMaxConnections, httpMaxConnectionsPerAddress }: Pick<
    HttpOptions,
    "httpMaxConnections" | "httpMaxConnectionsPerAddress"
  >,
): ConnectionLimits {
  return { max: httpMaxConnections, perAddressMax: httpMaxConnectionsPerAddress };
}

/** The limits that the options ask for, with `connections` as many as there may be. */
export function httpLimits(
  options: Omit<HttpOptions, "httpAllowedHosts"> & { readonly writeTimeoutMs: number },
  connections: ConnectionLimits,
  budget = new BodyBudget(options.httpMaxBodiesSizeBytes),
): HttpLimits {
  return {
    connections,
    timeouts: {
      headerTimeoutMs: options.httpHeaderTimeoutMs,
      bodyTimeoutMs: options.httpBodyTimeoutMs,
      idleTimeoutMs: options.httpIdleTimeoutMs,
      writeTimeoutMs: options.writeTimeoutMs,
    },
    budget,
  };
}

/**
 * Listens and serves.
 *
 * @throws {Error} If it can't listen; the message names the address, the cause is the platform's.
 */
export function serveHttp(options: ServeOptions): HttpServer {
  return isOnDeploy() ? serveWithRuntime(options) : new ListeningServer(options);
}

/** What comes of a handshake. */
type Handshake = Partial<Pick<TlsUpgrade, "connection" | "state">>;

class ListeningServer implements HttpServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly finished: Promise<void>;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #listener: ConnectionListener;
  readonly #clients = new AsyncGroup();
  /** Connections in TLS's handshake. */
  readonly #beginning = new Set<Connection>();
  readonly #connections = new Set<HttpConnection>();
  readonly #context: HttpConnectionContext;
  readonly #handshakeFailed: Seldom;
  readonly #onError: ErrorSink | undefined;
  readonly #share = new FairShare();
  readonly #stopped = new AbortController();
  #tls: TlsServer | undefined;
  #refusals = 0;
  #closing = false;

  constructor({ address, handler, logger, limits, clock, tls, name: givenName, onError }: ServeOptions) {
    const name = givenName ?? (tls === undefined ? "HTTP" : "HTTPS");
    this.#name = name;
    this.#logger = logger;
    this.#tls = tls;
    this.#onError = onError;
    this.#handshakeFailed = new Seldom((text) => logger.warn(`${name}: TLS handshake error from ${text}`));
    this.#context = {
      handler,
      timeouts: limits.timeouts,
      clock,
      budget: limits.budget,
      share: this.#share,
      onFault: (text) => logger.error(`${name}: ${text}`),
      onError,
      isClosing: () => this.#closing,
    };
    try {
      this.#listener = new ConnectionListener(address, { limits: limits.connections });
    } catch (cause) {
      throw cannotListen(address, cause);
    }
    this.address = this.#listener.text;
    this.port = this.#listener.port < 0 ? undefined : this.#listener.port;
    logger.info(`${name}: listening on ${this.address}`);
    this.finished = this.#run();
  }

  get refused(): number {
    return this.#listener.admission.refused;
  }

  renew(tls: TlsServer): void {
    if (this.#tls === undefined) throw new TypeError("There is no certificate where there is no TLS");
    this.#tls = tls;
  }

  async close({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#logger.info(`${this.#name}: closing ${this.address}`);
    this.#closing = true;
    this.#listener.close();
    for (const connection of this.#beginning) connection.close();
    for (const connection of this.#connections) if (!connection.busy) connection.close();
    try {
      await this.#clients.wait({ timeoutMs: graceMs });
    } catch (error) {
      if (!(error instanceof TasksStillRunningError)) throw error;
      // A handler that hangs is left to itself.
      const requests = [...this.#connections].filter(({ busy }) => busy).length;
      this.#logger.warn(`${this.#name}: cut off ${requests} requests after ${graceMs}ms`);
      for (const connection of this.#connections) connection.close();
    }
    this.#stopped.abort();
    await this.finished;
    await this.#share.ended();
  }

  async #run(): Promise<void> {
    const checking = every(CHECK_INTERVAL_MS, this.#stopped.signal, () => this.#checkTime());
    await this.#listener.serve(this.#clients, {
      logger: this.#logger,
      name: this.#name,
      onError: this.#onError,
      serve: (connection) => this.#serve(connection),
      refuse: (connection) => this.#refuse(connection),
    });
    await checking;
  }

  #checkTime(): void {
    for (const connection of this.#connections) connection.checkTime();
  }

  async #serve(plain: DenoConnection): Promise<void> {
    const { connection, state } = this.#tls === undefined
      ? { connection: plain, state: undefined }
      : await this.#handshake(plain, this.#tls);
    if (connection === undefined) return;
    const served = new HttpConnection(connection, this.#context, state);
    this.#connections.add(served);
    await served.run();
    this.#connections.delete(served);
  }

  /** The connection with TLS, or nothing if there is none to be had, or the client has not shown what it must. */
  async #handshake(plain: DenoConnection, tls: TlsServer): Promise<Handshake> {
    this.#beginning.add(plain);
    try {
      const { connection, state, refusal } = await tls.upgrade(plain);
      if (refusal === undefined) return { connection, state };
      connection.close();
      throw new Error(refusal);
    } catch (error) {
      // It is closed, as soon as the client has been told.
      if (!this.#closing) {
        this.#handshakeFailed.say(`${plain.peer} - ${errorText(error)}`);
        this.#onError?.("TLS_HANDSHAKE", plain.peer, errorText(error));
      }
      return {};
    } finally {
      this.#beginning.delete(plain);
    }
  }

  /** Tells a client that there are too many, if that can be told in plain. */
  #refuse(connection: Connection): void {
    if (this.#tls !== undefined || this.#refusals >= REFUSALS_MAX) {
      connection.close();
      return;
    }
    this.#refusals++;
    this.#clients.spawn("refusal", async () => {
      const timer = setTimeout(() => connection.close(), REFUSAL_TIME_MS);
      try {
        await writeAll(connection, TOO_MANY);
        await connection.closeWrite?.();
        // What it sends is dropped: closed at once, it would lose the answer.
        while (await connection.read(new Uint8Array(REFUSAL_READ_SIZE)) !== null);
      } catch (error) {
        if (!isDisconnect(error)) throw error;
      } finally {
        clearTimeout(timer);
        connection.close();
        this.#refusals--;
      }
    });
  }
}
